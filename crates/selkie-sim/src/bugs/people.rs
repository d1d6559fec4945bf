//! Bugs of what people see and of what their answers do.

use selkie_core::change::{Class, Dot, EntryValue, Operation, Registers, Sibling};
use selkie_core::clock::Stamp;
use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictToken, Resolution, ResolveError, View, resolve, settle,
    view,
};
use selkie_core::record::{Component, Document, Path};
use serde_json::Value;

use crate::world::{Glance, Rules};

/// Shows of plain fields with several values the one that `best` prefers.
fn show_by<K: Ord>(
    registers: &Registers,
    policy: &CollectionPolicy,
    best: impl Fn(&Sibling) -> K,
) -> View {
    let mut shown = view(registers, policy);
    let Some(document) = &shown.document else { return shown };
    let mut map = document.as_map().clone();
    for (path, siblings) in registers.iter().filter(|(_, siblings)| siblings.len() > 1) {
        let mut steps = path.components();
        let (Some(Component::Key(key)), None) = (steps.next(), steps.next()) else { continue };
        let chosen = siblings.iter().max_by_key(|sibling| best(sibling));
        if let Some(EntryValue::Value(value)) = chosen.map(|chosen| &chosen.entry.value)
            && registers.below(path).next().is_none()
        {
            map.insert(key.to_owned(), value.clone());
        }
    }
    shown.document = Document::from_value(Value::Object(map)).ok();
    shown
}

/// Of concurrent values the last one to arrive is shown.
pub struct ShowsTheLastArrived;

impl Rules for ShowsTheLastArrived {
    fn view(&self, registers: &Registers, policy: &CollectionPolicy, glance: Glance<'_>) -> View {
        let arrived = |dot: Dot| glance.arrivals.iter().position(|known| *known == dot);
        show_by(registers, policy, |sibling| arrived(sibling.dot))
    }
}

/// Of concurrent values the newest is shown that is not in the future of this device's clock.
pub struct ShowsNoFuture;

impl Rules for ShowsNoFuture {
    fn view(&self, registers: &Registers, policy: &CollectionPolicy, glance: Glance<'_>) -> View {
        let now = Stamp::from_unix_ms(glance.now_ms);
        show_by(registers, policy, |sibling| {
            (sibling.entry.stamp <= now, sibling.entry.stamp, sibling.dot)
        })
    }
}

/// An answer overwrites all that stands at its place, seen or not.
pub struct AnswersTakeAll;

impl Rules for AnswersTakeAll {
    fn resolve(
        &self,
        registers: &Registers,
        conflict: &Conflict,
        token: &ConflictToken,
        resolution: Resolution,
    ) -> Result<Vec<Operation>, ResolveError> {
        let mut operations = resolve(registers, conflict, token, resolution)?;
        for operation in operations.iter_mut().filter(|one| one.path == conflict.path) {
            operation.overwrites = registers.dots_at(&operation.path).collect();
        }
        Ok(operations)
    }
}

/// Where one answer stands, nothing is asked any more, whatever else was written.
pub struct OneAnswerCloses;

impl Rules for OneAnswerCloses {
    fn view(&self, registers: &Registers, policy: &CollectionPolicy, _: Glance<'_>) -> View {
        let mut shown = view(registers, policy);
        let is_answered = |path: &Path| {
            registers.at(path).iter().any(|sibling| sibling.entry.class != Class::Plain)
        };
        shown.conflicts.retain(|conflict| !is_answered(&conflict.path));
        shown
    }
}

/// A machine's answer is an edit like any other, of its own time.
pub struct MachinesEdit;

impl Rules for MachinesEdit {
    fn settle(&self, registers: &Registers, conflict: &Conflict) -> Vec<Operation> {
        let mut operations = settle(registers, conflict, conflict.shown, "deadline");
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.class = Class::Plain;
            written.origin = None;
        }
        operations
    }
}
