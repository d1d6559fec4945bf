//! `selkie similar`: records whose vectors are nearest.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use selkie::{Filter, Similar};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::{records, text};

/// Longest vector file; eight thousand numbers as JSON are far below.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie index add notes --vectors embedding --dimensions 384
  selkie similar notes --to milk
  selkie similar notes --vector question.json -k 5 --where 'done = false'

A vector file is a JSON array of numbers, or 32-bit floats, little endian.";

/// What `selkie similar` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// Near to this record
    #[arg(long, value_name = "ID", required_unless_present = "vector")]
    to: Option<String>,
    /// Near to the vector in this file
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    vector: Option<PathBuf>,
    /// How many
    #[arg(short = 'k', long = "count", value_name = "N", default_value_t = 10)]
    count: u64,
    /// Only records that pass this filter
    #[arg(long = "where", value_name = "FILTER")]
    filter: Vec<String>,
}

/// Prints the neighbours, nearest first.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, to, vector, count, filter } = arguments;
    let mut similar = match (&to, &vector) {
        (_, Some(file)) => Similar::to(&read(file)?, count),
        (Some(id), None) => Similar::to_record(id, count),
        (None, None) => return Err(Failure::usage("name a record or a vector file")),
    };
    for filter in &filter {
        similar = similar.filter(Filter::parse(filter)?);
    }
    for near in context.open()?.collection(&collection)?.similar(&similar)? {
        if context.out.json {
            let mut value = records::to_json(&collection, &near.record);
            if let Some(map) = value.as_object_mut() {
                map.insert("distance".to_owned(), json!(near.distance));
            }
            context.out.value(&value)?;
        } else {
            let document = text::cut(&text::compact(&near.record.document), 80);
            let id = text::plain(&near.record.id);
            context.out.line(format!("{:.4}  {id}  {document}", near.distance))?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<f32>, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::refused("vector_too_long", "that is too long for a vector"));
    }
    let bytes = fs::read(file).map_err(|error| Failure::file(file, &error))?;
    if let Ok(numbers) = serde_json::from_slice::<Vec<f32>>(&bytes) {
        return Ok(numbers);
    }
    if bytes.is_empty() || bytes.len() % 4 != 0 {
        return Err(Failure::refused("invalid_vector", "the file holds no vector")
            .help("write a JSON array of numbers, or 32-bit floats, little endian"));
    }
    let floats = bytes.chunks_exact(4).filter_map(|four| four.try_into().ok());
    Ok(floats.map(f32::from_le_bytes).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_file_is_json_or_floats() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vector");
        for (bytes, expected) in [
            (&b"[1, 2.5]"[..], Some(vec![1.0, 2.5])),
            (&[0, 0, 128, 63, 0, 0, 0, 192], Some(vec![1.0, -2.0])),
            (b"[1", None),
            (b"", None),
        ] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file).ok(), expected, "{bytes:?}");
        }
    }
}
