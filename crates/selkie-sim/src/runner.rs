//! Runs schedules on all cores, and says which seed failed and why.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bugs::Bug;
use crate::checkers::{Broken, CHECKERS};
use crate::sync;
use crate::world::{Right, Rules, World};

/// A schedule that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Which checker said so.
    pub checker: &'static str,
    /// What is broken.
    pub broken: Broken,
}

/// Every promise that one schedule breaks under some rules.
#[must_use]
pub fn judge(seed: u64, rules: &dyn Rules) -> Vec<Failure> {
    or_panic(seed, || {
        let world = World::run(seed, rules);
        let failures = CHECKERS.iter().filter_map(|(checker, check)| {
            Some(Failure { seed, checker, broken: check(&world).err()? })
        });
        failures.collect()
    })
}

/// Every promise that one schedule of the sync world breaks, with a bug planted or none.
#[must_use]
pub fn judge_sync(seed: u64, bug: Option<sync::Bug>) -> Vec<Failure> {
    or_panic(seed, || failures_of_sync(seed, &sync::World::run(seed, bug, false)))
}

fn failures_of_sync(seed: u64, world: &sync::World) -> Vec<Failure> {
    let failures = sync::checkers::CHECKERS.iter().filter_map(|(checker, check)| {
        Some(Failure { seed, checker, broken: check(world).err()? })
    });
    failures.collect()
}

/// What `judge` finds, or its panic as a failure.
fn or_panic(seed: u64, judge: impl FnOnce() -> Vec<Failure>) -> Vec<Failure> {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        vec![Failure { seed, checker: "panic", broken: text.unwrap_or_default() }]
    })
}

/// What came of many schedules.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many were run.
    pub schedules: u64,
    /// How many changes they made.
    pub changes: u64,
    /// How many conflicts were answered in them; in the sync world, how many runs of sync they had.
    pub answers: u64,
    /// The failure with the lowest seed of those found.
    pub failure: Option<Failure>,
}

/// Runs the schedules of `count` seeds from `first` on `threads` threads, until one fails.
///
/// `progress` is told now and then how many are done.
pub fn run(first: u64, count: u64, threads: usize, progress: impl Fn(u64) + Sync) -> Outcome {
    sweep((first, count), threads, progress, judge_counting)
}

/// As [`run`], in the sync world.
pub fn run_sync(first: u64, count: u64, threads: usize, progress: impl Fn(u64) + Sync) -> Outcome {
    sweep((first, count), threads, progress, |seed| {
        let counts = std::cell::Cell::new((0, 0));
        let failures = or_panic(seed, || {
            let world = sync::World::run(seed, None, false);
            counts.set((world.ledger.acts.len() as u64, world.runs));
            failures_of_sync(seed, &world)
        });
        (counts.get(), failures.into_iter().next())
    })
}

fn sweep(
    (first, count): (u64, u64),
    threads: usize,
    progress: impl Fn(u64) + Sync,
    judge: impl Fn(u64) -> ((u64, u64), Option<Failure>) + Sync,
) -> Outcome {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (changes, answers) = (AtomicU64::new(0), AtomicU64::new(0));
    let done = AtomicU64::new(0);
    let failures = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let seed = first.wrapping_add(at);
                    let (counts, failure) = judge(seed);
                    changes.fetch_add(counts.0, Ordering::Relaxed);
                    answers.fetch_add(counts.1, Ordering::Relaxed);
                    if let Some(failure) = failure {
                        failures.lock().expect("no thread panics").insert(seed, failure);
                        stop.store(true, Ordering::Relaxed);
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let failure = failures.into_inner().expect("no thread panics").into_values().next();
    Outcome {
        schedules: done.into_inner(),
        changes: changes.into_inner(),
        answers: answers.into_inner(),
        failure,
    }
}

fn judge_counting(seed: u64) -> ((u64, u64), Option<Failure>) {
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let world = World::run(seed, &Right);
        let failure = CHECKERS.iter().find_map(|(checker, check)| {
            Some(Failure { seed, checker, broken: check(&world).err()? })
        });
        ((world.log.len() as u64, world.ledger.answers.len() as u64), failure)
    }));
    judged.unwrap_or_else(|_| ((0, 0), judge(seed, &Right).into_iter().next()))
}

/// In how many of some runs a planted bug was caught, by each checker and by any.
#[derive(Clone, Debug, Default)]
pub struct Caught {
    /// Runs in which any checker caught it.
    pub by_any: u64,
    /// Runs in which each checker did.
    pub by: BTreeMap<&'static str, u64>,
}

/// Plants a bug in `runs` schedules.
#[must_use]
pub fn plant(bug: &Bug, runs: u64) -> Caught {
    count(runs, |seed| judge(seed, bug.rules))
}

/// Plants a bug in `runs` schedules of the sync world.
#[must_use]
pub fn plant_sync(bug: sync::Bug, runs: u64) -> Caught {
    count(runs, |seed| judge_sync(seed, Some(bug)))
}

fn count(runs: u64, judge: impl Fn(u64) -> Vec<Failure>) -> Caught {
    let mut caught = Caught::default();
    for seed in 0..runs {
        let failures = judge(seed);
        caught.by_any += u64::from(!failures.is_empty());
        for failure in failures {
            *caught.by.entry(failure.checker).or_default() += 1;
        }
    }
    caught
}

/// How many threads to use.
#[must_use]
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
