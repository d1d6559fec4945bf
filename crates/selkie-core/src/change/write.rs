//! What an app's write means: the difference between the document shown and the one wanted.
//!
//! Only what differs is written, so that a write of one field never contends with a concurrent write
//! of another, and an open conflict that the app did not touch stays open.

use serde_json::Value;

use crate::record::{Document, Path, leaf_values};

use super::entry::EntryValue;
use super::operation::{Operation, Written};
use super::registers::Registers;

/// What the writer had before its eyes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The document shown; `None` if the record is deleted, or was never there.
    pub document: Option<&'a Document>,
    /// Whether a delete waits for a person's decision: an edit then leaves it open.
    pub delete_contested: bool,
}

/// The operations that turn the document shown into `wanted`. Empty if they are equal.
#[must_use]
pub fn put(registers: &Registers, seen: Seen<'_>, wanted: &Document) -> Vec<Operation> {
    if seen.document == Some(wanted) {
        return Vec::new();
    }
    let wanted = leaf_values(wanted.as_map());
    let shown = seen.document.map(|shown| leaf_values(shown.as_map()));
    let mut operations =
        Operations { registers, all: Vec::with_capacity(wanted.len() + 1), wanted: &wanted };
    operations.all.push(alive(registers, seen.delete_contested));
    operations.write_changed(shown.as_deref().unwrap_or_default());
    match &shown {
        Some(shown) => operations.remove(shown.iter().map(|(path, _)| path)),
        // What a deleted record still holds, hidden, must not come back with the new document.
        None => operations.remove(hidden_paths(registers)),
    }
    operations.finish()
}

/// The write at the root that every edit makes.
pub(crate) fn alive(registers: &Registers, delete_contested: bool) -> Operation {
    let root = Path::root();
    let overwritten = registers
        .at(&root)
        .iter()
        .filter(|sibling| !(delete_contested && sibling.entry.value == EntryValue::Dead));
    Operation {
        overwrites: overwritten.map(|sibling| sibling.dot).collect(),
        path: root,
        written: Some(Written::plain(EntryValue::Alive)),
    }
}

/// The operations that delete a record. Its values are hidden, not destroyed.
#[must_use]
pub fn delete(registers: &Registers) -> Vec<Operation> {
    let mut operations = Operations { registers, all: Vec::new(), wanted: &[] };
    operations.write(&Path::root(), Some(EntryValue::Dead));
    operations.finish()
}

fn hidden_paths(registers: &Registers) -> impl Iterator<Item = &Path> {
    registers.iter().filter_map(|(path, siblings)| {
        let shows = siblings.iter().any(|sibling| sibling.entry.value.as_leaf().is_some());
        (shows && !path.is_root()).then_some(path)
    })
}

struct Operations<'a> {
    registers: &'a Registers,
    /// The leaves wanted, in order of path.
    wanted: &'a [(Path, &'a Value)],
    all: Vec<Operation>,
}

/// The leaf at a path, among leaves in order of path.
fn leaf_at<'v>(leaves: &[(Path, &'v Value)], path: &Path) -> Option<&'v Value> {
    let at = leaves.binary_search_by(|(known, _)| known.cmp(path)).ok()?;
    leaves.get(at).map(|(_, leaf)| *leaf)
}

impl Operations<'_> {
    /// Overwrites all siblings at `path`.
    fn write(&mut self, path: &Path, value: Option<EntryValue>) {
        let overwrites = self.registers.dots_at(path).collect();
        let written = value.map(Written::plain);
        self.all.push(Operation { path: path.clone(), overwrites, written });
    }

    fn write_changed(&mut self, shown: &[(Path, &Value)]) {
        for (path, leaf) in self.wanted {
            if leaf_at(shown, path) != Some(leaf) {
                self.write(path, Some(EntryValue::of_leaf(leaf)));
                self.clear_around(path);
            }
        }
    }

    /// A leaf cannot stand above or below another: what its writer saw there goes.
    fn clear_around(&mut self, path: &Path) {
        let registers = self.registers;
        for ancestor in path.ancestors() {
            if !registers.at(&ancestor).is_empty() {
                self.write(&ancestor, None);
            }
        }
        for (below, _) in registers.below(path) {
            self.write(below, None);
        }
    }

    fn remove<'p>(&mut self, paths: impl Iterator<Item = &'p Path>) {
        for path in paths {
            if leaf_at(self.wanted, path).is_none() {
                self.write(path, Some(EntryValue::Absent));
            }
        }
    }

    /// In order of path; of several operations at one path the first stays.
    fn finish(mut self) -> Vec<Operation> {
        self.all.sort_by(|one, other| one.path.cmp(&other.path));
        self.all.dedup_by(|later, first| later.path == first.path);
        self.all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::change::{ChangeNumber, Dot, Entry, Sibling};
    use crate::clock::Stamp;
    use selkie_wire::DeviceId;

    use super::*;

    fn seen(document: &Document) -> Seen<'_> {
        Seen { document: Some(document), delete_contested: false }
    }

    fn document(value: Value) -> Document {
        Document::from_value(value).unwrap()
    }

    /// Applies operations as a fresh change of one device, to look at the result.
    fn apply(operations: Vec<Operation>, registers: &mut Registers, number: u64) {
        let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(number) };
        for operation in operations {
            for seen in operation.overwrites {
                assert!(registers.remove(&operation.path, seen), "names what is there");
            }
            if let Some(Written { value, priority, class, origin, .. }) = operation.written {
                let entry = Entry { stamp: Stamp(number), priority, class, origin, value };
                registers.insert(operation.path, Sibling { dot, entry });
            }
        }
    }

    fn shown(registers: &Registers) -> Value {
        let leaves = registers
            .iter()
            .filter_map(|(path, siblings)| {
                Some((path.clone(), siblings.first()?.entry.value.as_leaf()?))
            })
            .collect();
        crate::record::document_of_leaves(&leaves).into_value()
    }

    #[test]
    fn any_document_follows_any_other() {
        let documents = [
            json!({}),
            json!({"a": 1}),
            json!({"a": {"b": 1, "c": {}}}),
            json!({"a": {}}),
            json!({"a": {"b": {"d": [1, {"e": 2}]}}, "f": null}),
            json!({"a": [1], "f": {"g": "x"}}),
        ];
        for first in &documents {
            for second in &documents {
                let mut registers = Registers::default();
                let (first, second) = (document(first.clone()), document(second.clone()));
                apply(put(&registers, Seen::default(), &first), &mut registers, 1);
                apply(put(&registers, seen(&first), &second), &mut registers, 2);
                assert_eq!(shown(&registers), second.clone().into_value());
                assert!(!registers.has_siblings());
                assert!(put(&registers, seen(&second), &second).is_empty());
                apply(delete(&registers), &mut registers, 3);
                apply(put(&registers, Seen::default(), &first), &mut registers, 4);
                assert_eq!(shown(&registers), first.into_value(), "after a delete");
            }
        }
    }

    #[test]
    fn an_unchanged_field_is_not_written() {
        let mut registers = Registers::default();
        let before = document(json!({"a": 1, "b": 2}));
        apply(put(&registers, Seen::default(), &before), &mut registers, 1);
        let operations = put(&registers, seen(&before), &document(json!({"a": 1, "b": 3})));
        let paths: Vec<_> = operations.iter().map(|operation| operation.path.to_string()).collect();
        assert_eq!(paths, ["", "b"]);
    }
}
