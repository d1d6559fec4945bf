//! `selkie restore`: brings a record back to what it was at a time.

use clap::Args;

use super::undo::tell;
use crate::context::Context;
use crate::exit::Failure;
use crate::{text, time_text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie restore notes milk 2h                       as it was two hours ago
  selkie restore notes milk 2026-11-24T16:00:00Z

It is a change like any other: what it replaces stays in selkie history, and selkie undo takes it
back. It reaches as far back as the history is kept, see: selkie policy --help";

/// What `selkie restore` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
    /// When: a time in UTC (RFC 3339), or how long ago, as 90m, 2h or 3d
    time: String,
}

/// Restores the record, and shows what is there now.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id, time } = arguments;
    let now_ms = time_text::now_ms();
    let at_ms = time_text::moment(&time, now_ms)?;
    let vault = context.open()?;
    let kept_ms = vault.policy(&collection)?.history_ms;
    if now_ms - at_ms > kept_ms {
        let kept = time_text::about(kept_ms);
        context.out.warn(format!("history is kept for {kept}; what was replaced before is gone"));
    }
    let record = vault.restore(&collection, &id, at_ms)?;
    let done = format!("restored, as of {},", text::moment(at_ms));
    tell(&done, &collection, &id, record.as_ref(), context)
}
