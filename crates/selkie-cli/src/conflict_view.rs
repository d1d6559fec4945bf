//! Open conflicts as people see them: the sides next to each other, and a short name to answer by.

use selkie::{Conflict, ConflictKind, DeviceId, OpenConflict, Side, SideContent};
use serde_json::{Value, json};

use crate::output::{BOLD, DIM, GOOD, Output, TYPED};
use crate::text;

/// Widest column of a side, in characters.
const COLUMN_CHARS_MAX: usize = 36;
/// Lines of a value that are shown; `--json` has all of it.
const VALUE_LINES_MAX: usize = 12;
/// Columns beside each other; more sides go below.
const COLUMNS_MAX: usize = 2;

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

/// A conflict as `--json` prints it.
pub fn to_json(open: &OpenConflict) -> Value {
    let sides: Vec<_> = open.conflict.sides.iter().enumerate().map(|(at, side)| {
        let written_by: Vec<_> = side
            .written_by
            .iter()
            .map(|(dot, stamp)| json!({ "device": dot.device.to_string(), "at_ms": stamp.unix_ms() }))
            .collect();
        let (content, value) = match &side.content {
            SideContent::Value(value) => ("value", value.clone()),
            SideContent::Removed => ("removed", Value::Null),
            SideContent::Kept => ("kept", Value::Null),
            SideContent::Deleted => ("deleted", Value::Null),
        };
        json!({
            "side": at + 1,
            "content": content,
            "value": value,
            "shown": at == open.conflict.shown,
            "written_by": written_by,
        })
    }).collect();
    json!({
        "collection": open.collection,
        "id": open.id,
        "field": open.conflict.path.to_string(),
        "kind": open.conflict.kind.name(),
        "sides": sides,
        "token": open.token,
        "short_token": short_token(&open.token),
        "since_ms": open.since_ms,
    })
}

/// A conflict as lines of text. `name_of` names devices.
pub fn lines(
    open: &OpenConflict,
    name_of: &dyn Fn(&DeviceId) -> String,
    out: &Output,
) -> Vec<String> {
    let Conflict { path, kind, sides, shown } = &open.conflict;
    let record = text::plain(&format!("{}/{}", open.collection, open.id));
    let field = if path.is_root() {
        String::new()
    } else {
        format!("  {}", text::plain(&path.to_string()))
    };
    let title = out.paint(BOLD, format!("{record}{field}"));
    let why =
        out.paint(DIM, format!("{}, since {}", kind_text(*kind), text::moment(open.since_ms)));
    let mut lines = vec![title, why];
    let columns: Vec<_> = sides
        .iter()
        .enumerate()
        .map(|(at, side)| column(at, side, at == *shown, name_of))
        .collect();
    for row in columns.chunks(COLUMNS_MAX) {
        lines.extend(boxed(row, out));
    }
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

/// The lines of one side; the first is its head.
struct Column {
    shown: bool,
    lines: Vec<String>,
}

fn column(at: usize, side: &Side, shown: bool, name_of: &dyn Fn(&DeviceId) -> String) -> Column {
    let mark = if shown { "  shown now" } else { "" };
    let mut lines = vec![format!("side {}{mark}", at + 1)];
    lines.extend(content_lines(&side.content));
    for (dot, stamp) in &side.written_by {
        lines.push(format!(
            "{}, {}",
            text::plain(&name_of(&dot.device)),
            text::moment(stamp.unix_ms())
        ));
    }
    Column { shown, lines }
}

fn content_lines(content: &SideContent) -> Vec<String> {
    let value = match content {
        SideContent::Value(value) => value,
        SideContent::Removed => return vec!["(no such field)".to_owned()],
        SideContent::Kept => return vec!["keep the record".to_owned()],
        SideContent::Deleted => return vec!["delete the record".to_owned()],
    };
    let mut lines: Vec<String> =
        text::pretty(value).lines().flat_map(|line| wrap(line, COLUMN_CHARS_MAX)).collect();
    if lines.len() > VALUE_LINES_MAX {
        lines.truncate(VALUE_LINES_MAX);
        lines.push("…".to_owned());
    }
    lines
}

/// Breaks a line at spaces, and a long word where it must be.
fn wrap(line: &str, chars_max: usize) -> Vec<String> {
    let indent: String = line.chars().take_while(|c| *c == ' ').take(chars_max / 2).collect();
    let mut lines = vec![indent.clone()];
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        for part in word.chars().collect::<Vec<_>>().chunks(chars_max - indent.len()) {
            let part: String = part.iter().collect();
            let Some(last) = lines.last_mut() else { break };
            let space = usize::from(last.len() > indent.len());
            if last.chars().count() + space + part.chars().count() <= chars_max {
                last.extend(std::iter::repeat_n(' ', space));
                last.push_str(&part);
            } else {
                lines.push(format!("{indent}{part}"));
            }
        }
    }
    lines
}

/// Columns beside each other, in a frame.
fn boxed(columns: &[Column], out: &Output) -> Vec<String> {
    let width_of = |column: &Column| column.lines.iter().map(|line| line.chars().count()).max();
    let widths: Vec<usize> = columns.iter().filter_map(width_of).collect();
    let rule = |left: &str, middle: &str, right: &str| {
        let bars: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}", bars.join(middle))
    };
    let height = columns.iter().map(|column| column.lines.len()).max().unwrap_or(0);
    let mut lines = vec![rule("┌", "┬", "┐")];
    for row in 0..height {
        let cells = columns.iter().zip(&widths).map(|(column, width)| {
            let line = column.lines.get(row).map_or("", String::as_str);
            let padded = format!(" {line:<width$} ");
            match (row, column.shown) {
                (0, true) => out.paint(GOOD, padded),
                (0, false) => out.paint(DIM, padded),
                _ => padded,
            }
        });
        lines.push(format!("│{}│", cells.collect::<Vec<_>>().join("│")));
    }
    lines.push(rule("└", "┴", "┘"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tokens_are_fnv_1a() {
        // From the reference vectors: FNV-1a 64 of "foobar" is 85944171f73967e8.
        assert_eq!(short_token("foobar"), "85944171f7");
    }

    #[test]
    fn sides_stand_beside_each_other_in_a_frame() {
        let column = |lines: &[&str], shown| Column {
            shown,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let columns = [column(&["side 1", "4900"], false), column(&["side 2", "5050", "x"], true)];
        let lines = boxed(&columns, &Output::new(true));
        assert_eq!(
            lines.join("\n"),
            "┌────────┬────────┐\n│ side 1 │ side 2 │\n│ 4900   │ 5050   │\n│        │ x      │\n└────────┴────────┘"
        );
    }

    #[test]
    fn lines_break_at_spaces() {
        for (line, wrapped) in [
            ("milk and bread", &["milk and", "bread"][..]),
            ("  a: 1", &["  a: 1"]),
            ("  milk and bread", &["  milk", "  and", "  bread"]),
            ("unbreakable", &["unbreaka", "ble"]),
            ("", &[""]),
        ] {
            assert_eq!(wrap(line, 8), wrapped, "{line:?}");
        }
    }

    #[test]
    fn a_long_value_is_wrapped_and_cut() {
        let lines = content_lines(&SideContent::Value(json!("x".repeat(1_000))));
        assert_eq!(lines.len(), VALUE_LINES_MAX + 1);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMN_CHARS_MAX));
    }
}
