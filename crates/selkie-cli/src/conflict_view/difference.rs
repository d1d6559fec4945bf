//! Which words of a side differ from the other side's, so that an eye finds them.

use std::collections::BTreeMap;

use selkie::SideContent;
use serde_json::Value;

use crate::text;

/// A part of a line that is never broken unless it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text, with nothing that could steer a terminal.
    pub text: String,
    /// Whether the other side has it not.
    pub differs: bool,
}

/// Words, and the spaces before the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Spaces before.
    pub indent: usize,
    /// The words; one space between.
    pub words: Vec<Word>,
}

impl Line {
    /// Text of which all words differ, or none.
    pub fn new(text: &str, differs: bool) -> Self {
        let indent = text.chars().take_while(|c| *c == ' ').count();
        let words = text.split(' ').filter(|word| !word.is_empty());
        let words = words.map(|word| Word { text: word.to_owned(), differs }).collect();
        Self { indent, words }
    }

    /// How wide it is, in characters.
    pub fn width(&self) -> usize {
        let words: usize = self.words.iter().map(|word| word.text.chars().count()).sum();
        self.indent + words + self.words.len().saturating_sub(1)
    }
}

/// A side's content, line by line, compared with another side's.
pub fn lines(content: &SideContent, other: Option<&SideContent>) -> Vec<Line> {
    let one = |text: &str| vec![Line::new(text, true)];
    let value = match content {
        SideContent::Value(value) => value,
        SideContent::Removed => return one("(no such field)"),
        SideContent::Kept => return one("keep the record"),
        SideContent::Deleted => return one("delete the record"),
    };
    let pretty = text::pretty(value);
    let other = other.and_then(SideContent::value);
    match (value, other) {
        (Value::String(_), Some(other @ Value::String(_))) => {
            vec![compare_words(&pretty, &text::pretty(other))]
        }
        (Value::Array(_), Some(Value::Array(_))) | (Value::Object(_), Some(Value::Object(_))) => {
            let other = other.map(text::pretty).unwrap_or_default();
            let is_array = value.is_array();
            compare_lines(&pretty, &other, is_array)
        }
        _ => pretty.lines().map(|line| Line::new(line, true)).collect(),
    }
}

fn compare_words(mine: &str, other: &str) -> Line {
    let mut line = Line::new(mine, false);
    let bare = |word: &str| word.trim_matches('"').to_owned();
    let own: Vec<_> = line.words.iter().map(|word| bare(&word.text)).collect();
    let others: Vec<_> =
        Line::new(other, false).words.iter().map(|word| bare(&word.text)).collect();
    for (word, differs) in line.words.iter_mut().zip(differing(&own, &others, false)) {
        word.differs = differs;
    }
    line
}

/// Fields of objects and elements of arrays stand on lines of their own.
fn compare_lines(mine: &str, other: &str, in_any_order: bool) -> Vec<Line> {
    let bare = |line: &str| line.trim_end_matches(',').to_owned();
    let own: Vec<_> = mine.lines().map(bare).collect();
    let others: Vec<_> = other.lines().map(bare).collect();
    let differs = differing(&own, &others, in_any_order);
    mine.lines().zip(differs).map(|(line, differs)| Line::new(line, differs)).collect()
}

/// Which of mine the others have not, between what both begin and end with; all of it if they have the
/// same in another order.
fn differing(mine: &[String], others: &[String], in_any_order: bool) -> Vec<bool> {
    let equal = |(a, b): &(&String, &String)| a == b;
    let shorter = mine.len().min(others.len());
    let begin = mine.iter().zip(others).take_while(equal).count();
    let end = mine.iter().rev().zip(others.iter().rev()).take_while(equal).count();
    let end = end.min(shorter - begin);
    let middle = |list: &[String]| -> Vec<String> {
        list.iter().skip(begin).take(list.len() - begin - end).cloned().collect()
    };
    let (own, theirs) = (middle(mine), middle(others));
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &theirs {
        *left.entry(word).or_default() += 1;
    }
    let mut flags: Vec<bool> = own
        .iter()
        .map(|word| match left.get_mut(word.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect();
    if !in_any_order && own.len() == theirs.len() && !flags.contains(&true) {
        flags.fill(true);
    }
    let same = |count: usize| std::iter::repeat_n(false, count);
    same(begin).chain(flags).chain(same(end)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marked(mine: Value, other: Value) -> String {
        let lines = lines(&SideContent::Value(mine), Some(&SideContent::Value(other)));
        let words = lines.iter().flat_map(|line| &line.words);
        let differing = words.filter(|word| word.differs).map(|word| word.text.as_str());
        differing.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_differs_is_marked() {
        for (mine, other, differs) in [
            (json!("two eggs, warm"), json!("three eggs, warm"), "\"two"),
            (json!("a b c"), json!("a c"), "b"),
            (json!("a c"), json!("a b c"), ""),
            (json!("x y"), json!("y x"), "\"x y\""),
            (json!(1), json!(2), "1"),
            (json!("1"), json!(1), "\"1\""),
            (json!(["a", "b"]), json!(["b", "c"]), "\"a\","),
            (json!(["a", "b"]), json!(["b", "a"]), ""),
            (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3}), "\"b\": 2"),
            (json!({"a": 1}), json!({"a": 1, "b": 3}), ""),
        ] {
            assert_eq!(marked(mine.clone(), other.clone()), differs, "{mine} beside {other}");
        }
    }

    #[test]
    fn a_decision_about_the_record_is_marked_whole() {
        let lines = lines(&SideContent::Kept, Some(&SideContent::Deleted));
        assert!(lines.iter().flat_map(|line| &line.words).all(|word| word.differs));
    }
}
