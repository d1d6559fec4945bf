//! A seeded world of devices that write, forget to sync, sync twice, and hand each other checkpoints.

use selkie_core::change::{Change, ChangeNumber, Dot, RecordChange, Seen, Writer, delete, put};
use selkie_core::clock::Clock;
use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictKind, Replica, Resolution, View, resolve, view,
};
use selkie_core::record::{Document, FieldType, RecordKey, Schema};
use selkie_wire::DeviceId;
use serde_json::{Map, Value, json};

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

    /// One random write of a random record.
    pub fn write_randomly(
        &mut self,
        random: &mut Random,
        policy: &CollectionPolicy,
    ) -> Option<Change> {
        let key = RecordKey::new("notes", format!("r{}", random.below(3))).unwrap();
        let shown = self.view(&key, policy);
        if let Some(conflict) = shown.conflicts.first().filter(|_| random.chance(30)) {
            let side = random.below(conflict.sides.len() as u64) as usize;
            return self.resolve(&key, conflict, Resolution::Side(side));
        }
        match random.below(10) {
            0 => self.delete(&key),
            1 => self.put(&key, policy, json!({})),
            _ => {
                let mut map =
                    shown.document.map(|document| document.as_map().clone()).unwrap_or_default();
                map.extend(random_fields(random));
                let priority = random.below(3) as i32;
                self.put_with_priority(&key, policy, Value::Object(map), priority)
            }
        }
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

fn random_fields(random: &mut Random) -> Map<String, Value> {
    let names = ["a", "b", "c", "set", "counter", "list", "atomic"];
    let count = random.below(2) + 1;
    (0..count)
        .map(|_| {
            let name = names[random.below(7) as usize];
            let value = match name {
                // Now and then a device without the schema's discipline.
                _ if random.chance(5) => random_value(random, 1),
                "set" | "list" => {
                    let len = random.below(4);
                    (0..len).map(|_| json!(random.below(6))).collect()
                }
                "counter" => json!(random.below(10)),
                "atomic" => json!({"x": random.below(3), "y": random.below(3)}),
                _ => random_value(random, 2),
            };
            (name.to_owned(), value)
        })
        .collect()
}

fn random_value(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth == 0 { 3 } else { 5 }) {
        0 => json!(random.below(5)),
        1 => json!([random.below(3)]),
        2 => json!({}),
        _ => {
            json!({ (if random.chance(50) { "x" } else { "y" }): random_value(random, depth - 1) })
        }
    }
}
