//! Scan: a free text without what the scanner finds in it. A backstop, not a promise.

use serde_json::{Map, Value, json};

use crate::share::anonymize::stack;
use crate::share::policy::{Kind, Node, Reader};
use crate::share::scan;

const CHARS_MAX: i64 = 10_000;
const CHARS_DEFAULT: usize = 500;
const FRAMES_MAX: usize = 64;

/// Sends a text with what the scanner finds replaced, and of a stack trace only listed frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanText {
    chars_max: usize,
    /// Prefixes of functions that may be named; ascending.
    frames: Vec<String>,
}

impl ScanText {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        if matches!(node.kind, Kind::Bool(true)) {
            return Some(Self { chars_max: CHARS_DEFAULT, frames: Vec::new() });
        }
        let mut table = Reader::new(node, "`scan`", rule.problems())?;
        let chars_max = table.optional("chars_max");
        let chars = table.integer(chars_max, "chars_max", 1, CHARS_MAX);
        let frames = table.optional("frames");
        let wanted = "1 to 64 beginnings of function names";
        let list = table.list(frames, "frames", wanted, FRAMES_MAX, |node| match &node.kind {
            Kind::Text(text) if (1..=200).contains(&text.len()) => Some(text.clone()),
            _ => None,
        });
        table.finish();
        if (chars_max.is_some() && chars.is_none()) || (frames.is_some() && list.is_none()) {
            return None;
        }
        let mut frames = list.unwrap_or_default();
        frames.sort_unstable();
        frames.dedup();
        let chars_max =
            chars.and_then(|chars| usize::try_from(chars).ok()).unwrap_or(CHARS_DEFAULT);
        Some(Self { chars_max, frames })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("chars_max".to_owned(), self.chars_max.into());
        if !self.frames.is_empty() {
            map.insert("frames".to_owned(), json!(self.frames));
        }
        Value::Object(map)
    }

    /// Scanned before it is cut: a cut could take away what makes a number a card's.
    pub(super) fn apply(&self, value: &Value) -> Option<Value> {
        let text = value.as_str()?;
        let reduced = stack::reduce(text, &self.frames);
        let clean = scan::redact(reduced.as_deref().unwrap_or(text)).0;
        Some(clean.chars().take(self.chars_max).collect::<String>().into())
    }
}
