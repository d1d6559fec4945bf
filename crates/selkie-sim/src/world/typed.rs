//! Writes of the typed record: one step at a time, each noted as what its writer meant.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::{Change, Dot, EntryValue, Operation, Registers, Written};
use selkie_core::record::{Element, Path};
use serde_json::{Map, Value, json};

use super::device::map_of;
use super::documents::{ATOMIC, COUNTER, FUTURE, LIST, SET, label_of, typed_record, wild_record};
use super::ledger::{Act, Deed};
use super::schedule::World;

impl World<'_> {
    /// One step on the typed record, by a device that knows the field's type.
    pub(super) fn write_typed(&mut self, at: usize) {
        let device = &self.devices[at];
        let map = map_of(&device.view(self.rules, &typed_record(), self.now_ms));
        let knows_types = !device.schema.fields.is_empty();
        match self.random.below(if knows_types { 10 } else { 2 }) {
            0 => self.put_plain(at, map, "a"),
            1 => self.put_plain(at, map, "b"),
            2 | 3 => self.put_member(at, map),
            4 | 5 => self.count(at, map),
            6..9 => self.put_item(at, map),
            _ => self.put_whole(at, map),
        }
    }

    fn put_plain(&mut self, at: usize, mut map: Map<String, Value>, field: &str) {
        map.insert(field.to_owned(), json!(self.random.below(6)));
        self.put(at, &typed_record(), map);
    }

    /// Writes, and notes the deed if something was written.
    fn put_deed(&mut self, at: usize, map: Map<String, Value>, deed: Deed) -> Option<Change> {
        let replaces = self.devices[at].held.known.clone();
        let change = self.put(at, &typed_record(), map)?;
        self.ledger.acts.push(Act { dot: change.dot, replaces, deed });
        Some(change)
    }

    fn put_member(&mut self, at: usize, mut map: Map<String, Value>) {
        let mut members = items(&map, SET);
        let member = json!(self.random.below(3));
        let deed = if members.contains(&member) {
            members.retain(|known| *known != member);
            Deed::Left(member)
        } else {
            members.push(member.clone());
            Deed::Joined(member)
        };
        map.insert(SET.to_owned(), Value::Array(members));
        self.put_deed(at, map, deed);
    }

    fn count(&mut self, at: usize, mut map: Map<String, Value>) {
        let shown = map.get(COUNTER).and_then(Value::as_i64).unwrap_or(0);
        let by = self.random.below(9) as i64 - 4;
        map.insert(COUNTER.to_owned(), json!(shown + by));
        if by != 0 {
            self.put_deed(at, map, Deed::Counted(by));
        }
    }

    fn put_whole(&mut self, at: usize, mut map: Map<String, Value>) {
        let unique = self.log.len();
        let parts = ["x", "y", "z"].into_iter().filter(|_| self.random.chance(60));
        let whole: Map<String, Value> =
            parts.chain(["id"]).map(|part| (part.to_owned(), json!(unique))).collect();
        map.insert(ATOMIC.to_owned(), Value::Object(whole.clone()));
        self.put_deed(at, map, Deed::WroteWhole(Value::Object(whole)));
    }

    /// Inserts, changes, moves or removes one item of the list.
    fn put_item(&mut self, at: usize, mut map: Map<String, Value>) {
        let mut list = items(&map, LIST);
        let registers = self.devices[at].registers(&typed_record());
        let has_ties = has_ties(&registers);
        let unique = self.log.len();
        let place = self.random.place(list.len() + 1);
        let label = list.get(place).and_then(label_of).map(str::to_owned);
        let deed = match (label, self.random.below(5)) {
            (Some(label), 2) => {
                list[place] = json!(format!("{label}:{unique}"));
                Some(Deed::Listed(label))
            }
            (Some(_), 3) => {
                let moved = list.remove(place);
                let to = self.random.place(list.len() + 1);
                list.insert(to, moved);
                None
            }
            (Some(label), 4) => {
                list.remove(place);
                Some(Deed::Unlisted(label))
            }
            _ => {
                let label = format!("i{unique}");
                list.insert(place, json!(format!("{label}:{unique}")));
                Some(Deed::Listed(label))
            }
        };
        let labels = list.iter().filter_map(label_of).map(str::to_owned).collect();
        map.insert(LIST.to_owned(), Value::Array(list));
        let change = match deed {
            Some(deed) => self.put_deed(at, map, deed),
            None => self.put(at, &typed_record(), map),
        };
        let Some(change) = change else { return };
        self.ledger.lists.push(labels);
        if !has_ties && let Some(put) = self.ledger.puts.last_mut() {
            put.list_writes = Some(list_writes(&change));
        }
    }

    /// A later version writes a kind and elements that this one does not know.
    pub(super) fn write_unknown(&mut self, at: usize) {
        let is_typed = self.random.chance(60);
        let key = if is_typed { typed_record() } else { wild_record(&mut self.random) };
        let field = *self.random.pick(if is_typed { &[FUTURE] } else { &["a", "b", "c"] });
        let mut path = Path::root().child(field);
        let mut value = EntryValue::Unknown { kind: 40, bytes: vec![self.log.len() as u8] };
        match self.random.below(3) {
            0 => {}
            1 => path = path.child("deep"),
            _ => {
                path = unknown_element(&path);
                if self.random.chance(50) {
                    value = EntryValue::Value(json!(self.log.len()));
                }
            }
        }
        let device = &mut self.devices[at];
        let registers = device.registers(&key);
        let replaces = device.held.known.clone();
        let operation = |path: &Path, value| Operation {
            path: path.clone(),
            overwrites: registers.dots_at(path).collect(),
            written: Some(Written::plain(value)),
        };
        let operations = vec![operation(&Path::root(), EntryValue::Alive), operation(&path, value)];
        let change = device.write(self.rules, &key, operations, self.now_ms);
        let Some(change) = change else { return };
        if is_typed {
            let deed = Deed::WroteUnknown(path);
            self.ledger.acts.push(Act { dot: change.dot, replaces, deed });
        }
        self.log.push(change);
    }
}

