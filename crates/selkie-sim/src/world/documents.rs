//! Records and their random content.

use selkie_core::record::{Document, FieldType, RecordKey, Schema};
use serde_json::{Map, Value, json};

use super::random::Random;

/// The field of the typed record that is a set.
pub const SET: &str = "set";
/// The field that is a counter.
pub const COUNTER: &str = "counter";
/// The field that is a list.
pub const LIST: &str = "list";
/// The field that is written whole.
pub const ATOMIC: &str = "atomic";
/// The field that only apps of a later version write.
pub const FUTURE: &str = "future";

/// The record whose typed fields only apps with the schema write, and nobody deletes: on it the
/// promises of the field types are checked.
#[must_use]
pub fn typed_record() -> RecordKey {
    RecordKey::new("notes", "typed").expect("a valid name")
}

/// One of the records on which anything may happen.
pub fn wild_record(random: &mut Random) -> RecordKey {
    RecordKey::new("notes", *random.pick(&["r0", "r1"])).expect("a valid name")
}

/// The name at the head of a list's item `label:version`.
#[must_use]
pub fn label_of(item: &Value) -> Option<&str> {
    Some(item.as_str()?.split_once(':')?.0)
}

/// A schema with a field of each type.
pub fn typed_schema() -> Schema {
    [
        (SET, FieldType::Set),
        (COUNTER, FieldType::Counter),
        (LIST, FieldType::List),
        (ATOMIC, FieldType::Atomic),
    ]
    .into_iter()
    .fold(Schema::new(), |schema, (path, kind)| schema.field(path, kind).expect("a field"))
}

/// A document of a map made here.
pub fn document(map: Map<String, Value>) -> Document {
    Document::from_value(Value::Object(map)).expect("a small document")
}

/// One or two fields of a wild record.
pub fn wild_fields(random: &mut Random) -> Map<String, Value> {
    let names = ["a", "b", "c", SET, COUNTER, LIST, ATOMIC];
    (0..random.below(2) + 1)
        .map(|_| {
            let name = *random.pick(&names);
            let value = match name {
                // Now and then a device without the schema's discipline.
                _ if random.chance(5) => wild_value(random, 1),
                SET | LIST => (0..random.below(4)).map(|_| json!(random.below(6))).collect(),
                COUNTER => json!(random.below(10)),
                ATOMIC => json!({"x": random.below(3), "y": random.below(3)}),
                _ => wild_value(random, 2),
            };
            (name.to_owned(), value)
        })
        .collect()
}

/// Any value, at most so deep.
pub fn wild_value(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth == 0 { 3 } else { 5 }) {
        0 => json!(random.below(5)),
        1 => json!([random.below(3)]),
        2 => json!({}),
        _ => json!({ *random.pick(&["x", "y"]): wild_value(random, depth - 1) }),
    }
}
