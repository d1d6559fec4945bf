//! Documents as leaves at paths, and back.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::Path;

/// What stands at a leaf path.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// A scalar, an array, or an object written as one value.
    Value(Value),
    /// An object without keys.
    EmptyObject,
}

/// The leaves of a document: objects are opened, everything else is one leaf.
///
/// ```
/// use selkie_core::record::{Document, document_of_leaves, leaves};
/// let document = Document::from_json(r#"{"a": {"b": 1, "c": {}}, "d": [2, 3]}"#)?;
/// let leaves = leaves(document.as_map());
/// let paths: Vec<String> = leaves.keys().map(|path| path.to_string()).collect();
/// assert_eq!(paths, ["a.b", "a.c", "d"]);
/// assert_eq!(document_of_leaves(&leaves), document);
/// # Ok::<(), selkie_core::record::DocumentError>(())
/// ```
#[must_use]
pub fn leaves(map: &Map<String, Value>) -> BTreeMap<Path, Leaf> {
    let mut out = Vec::with_capacity(map.len());
    collect(&Path::root(), map, &mut out);
    out.into_iter().collect()
}

fn collect(at: &Path, map: &Map<String, Value>, out: &mut Vec<(Path, Leaf)>) {
    for (key, value) in map {
        let path = at.child(key);
        match value {
            Value::Object(nested) if nested.is_empty() => out.push((path, Leaf::EmptyObject)),
            Value::Object(nested) => collect(&path, nested, out),
            other => out.push((path, Leaf::Value(other.clone()))),
        }
    }
}

/// The document that has these leaves. Of two leaves that cannot both be, the deeper one stays.
#[must_use]
pub fn document_of_leaves(leaves: &BTreeMap<Path, Leaf>) -> super::Document {
    let mut document = super::Document::default();
    for (path, leaf) in leaves {
        let value = match leaf {
            Leaf::Value(value) => value.clone(),
            Leaf::EmptyObject => Value::Object(Map::new()),
        };
        document.set(path, value);
    }
    document
}
