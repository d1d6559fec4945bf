//! `selkie policy check`: every fault of a policy file with its line, or what the policies say.

use std::path::PathBuf;

use clap::Args;
use selkie::share::{PolicyProblem, SharePolicy};
use serde_json::{Value, json};

use super::{hex, read_policies};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie policy check share.toml
  selkie policy check share.toml --json              one object a policy, with its hash
  selkie policy check share.toml --since old.toml    would consent to the old one still hold?

Faults are told with their lines, and end with exit code 7. The hash is what a consent is bound to.";

/// What `selkie policy check` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A TOML file with share policies
    file: PathBuf,
    /// An older file: say of each policy whether it certainly reveals no more
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

/// Checks the file.
pub fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let file = arguments.file.display().to_string();
    let policies = match read_policies(&arguments.file)? {
        Ok(policies) => policies,
        Err(problems) => return refuse(&file, problems.as_slice(), context),
    };
    let older = match &arguments.since {
        None => None,
        Some(since) => Some(read_policies(since)?.map_err(|problems| {
            Failure::refused("invalid_policy", problems.to_string()).at(since.display())
        })?),
    };
    for policy in &policies {
        let since = older.as_ref().map(|older| {
            let same = older.iter().find(|other| other.name() == policy.name());
            same.is_some_and(|other| policy.is_narrowing_of(other))
        });
        show(policy, since, context)?;
    }
    Ok(())
}

fn refuse(file: &str, problems: &[PolicyProblem], context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let told: Vec<Value> = problems
        .iter()
        .map(|it| json!({ "line": it.line, "message": it.message, "help": it.help }))
        .collect();
    if out.json {
        out.value(&json!({ "file": file, "problems": told }))?;
    } else {
        for problem in problems {
            let place = out.paint(BOLD, format!("{}:{}:", text::plain(file), problem.line));
            out.line(format!("{place} {}", text::plain(&problem.message)))?;
            if let Some(help) = &problem.help {
                out.line(out.paint(DIM, format!("  {}", text::plain(help))))?;
            }
        }
    }
    let count = text::counted(problems.len() as u64, "fault");
    Err(Failure::refused("invalid_policy", format!("{file}: {count}")))
}

fn show(policy: &SharePolicy, since: Option<bool>, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let warnings = policy.warnings();
    if out.json {
        return out.value(&json!({
            "policy": policy.name(),
            "hash": hex(&policy.hash()),
            "canonical": policy.to_value(),
            "warnings": warnings,
            "narrows": since,
        }));
    }
    let scope =
        format!("{} → {}, for {}", policy.dataset(), policy.destination(), policy.purpose());
    out.line(format!("{}  {}", out.paint(BOLD, policy.name()), text::plain(&scope)))?;
    for rule in policy.rules() {
        let path = text::plain(&rule.path.to_string()).to_string();
        let mut form = rule.form.clone();
        if let Some(map) = form.as_object_mut() {
            map.remove("path");
        }
        out.line(format!("  {path:<24}  {}", text::cut(&text::compact(&form), 90)))?;
    }
    out.line(out.paint(DIM, "  everything else stays, and is counted"))?;
    out.line(format!("  hash {}", hex(&policy.hash())))?;
    for warning in warnings {
        out.line(format!("  {} {}", out.paint(WARNING, "!"), text::plain(&warning)))?;
    }
    match since {
        Some(true) => out
            .line(format!("  {} reveals no more than before: consent holds", out.paint(GOOD, "✓"))),
        Some(false) => out.line(format!(
            "  {} may reveal more than before: consent has to be asked for again",
            out.paint(BAD, "✗")
        )),
        None => Ok(()),
    }
}
