//! `selkie query`: records whose fields pass all filters, in an order, page by page; or how many.

use clap::Args;
use selkie::{Filter, Query};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie query penguins 'species = Gentoo' 'body_mass_g > 5500'
  selkie query penguins 'island IN (Dream, Biscoe) AND NOT (sex = female OR sex = null)'
  selkie query penguins --order body_mass_g:desc --limit 10 --page
  selkie query people 'address.city ~ Tur' --count
  selkie query notes done --json

A filter is a field with = != < <= > >= or ~ (begins with) and a value, or with IN and values in
parentheses; a field alone means that the record has it. AND, OR, NOT and parentheses join them.
Several filters must all hold. @id, @created_at and @updated_at are the record's own.";

/// What `selkie query` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    #[command(flatten)]
    wanted: Wanted,
    /// Show at most N records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Begin where an earlier page ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "count")]
    after: Option<String>,
    /// Say where the next page begins
    #[arg(long, requires = "limit")]
    page: bool,
    /// Only say how many there are
    #[arg(long)]
    count: bool,
}

/// Which records, and in which order.
#[derive(Args, Debug)]
pub struct Wanted {
    /// Filters, each in quotes
    #[arg(required_unless_present_any = ["order", "count"])]
    filter: Vec<String>,
    /// Order by a field, smallest first, or FIELD:desc; several count one after the other
    #[arg(long, value_name = "FIELD")]
    order: Vec<String>,
}

impl Wanted {
    /// The query asked for.
    pub fn query(&self) -> Result<Query, Failure> {
        let mut query = Query::new();
        for text in &self.filter {
            query = query.filter(Filter::parse(text)?);
        }
        for order in &self.order {
            query = match order.strip_suffix(":desc") {
                Some(field) => query.descending(field)?,
                None => query.ascending(order)?,
            };
        }
        Ok(query)
    }
}

/// Prints the records found.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, wanted, limit, after, page: with_next, count } = arguments;
    let mut query = wanted.query()?;
    if let Some(limit) = limit {
        query = query.limit(limit);
    }
    if let Some(after) = after {
        query = query.after(after.parse()?);
    }
    let records = context.open()?.collection(&collection)?;
    if count {
        let count = records.count_matching(&query)?;
        return context.out.either(&json!({ "count": count }), count.to_string());
    }
    let page = records.page(&query)?;
    for record in &page.records {
        records::print_line(&context.out, &collection, record)?;
    }
    context.out.note(format!("{} found", text::counted(page.records.len() as u64, "record")));
    if let Some(next) = page.next.filter(|_| with_next) {
        context
            .out
            .either(&json!({ "next": next.to_string() }), format!("more: --after {next}"))?;
    }
    Ok(())
}
