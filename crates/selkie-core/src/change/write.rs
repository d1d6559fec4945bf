//! What an app's write means: the difference between the document shown and the one wanted.
//!
//! Only what differs is written, so that a write of one field never contends with a concurrent write
//! of another, and an open conflict that the app did not touch stays open.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::record::{Document, FieldType, Leaf, Path, Schema};

use super::change::Dot;
use super::entry::EntryValue;
use super::operation::{Operation, Written};
use super::registers::{Registers, Sibling};

/// What the writer had before its eyes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The document shown; `None` if the record is deleted, or was never there.
    pub document: Option<&'a Document>,
    /// Whether a delete waits for a person's decision: an edit then leaves it open.
    pub delete_contested: bool,
}

/// Who writes, and by which schema.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The types of the collection's fields.
    pub schema: &'a Schema,
    /// The change that the operations become part of; it names new elements of lists.
    pub dot: Dot,
}

/// The operations that turn the document shown into `wanted`. Empty if they are equal.
#[must_use]
pub fn put(
    registers: &Registers,
    seen: Seen<'_>,
    wanted: &Document,
    writer: Writer<'_>,
) -> Vec<Operation> {
    let granularity = granularity(registers, writer.schema);
    let wanted_leaves = granularity.leaves(wanted.as_map());
    let shown_leaves = seen.document.map(|shown| granularity.leaves(shown.as_map()));
    if shown_leaves.as_ref() == Some(&wanted_leaves) {
        return Vec::new();
    }
    let mut operations = Operations { registers, writer, by_path: BTreeMap::new() };
    let alive = alive(registers, seen.delete_contested);
    operations.by_path.insert(Path::root(), alive);
    let nothing_shown = BTreeMap::new();
    operations.write_changed(shown_leaves.as_ref().unwrap_or(&nothing_shown), &wanted_leaves);
    match &shown_leaves {
        Some(shown) => operations.remove(shown.keys(), &wanted_leaves),
        // What a deleted record still holds, hidden, must not come back with the new document.
        None => operations.remove_hidden(&wanted_leaves),
    }
    if seen.document.is_some() && operations.by_path.len() == 1 {
        // Only an order differs that a set does not have.
        return Vec::new();
    }
    operations.by_path.into_values().collect()
}

/// The schema, and every object that stands written whole: it is written whole again, or an app that
/// does not know its type would replace it by the one field that it edits.
fn granularity<'s>(registers: &Registers, schema: &'s Schema) -> Cow<'s, Schema> {
    let mut granularity = Cow::Borrowed(schema);
    for (path, siblings) in registers.iter() {
        let is_object =
            |sibling: &Sibling| matches!(&sibling.entry.value, EntryValue::Value(Value::Object(_)));
        let declared = schema.type_at(path) == FieldType::Atomic;
        if !declared && path.container().is_none() && siblings.iter().any(is_object) {
            granularity.to_mut().fields.insert(path.clone(), FieldType::Atomic);
        }
    }
    granularity
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
    let root = Path::root();
    let overwrites = registers.dots_at(&root).collect();
    let written = Some(Written::plain(EntryValue::Dead));
    vec![Operation { path: root, overwrites, written }]
}

pub(super) struct Operations<'a> {
    pub(super) registers: &'a Registers,
    pub(super) writer: Writer<'a>,
    by_path: BTreeMap<Path, Operation>,
}

impl Operations<'_> {
    /// Overwrites all siblings at `path`; an operation that is there already stays.
    pub(super) fn write(&mut self, path: Path, value: Option<EntryValue>) {
        let overwrites = self.registers.dots_at(&path).collect();
        let written = value.map(Written::plain);
        self.by_path.entry(path.clone()).or_insert(Operation { path, overwrites, written });
    }

    fn write_changed(&mut self, shown: &BTreeMap<Path, Leaf>, wanted: &BTreeMap<Path, Leaf>) {
        for (path, leaf) in wanted {
            if shown.get(path) == Some(leaf) {
                continue;
            }
            match (self.writer.schema.type_at(path), leaf) {
                (FieldType::Set, Leaf::Value(Value::Array(items))) => self.write_set(path, items),
                (FieldType::List, Leaf::Value(Value::Array(items))) => {
                    let shown = match shown.get(path) {
                        Some(Leaf::Value(Value::Array(shown))) => Some(shown.as_slice()),
                        _ => None,
                    };
                    self.write_list(path, shown, items);
                }
                (FieldType::Counter, Leaf::Value(Value::Number(number))) if number.is_i64() => {
                    self.write_counter(path, number.as_i64().unwrap_or(0));
                }
                _ => {
                    self.write(path.clone(), Some(leaf.clone().into()));
                    self.clear_around(path);
                }
            }
        }
    }

    /// A leaf cannot stand above or below another: what its writer saw there goes.
    fn clear_around(&mut self, path: &Path) {
        let registers = self.registers;
        self.clear_above(path, |_| false);
        for (below, _) in registers.below(path) {
            self.write(below.clone(), None);
        }
    }

    /// Clears the values at the ancestors of `path`, and the elements of sets, counters and lists
    /// there, except where `keep` says.
    pub(super) fn clear_above(&mut self, path: &Path, keep: impl Fn(&Path) -> bool) {
        let registers = self.registers;
        for ancestor in path.ancestors().filter(|ancestor| !keep(ancestor)) {
            if !registers.at(&ancestor).is_empty() {
                self.write(ancestor.clone(), None);
            }
            let len = ancestor.as_bytes().len();
            for (below, _) in registers.below(&ancestor) {
                if below.container().is_some_and(|container| container.as_bytes().len() == len) {
                    self.write(below.clone(), None);
                }
            }
        }
    }

    fn remove_hidden(&mut self, wanted: &BTreeMap<Path, Leaf>) {
        let registers = self.registers;
        for (path, siblings) in registers.iter().filter(|(path, _)| !path.is_root()) {
            if let Some(container) = path.container() {
                if !wanted.contains_key(&container) {
                    self.write(path.clone(), None);
                }
            } else if siblings.iter().any(|sibling| sibling.entry.value.as_leaf().is_some()) {
                self.remove([path].into_iter(), wanted);
            }
        }
    }

    fn remove<'p>(&mut self, paths: impl Iterator<Item = &'p Path>, wanted: &BTreeMap<Path, Leaf>) {
        for path in paths {
            if !wanted.contains_key(path) {
                self.write(path.clone(), Some(EntryValue::Absent));
                // The elements of a set, counter or list; fields below are leaves of their own.
                let registers = self.registers;
                for (below, _) in registers.below(path) {
                    self.write(below.clone(), None);
                }
                // What is hidden above must not show once this is gone.
                self.clear_above(path, |above| wanted.contains_key(above));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::change::{ChangeNumber, Entry};
    use crate::clock::Stamp;
    use selkie_wire::DeviceId;

    use super::*;

    fn put(registers: &Registers, seen: Seen<'_>, wanted: &Document) -> Vec<Operation> {
        let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(9) };
        super::put(registers, seen, wanted, Writer { schema: &Schema::default(), dot })
    }

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
                assert!(!registers.is_contested());
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
