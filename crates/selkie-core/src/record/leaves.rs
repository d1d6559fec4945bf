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
    let leaf = |value: &Value| match value {
        Value::Object(_) => Leaf::EmptyObject,
        other => Leaf::Value(other.clone()),
    };
    leaf_values(map).into_iter().map(|(path, value)| (path, leaf(value))).collect()
}

/// The leaves of a document in order of path, as they stand in it: an object among them is empty.
pub(crate) fn leaf_values(map: &Map<String, Value>) -> Vec<(Path, &Value)> {
    leaf_values_but(map, &|_| false)
}

/// The same, but for the objects that are written whole: each of them is one leaf.
pub(super) fn leaf_values_but<'v>(
    map: &'v Map<String, Value>,
    whole: &dyn Fn(&Path) -> bool,
) -> Vec<(Path, &'v Value)> {
    let mut out = Vec::with_capacity(map.len());
    collect(&Path::root(), map, whole, &mut out);
    out.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    out
}

fn collect<'v>(
    at: &Path,
    map: &'v Map<String, Value>,
    whole: &dyn Fn(&Path) -> bool,
    out: &mut Vec<(Path, &'v Value)>,
) {
    for (key, value) in map {
        let path = at.child(key);
        match value {
            Value::Object(nested) if !nested.is_empty() && !whole(&path) => {
                collect(&path, nested, whole, out);
            }
            leaf => out.push((path, leaf)),
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
