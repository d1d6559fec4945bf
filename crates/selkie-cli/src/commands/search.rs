//! `selkie search`: full-text search.

use clap::Args;
use selkie::{Filter, Search, SearchHit};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BOLD, Output};
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie index add notes --search title text
  selkie search notes 'oat milk'
  selkie search notes '\"oat milk\" coff* -soy' --where 'done = false' --limit 5

Every word must be there; \"two words\" follow each other, begin* is a beginning, -word must not be there.";

/// What `selkie search` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// What to search for
    text: String,
    /// Only records that pass this filter
    #[arg(long = "where", value_name = "FILTER")]
    filter: Vec<String>,
    /// Show at most N records
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
}

/// Prints the hits, best first.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, text, filter, limit } = arguments;
    let mut search = Search::new(text).limit(limit);
    for filter in &filter {
        search = search.filter(Filter::parse(filter)?);
    }
    let hits = context.open()?.collection(&collection)?.search(&search)?;
    for hit in &hits {
        print(&context.out, &collection, hit)?;
    }
    context.out.note(format!("{} found", text::counted(hits.len() as u64, "record")));
    Ok(())
}

fn print(out: &Output, collection: &str, hit: &SearchHit) -> Result<(), Failure> {
    if out.json {
        let mut value = records::to_json(collection, &hit.record);
        if let Some(map) = value.as_object_mut() {
            let marks: Vec<_> =
                hit.marks.iter().map(|mark| json!([mark.start, mark.end])).collect();
            map.insert("score".to_owned(), json!(hit.score));
            map.insert("snippet".to_owned(), json!(hit.snippet));
            map.insert("marks".to_owned(), json!(marks));
        }
        return out.value(&value);
    }
    let (mut shown, mut from) = (String::new(), 0);
    for mark in &hit.marks {
        shown.push_str(&text::plain(hit.snippet.get(from..mark.start).unwrap_or_default()));
        let found = hit.snippet.get(mark.clone()).unwrap_or_default();
        shown.push_str(&out.paint(BOLD, text::plain(found)));
        from = mark.end;
    }
    shown.push_str(&text::plain(hit.snippet.get(from..).unwrap_or_default()));
    out.line(format!("{}  {shown}", text::plain(&hit.record.id)))
}
