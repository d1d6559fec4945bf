//! Mask: the first and last characters of a text, and nothing of its length.

use serde_json::{Value, json};

use crate::share::policy::{Kind, Node, Reader};

/// Characters shown at both ends together, at most.
const SHOWN_MAX: i64 = 4;
/// A shorter text is hidden whole. It does not depend on how much is shown, so that showing less is
/// always narrower.
const TEXT_CHARS_MIN: usize = 8;
/// Stands for what is hidden, whatever its length.
const HIDDEN: &str = "***";

/// Shows the ends of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    first: usize,
    last: usize,
}

impl Mask {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        if matches!(node.kind, Kind::Bool(true)) {
            return Some(Self { first: 0, last: 0 });
        }
        let mut table = Reader::new(node, "`mask`", rule.problems())?;
        let first = table.optional("first");
        let last = table.optional("last");
        let one = first.map_or(Some(0), |_| table.integer(first, "first", 0, SHOWN_MAX));
        let other = last.map_or(Some(0), |_| table.integer(last, "last", 0, SHOWN_MAX));
        table.finish();
        let (first, last) = (one?, other?);
        if first + last > SHOWN_MAX {
            rule.wrong(node, "mask", "at most 4 characters shown at both ends together");
            return None;
        }
        Some(Self { first: usize::try_from(first).ok()?, last: usize::try_from(last).ok()? })
    }

    pub(super) fn to_value(self) -> Value {
        json!({ "first": self.first, "last": self.last })
    }

    pub(super) fn apply(self, value: &Value) -> Option<Value> {
        let text = value.as_str()?;
        let chars: Vec<char> = text.chars().collect();
        if chars.len() < TEXT_CHARS_MIN {
            return Some(HIDDEN.into());
        }
        let mut masked: String = chars.iter().take(self.first).collect();
        masked.push_str(HIDDEN);
        masked.extend(chars.iter().skip(chars.len() - self.last));
        Some(masked.into())
    }

    pub(super) fn is_narrowing_of(self, older: &Self) -> bool {
        self.first <= older.first && self.last <= older.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_ends_and_hides_length() {
        let mask = Mask { first: 1, last: 2 };
        for (text, masked) in [
            ("4111111111111111", "4***11"),
            ("12345678", "1***78"),
            ("1234567", "***"),
            ("", "***"),
            ("ééééééééé", "é***éé"),
        ] {
            assert_eq!(mask.apply(&text.into()), Some(masked.into()));
        }
        assert_eq!(mask.apply(&json!(4_111_111)), None);
    }
}
