//! `selkie import`: many records from a JSON array or JSON lines, in batches.

mod batch;
mod reader;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::text;

pub use batch::Importer;
pub use reader::Items;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie import penguins penguins.ndjson             one JSON object a line
  selkie import notes notes.json                     or one array of objects
  curl -s https://example.org/data.json | selkie import data - --id-field key
  selkie import notes export.ndjson --document-field document      what `export --plain` wrote

A record with the id of one that is there replaces it. Records are stored in batches of at most
1,000; a batch is stored wholly or not at all, and an error names its line and what was stored.";

/// What `selkie import` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// A file of JSON lines or with one JSON array; - or nothing reads standard input
    file: Option<PathBuf>,
    /// The field that holds a record's id; a record without it gets a generated one
    #[arg(long, value_name = "FIELD", default_value = "id")]
    id_field: String,
    /// The field that holds the document, where each line wraps one
    #[arg(long, value_name = "FIELD")]
    document_field: Option<String>,
}

/// Imports all records, or stops at the first that cannot be stored.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let began = Instant::now();
    let out = &context.out;
    let file = arguments.file.filter(|path| path.as_os_str() != "-");
    let (input, size_bytes): (Box<dyn Read>, _) = match &file {
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
            let size = file.metadata().ok().filter(|data| data.is_file()).map(|data| data.len());
            (Box::new(file), size)
        }
        None => (Box::new(io::stdin()), None),
    };
    let vault = context.open()?;
    let bar = if out.is_watched() { progress(size_bytes) } else { ProgressBar::hidden() };
    let mut importer = Importer::new(&vault, &arguments.collection, arguments.id_field);
    importer.document_field = arguments.document_field;
    let outcome = importer.import(Items::new(BufReader::new(bar.wrap_read(input))), |stored| {
        bar.set_message(text::counted(stored, "record"));
    });
    bar.finish_and_clear();
    let stored = importer.stored();
    if let Err(failure) = outcome {
        let message = match stored {
            0 => "nothing was stored".to_owned(),
            _ => format!(
                "{} up to line {} were stored, the rest was not; importing the file again is safe \
                 where records have ids",
                text::counted(stored, "record"),
                importer.stored_to_line()
            ),
        };
        let help =
            failure.help.as_ref().map_or(message.clone(), |help| format!("{help}; {message}"));
        return Err(failure.help(help));
    }
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let value = json!({
        "collection": arguments.collection,
        "records": stored,
        "batches": importer.batches(),
        "duration_ms": took_ms,
    });
    let done = out.paint(GOOD, format!("imported {}", text::counted(stored, "record")));
    let into = text::plain(&arguments.collection);
    out.either(&value, format!("{done} into {into} in {}", text::duration(took_ms)))
}

/// By size where it is known, else a count that moves.
fn progress(size_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match size_bytes {
        Some(size) => {
            (ProgressBar::new(size), "{bar:30} {percent:>3} %  {msg}  {bytes_per_sec}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {bytes}"),
    };
    // The templates are constants; a bar in the default style would do as well.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
