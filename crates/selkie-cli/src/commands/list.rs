//! `selkie list`: the records of a collection, page by page, or the collections.

use clap::Args;
use selkie::{Page, Vault};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::BOLD;
use crate::{records, text};

/// Records read at once, so that a large collection does not fill the memory.
pub const PAGE_RECORDS: u64 = 500;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie list                                    the collections
  selkie list notes                              all records, by id
  selkie list notes --limit 20 --after milk      the next twenty
  selkie list notes --json | jq -r .id";

/// What `selkie list` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection; without it, all collections are named
    collection: Option<String>,
    /// Show at most N records
    #[arg(long, value_name = "N", requires = "collection")]
    limit: Option<u64>,
    /// Begin after the record of this id
    #[arg(long, value_name = "ID", requires = "collection")]
    after: Option<String>,
}

/// Lists records or collections.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    let Some(collection) = arguments.collection else { return collections(&vault, context) };
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let mut shown = 0;
    each_record(&vault, &collection, arguments.after, limit, |record| {
        shown += 1;
        records::print_line(&context.out, &collection, record)
    })?;
    if shown == 0 {
        context.out.note(format!("no records in {}", text::plain(&collection)));
    }
    Ok(())
}

/// Calls `each` with the records of a collection, by id.
pub fn each_record(
    vault: &Vault,
    collection: &str,
    mut after: Option<String>,
    limit: u64,
    mut each: impl FnMut(&selkie::Record) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let collection = vault.collection(collection)?;
    let mut left = limit;
    while left > 0 {
        let asked = left.min(PAGE_RECORDS);
        let page = collection.list(&Page { limit: Some(asked), after: after.take() })?;
        page.iter().try_for_each(&mut each)?;
        left = left.saturating_sub(page.len() as u64);
        match page.last() {
            Some(last) if page.len() as u64 == asked => after = Some(last.id.clone()),
            _ => break,
        }
    }
    Ok(())
}

fn collections(vault: &Vault, context: &Context) -> Result<(), Failure> {
    let collections = vault.collections()?;
    if collections.is_empty() {
        context.out.note("the store is empty");
    }
    for collection in collections {
        let value = json!({ "collection": collection.name, "records": collection.records });
        let name = context.out.paint(BOLD, text::plain(&collection.name));
        let records = text::counted(collection.records, "record");
        context.out.either(&value, format!("{name}  {records}"))?;
    }
    Ok(())
}
