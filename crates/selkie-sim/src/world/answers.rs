//! Answers: people's, at once or from an old screen; an app's callback's; and machines' at a deadline.

use std::collections::BTreeSet;

use selkie_core::change::{ChangeNumber, Class, Dot, EntryValue, Operation, Registers};
use selkie_core::merge::{Conflict, ConflictToken, Resolution};
use selkie_core::record::{Component, Element, Path, RecordKey};
use selkie_wire::DeviceId;

use super::documents::{typed_record, wild_value};
use super::ledger::{Act, Answer, AnswerApplied, Deed};
use super::schedule::{World, siblings};
use super::typed::label_written;

/// Rounds after which a device that still finds something to settle is broken.
const SETTLED_AT_ONCE_MAX: usize = 64;
/// Hexadecimal digits of a dot in a token's text.
const DOT_DIGITS: usize = 48;

impl World<'_> {
    fn records() -> [RecordKey; 3] {
        let wild = |id| RecordKey::new("notes", id).expect("a valid name");
        [typed_record(), wild("r0"), wild("r1")]
    }

    fn open(&self, at: usize) -> Vec<(RecordKey, Conflict)> {
        let open = Self::records().into_iter().flat_map(|key| {
            let conflicts = self.devices[at].view(self.rules, &key, self.now_ms).conflicts;
            conflicts.into_iter().map(move |conflict| (key.clone(), conflict))
        });
        open.collect()
    }

    /// A person looks at a conflict, and answers one: that, a part of it, or one seen long ago.
    pub(super) fn a_person_answers(&mut self, at: usize) {
        let open = self.open(at);
        if open.is_empty() {
            return;
        }
        let (key, conflict) = self.random.pick(&open).clone();
        self.screens.push((key.clone(), conflict.clone()));
        let mut token = conflict.token();
        match self.random.below(4) {
            0 => {
                let same = |(known, old): &&(RecordKey, Conflict)| {
                    *known == key && old.path == conflict.path
                };
                let old: Vec<_> = self.screens.iter().filter(same).collect();
                token = self.random.pick(&old).1.token();
            }
            1 => token = self.part_of(&token),
            _ => {}
        }
        // What stands in the typed record was written there, so that it can be told what is lost.
        let resolution = if self.random.chance(20) && key != typed_record() {
            Resolution::Value(wild_value(&mut self.random, 1))
        } else {
            Resolution::Side(self.random.place(conflict.sides.len()))
        };
        // An answer to a screen that is too old is refused, and that is right.
        let registers = self.devices[at].registers(&key);
        if let Ok(operations) = self.rules.resolve(&registers, &conflict, &token, resolution) {
            self.note_answer(at, (&key, token.path()), named_by(&token), operations, false);
        }
    }

    /// A token that names only some of what another names.
    fn part_of(&mut self, token: &ConflictToken) -> ConflictToken {
        let text = token.to_string();
        let (dots, path) = text.split_once('-').expect("a token's text");
        let count = dots.len() / DOT_DIGITS;
        let keep = self.random.place(count) + 1;
        let part = dots.get(..keep * DOT_DIGITS).expect("so many dots");
        format!("{part}-{path}").parse().expect("a token")
    }

    /// An app's callback answers the first conflict however it likes, as a machine.
    pub(super) fn a_callback_answers(&mut self, at: usize) {
        let open = self.open(at);
        let Some((key, conflict)) = open.first() else { return };
        let side = self.random.place(conflict.sides.len());
        if holds_unknown(&self.devices[at].registers(key), conflict) {
            return;
        }
        let registers = self.devices[at].registers(key);
        let token = conflict.token();
        let resolution = Resolution::Side(side);
        let Ok(mut operations) = self.rules.resolve(&registers, conflict, &token, resolution)
        else {
            return;
        };
        let origin = conflict.sides[side].written_by.iter().map(|(_, stamp)| *stamp).max();
        // A machine has not seen the record alive: only its answer is its own.
        operations.retain(|operation| conflict.path.is_root() || !operation.path.is_root());
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.class = Class::Auto;
            written.origin = origin;
        }
        self.note_answer(at, (key, token.path()), named_by(&token), operations, true);
    }

    /// A device whose deadline has come answers everything that is open there.
    fn settle_all(&mut self, at: usize) {
        for _ in 0..SETTLED_AT_ONCE_MAX {
            let mut settled = false;
            for (key, conflict) in self.open(at) {
                let registers = self.devices[at].registers(&key);
                let still = self.devices[at].view(self.rules, &key, self.now_ms).conflicts;
                let operations = self.rules.settle(&registers, &conflict);
                if operations.is_empty() || !still.contains(&conflict) {
                    continue;
                }
                let token = conflict.token();
                self.note_answer(at, (&key, token.path()), named_by(&token), operations, true);
                settled = true;
            }
            if !settled {
                return;
            }
        }
        panic!("a device settles for ever");
    }

    /// Each device answers without hearing of the others: some by a person, some by a machine.
    pub(super) fn answer_independently(&mut self) {
        for at in 0..self.devices.len() {
            self.now_ms += 10;
            if self.random.chance(50) {
                self.settle_all(at);
            } else {
                for _ in 0..self.random.below(4) {
                    self.a_person_answers(at);
                }
            }
        }
    }

    /// Every device's deadline comes before it hears of the others.
    pub(super) fn all_machines_settle(&mut self) {
        for at in 0..self.devices.len() {
            self.now_ms += 10;
            self.settle_all(at);
        }
    }

    fn note_answer(
        &mut self,
        at: usize,
        (key, path): (&RecordKey, &Path),
        named: BTreeSet<Dot>,
        operations: Vec<Operation>,
        by_machine: bool,
    ) {
        let device = &mut self.devices[at];
        let before = siblings(&device.held, key);
        let Some(change) = device.write(self.rules, key, operations, self.now_ms) else { return };
        let after = siblings(&device.held, key);
        let dot = change.dot;
        self.ledger.applied.push(AnswerApplied { dot, before, after });
        if *key == typed_record()
            && let Some(label) = label_written(&change, dot)
        {
            let deed = Deed::Listed(label);
            self.ledger.acts.push(Act { dot, replaces: named.clone(), deed });
        }
        let (key, path) = (key.clone(), path.clone());
        self.ledger.answers.push(Answer { dot, key, path, named, by_machine });
        self.log.push(change);
    }
}

