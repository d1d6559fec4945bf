//! `selkie undo`: takes back the last change of a record, wherever it was made.

use clap::Args;
use selkie::Record;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie undo notes milk
  selkie undo notes milk; selkie undo notes milk     the second takes back the first

It is a change like any other: what it takes back stays in selkie history.";

/// What `selkie undo` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
}

/// Takes the change back, and shows what is there now.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id } = arguments;
    let record = context.open()?.undo(&collection, &id)?;
    tell("took back the last change of", &collection, &id, record.as_ref(), context)
}

/// Shows the record after going back; it may be that it was not there then.
pub fn tell(
    done: &str,
    collection: &str,
    id: &str,
    record: Option<&Record>,
    context: &Context,
) -> Result<(), Failure> {
    let out = &context.out;
    if out.json {
        return out.value(&match record {
            Some(record) => records::to_json(collection, record),
            None => json!({ "collection": collection, "id": id, "deleted": true }),
        });
    }
    let place = text::plain(&format!("{collection}/{id}"));
    let after = if record.is_some() { "" } else { ": it was not there then, so it is deleted" };
    out.note(format!("{}{after}", out.paint_note(GOOD, format!("{done} {place}"))));
    record.map_or(Ok(()), |record| out.line(text::pretty(&record.document)))
}
