//! `selkie doctor`: looks for what may be wrong, and says what to do.

use clap::Args;
use selkie::{Check, CheckLevel};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{BAD, BOLD, GOOD, Output, WARNING};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie doctor
  selkie doctor --relay https://relay.example
  selkie doctor --json | jq 'select(.level != \"ok\")'

Looks at the store file, this device's own history, its keys, the clock, the free space, what waits, and
the relay. Changes nothing. Exit code 0 if nothing is broken, 5 if something is.";

/// What `selkie doctor` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Also look at this relay; without it, at the one used last
    #[arg(long = "relay", env = "SELKIE_RELAY", hide_env_values = true, value_name = "URL")]
    relay: Option<String>,
}

/// Examines, and prints a line for each check.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    // A store too damaged to tell is what this command is for.
    let used = vault.status().map(|status| status.relays).unwrap_or_default();
    let mut used = used.into_iter().map(|relay| relay.url);
    let relay = arguments.relay.or_else(|| used.find(|url| url.contains("://")));
    let checks = vault.examine(relay.as_deref());
    let out = &context.out;
    for check in &checks {
        if out.json {
            out.value(&check_json(check))?;
            continue;
        }
        let message = text::plain(&check.message);
        out.line(format!("{} {:<12} {message}", mark(check.level, out), text::plain(check.name)))?;
        if let Some(advice) = &check.advice {
            out.line(format!("{:17} {}", "", out.paint(BOLD, text::plain(advice))))?;
        }
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count() as u64;
    let (failed, warned) = (count(CheckLevel::Fail), count(CheckLevel::Warn));
    if failed > 0 {
        let failed = text::counted(failed, "check");
        return Err(Failure::new(Exit::Store, "unwell", format!("{failed} failed"))
            .help("the lines above say what to do; back up the store and its key file first"));
    }
    if !out.json {
        let all_well = out.paint(GOOD, "all is well");
        let told = if warned == 0 { all_well } else { text::counted(warned, "warning") };
        out.line(told)?;
    }
    Ok(())
}

fn mark(level: CheckLevel, out: &Output) -> String {
    match level {
        CheckLevel::Ok => out.paint(GOOD, "ok  "),
        CheckLevel::Warn => out.paint(WARNING, "warn"),
        CheckLevel::Fail => out.paint(BAD, "FAIL"),
    }
}

fn check_json(check: &Check) -> Value {
    let level = match check.level {
        CheckLevel::Ok => "ok",
        CheckLevel::Warn => "warn",
        CheckLevel::Fail => "fail",
    };
    json!({
        "check": check.name,
        "level": level,
        "message": check.message,
        "advice": check.advice,
    })
}
