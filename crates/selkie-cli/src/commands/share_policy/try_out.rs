//! `selkie policy try`: a sample record, and what would be sent of it.

use std::path::PathBuf;

use clap::Args;
use selkie::share::preview;
use serde_json::{Value, json};

use super::{choose, read_json};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BOLD, DIM};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie policy try share.toml sample.json
  selkie policy try share.toml sample.json --policy usage_stats --json

The sample is one JSON object. Pseudonyms are made with a key that is thrown away, and noise is drawn
anew, so both differ from run to run.";

/// What `selkie policy try` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A TOML file with share policies
    file: PathBuf,
    /// A file with one JSON object
    sample: PathBuf,
    /// Which policy, where the file has several
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

/// Shows before and after.
pub fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let policy = choose(&arguments.file, arguments.policy.as_deref())?;
    let sample = read_json(&arguments.sample)?;
    let prepared = preview(&policy, &sample)
        .map_err(|error| Failure::refused("nothing_prepared", error.to_string()))?;
    let payload: Value = serde_json::from_slice(prepared.payload()).unwrap_or_default();
    let (dropped, out) = (prepared.dropped(), &context.out);
    if out.json {
        return out.value(&json!({
            "policy": policy.name(),
            "payload": payload,
            "size_bytes": prepared.payload().len(),
            "dropped": {
                "unlisted": dropped.unlisted,
                "map_keys": dropped.map_keys,
                "unknown_type": dropped.unknown_type,
                "not_allowed": dropped.not_allowed,
                "by_rule": dropped.by_rule,
            },
            "epsilon_micros": prepared.epsilon_spent().micros(),
        }));
    }
    out.line(out.paint(BOLD, "before"))?;
    out.line(text::pretty(&sample))?;
    out.line("")?;
    out.line(out.paint(BOLD, format!("after, as {} gets it", policy.destination())))?;
    out.line(text::pretty(&payload))?;
    out.line("")?;
    let size = text::bytes(prepared.payload().len() as u64);
    let most = text::bytes(policy.size_bytes_max() as u64);
    out.line(format!("  {size} of {most}; left out: {}", text::counted(dropped.total(), "value")))?;
    for (count, why) in [
        (dropped.unlisted, "no rule names them"),
        (dropped.map_keys, "keys of a map that are not listed"),
        (dropped.unknown_type, "of a type that the rule is not made for"),
        (dropped.not_allowed, "not listed by allow"),
        (dropped.by_rule, "drop"),
    ] {
        if count > 0 {
            out.line(format!("  {:>5}  {why}", text::count(count)))?;
        }
    }
    if prepared.epsilon_spent().micros() > 0 {
        let (spent, all) = (prepared.epsilon_spent(), policy.epsilon_lifetime());
        out.line(format!("  noise takes ε {spent} of {all}, then sending stops"))?;
    }
    out.line(out.paint(DIM, "  what is left may still tell about a person; see selkie policy lint"))
}
