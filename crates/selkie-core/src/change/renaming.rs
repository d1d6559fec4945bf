//! New names for changes whose names are in use elsewhere.
//!
//! A store that went back in time unnoticed has given numbers to changes that another run of it had
//! given to others. Once that shows, what it wrote gets names in a new chain, here, as if it had been
//! written there from the beginning. Others have seen none of it.

use std::collections::BTreeMap;

use selkie_wire::DeviceId;
use serde_json::Value;

use super::change::{Change, ChangeNumber, Dot, RecordChange};
use super::entry::{Entry, EntryValue};
use super::operation::{Operation, Written};
use super::registers::{Registers, Sibling};
use crate::record::{Component, Element, Path, RecordKey};

/// Renames the changes of one chain from a number on.
///
/// ```
/// use selkie_core::change::{ChangeNumber, Dot, Renaming};
/// use selkie_wire::DeviceId;
/// let dot = |device, number| Dot { device: DeviceId([device; 16]), number: ChangeNumber(number) };
/// let renaming = Renaming::new(dot(1, 5), DeviceId([2; 16]));
/// assert_eq!(renaming.dot(dot(1, 4)), dot(1, 4), "others have seen it");
/// assert_eq!(renaming.dot(dot(1, 5)), dot(2, 2), "the first is `Renaming::first_change`");
/// assert_eq!(renaming.dot(dot(1, 7)), dot(2, 4));
/// ```
#[derive(Debug)]
pub struct Renaming {
    /// The first change that gets a new name.
    first: Dot,
    /// The new chain.
    chain: DeviceId,
    /// What the old chain had added to each counter, as others have it.
    counters: BTreeMap<(RecordKey, Path), Sibling>,
    /// Those of them that a renamed change went on from.
    moved: BTreeMap<(RecordKey, Path), Sibling>,
}

impl Renaming {
    /// The changes of `first`'s chain from `first` on become those of `chain`, from 2 on.
    #[must_use]
    pub fn new(first: Dot, chain: DeviceId) -> Self {
        Self { first, chain, counters: BTreeMap::new(), moved: BTreeMap::new() }
    }

    /// The name of a change.
    #[must_use]
    pub fn dot(&self, dot: Dot) -> Dot {
        if !self.is_renamed(dot) {
            return dot;
        }
        let number = dot.number.0 - self.first.number.0 + 2;
        Dot { device: self.chain, number: ChangeNumber(number) }
    }

    /// The first change of the new chain, once all others are renamed: it writes anew, as old as they
    /// are, the sums that the renamed changes had gone on from.
    #[must_use]
    pub fn first_change(&self) -> Change {
        let mut records: Vec<RecordChange> = Vec::new();
        for ((key, path), Sibling { dot, entry }) in &self.moved {
            let Entry { priority, class, origin, value, .. } = entry.clone();
            let operation = Operation {
                path: path.clone(),
                overwrites: vec![*dot],
                written: Some(Written { value, priority, class, origin, why: None }),
            };
            match records.last_mut().filter(|record| record.key == *key) {
                Some(record) => record.operations.push(operation),
                None => {
                    records.push(RecordChange { key: key.clone(), operations: vec![operation] })
                }
            }
        }
        // Older than whatever the other history adds to them.
        let stamp = self.moved.values().map(|sibling| sibling.entry.stamp).min();
        Change { dot: self.first_dot(), stamp: stamp.unwrap_or_default(), records }
    }

    fn first_dot(&self) -> Dot {
        Dot { device: self.chain, number: ChangeNumber(1) }
    }

    fn is_renamed(&self, dot: Dot) -> bool {
        dot.device == self.first.device && dot.number >= self.first.number
    }

    /// Notes a change before the first, which keeps its name; to be called in their order.
    pub fn keep(&mut self, change: &Change) {
        for record in &change.records {
            for operation in &record.operations {
                if operation.path.last_element() != Some(Element::Counter(self.first.device)) {
                    continue;
                }
                let place = (record.key.clone(), operation.path.clone());
                match &operation.written {
                    Some(written) => {
                        let Written { value, priority, class, origin, .. } = written.clone();
                        let entry = Entry { stamp: change.stamp, priority, class, origin, value };
                        self.counters.insert(place, Sibling { dot: change.dot, entry });
                    }
                    None => {
                        self.counters.remove(&place);
                    }
                }
            }
        }
    }

