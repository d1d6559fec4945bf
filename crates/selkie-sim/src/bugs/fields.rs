//! Bugs of the field types.

use selkie_core::change::{Change, EntryValue, Operation, Registers, Seen, Writer, Written, put};
use selkie_core::merge::{CollectionPolicy, Replica, View, view};
use selkie_core::record::{Document, Element, Path, Schema};
use serde_json::Value;

use crate::world::{COUNTER, Glance, LIST, Rules};

/// A counter shows the greatest of its parts.
pub struct CountersByMax;

impl Rules for CountersByMax {
    fn view(&self, registers: &Registers, policy: &CollectionPolicy, _: Glance<'_>) -> View {
        let mut shown = view(registers, policy);
        let Some(document) = &shown.document else { return shown };
        let field = Path::root().child(COUNTER);
        let parts = registers
            .below(&field)
            .filter(|(path, _)| matches!(path.last_element(), Some(Element::Counter(_))))
            .flat_map(|(_, siblings)| siblings)
            .filter_map(|sibling| match &sibling.entry.value {
                EntryValue::Value(part) => part.as_i64(),
                _ => None,
            });
        let Some(greatest) = parts.max() else { return shown };
        let mut map = document.as_map().clone();
        map.insert(COUNTER.to_owned(), greatest.into());
        shown.document = Document::from_value(Value::Object(map)).ok();
        shown
    }
}

/// Taking a member out of a set takes out what others put in meanwhile.
pub struct RemovalWins;

impl Rules for RemovalWins {
    fn apply(&self, replica: &mut Replica, mut change: Change) {
        for record in &mut change.records {
            let registers = replica.registers(&record.key);
            for operation in record.operations.iter_mut().filter(|one| one.written.is_none()) {
                if matches!(operation.path.last_element(), Some(Element::Set(_))) {
                    operation.overwrites.extend(registers.dots_at(&operation.path));
                }
            }
        }
        replica.apply(change);
    }
}

/// Every write of a list writes the positions of all its items.
pub struct ListsRenumbered;

impl Rules for ListsRenumbered {
    fn put(
        &self,
        registers: &Registers,
        seen: Seen<'_>,
        wanted: &Document,
        writer: Writer<'_>,
    ) -> Vec<Operation> {
        let mut operations = put(registers, seen, wanted, writer);
        let field = Path::root().child(LIST);
        if !operations.iter().any(|one| one.path.starts_with(&field)) {
            return operations;
        }
        for (path, siblings) in registers.below(&field) {
            let is_position = matches!(path.last_element(), Some(Element::List(_)));
            let is_written = operations.iter().any(|one| one.path == *path);
            if let Some(first) = siblings.first().filter(|_| is_position && !is_written) {
                operations.push(Operation {
                    path: path.clone(),
                    overwrites: registers.dots_at(path).collect(),
                    written: Some(Written::plain(first.entry.value.clone())),
                });
            }
        }
        operations
    }
}

/// Atomic objects are written leaf by leaf.
pub struct NothingIsAtomic;

impl Rules for NothingIsAtomic {
    fn put(
        &self,
        registers: &Registers,
        seen: Seen<'_>,
        wanted: &Document,
        writer: Writer<'_>,
    ) -> Vec<Operation> {
        let mut schema: Schema = writer.schema.clone();
        schema.fields.retain(|path, _| path.to_string() != crate::world::ATOMIC);
        put(registers, seen, wanted, Writer { schema: &schema, ..writer })
    }
}
