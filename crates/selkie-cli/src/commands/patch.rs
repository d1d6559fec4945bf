//! `selkie patch`: changes some fields of a record and leaves the others.

use clap::Args;

use crate::context::Context;
use crate::exit::Failure;
use crate::{json, records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie patch notes milk '{\"done\": true}'           set one field
  selkie patch notes milk '{\"done\": null}'           remove it
  selkie patch people ann '{\"address\": {\"city\": \"Turku\"}}'

A field that you do not name stays as it is, here and on your other devices.";

/// What `selkie patch` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
    /// A JSON Merge Patch (RFC 7396); - or nothing reads standard input
    patch: Option<String>,
}

/// Patches the record.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id, patch } = arguments;
    let patch = json::read_argument(patch.as_deref())?;
    let record = context.open()?.collection(&collection)?.patch(&id, &patch)?;
    let value = records::to_json(&collection, &record);
    context.out.either(&value, format!("patched {}/{}", text::plain(&collection), text::plain(&id)))
}
