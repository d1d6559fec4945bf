//! What an app's write means: the difference between the document shown and the one wanted.
//!
//! Only what differs is written, so that a write of one field never contends with a concurrent write
//! of another, and an open conflict that the app did not touch stays open.

use std::borrow::Cow;

use serde_json::Value;

use crate::clock::Stamp;
use crate::record::{Document, FieldType, Path, Schema};

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
    if seen.document == Some(wanted) {
        return Vec::new();
    }
    let granularity = granularity(registers, writer.schema);
    let wanted = granularity.leaf_values(wanted.as_map());
    let shown = seen.document.map(|shown| granularity.leaf_values(shown.as_map()));
    let all = Vec::with_capacity(wanted.len() + 1);
    let mut operations = Operations { registers, writer, wanted: &wanted, all };
    operations.all.push(alive(registers, seen.delete_contested));
    operations.write_changed(shown.as_deref().unwrap_or_default());
    match &shown {
        Some(shown) => operations.remove(shown.iter().map(|(path, _)| path)),
        // What a deleted record still holds, hidden, must not come back with the new document.
        None => operations.remove_hidden(),
    }
    if shown.is_some() && operations.all.len() == 1 {
        // Only an order differs that a set does not have.
        return Vec::new();
    }
    operations.finish()
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

/// Adds to a write the clearing away of removals made before a time: that a field was removed is told
/// for long enough, and no mark of it is kept for ever. Nothing is added to a write of nothing.
pub fn clear_old_removals(registers: &Registers, before: Stamp, operations: &mut Vec<Operation>) {
    if operations.is_empty() {
        return;
    }
    let old = registers.iter().filter_map(|(path, siblings)| match siblings {
        [only] if only.entry.value == EntryValue::Absent && only.entry.stamp < before => {
            Some((path, only.dot))
        }
        _ => None,
    });
    for (path, dot) in old {
        if !operations.iter().any(|operation| operation.path == *path) {
            let overwrites = vec![dot];
            operations.push(Operation { path: path.clone(), overwrites, written: None });
        }
    }
    operations.sort_by(|one, other| one.path.cmp(&other.path));
}

pub(super) struct Operations<'a> {
    pub(super) registers: &'a Registers,
    pub(super) writer: Writer<'a>,
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
    /// Overwrites all siblings at `path`; what was written there before stays.
    pub(super) fn write(&mut self, path: &Path, value: Option<EntryValue>) {
        let overwrites = self.registers.dots_at(path).collect();
        let written = value.map(Written::plain);
        self.all.push(Operation { path: path.clone(), overwrites, written });
    }

    fn write_changed(&mut self, shown: &[(Path, &Value)]) {
        for (path, leaf) in self.wanted {
            if leaf_at(shown, path) == Some(leaf) {
                continue;
            }
            match (self.writer.schema.type_at(path), leaf) {
                (FieldType::Set, Value::Array(items)) => self.write_set(path, items),
                (FieldType::List, Value::Array(items)) => {
                    let shown = leaf_at(shown, path).and_then(Value::as_array);
                    self.write_list(path, shown.map(Vec::as_slice), items);
                }
                (FieldType::Counter, Value::Number(number)) if number.is_i64() => {
                    self.write_counter(path, number.as_i64().unwrap_or(0));
                }
                _ => {
                    self.write(path, Some(EntryValue::of_leaf(leaf)));
                    self.clear_around(path);
                }
            }
        }
    }

    /// A leaf cannot stand above or below another: what its writer saw there goes.
    fn clear_around(&mut self, path: &Path) {
        self.clear_above(path);
        let registers = self.registers;
        for (below, _) in registers.below(path) {
            self.write(below, None);
        }
    }

    /// Clears what stands at the places above: single values, and elements of sets, counters and
    /// lists. Hidden now, any of it could show once the object that hides it changes.
    pub(super) fn clear_above(&mut self, path: &Path) {
        let registers = self.registers;
        for ancestor in path.ancestors().filter(|above| leaf_at(self.wanted, above).is_none()) {
            if !registers.at(&ancestor).is_empty() {
                self.write(&ancestor, None);
            }
            for (below, _) in registers.below(&ancestor) {
                if below.container().as_ref() == Some(&ancestor) {
                    self.write(below, None);
                }
            }
        }
    }

    fn remove_hidden(&mut self) {
        let registers = self.registers;
        for (path, siblings) in registers.iter().filter(|(path, _)| !path.is_root()) {
            if let Some(container) = path.container() {
                if leaf_at(self.wanted, &container).is_none() {
                    self.write(path, None);
                }
            } else if siblings.iter().any(|sibling| sibling.entry.value.as_leaf().is_some()) {
                self.remove([path].into_iter());
            }
        }
    }

    fn remove<'p>(&mut self, paths: impl Iterator<Item = &'p Path>) {
        let registers = self.registers;
        for path in paths {
            if leaf_at(self.wanted, path).is_some() {
                continue;
            }
            // Where an object takes its place the field is not removed, it only has another shape.
            let removed = (!self.wants_below(path)).then_some(EntryValue::Absent);
            self.write(path, removed);
            // The elements of a set, counter or list; fields below are leaves of their own.
            for (below, _) in registers.below(path) {
                let container = below.container();
                if leaf_at(self.wanted, container.as_ref().unwrap_or(below)).is_none() {
                    self.write(below, None);
                }
            }
            self.clear_above(path);
        }
    }

    /// Whether any leaf wanted lies below a path.
    fn wants_below(&self, path: &Path) -> bool {
        let at = self.wanted.partition_point(|(known, _)| known <= path);
        self.wanted.get(at).is_some_and(|(next, _)| next.starts_with(path))
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
    use serde_json::json;

    use crate::change::{ChangeNumber, Entry};
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
                assert!(registers.remove(&operation.path, seen).is_some(), "names what is there");
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
