//! `selkie sql`: one SELECT over read-only views.

use clap::Args;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::exit::Failure;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie sql \"SELECT collection, count(*) FROM records GROUP BY 1\"
  selkie sql \"SELECT id FROM v_penguins WHERE document ->> 'species' = 'Gentoo'\" --json

The view records has collection, id, document (JSON text), created_at, updated_at (milliseconds),
updated_by, conflicts and local_only; v_NAME is one collection. Nothing else is read, nothing written.";

/// What `selkie sql` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The statement
    statement: String,
}

/// Prints the rows: as JSON objects, or with tabs between.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let answer = context.open()?.sql(&arguments.statement, &[])?;
    for row in answer.rows {
        if context.out.json {
            let row: Map<String, Value> = answer.columns.iter().cloned().zip(row).collect();
            context.out.value(&Value::Object(row))?;
        } else {
            let shown: Vec<String> = row.iter().map(cell).collect();
            context.out.line(shown.join("\t"))?;
        }
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text::plain(text).to_string(),
        other => other.to_string(),
    }
}
