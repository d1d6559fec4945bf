//! Stores the values of a stream, batch by batch: a batch is one transaction.

use std::cell::Cell;
use std::io::BufRead;

use selkie::Vault;
use serde_json::{Map, Value};

use super::reader::{Item, Items};
use crate::exit::Failure;
use crate::json;

/// Records of one transaction.
const BATCH_RECORDS_MAX: usize = 1_000;
/// JSON text of one transaction: far below what one change may hold. A single longer record still
/// goes, alone.
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// An import under way.
pub struct Importer<'a> {
    /// The field that holds the document, where each value wraps one.
    pub document_field: Option<String>,
    vault: &'a Vault,
    collection: &'a str,
    id_field: String,
    batch: Vec<Prepared>,
    batch_bytes: usize,
    stored: u64,
    stored_to_line: u64,
    batches: u64,
}

/// A record that is ready to be stored.
#[derive(Debug, PartialEq)]
struct Prepared {
    line: u64,
    id: Option<String>,
    document: Value,
}

impl<'a> Importer<'a> {
    /// An import into a collection.
    pub fn new(vault: &'a Vault, collection: &'a str, id_field: String) -> Self {
        Self {
            document_field: None,
            vault,
            collection,
            id_field,
            batch: Vec::new(),
            batch_bytes: 0,
            stored: 0,
            stored_to_line: 0,
            batches: 0,
        }
    }

    /// Stores everything, and calls `progress` with the count after each batch. At the first bad
    /// value it stops; of the batch under way nothing is stored.
    pub fn import(
        &mut self,
        mut items: Items<impl BufRead>,
        progress: impl Fn(u64),
    ) -> Result<(), Failure> {
        while let Some(item) = items.next()? {
            let bytes = item.text.len();
            let is_full =
                self.batch.len() == BATCH_RECORDS_MAX || self.batch_bytes + bytes > BATCH_BYTES_MAX;
            if is_full {
                self.store()?;
                progress(self.stored);
            }
            let line = item.line;
            let prepared = prepare(item, &self.id_field, self.document_field.as_deref());
            self.batch.push(prepared.map_err(|failure| failure.at(format!("line {line}")))?);
            self.batch_bytes += bytes;
        }
        self.store()?;
        progress(self.stored);
        Ok(())
    }

    fn store(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let Some(last_line) = batch.last().map(|prepared| prepared.line) else { return Ok(()) };
        let at_line = Cell::new(None);
        let stored = self.vault.transaction(|transaction| {
            let records = transaction.collection(self.collection)?;
            for Prepared { line, id, document } in &batch {
                at_line.set(Some(*line));
                match id {
                    Some(id) => records.put(id, document)?,
                    None => records.insert(document)?,
                };
            }
            at_line.set(None);
            Ok(())
        });
        stored.map_err(|error| match at_line.get() {
            Some(line) => Failure::from(error).at(format!("line {line}")),
            None => Failure::from(error),
        })?;
        self.stored += batch.len() as u64;
        self.stored_to_line = last_line;
        self.batches += 1;
        Ok(())
    }

    /// Records stored so far.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// The line of the last record stored.
    pub fn stored_to_line(&self) -> u64 {
        self.stored_to_line
    }

    /// Transactions so far.
    pub fn batches(&self) -> u64 {
        self.batches
    }
}

/// From a value's text to a record.
fn prepare(item: Item, id_field: &str, document_field: Option<&str>) -> Result<Prepared, Failure> {
    let Value::Object(mut fields) = json::parse(&item.text)? else {
        return Err(Failure::refused("not_an_object", "a record must be a JSON object"));
    };
    let id = id_of(&fields, id_field)?;
    let document = match document_field {
        None => Value::Object(fields),
        Some(name) => match fields.remove(name) {
            Some(document @ Value::Object(_)) => document,
            Some(_) => {
                let message = format!("the field {name:?} holds no JSON object");
                return Err(Failure::refused("not_an_object", message));
            }
            None => {
                let message = format!("there is no field {name:?}");
                return Err(Failure::refused("no_document", message));
            }
        },
    };
    Ok(Prepared { line: item.line, id, document })
}

/// A string, or a whole number as its digits. A field of another kind would give ids that no other
/// program makes again, so it is refused rather than replaced by a generated id.
fn id_of(fields: &Map<String, Value>, id_field: &str) -> Result<Option<String>, Failure> {
    match fields.get(id_field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(Value::Number(id)) if id.is_i64() => Ok(Some(id.to_string())),
        Some(_) => {
            let message =
                format!("the id field {id_field:?} is neither a string nor a whole number");
            Err(Failure::refused("bad_id", message).help(
                "name another field with --id-field FIELD; one that is absent gives generated ids",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prepared(text: &str, document_field: Option<&str>) -> Result<Prepared, String> {
        let item = Item { line: 7, text: text.as_bytes().to_vec() };
        prepare(item, "id", document_field).map_err(|failure| failure.code.into_owned())
    }

    #[test]
    fn the_id_is_taken_from_its_field_and_the_document_stays_whole() {
        for (text, id) in [
            (r#"{"id": "a", "x": 1}"#, Some("a")),
            (r#"{"id": 12, "x": 1}"#, Some("12")),
            (r#"{"x": 1}"#, None),
            (r#"{"id": null, "x": 1}"#, None),
        ] {
            let prepared = prepared(text, None).unwrap();
            assert_eq!(prepared.id.as_deref(), id);
            assert_eq!(prepared.document, serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn a_wrapped_document_is_unwrapped() {
        let text = r#"{"id": "a", "collection": "b", "document": {"x": 1}}"#;
        let prepared = prepared(text, Some("document")).unwrap();
        assert_eq!((prepared.id.as_deref(), prepared.document), (Some("a"), json!({"x": 1})));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for (text, document_field, code) in [
            ("[1]", None, "not_an_object"),
            ("7", None, "not_an_object"),
            (r#"{"id": true}"#, None, "bad_id"),
            (r#"{"id": 1.5}"#, None, "bad_id"),
            (r#"{"id": "a"}"#, Some("document"), "no_document"),
            (r#"{"id": "a", "document": 3}"#, Some("document"), "not_an_object"),
        ] {
            assert_eq!(prepared(text, document_field).unwrap_err(), code, "{text}");
        }
    }
}
