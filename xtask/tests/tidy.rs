//! Runs every rule of `xtask::tidy` on the repository. The rules' own tests are beside them.

use xtask::{tidy, tree};

#[test]
fn the_repository_keeps_its_rules() {
    let files = tree::files(&tree::root()).expect("the repository can be read");
    let findings = tidy::check(&files);
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}