/// The dots in a token's text.
fn named_by(token: &ConflictToken) -> BTreeSet<Dot> {
    let text = token.to_string();
    let (dots, _) = text.split_once('-').expect("a token's text");
    let dot = |at: usize| {
        let (device, number) =
            dots.get(at * DOT_DIGITS..(at + 1) * DOT_DIGITS)?.split_at(DOT_DIGITS - 16);
        let number = ChangeNumber(u64::from_str_radix(number, 16).ok()?);
        Some(Dot { device: DeviceId::from_hex(device)?, number })
    };
    (0..dots.len() / DOT_DIGITS).filter_map(dot).collect()
}

/// Whether what a conflict's answer would overwrite includes something of a later version.
#[must_use]
pub fn holds_unknown(registers: &Registers, conflict: &Conflict) -> bool {
    let named = named_by(&conflict.token());
    registers.iter().filter(|(path, _)| path.starts_with(&conflict.path)).any(|(path, siblings)| {
        let mut named = siblings.iter().filter(|sibling| named.contains(&sibling.dot));
        named.any(|sibling| is_unknown(path, &sibling.entry.value))
    })
}

/// Whether this version does not know what a value is, or what it is an element of.
#[must_use]
pub fn is_unknown(path: &Path, value: &EntryValue) -> bool {
    let unknown_step = |step| match step {
        Component::Element(bytes) => Element::parse(bytes).is_none(),
        Component::Key(_) => false,
    };
    matches!(value, EntryValue::Unknown { .. }) || path.components().any(unknown_step)
}
