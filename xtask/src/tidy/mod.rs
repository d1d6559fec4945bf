//! The rules that no compiler keeps: order of rooms, crate edges, lengths, leaks, dependencies.
//!
//! In: a file's path and text. Out: findings, empty when the rule holds. Each rule is a plain function with
//! a test that plants a violation and sees it caught. `tests/tidy.rs` runs them all on the repository.

pub mod code;
pub mod layers;
pub mod manifest;
pub mod text;
pub mod toml;

use std::fmt;

use crate::tree::File;

/// One violation of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path from the repository's root.
    pub path: String,
    /// 1-based line; the first line when the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Finding {
    /// A finding at `line` of `path`.
    #[must_use]
    pub fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A rule over one file.
pub type Rule = fn(path: &str, text: &str) -> Vec<Finding>;

/// The rules for `.rs` files.
pub const RUST_RULES: [Rule; 7] = [
    code::file_opens_with_its_job,
    code::file_is_short,
    code::functions_are_short,
    code::library_does_not_print,
    layers::rooms_are_known,
    layers::rooms_point_back,
    layers::pure_crates_touch_nothing,
];

/// The rules for every text file.
pub const TEXT_RULES: [Rule; 2] = [text::no_machine_path, text::nothing_left_to_do];

/// The rules for every `Cargo.toml`.
pub const MANIFEST_RULES: [Rule; 4] = [
    manifest::crate_edges_are_drawn,
    manifest::versions_are_pinned_down,
    manifest::workspace_keeps_the_versions,
    manifest::lints_are_on,
];

/// Every finding of every rule in `files`.
#[must_use]
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = manifest::dependencies_are_explained(files);
    for File { path, text } in files {
        let mut run =
            |rules: &[Rule]| findings.extend(rules.iter().flat_map(|rule| rule(path, text)));
        run(&TEXT_RULES);
        if path.ends_with(".rs") {
            run(&RUST_RULES);
        }
        if path == "Cargo.toml" || path.ends_with("/Cargo.toml") {
            run(&MANIFEST_RULES);
        }
    }
    findings
}

/// Whether the whole file is test code, which the length and printing rules leave alone.
#[must_use]
pub fn is_test_file(path: &str) -> bool {
    let folder =
        |name| path.starts_with(&format!("{name}/")) || path.contains(&format!("/{name}/"));
    folder("tests") || folder("benches") || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planted_violation_is_found_by_the_whole_check() {
        let plant = |path: &str, text: &str| {
            let file = File { path: path.to_owned(), text: text.to_owned() };
            check(&[file]).iter().map(|finding| finding.what.clone()).collect::<Vec<_>>().join("\n")
        };
        let printing =
            plant("crates/selkie/src/lib.rs", "//! x\nfn f() { println!(\"{record}\"); }\n");
        assert!(printing.contains("println!"), "{printing}");
        let git = plant(
            "crates/selkie/Cargo.toml",
            "[lints]\nworkspace = true\n[dependencies]\na = { git = \"x\" }\n",
        );
        assert!(git.contains("git"), "{git}");
        let path = plant("docs/x.md", concat!("see /", "root/x"));
        assert!(path.contains("machine"), "{path}");
    }

    #[test]
    fn test_files_are_told_from_the_rest() {
        for path in ["xtask/tests/tidy.rs", "crates/a/benches/b.rs", "crates/a/src/room/tests.rs"] {
            assert!(is_test_file(path), "{path}");
        }
        assert!(!is_test_file("crates/a/src/contests.rs"));
    }
}
