//! One device: a replica, a clock that may be wrong, and what its app's version knows.

use std::collections::BTreeSet;

use selkie_core::change::{
    Change, ChangeNumber, Dot, Operation, RecordChange, Registers, Seen, Writer,
};
use selkie_core::clock::{Clock, Stamp};
use selkie_core::merge::{CollectionPolicy, ConflictKind, Replica, View};
use selkie_core::record::{Document, RecordKey, Schema};
use selkie_wire::DeviceId;
use serde_json::{Map, Value};

use super::rules::{Glance, Rules};

/// What a device or a checkpoint holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The replica under test.
    pub replica: Replica,
    /// The changes in it, in the order in which they came; kept without the code under test.
    pub arrivals: Vec<Dot>,
    /// The same as a set.
    pub known: BTreeSet<Dot>,
}

impl Held {
    /// Takes in a change, which may have come before.
    pub fn apply(&mut self, rules: &dyn Rules, change: Change) {
        self.note(change.dot);
        rules.apply(&mut self.replica, change);
    }

    /// Takes in all that another holds.
    pub fn join(&mut self, rules: &dyn Rules, other: Self) {
        other.arrivals.into_iter().for_each(|dot| self.note(dot));
        rules.join(&mut self.replica, other.replica);
    }

    fn note(&mut self, dot: Dot) {
        if self.known.insert(dot) {
            self.arrivals.push(dot);
        }
    }

    /// The record as these rules show it.
    #[must_use]
    pub fn view(
        &self,
        rules: &dyn Rules,
        key: &RecordKey,
        policy: &CollectionPolicy,
        now_ms: u64,
    ) -> View {
        let glance = Glance { arrivals: &self.arrivals, now_ms };
        rules.view(&self.replica.registers(key), policy, glance)
    }
}

/// A device of the world.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its incarnation; a restored device takes a new one.
    pub id: DeviceId,
    /// What it holds.
    pub held: Held,
    /// The field types it knows; an older app knows none.
    pub schema: Schema,
    /// The policy it knows; an older app reads names that it does not know.
    pub policy: CollectionPolicy,
    /// Whether it writes kinds and elements that this version does not know.
    pub newer: bool,
    /// How far its wall clock runs ahead.
    pub ahead_ms: u64,
    /// Its logical clock.
    pub clock: Clock,
    /// How many changes it has made.
    pub written: u64,
}

impl Device {
    /// A device that has seen nothing, of an app that knows this policy.
    #[must_use]
    pub fn new(number: u8, policy: CollectionPolicy) -> Self {
        Self {
            id: DeviceId([number; 16]),
            held: Held::default(),
            schema: Schema::default(),
            policy,
            newer: false,
            ahead_ms: 0,
            clock: Clock::new(Stamp::default()),
            written: 0,
        }
    }

    /// What its wall clock says.
    #[must_use]
    pub fn wall_ms(&self, now_ms: u64) -> u64 {
        now_ms + self.ahead_ms
    }

    /// The record as this device shows it.
    #[must_use]
    pub fn view(&self, rules: &dyn Rules, key: &RecordKey, now_ms: u64) -> View {
        self.held.view(rules, key, &self.policy, self.wall_ms(now_ms))
    }

    /// The registers it holds of a record.
    #[must_use]
    pub fn registers(&self, key: &RecordKey) -> Registers {
        self.held.replica.registers(key).into_owned()
    }

    /// The name of its next change.
    #[must_use]
    pub fn next_dot(&self) -> Dot {
        Dot { device: self.id, number: ChangeNumber(self.written + 1) }
    }

    /// Makes a change and applies it; nothing where there is nothing to write.
    pub fn write(
        &mut self,
        rules: &dyn Rules,
        key: &RecordKey,
        operations: Vec<Operation>,
        now_ms: u64,
    ) -> Option<Change> {
        if operations.is_empty() {
            return None;
        }
        let dot = self.next_dot();
        self.written += 1;
        let change = Change {
            dot,
            stamp: self.clock.tick(self.wall_ms(now_ms)),
            records: vec![RecordChange { key: key.clone(), operations }],
        };
        // What is sent is the bytes, so the bytes are what is tested.
        let change = Change::from_bytes(dot, &change.to_bytes()).expect("a change can be read");
        self.held.apply(rules, change.clone());
        Some(change)
    }

    /// The operations that make the record `wanted`, with a priority; and whether a delete waits.
    #[must_use]
    pub fn operations(
        &self,
        rules: &dyn Rules,
        key: &RecordKey,
        shown: &View,
        wanted: &Document,
        priority: i32,
    ) -> (Vec<Operation>, bool) {
        let contested =
            shown.conflicts.iter().any(|conflict| conflict.kind == ConflictKind::EditVsDelete);
        let seen = Seen { document: shown.document.as_ref(), delete_contested: contested };
        let writer = Writer { schema: &self.schema, dot: self.next_dot() };
        let mut operations = rules.put(&self.registers(key), seen, wanted, writer);
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.priority = priority;
        }
        (operations, contested)
    }

    /// Takes in a change of another device.
    pub fn receive(&mut self, rules: &dyn Rules, change: Change, now_ms: u64) {
        let wall_ms = self.wall_ms(now_ms);
        rules.observe(&mut self.clock, change.stamp, wall_ms);
        self.held.apply(rules, change);
    }

    /// Goes back to an older state under a new incarnation, as a restored backup does.
    pub fn restore(&mut self, held: Held, id: DeviceId) {
        self.held = held;
        if self.written > 0 {
            self.id = id;
            self.written = 0;
        }
    }
}

/// The object shown, or an empty one.
#[must_use]
pub fn map_of(view: &View) -> Map<String, Value> {
    view.document.as_ref().map(|document| document.as_map().clone()).unwrap_or_default()
}
