//! Every input that the fuzzer found worth keeping, and every one that ever failed, once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use selkie_fuzz::TARGETS;

#[test]
fn no_input_kept_makes_a_parser_fail() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, run) in TARGETS {
        let inputs: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
        assert!(inputs.len() > 1, "{name} has inputs to begin from");
        for input in inputs {
            let path = input.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| run(&bytes)).is_err() {
                panic!("{} fails on {}", name, path.display());
            }
            // And cut short, at each of at most a hundred places.
            for end in (0..bytes.len()).step_by((bytes.len() / 100).max(1)) {
                run(&bytes[..end]);
            }
        }
    }
}
