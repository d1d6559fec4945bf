//! Records as the commands print them.

use selkie::Record;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{DIM, Output, WARNING};
use crate::text;

/// How much of a document a line of a list shows.
const LINE_CHARS_MAX: usize = 100;

/// A record as `--json` prints it.
pub fn to_json(collection: &str, record: &Record) -> Value {
    json!({
        "collection": collection,
        "id": record.id,
        "document": record.document,
        "created_at_ms": record.created_at_ms,
        "updated_at_ms": record.updated_at_ms,
        "updated_by": record.updated_by.map(|device| device.to_string()),
        "conflicts": record.conflicts,
    })
}

/// One line for a person, or one JSON value.
pub fn print_line(out: &Output, collection: &str, record: &Record) -> Result<(), Failure> {
    if out.json {
        return out.value(&to_json(collection, record));
    }
    let document = text::cut(&text::compact(&record.document), LINE_CHARS_MAX);
    let changed = out.paint(DIM, text::moment(record.updated_at_ms));
    let mark = if record.conflicts > 0 { out.paint(WARNING, " !") } else { String::new() };
    out.line(format!("{}{mark}  {changed}  {document}", text::plain(&record.id)))
}

/// What is wrong when there is no record of that id.
pub fn not_found(collection: &str, id: &str) -> Failure {
    let message = format!("there is no record {}/{}", text::plain(collection), text::plain(id));
    Failure::new(Exit::NotFound, "record_not_found", message)
        .help(format!("list what there is with: selkie list {}", text::plain(collection)))
}
