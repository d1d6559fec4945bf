//! The simulator's command: run schedules, replay one seed, or plant bugs and see them caught.

use std::process::ExitCode;
use std::time::Instant;

use selkie_sim::bugs::BUGS;
use selkie_sim::runner::{judge, plant, run, threads};
use selkie_sim::world::{Right, World};

const USAGE: &str = "Usage:
  selkie-sim run --schedules N [--seed N]   run N schedules from a seed on all cores
  selkie-sim replay --seed N                every change of one schedule, and every promise it breaks
  selkie-sim bugs [--runs N]                plant each bug in N schedules";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok().or(Some(otherwise))
    };
    match arguments.first().map(String::as_str) {
        Some("run") => run_schedules(
            option("--seed", 0).unwrap_or(0),
            option("--schedules", 10_000).unwrap_or(10_000),
        ),
        Some("replay") => replay(option("--seed", 0).unwrap_or(0)),
        Some("bugs") => bugs(option("--runs", 500).unwrap_or(500)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run_schedules(first: u64, count: u64) -> ExitCode {
    let began = Instant::now();
    let threads = threads();
    println!("{count} schedules from seed {first} on {threads} threads");
    let step = (count / 100).clamp(1, 10_000);
    let outcome = run(first, count, threads, |done| {
        if done % step == 0 || done == count {
            let rate = done as f64 / began.elapsed().as_secs_f64();
            eprint!("\r{done} of {count} schedules, {rate:.0} a second   ");
        }
    });
    eprintln!();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} schedules, {} changes, {} answers in {seconds:.0} s",
        outcome.schedules, outcome.changes, outcome.answers
    );
    let Some(failure) = outcome.failure else {
        println!("every promise held in every schedule");
        return ExitCode::SUCCESS;
    };
    println!("seed {} broke {}: {}", failure.seed, failure.checker, failure.broken);
    println!("replay: cargo run --release -p selkie-sim -- replay --seed {}", failure.seed);
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

fn bugs(runs: u64) -> ExitCode {
    // A bug may well end in a panic; it is counted, not printed.
    std::panic::set_hook(Box::new(|_| {}));
    println!("| planted bug | checker it is for | caught by it | by any | also caught by |");
    println!("|---|---|---|---|---|");
    let mut all = true;
    for bug in &BUGS {
        let caught = plant(bug, runs);
        let share = |count: u64| format!("{:.0} %", 100.0 * count as f64 / runs as f64);
        let own = caught.by.get(bug.checker).copied().unwrap_or(0);
        all &= own > 0;
        let others: Vec<String> = caught
            .by
            .iter()
            .filter(|(checker, _)| **checker != bug.checker)
            .map(|(checker, count)| format!("{checker} {}", share(*count)))
            .collect();
        let (own, any) = (share(own), share(caught.by_any));
        println!("| {} | {} | {own} | {any} | {} |", bug.name, bug.checker, others.join(", "));
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
