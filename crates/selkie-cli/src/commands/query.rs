//! `selkie query`: records whose fields pass all filters.

use clap::Args;
use selkie::{Filter, Query};

use crate::context::Context;
use crate::exit::Failure;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie query penguins 'species = Gentoo' 'body_mass_g > 5500'
  selkie query people 'address.city ~ Tur' --limit 10
  selkie query notes done --json

A filter is a field with = != < <= > >= or ~ (begins with) and a value; a field alone means that the
record has it. Several filters must all hold.";

/// What `selkie query` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// Filters, each in quotes
    #[arg(required = true)]
    filter: Vec<String>,
    /// Show at most N records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Prints the records found.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, filter, limit } = arguments;
    let mut query = Query::new();
    for text in &filter {
        query = query.filter(Filter::parse(text)?);
    }
    if let Some(limit) = limit {
        query = query.limit(limit);
    }
    let found = context.open()?.collection(&collection)?.query(&query)?;
    for record in &found {
        records::print_line(&context.out, &collection, record)?;
    }
    context.out.note(format!("{} found", text::counted(found.len() as u64, "record")));
    Ok(())
}
