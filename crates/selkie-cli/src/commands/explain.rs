//! `selkie explain`: by which index a query would be answered.

use clap::Args;
use serde_json::json;

use super::query::Wanted;
use crate::context::Context;
use crate::exit::Failure;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie explain penguins 'species = Gentoo' 'body_mass_g > 5500'
  selkie explain penguins --order body_mass_g --json";

/// What `selkie explain` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    #[command(flatten)]
    wanted: Wanted,
    /// As if at most N records were asked for
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// As if only the count were asked for
    #[arg(long)]
    count: bool,
}

/// Prints the plan.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, wanted, limit, count: _ } = arguments;
    let mut query = wanted.query()?;
    if let Some(limit) = limit {
        query = query.limit(limit);
    }
    let plan = context.open()?.collection(&collection)?.explain(&query)?;
    if context.out.json {
        return context.out.value(&json!({ "index": plan.index, "steps": plan.steps }));
    }
    context.out.line(match &plan.index {
        Some(index) => format!("by the index on {}", text::plain(index)),
        None => format!("by looking at every record of {}", text::plain(&collection)),
    })?;
    plan.steps.iter().try_for_each(|step| context.out.line(format!("  {step}")))
}
