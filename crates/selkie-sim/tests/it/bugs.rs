//! The checkers have teeth.

use selkie_sim::bugs::BUGS;
use selkie_sim::runner::plant;

const RUNS: u64 = 300;

#[test]
fn every_planted_bug_is_caught_by_the_checker_it_is_for() {
    for bug in &BUGS {
        let caught = plant(bug, RUNS);
        let own = caught.by.get(bug.checker).copied().unwrap_or(0);
        assert!(own > 0, "{}: {} caught it in none of {RUNS} runs", bug.name, bug.checker);
    }
}
