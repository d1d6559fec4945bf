//! Open conflicts as people see them: the sides next to each other, what each would give, and a short
//! name to answer by. In: what the library lists. Out: lines or JSON. Never: a decision.

mod answers;
mod difference;
mod frame;
mod json;

use selkie::{Conflict, ConflictKind, DeviceId, OpenConflict, Side, SideContent, UniqueClash};
use serde_json::Value;

use crate::output::{BOLD, DIM, GOOD, Output, TYPED, WARNING};
use crate::{field_text, text, time_text};

pub use answers::Word;
pub use json::{clash as clash_json, conflict as to_json, content as content_json};

use difference::Line;
use frame::{Column, boxed, wrap};

/// Widest column of a side, in characters.
const COLUMN_CHARS_MAX: usize = 36;
/// Lines of a value that are shown; `--json` has all of it.
const VALUE_LINES_MAX: usize = 12;
/// Lines of a long value that stay before the first that differs.
const LINES_BEFORE: usize = 2;
/// Columns beside each other; more sides go below.
const COLUMNS_MAX: usize = 2;
/// The kind of a clash of unique values, which is no conflict of one record.
pub const UNIQUE_KEY: &str = "unique_key";
/// All kinds, as `--kind` takes them.
pub const KINDS: [&str; 4] = ["concurrent_edit", "edit_vs_delete", "shape", UNIQUE_KEY];

/// The short name of a conflict as it stands: ten hexadecimal digits of its token's FNV-1a hash.
///
/// A token names each write that was shown and is too long to type. Its hash changes whenever it does,
/// so an answer by this name is refused once the conflict looks different.
pub fn short_token(token: &str) -> String {
    let hash = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}").chars().take(10).collect()
}

/// `collection/id` or `collection/id/field`, as `selkie resolve` takes it.
pub fn place(open: &OpenConflict) -> String {
    let record = format!("{}/{}", open.collection, open.id);
    if open.conflict.path.is_root() { record } else { format!("{record}/{}", open.conflict.path) }
}

/// What a view needs beside the conflict.
pub struct Scene<'a> {
    /// Names devices.
    pub name_of: &'a dyn Fn(&DeviceId) -> String,
    /// The record's document as it is shown now; `None` if the record is not shown.
    pub document: Option<&'a Value>,
    /// The wall time.
    pub now_ms: u64,
}

/// A conflict as lines of text; the last says what to type in a shell.
pub fn lines(open: &OpenConflict, scene: &Scene<'_>, out: &Output) -> Vec<String> {
    let Conflict { path, kind, sides, shown } = &open.conflict;
    let record = text::plain(&format!("{}/{}", open.collection, open.id));
    let (name, part) = field_text::name(path);
    let field = if path.is_root() { String::new() } else { format!("  {name}{}", part.note()) };
    let title = out.paint(BOLD, format!("{record}{field}"));
    let since = text::moment(open.since_ms);
    let why = out.paint(DIM, format!("{}: {}, since {since}", kind.name(), kind_text(*kind)));
    let mut lines = vec![title, why];
    let columns: Vec<_> = sides
        .iter()
        .enumerate()
        .map(|(at, side)| column(at, side, other(sides, at, *shown), at == *shown, scene.name_of))
        .collect();
    for row in columns.chunks(COLUMNS_MAX) {
        lines.extend(boxed(row, out));
    }
    for (at, side) in sides.iter().enumerate() {
        let gives = answers::gives(open, &side.content, scene.document);
        lines.push(format!("side {} gives  {gives}{}", at + 1, suggested(open, at, out)));
    }
    lines.push(out.paint(DIM, deadline_text(open, scene.now_ms)));
    let short = short_token(&open.token);
    lines.push(out.paint(TYPED, format!("selkie resolve {short} --side 1")));
    lines
}

