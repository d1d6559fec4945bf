//! Devices that write and answer conflicts, one named step at a time. (Random worlds live in `selkie-sim`.)

use selkie_core::change::{Change, ChangeNumber, Dot, RecordChange, Seen, Writer, delete, put};
use selkie_core::clock::Clock;
use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictKind, Replica, Resolution, View, resolve, view,
};
use selkie_core::record::{Document, FieldType, RecordKey, Schema};
use selkie_wire::DeviceId;
use serde_json::Value;

/// SplitMix64 (Steele et al., 2014): a seed is the whole schedule.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub struct Device {
    pub id: DeviceId,
    pub replica: Replica,
    pub schema: Schema,
    clock: Clock,
    now_ms: u64,
    written: u64,
}

impl Device {
    pub fn new(index: usize, now_ms: u64) -> Self {
        let id = DeviceId([index as u8 + 1; 16]);
        Self {
            id,
            replica: Replica::default(),
            schema: Schema::default(),
            clock: Clock::new(Default::default()),
            now_ms,
            written: 0,
        }
    }

    pub fn view(&self, key: &RecordKey, policy: &CollectionPolicy) -> View {
        view(&self.replica.registers(key), policy)
    }

    /// Makes and applies a change of one record, unless there is nothing to write.
    pub fn write(
        &mut self,
        key: &RecordKey,
        operations: Vec<selkie_core::change::Operation>,
    ) -> Option<Change> {
        if operations.is_empty() {
            return None;
        }
        self.written += 1;
        self.now_ms += 10;
        let change = Change {
            dot: Dot { device: self.id, number: ChangeNumber(self.written) },
            stamp: self.clock.tick(self.now_ms),
            records: vec![RecordChange { key: key.clone(), operations }],
        };
        assert!(self.replica.apply(change.clone()));
        // What is sent is the bytes, so the bytes are what is tested.
        Some(Change::from_bytes(change.dot, &change.to_bytes()).unwrap())
    }

    pub fn put(
        &mut self,
        key: &RecordKey,
        policy: &CollectionPolicy,
        value: Value,
    ) -> Option<Change> {
        self.put_with_priority(key, policy, value, 0)
    }

    pub fn put_with_priority(
        &mut self,
        key: &RecordKey,
        policy: &CollectionPolicy,
        value: Value,
        priority: i32,
    ) -> Option<Change> {
        let shown = self.view(key, policy);
        let contested =
            shown.conflicts.iter().any(|conflict| conflict.kind == ConflictKind::EditVsDelete);
        let seen = Seen { document: shown.document.as_ref(), delete_contested: contested };
        let wanted = Document::from_value(value).unwrap();
        let dot = Dot { device: self.id, number: ChangeNumber(self.written + 1) };
        let writer = Writer { schema: &self.schema, dot };
        let mut operations = put(&self.replica.registers(key), seen, &wanted, writer);
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.priority = priority;
        }
        self.write(key, operations)
    }

    pub fn delete(&mut self, key: &RecordKey) -> Option<Change> {
        let operations = delete(&self.replica.registers(key));
        self.write(key, operations)
    }

    pub fn resolve(
        &mut self,
        key: &RecordKey,
        conflict: &Conflict,
        resolution: Resolution,
    ) -> Option<Change> {
        let registers = self.replica.registers(key).into_owned();
        let operations = resolve(&registers, conflict, &conflict.token(), resolution).unwrap();
        self.write(key, operations)
    }
}

/// A schema with a field of each type, beside undeclared ones.
pub fn typed() -> Schema {
    [
        ("set", FieldType::Set),
        ("counter", FieldType::Counter),
        ("list", FieldType::List),
        ("atomic", FieldType::Atomic),
    ]
    .into_iter()
    .fold(Schema::new(), |schema, (path, field_type)| schema.field(path, field_type).unwrap())
}
