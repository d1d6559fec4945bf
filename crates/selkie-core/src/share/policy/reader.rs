//! Takes the known keys out of a table, one by one; what is left over is a fault.

use super::node::{Kind, Node};
use super::problem::PolicyProblem;

/// A table that is being read, and the faults found so far.
pub(crate) struct Reader<'a, 'p> {
    line: usize,
    what: String,
    entries: Vec<(&'a str, &'a Node)>,
    known: Vec<&'static str>,
    problems: &'p mut Vec<PolicyProblem>,
}

impl<'a, 'p> Reader<'a, 'p> {
    /// Begins with a table; `what` names it in faults. `None`, with a fault, if it is none.
    pub(crate) fn new(
        node: &'a Node,
        what: impl Into<String>,
        problems: &'p mut Vec<PolicyProblem>,
    ) -> Option<Self> {
        let what = what.into();
        let Kind::Table(entries) = &node.kind else {
            let message = format!("{what} must be a table, not {}", node.describe());
            problems.push(PolicyProblem::new(node.line, message));
            return None;
        };
        let entries = entries.iter().map(|(key, node)| (key.as_str(), node)).collect();
        Some(Self { line: node.line, what, entries, known: Vec::new(), problems })
    }

    /// The table's line.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// Notes a fault.
    pub(crate) fn problem(&mut self, problem: PolicyProblem) {
        self.problems.push(problem);
    }

    /// The faults, for a reader of something inside this table.
    pub(crate) fn problems(&mut self) -> &mut Vec<PolicyProblem> {
        self.problems
    }

    /// Takes a key's value, if it is there.
    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    /// Takes a key's value; a fault if it is not there.
    pub(crate) fn required(&mut self, key: &'static str) -> Option<&'a Node> {
        let found = self.optional(key);
        if found.is_none() {
            let message = format!("{} has no `{key}`", self.what);
            self.problems.push(PolicyProblem::new(self.line, message));
        }
        found
    }

    /// A text that `fits`; otherwise a fault that says what is `wanted`.
    pub(crate) fn text(
        &mut self,
        node: Option<&'a Node>,
        key: &str,
        wanted: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Option<&'a str> {
        let node = node?;
        match &node.kind {
            Kind::Text(text) if fits(text) => Some(text),
            _ => {
                self.wrong(node, key, wanted);
                None
            }
        }
    }

    /// An integer within bounds.
    pub(crate) fn integer(
        &mut self,
        node: Option<&Node>,
        key: &str,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        let node = node?;
        match node.kind {
            Kind::Integer(integer) if (least..=most).contains(&integer) => Some(integer),
            _ => {
                self.wrong(node, key, &format!("an integer from {least} to {most}"));
                None
            }
        }
    }

    /// The elements of an array of `least` to `most` elements, each read by `read`.
    pub(crate) fn list<T>(
        &mut self,
        node: Option<&'a Node>,
        key: &str,
        wanted: &str,
        most: usize,
        read: impl Fn(&Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let node = node?;
        let Kind::Array(items) = &node.kind else {
            self.wrong(node, key, wanted);
            return None;
        };
        let read: Option<Vec<T>> = items.iter().map(read).collect();
        let fits = read.filter(|read| (1..=most).contains(&read.len()));
        if fits.is_none() {
            self.wrong(node, key, wanted);
        }
        fits
    }

    /// Notes that a value is not what its key takes.
    pub(crate) fn wrong(&mut self, node: &Node, key: &str, wanted: &str) {
        let message = format!("`{key}` must be {wanted}");
        self.problems.push(PolicyProblem::new(node.line, message));
    }

    /// Ends: every key that nobody asked for is a fault.
    pub(crate) fn finish(self) {
        for (key, node) in self.entries {
            let mut problem = PolicyProblem::new(
                node.line,
                format!("{} does not know `{}`", self.what, shortened(key)),
            );
            if let Some(close) = closest(key, &self.known) {
                problem = problem.help(format!("did you mean `{close}`?"));
            }
            self.problems.push(problem);
        }
    }
}

/// A name of the file's author, cut so that a fault stays readable.
pub(crate) fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(40).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// The known word that is at most two edits away.
pub(crate) fn closest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    if word.len() > 40 {
        return None;
    }
    let scored = known.iter().map(|other| (distance(word, other), *other));
    scored.filter(|(edits, _)| *edits <= 2).min().map(|(_, other)| other)
}

/// Levenshtein distance over bytes.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, byte) in one.bytes().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, against) in row.iter_mut().skip(1).zip(other.bytes()) {
            let replaced = diagonal + usize::from(byte != against);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_told() {
        let known = ["purpose", "destination", "keep"];
        for (word, close) in [
            ("purpos", Some("purpose")),
            ("porpuse", Some("purpose")),
            ("kep", Some("keep")),
            ("anything", None),
        ] {
            assert_eq!(closest(word, &known), close, "{word}");
        }
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "ac"), 1);
    }
}