fn kind_text(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::ConcurrentEdit => "two devices edited this field",
        ConflictKind::EditVsDelete => "one device deleted the record, another edited it",
        ConflictKind::Shape => "one device wrote a single value, another an object",
        _ => "two devices disagree",
    }
}

fn suggested(open: &OpenConflict, at: usize, out: &Output) -> String {
    match &open.suggestion {
        Some(suggestion) if suggestion.side == at => {
            let answer = text::plain(&suggestion.answer);
            let text =
                format!("  ← suggested: {answer}, {} of {}", suggestion.support, suggestion.of);
            out.paint(GOOD, text)
        }
        _ => String::new(),
    }
}

/// When the conflict ends by itself, and how.
fn deadline_text(open: &OpenConflict, now_ms: u64) -> String {
    let shown = open.conflict.shown + 1;
    match open.deadline_ms.checked_sub(now_ms) {
        Some(left_ms) if left_ms > 0 => {
            format!("settled in {} as side {shown}, if nobody answers", time_text::about(left_ms))
        }
        _ => format!("settled with the next sync as side {shown}"),
    }
}

/// A clash of unique values as lines of text.
pub fn clash_lines(clash: &UniqueClash, out: &Output) -> Vec<String> {
    let (collection, path) = (text::plain(&clash.collection), text::plain(&clash.path.to_string()));
    let value = text::cut(&text::compact(&clash.value), COLUMN_CHARS_MAX);
    let records = text::counted(clash.ids.len() as u64, "record");
    let mut lines = vec![
        out.paint(BOLD, format!("{collection}  {path}")),
        out.paint(DIM, format!("{UNIQUE_KEY}: {records} have a value that must be unique")),
        format!("value    {}", out.paint(WARNING, value)),
    ];
    lines.extend(clash.ids.iter().map(|id| format!("record   {collection}/{}", text::plain(id))));
    let last = clash.ids.last().map(|id| text::plain(id)).unwrap_or_default();
    let patch = out.paint(TYPED, format!("selkie patch {collection} {last} '{{…}}'"));
    let delete = out.paint(TYPED, format!("selkie delete {collection} {last}"));
    lines.push(format!("give one another value, or delete one: {patch}, {delete}"));
    lines
}

/// The side that one is compared with: the one shown, or for that the first other.
fn other(sides: &[Side], at: usize, shown: usize) -> Option<&SideContent> {
    let place = if at != shown { shown } else { (0..sides.len()).find(|other| *other != at)? };
    sides.get(place).map(|side| &side.content)
}

fn column(
    at: usize,
    side: &Side,
    other: Option<&SideContent>,
    shown: bool,
    name_of: &dyn Fn(&DeviceId) -> String,
) -> Column {
    let mark = if shown { "  shown now" } else { "" };
    // One word each, so that the space between stays.
    let head = difference::Word { text: format!("side {}{mark}", at + 1), differs: false };
    let mut lines = vec![Line { indent: 0, words: vec![head] }];
    lines.extend(content_lines(&side.content, other));
    for (dot, stamp) in &side.written_by {
        let (name, at) = (text::plain(&name_of(&dot.device)), text::moment(stamp.unix_ms()));
        lines.push(Line::new(&format!("{name}, {at}"), false));
    }
    Column { shown, lines }
}

/// A side's content; of a long one, the part around its first difference.
fn content_lines(content: &SideContent, other: Option<&SideContent>) -> Vec<Line> {
    let lines: Vec<Line> = difference::lines(content, other)
        .iter()
        .flat_map(|line| wrap(line, COLUMN_CHARS_MAX))
        .collect();
    let count = lines.len();
    if count <= VALUE_LINES_MAX {
        return lines;
    }
    let differs = |line: &Line| line.words.iter().any(|word| word.differs);
    let first = lines.iter().position(differs).unwrap_or(0);
    let from = first.saturating_sub(LINES_BEFORE).min(count - VALUE_LINES_MAX);
    let ellipsis = |there: bool| there.then(|| Line::new("…", false));
    ellipsis(from > 0)
        .into_iter()
        .chain(lines.into_iter().skip(from).take(VALUE_LINES_MAX))
        .chain(ellipsis(from + VALUE_LINES_MAX < count))
        .collect()
}