fn items(map: &Map<String, Value>, field: &str) -> Vec<Value> {
    map.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// An element whose tag this version does not know.
fn unknown_element(path: &Path) -> Path {
    Path::from_bytes(&[path.as_bytes(), &[2 << 1 | 1, b'Z', 7]].concat()).expect("a path")
}

/// Whether two items of the list have one position, or one has several or none: writing a neighbour
/// then has to write more than one position.
fn has_ties(registers: &Registers) -> bool {
    let field = Path::root().child(LIST);
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    let mut with_position: BTreeSet<Path> = BTreeSet::new();
    let mut with_value: BTreeSet<Path> = BTreeSet::new();
    for (path, siblings) in registers.below(&field) {
        match path.last_element() {
            Some(Element::List(_)) => {
                for sibling in siblings {
                    *positions.entry(format!("{:?}", sibling.entry.value)).or_default() += 1;
                }
                if siblings.len() > 1 {
                    return true;
                }
                with_position.insert(path.clone());
            }
            Some(Element::ListValue) => with_value.extend(path.parent()),
            _ => {}
        }
    }
    positions.values().any(|count| *count > 1) || with_position != with_value
}

/// How many values and positions of list items a change writes.
fn list_writes(change: &Change) -> (usize, usize) {
    let mut count = (0, 0);
    for operation in change.records.iter().flat_map(|record| &record.operations) {
        match operation.path.last_element() {
            Some(Element::ListValue) => count.0 += 1,
            Some(Element::List(_)) if operation.written.is_some() => count.1 += 1,
            _ => {}
        }
    }
    count
}

/// The label of the list item whose value stands at a path, as some device wrote it.
pub(super) fn label_written(change: &Change, dot: Dot) -> Option<String> {
    let mut operations = change.records.iter().flat_map(|record| &record.operations);
    operations.find_map(|operation| {
        if change.dot != dot || operation.path.last_element() != Some(Element::ListValue) {
            return None;
        }
        match &operation.written.as_ref()?.value {
            EntryValue::Value(item) => label_of(item).map(str::to_owned),
            _ => None,
        }
    })
}
