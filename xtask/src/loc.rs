//! Counts lines for each crate: code, comments and tests apart.

use std::collections::BTreeMap;

use crate::source::{code_only, test_spans, without_tests};
use crate::tree::File;

/// Lines of one crate's Rust files. Blank lines are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Rust files.
    pub files: usize,
    /// Lines with code outside of tests.
    pub code: usize,
    /// Lines with only a comment, outside of tests.
    pub comments: usize,
    /// Lines of tests and benchmarks, their comments too.
    pub tests: usize,
}

/// Lines for each crate, by its folder.
#[must_use]
pub fn count(files: &[File]) -> BTreeMap<String, Lines> {
    let mut crates = BTreeMap::new();
    for File { path, text } in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let lines: &mut Lines = crates.entry(crate_of(path)).or_default();
        lines.files += 1;
        add(lines, path, text);
    }
    crates
}

/// `crates/selkie/src/lib.rs` → `crates/selkie`; `xtask/src/loc.rs` → `xtask`.
fn crate_of(path: &str) -> String {
    let folders = if path.starts_with("crates/") || path.starts_with("bindings/") { 2 } else { 1 };
    path.split('/').take(folders).collect::<Vec<_>>().join("/")
}

fn add(lines: &mut Lines, path: &str, text: &str) {
    let filled = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    if crate::tidy::is_test_file(path) {
        lines.tests += filled(text);
        return;
    }
    // Blanking keeps line breaks, so the three texts agree line for line.
    let code = code_only(text);
    let outside = without_tests(&code);
    let spans = test_spans(&code);
    let mut at = 0;
    for ((raw, code), outside) in text.lines().zip(code.lines()).zip(outside.lines()) {
        let in_tests = spans.iter().any(|span| span.contains(&at));
        at += code.len() + 1;
        if raw.trim().is_empty() {
        } else if in_tests {
            lines.tests += 1;
        } else if outside.trim().is_empty() {
            lines.comments += 1;
        } else {
            lines.code += 1;
        }
    }
}

/// The counts as a table for a terminal.
#[must_use]
pub fn table(crates: &BTreeMap<String, Lines>) -> String {
    let total = crates.values().fold(Lines::default(), |sum, lines| Lines {
        files: sum.files + lines.files,
        code: sum.code + lines.code,
        comments: sum.comments + lines.comments,
        tests: sum.tests + lines.tests,
    });
    let row = |name: &str, lines: &Lines| {
        let Lines { files, code, comments, tests } = lines;
        format!("{name:<22}{files:>7}{code:>9}{comments:>10}{tests:>8}\n")
    };
    let mut table =
        format!("{:<22}{:>7}{:>9}{:>10}{:>8}\n", "crate", "files", "code", "comments", "tests");
    crates.iter().for_each(|(name, lines)| table.push_str(&row(name, lines)));
    table.push_str(&row("total", &total));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_comments_and_tests_are_told_apart() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let source = "//! Job.\n\nfn f() {\n    g(); // é\n}\n#[cfg(test)]\nmod tests {\n    // x\n\n    fn t() {}\n}\n";
        let crates = count(&[
            file("crates/a/src/lib.rs", source),
            file("crates/a/tests/it/main.rs", "//! x\n\nfn t() {}\n"),
            file("xtask/src/main.rs", "//! x\nfn main() {}\n"),
        ]);
        assert_eq!(crates["crates/a"], Lines { files: 2, code: 3, comments: 1, tests: 7 });
        assert_eq!(crates["xtask"], Lines { files: 1, code: 1, comments: 1, tests: 0 });
        assert!(
            table(&crates)
                .ends_with(&format!("{:<22}{:>7}{:>9}{:>10}{:>8}\n", "total", 3, 4, 2, 7))
        );
    }
}
