//! `selkie get`: shows one record.

use clap::Args;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::DIM;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie get notes milk
  selkie get notes milk --json | jq .document.title";

/// What `selkie get` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
}

/// Prints the document; with `--json` the record with its times.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id } = arguments;
    let record = context.open()?.collection(&collection)?.get(&id)?;
    let record = record.ok_or_else(|| records::not_found(&collection, &id))?;
    let out = &context.out;
    if out.json {
        return out.value(&records::to_json(&collection, &record));
    }
    let (created, updated) =
        (text::moment(record.created_at_ms), text::moment(record.updated_at_ms));
    out.note(out.paint_note(DIM, format!("created {created}, changed {updated}")));
    if record.conflicts > 0 {
        let open = text::counted(record.conflicts.into(), "open conflict");
        out.warn(format!("this record has {open}; see: selkie conflicts"));
    }
    out.line(text::pretty(&record.document))
}
