//! `selkie confirm-deletions`: agrees to deletions that were held because they take too much.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::{ask, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie confirm-deletions          shows what would go, and asks
  selkie confirm-deletions --yes

A sync that would delete more than half of a collection is held until you agree. Not to agree is to leave
it held: nothing is lost on either device.";

/// What `selkie confirm-deletions` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Agree without being asked
    #[arg(long)]
    yes: bool,
}

/// Shows, asks, applies.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let (vault, out) = (context.open()?, &context.out);
    let held = vault.status()?.held_deletions;
    if held.is_empty() {
        return out.either(&json!({ "changes_applied": 0 }), "nothing waits to be confirmed");
    }
    for held in &held {
        let collection = text::plain(&held.collection);
        let (device, deletions) = (held.device.short(), text::count(held.deletions));
        let records = text::count(held.records);
        out.note(format!(
            "device {device} deletes {deletions} of {records} records of {collection}"
        ));
    }
    if !arguments.yes && !ask::yes_or_no("delete them here too?")? {
        return Err(Failure::refused("not_confirmed", "nothing was deleted; it stays held"));
    }
    let applied = vault.confirm_deletions()?;
    let told = format!("{} {}", out.paint(GOOD, "applied:"), text::counted(applied, "change"));
    out.either(&json!({ "changes_applied": applied }), told)
}
