//! Syncing: the same seeds every time, and checkers that have teeth.

use selkie_sim::runner::{plant_sync, run_sync, threads};
use selkie_sim::sync::BUGS;

const SCHEDULES: u64 = 5_000;
const RUNS: u64 = 600;

#[test]
fn every_promise_of_sync_holds_in_five_thousand_schedules() {
    let outcome = run_sync(0, SCHEDULES, threads(), |_| {});
    if let Some(failure) = outcome.failure {
        panic!("seed {} broke {}: {}", failure.seed, failure.checker, failure.broken);
    }
    assert_eq!(outcome.schedules, SCHEDULES);
    assert!(outcome.answers > 10 * SCHEDULES, "the schedules hardly sync");
}

#[test]
fn every_bug_planted_in_sync_is_caught_by_the_checker_it_is_for() {
    for (name, checker, bug) in BUGS {
        let caught = plant_sync(bug, RUNS);
        let own = caught.by.get(checker).copied().unwrap_or(0);
        assert!(own > 0, "{name}: {checker} caught it in none of {RUNS} runs: {:?}", caught.by);
    }
}
