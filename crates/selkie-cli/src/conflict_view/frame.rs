//! Columns beside each other in a frame, as wide as they need.

use super::difference::{Line, Word};
use crate::output::{DIFFERS, DIM, GOOD, Output};

/// One side: a head, what it says, and who says it.
#[derive(Debug, Default)]
pub struct Column {
    /// Whether it is what is shown now.
    pub shown: bool,
    /// The lines; the first is its head.
    pub lines: Vec<Line>,
}

/// Breaks a line between words, and a long word where it must be.
pub fn wrap(line: &Line, chars_max: usize) -> Vec<Line> {
    let indent = line.indent.min(chars_max / 2);
    let empty = || Line { indent, words: Vec::new() };
    let mut lines = vec![empty()];
    for word in &line.words {
        for part in word.text.chars().collect::<Vec<_>>().chunks(chars_max - indent) {
            let part = Word { text: part.iter().collect(), differs: word.differs };
            let Some(last) = lines.last_mut() else { break };
            let space = usize::from(!last.words.is_empty());
            if last.width() + space + part.text.chars().count() <= chars_max {
                last.words.push(part);
            } else {
                lines.push(Line { words: vec![part], ..empty() });
            }
        }
    }
    lines
}

/// Draws the columns.
pub fn boxed(columns: &[Column], out: &Output) -> Vec<String> {
    let width_of = |column: &Column| column.lines.iter().map(Line::width).max();
    let widths: Vec<usize> = columns.iter().filter_map(width_of).collect();
    let rule = |left: &str, middle: &str, right: &str| {
        let bars: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}", bars.join(middle))
    };
    let height = columns.iter().map(|column| column.lines.len()).max().unwrap_or(0);
    let mut lines = vec![rule("┌", "┬", "┐")];
    for row in 0..height {
        let cells = columns.iter().zip(&widths).map(|(column, width)| {
            let line = column.lines.get(row).cloned().unwrap_or_default();
            cell(&line, row == 0, column.shown, *width, out)
        });
        lines.push(format!("│{}│", cells.collect::<Vec<_>>().join("│")));
    }
    lines.push(rule("└", "┴", "┘"));
    lines
}

fn cell(line: &Line, is_head: bool, shown: bool, width: usize, out: &Output) -> String {
    let padding = " ".repeat(width.saturating_sub(line.width()));
    let words: Vec<_> = line
        .words
        .iter()
        .map(|word| match (word.differs, is_head) {
            (true, false) => out.paint(DIFFERS, &word.text),
            _ => word.text.clone(),
        })
        .collect();
    let text = format!(" {}{}{padding} ", " ".repeat(line.indent), words.join(" "));
    match (is_head, shown) {
        (true, true) => out.paint(GOOD, text),
        (true, false) => out.paint(DIM, text),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_stand_beside_each_other_in_a_frame() {
        let column = |lines: &[&str], shown| Column {
            shown,
            lines: lines.iter().map(|line| Line::new(line, true)).collect(),
        };
        let columns = [column(&["side 1", "4900"], false), column(&["side 2", "5050", "x"], true)];
        let lines = boxed(&columns, &Output::new(true));
        assert_eq!(
            lines.join("\n"),
            "┌────────┬────────┐\n│ side 1 │ side 2 │\n│ 4900   │ 5050   │\n│        │ x      │\n└────────┴────────┘"
        );
    }

    #[test]
    fn lines_break_between_words() {
        for (line, wrapped) in [
            ("milk and bread", &["milk and", "bread"][..]),
            ("  a: 1", &["  a: 1"]),
            ("  milk and bread", &["  milk", "  and", "  bread"]),
            ("unbreakable", &["unbreaka", "ble"]),
            ("", &[""]),
        ] {
            let wrapped: Vec<_> = wrapped.iter().map(|line| Line::new(line, false)).collect();
            assert_eq!(wrap(&Line::new(line, false), 8), wrapped, "{line:?}");
        }
    }
}
