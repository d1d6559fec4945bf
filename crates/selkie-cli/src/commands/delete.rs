//! `selkie delete`: deletes one record, here and with the next sync everywhere.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie delete notes milk

An edit that another device made meanwhile wins over the delete, unless the collection's policy says
otherwise; see: selkie policy --help";

/// What `selkie delete` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
}

/// Deletes the record, or says that there is none.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id } = arguments;
    if !context.open()?.collection(&collection)?.delete(&id)? {
        return Err(records::not_found(&collection, &id));
    }
    let value = json!({ "collection": collection, "id": id, "deleted": true });
    context.out.either(&value, format!("deleted {}/{}", text::plain(&collection), text::plain(&id)))
}