#[cfg(test)]
pub mod examples {
    //! Conflicts as the library would list them.

    use selkie::{Conflict, ConflictKind, FieldPath, OpenConflict, Side, SideContent};
    use serde_json::Value;

    fn open(path: FieldPath, kind: ConflictKind, contents: Vec<SideContent>) -> OpenConflict {
        let side = |content| Side { content, written_by: Vec::new() };
        let sides: Vec<_> = contents.into_iter().map(side).collect();
        let shown = sides.len() - 1;
        OpenConflict {
            collection: "birds".to_owned(),
            id: "a".to_owned(),
            token: format!("token of {path}"),
            conflict: Conflict { path, kind, sides, shown },
            since_ms: 0,
            deadline_ms: 24 * 60 * 60 * 1000,
            suggestion: None,
        }
    }

    /// Values of one field, oldest first; the last is shown.
    pub fn edit(field: &str, values: &[Value]) -> OpenConflict {
        let contents = values.iter().cloned().map(SideContent::Value).collect();
        open(FieldPath::parse(field).unwrap(), ConflictKind::ConcurrentEdit, contents)
    }

    /// Kept by one device, deleted later by another.
    pub fn delete() -> OpenConflict {
        let contents = vec![SideContent::Kept, SideContent::Deleted];
        open(FieldPath::root(), ConflictKind::EditVsDelete, contents)
    }
}

#[cfg(test)]
mod tests {
    use selkie::Suggestion;
    use serde_json::json;

    use super::*;

    #[test]
    fn short_tokens_are_fnv_1a() {
        // From the reference vectors: FNV-1a 64 of "foobar" is 85944171f73967e8.
        assert_eq!(short_token("foobar"), "85944171f7");
    }

    #[test]
    fn a_long_value_is_wrapped_and_cut_around_its_difference() {
        let lines = content_lines(&SideContent::Value(json!("x".repeat(1_000))), None);
        assert_eq!(lines.len(), VALUE_LINES_MAX + 1);
        assert!(lines.iter().all(|line| line.width() <= COLUMN_CHARS_MAX));
        let long = |word: &str| {
            let before = "same ".repeat(200);
            SideContent::Value(json!(format!("{before}{word} {before}")))
        };
        let lines = content_lines(&long("mine"), Some(&long("theirs")));
        assert_eq!(lines.len(), VALUE_LINES_MAX + 2);
        let mut words = lines.iter().flat_map(|line| &line.words);
        assert!(words.any(|word| word.text == "mine" && word.differs));
    }

    #[test]
    fn a_view_tells_suggestion_deadline_and_what_answers_give() {
        let mut open = examples::edit("mass", &[json!(3650), json!(3700)]);
        let answer = "newest".to_owned();
        open.suggestion = Some(Suggestion { side: 1, answer, support: 9, of: 10 });
        let document = json!({"mass": 3700});
        let name_of = |_: &DeviceId| "phone".to_owned();
        let now_ms = 2 * 60 * 60 * 1000 + 50 * 60 * 1000;
        let scene = Scene { name_of: &name_of, document: Some(&document), now_ms };
        let text = lines(&open, &scene, &Output::new(true)).join("\n");
        for part in [
            "concurrent_edit: two devices edited this field",
            "side 1 gives  mass: 3650\n",
            "side 2 gives  mass: 3700  ← suggested: newest, 9 of 10",
            "settled in 21 h 10 min as side 2",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let late = Scene { now_ms: u64::MAX, ..scene };
        assert!(lines(&open, &late, &Output::new(true)).join("\n").contains("with the next sync"));
    }
}
