//! The demo proves what it says, and cleans up.

use crate::support::{run, selkie};

#[test]
fn all_proofs_of_the_demo_hold_and_nothing_is_left() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = selkie();
    command.env("TMPDIR", temporary.path()).args(["demo", "--json"]);
    let done = run(command, b"");
    assert_eq!(done.code, 0, "{done:?}");
    let summary = &done.values()[0];
    assert_eq!(summary["ok"], true);
    let proofs = summary["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 14, "{summary}");
    assert!(proofs.iter().all(|proof| proof["holds"] == true), "{summary}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_leaves_its_files_when_asked() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = selkie();
    command.env("TMPDIR", temporary.path()).args(["demo", "--keep"]);
    let done = run(command, b"");
    assert_eq!(done.code, 0, "{done:?}");
    for text in ["CC0", "0 hits", "side 1", "lost", "segment", "All 14 proofs hold"] {
        assert!(done.stdout.contains(text), "{text}: {}", done.stdout);
    }
    let kept = std::fs::read_dir(temporary.path()).unwrap().next().unwrap().unwrap().path();
    for file in ["phone/vault.db", "laptop/vault.db", "relay"] {
        assert!(kept.join(file).exists(), "{file}");
    }
}
