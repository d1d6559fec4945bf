//! The same seeds every time, so that a failure is nobody's bad luck.

use selkie_sim::runner::{run, threads};

const SCHEDULES: u64 = 20_000;

#[test]
fn every_promise_holds_in_twenty_thousand_schedules() {
    let outcome = run(0, SCHEDULES, threads(), |_| {});
    if let Some(failure) = outcome.failure {
        panic!("seed {} broke {}: {}", failure.seed, failure.checker, failure.broken);
    }
    assert_eq!(outcome.schedules, SCHEDULES);
    assert!(outcome.answers > SCHEDULES, "the schedules have hardly any conflicts");
}
