//! The simulator's command: run schedules, replay one seed, or plant bugs and see them caught.

use std::process::ExitCode;
use std::time::Instant;

use selkie_sim::bugs::BUGS;
use selkie_sim::runner::{judge, judge_sync, plant, plant_sync, run, run_sync, threads};
use selkie_sim::sync;
use selkie_sim::world::{Right, World};

const USAGE: &str = "Usage:
  selkie-sim run --schedules N [--seed N]        run N schedules of merging from a seed on all cores
  selkie-sim run-sync --schedules N [--seed N]   the same of syncing
  selkie-sim replay --seed N                     every change of one schedule, and every promise it breaks
  selkie-sim replay-sync --seed N                every step of one schedule of syncing, likewise
  selkie-sim bugs [--runs N]                     plant each bug in N schedules";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok().or(Some(otherwise))
    };
    match arguments.first().map(String::as_str) {
        Some(which @ ("run" | "run-sync")) => run_schedules(
            which,
            option("--seed", 0).unwrap_or(0),
            option("--schedules", 10_000).unwrap_or(10_000),
        ),
        Some("replay") => replay(option("--seed", 0).unwrap_or(0)),
        Some("replay-sync") => replay_sync(option("--seed", 0).unwrap_or(0)),
        Some("bugs") => bugs(option("--runs", 500).unwrap_or(500)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run_schedules(which: &str, first: u64, count: u64) -> ExitCode {
    let began = Instant::now();
    let threads = threads();
    println!("{count} schedules from seed {first} on {threads} threads");
    let step = (count / 100).clamp(1, 10_000);
    let progress = |done| {
        if done % step == 0 || done == count {
            let rate = done as f64 / began.elapsed().as_secs_f64();
            eprint!("\r{done} of {count} schedules, {rate:.0} a second   ");
        }
    };
    let (outcome, what) = match which {
        "run" => (run(first, count, threads, progress), "answers"),
        _ => (run_sync(first, count, threads, progress), "runs of sync"),
    };
    eprintln!();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} schedules, {} changes, {} {what} in {seconds:.0} s",
        outcome.schedules, outcome.changes, outcome.answers
    );
    let Some(failure) = outcome.failure else {
        println!("every promise held in every schedule");
        return ExitCode::SUCCESS;
    };
    println!("seed {} broke {}: {}", failure.seed, failure.checker, failure.broken);
    let replay = which.replace("run", "replay");
    println!("replay: cargo run --release -p selkie-sim -- {replay} --seed {}", failure.seed);
    ExitCode::FAILURE
}

fn replay(seed: u64) -> ExitCode {
    let world = World::run(seed, &Right);
    println!("policy: {:?}", world.policy);
    for change in &world.log {
        for record in &change.records {
            println!(
                "{} {}, {}: {}",
                change.dot.device, change.dot.number, change.stamp, record.key
            );
            for operation in &record.operations {
                let dots = operation.overwrites.iter();
                let dots: Vec<String> =
                    dots.map(|dot| format!("{} {}", dot.device, dot.number)).collect();
                let written = operation.written.as_ref().map(|w| (&w.value, w.class));
                println!("  {:?} over {dots:?}: {written:?}", operation.path);
            }
        }
    }
    let failures = judge(seed, &Right);
    for failure in &failures {
        println!("{}: {}", failure.checker, failure.broken);
    }
    println!("seed {seed}: {} promises broken", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay_sync(seed: u64) -> ExitCode {
    let world = sync::World::run(seed, None, true);
    world.steps.iter().for_each(|step| println!("{step}"));
    for (at, device) in world.devices.iter().enumerate() {
        let context = device.store.replica.context();
        let seen = context.version_vector().iter();
        let seen: Vec<_> = seen.map(|(chain, last)| format!("{} {last}", chain.short())).collect();
        let beyond: Vec<_> =
            context.cloud().map(|dot| format!("{} {}", dot.device.short(), dot.number)).collect();
        println!("{at} writes {}, knows {seen:?} and {beyond:?}", device.store.chain().short());
    }
    let failures = judge_sync(seed, None);
    for failure in &failures {
        println!("{}: {}", failure.checker, failure.broken);
    }
    println!("seed {seed}: {} promises broken", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bugs(runs: u64) -> ExitCode {
    // A bug may well end in a panic; it is counted, not printed.
    std::panic::set_hook(Box::new(|_| {}));
    println!("| planted bug | checker it is for | caught by it | by any | also caught by |");
    println!("|---|---|---|---|---|");
    let mut all = true;
    let merging = BUGS.iter().map(|bug| (bug.name, bug.checker, plant(bug, runs)));
    let syncing = sync::BUGS.iter();
    let syncing = syncing.map(|(name, checker, bug)| (*name, *checker, plant_sync(*bug, runs)));
    for (name, checker, caught) in merging.chain(syncing) {
        let share = |count: u64| format!("{:.0} %", 100.0 * count as f64 / runs as f64);
        let own = caught.by.get(checker).copied().unwrap_or(0);
        all &= own > 0;
        let others: Vec<String> = caught
            .by
            .iter()
            .filter(|(other, _)| **other != checker)
            .map(|(other, count)| format!("{other} {}", share(*count)))
            .collect();
        let (own, any) = (share(own), share(caught.by_any));
        println!("| {name} | {checker} | {own} | {any} | {} |", others.join(", "));
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
