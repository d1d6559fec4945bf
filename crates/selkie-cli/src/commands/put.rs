//! `selkie put`: writes a record, new or in place of an old one.

use clap::Args;

use crate::context::Context;
use crate::exit::Failure;
use crate::{json, records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie put notes milk '{\"title\": \"Milk\", \"done\": false}'
  selkie put notes --new '{\"title\": \"Bread\"}'        generate a time-ordered id
  selkie put notes letter - < letter.json            keep the text out of the process list
  selkie put tasks oil '{\"due\": \"today\"}' --priority 5      where the policy is priority";

/// What `selkie put` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id (with --new: the document)
    #[arg(value_name = "ID")]
    first: Option<String>,
    /// A JSON object; - or nothing reads standard input
    #[arg(value_name = "DOCUMENT")]
    second: Option<String>,
    /// Generate an id
    #[arg(long)]
    new: bool,
    /// The priority of this write, for collections whose policy is priority
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
}

/// Writes the record and says under which id.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, first, second, new, priority } = arguments;
    let (id, document) = match (new, first, second) {
        (true, document, None) => (None, document),
        (false, Some(id), document) => (Some(id), document),
        (true, _, Some(_)) => {
            return Err(Failure::usage("give an id or --new, not both"));
        }
        (false, None, _) => {
            return Err(Failure::usage("no id").help("give an id, or --new to generate one"));
        }
    };
    let document = json::read_argument(document.as_deref())?;
    let vault = context.open()?;
    let record = vault.transaction(|transaction| {
        let records = transaction.collection(&collection)?;
        let record = match &id {
            Some(id) => records.put(id, &document)?,
            None => records.insert(&document)?,
        };
        match priority {
            Some(priority) => records.put_with_priority(&record.id, &document, priority),
            None => Ok(record),
        }
    })?;
    let value = records::to_json(&collection, &record);
    context
        .out
        .either(&value, format!("wrote {}/{}", text::plain(&collection), text::plain(&record.id)))
}