    /// A change under its new name; to be called in their order, after the last [`keep`](Self::keep).
    #[must_use]
    pub fn rename(&mut self, change: Change) -> Change {
        let dot = self.dot(change.dot);
        let records = change.records.into_iter().map(|mut record| {
            let operations = std::mem::take(&mut record.operations);
            let renamed = operations.into_iter();
            record.operations =
                renamed.flat_map(|operation| self.operations(&record.key, operation)).collect();
            record.operations.sort_by(|one, other| one.path.cmp(&other.path));
            record
        });
        Change { dot, stamp: change.stamp, records: records.collect() }
    }

    fn operations(&mut self, key: &RecordKey, operation: Operation) -> Vec<Operation> {
        let counter = operation.path.last_element() == Some(Element::Counter(self.first.device));
        if counter {
            return self.counter(key, operation);
        }
        vec![Operation {
            path: self.path(&operation.path),
            overwrites: operation.overwrites.into_iter().map(|dot| self.dot(dot)).collect(),
            written: operation.written,
        }]
    }

    /// What was added since goes to the new chain's own element; the old chain's stays as it was.
    fn counter(&mut self, key: &RecordKey, operation: Operation) -> Vec<Operation> {
        let Operation { path, overwrites, written } = operation;
        let place = (key.clone(), path.clone());
        let (renamed, kept): (Vec<_>, Vec<_>) =
            overwrites.into_iter().partition(|dot| self.is_renamed(*dot));
        let renamed: Vec<_> = renamed.into_iter().map(|dot| self.dot(dot)).collect();
        if let Some(base) = self.counters.remove(&place)
            && kept.contains(&base.dot)
        {
            self.moved.insert(place.clone(), base);
        }
        let base = self.moved.get(&place).and_then(|base| sum(&base.entry.value));
        let own = path.parent().map(|field| field.counter_element(self.chain));
        let (Some(own), true) = (own, base.is_some() || kept.is_empty()) else {
            // Its earlier sum is not known any more: it stands beside the other history's.
            let overwrites = kept.into_iter().chain(renamed).collect();
            return vec![Operation { path, overwrites, written }];
        };
        let Some(mut written) = written else {
            let base = base.map(|_| self.first_dot());
            let removed = [(path, base.into_iter().collect()), (own, renamed)].into_iter();
            let removed = removed.filter(|(_, overwrites): &(_, Vec<_>)| !overwrites.is_empty());
            return removed
                .map(|(path, overwrites)| Operation { path, overwrites, written: None })
                .collect();
        };
        if let Some(sum) = sum(&written.value) {
            // What was removed and begun anew counts from nothing.
            let base = if renamed.is_empty() && kept.is_empty() { None } else { base };
            let added = sum.wrapping_sub(base.unwrap_or_default());
            written.value = EntryValue::Value(Value::from(added));
        }
        vec![Operation { path: own, overwrites: renamed, written: Some(written) }]
    }

    fn path(&self, path: &Path) -> Path {
        path.components().fold(Path::root(), |renamed, component| match component {
            Component::Key(key) => renamed.child(key),
            Component::Element(bytes) => match self.list_element(bytes) {
                Some((dot, index)) => renamed.list_element(dot.device, dot.number.0, index),
                None => renamed.with_element(bytes),
            },
        })
    }

    /// The new name of a list's element that a renamed change inserted.
    fn list_element(&self, bytes: &[u8]) -> Option<(Dot, u32)> {
        let Element::List(name) = Element::parse(bytes)? else { return None };
        let (device, rest) = name.split_first_chunk::<16>()?;
        let (number, index) = rest.split_first_chunk::<8>()?;
        let number = ChangeNumber(u64::from_be_bytes(*number));
        let dot = Dot { device: DeviceId(*device), number };
        let index = u32::from_be_bytes(index.try_into().ok()?);
        self.is_renamed(dot).then(|| (self.dot(dot), index))
    }

    /// Takes what the renamed changes wrote out of a record; the first change and the renamed ones are
    /// then applied to it in their order.
    pub fn take_out(&self, registers: &mut Registers) {
        registers.retain(|_, sibling| !self.is_renamed(sibling.dot));
    }
}

fn sum(value: &EntryValue) -> Option<i64> {
    match value {
        EntryValue::Value(value) => value.as_i64(),
        _ => None,
    }
}
