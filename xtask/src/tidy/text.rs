//! Rules for every text file: nothing of one machine, nothing unfinished.

use super::Finding;
use crate::source::{is_word, leading_word, line_of, words};

/// Folders that only exist on somebody's machine. (Split, so that this file obeys its own rule.)
const MACHINE_FOLDERS: [&str; 5] = [
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("/", "root/"),
    concat!("/", "work/"),
    concat!("C:\\", "Users\\"),
];
/// Made-up people: examples may live in their folders.
const NOBODY: [&str; 4] = ["alice", "bob", "carol", "someone"];
/// Marks of unfinished work. An issue remembers better.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// No path of one machine: it breaks everywhere else and tells who built it.
#[must_use]
pub fn no_machine_path(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in MACHINE_FOLDERS {
        for (at, _) in text.match_indices(folder) {
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            let is_inner = before.is_some_and(|c| is_word(c) || "./-})".contains(c));
            let owner = leading_word(text.get(at + folder.len()..).unwrap_or(""));
            if !is_inner && !NOBODY.contains(&owner) {
                let what = format!("`{folder}{owner}` is a path of one machine");
                findings.push(Finding::new(path, line_of(text, at), what));
            }
        }
    }
    findings
}

/// No mark of unfinished work: finish it, or file an issue.
#[must_use]
pub fn nothing_left_to_do(path: &str, text: &str) -> Vec<Finding> {
    let marks = UNFINISHED.iter().flat_map(|mark| words(text, mark).map(move |at| (mark, at)));
    let finding = |(mark, at): (&&str, usize)| {
        Finding::new(path, line_of(text, at), format!("{mark}: finish it, or file an issue"))
    };
    marks.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_path_is_caught_and_an_example_is_not() {
        let planted = concat!("x\nopen(\"/", "home/maria/a.db\")\n");
        assert_eq!(
            no_machine_path("a.rs", planted).iter().map(|f| f.line).collect::<Vec<_>>(),
            [2]
        );
        for folder in MACHINE_FOLDERS {
            assert_eq!(
                no_machine_path("a.md", &format!("in `{folder}maria/x`")).len(),
                1,
                "{folder}"
            );
        }
        for fine in [concat!("/", "home/alice/a.db"), concat!("crates/", "work/src"), "/tmp/x"] {
            assert_eq!(no_machine_path("a.rs", fine), [], "{fine}");
        }
    }

    #[test]
    fn unfinished_work_is_caught_as_a_whole_word() {
        for mark in UNFINISHED {
            assert_eq!(
                nothing_left_to_do("a.rs", &format!("//! x\n// {mark}: later\n"))[0].line,
                2
            );
            assert_eq!(nothing_left_to_do("a.rs", &format!("METHO{mark}S")), []);
        }
    }
}
