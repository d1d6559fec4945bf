//! Selkie's core, used as its store uses it: a visible document and a packed state for each record.

use std::collections::BTreeMap;

use selkie_core::change::{Change, ChangeNumber, Dot, RecordChange, Registers, Seen, Writer, put};
use selkie_core::clock::Stamp;
use selkie_core::merge::{
    CollectionPolicy, Context, DeadOnArrival, Replica, apply_own, pack, unpack, view,
};
use selkie_core::record::{Document, RecordKey, Schema};
use selkie_wire::DeviceId;
use serde_json::{Map, Value};

use crate::peer::{Peer, Stored};
use crate::shape::{Edit, FIELDS};

/// One replica.
pub struct Selkie {
    device: DeviceId,
    written: u64,
    context: Context,
    schema: Schema,
    policy: CollectionPolicy,
}

/// The name that Selkie gives to a record of which the app names none: a UUID as text.
fn key(record: usize) -> RecordKey {
    let mixed = (record as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let hex = format!("{mixed:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    RecordKey::new("notes", parts.join("-")).expect("a valid name")
}

fn open(stored: &Stored) -> (Document, Registers) {
    let text = std::str::from_utf8(&stored.body).expect("text");
    let document = Document::from_stored_json(text).expect("a document");
    let registers = unpack(&stored.state, Some(&document)).expect("a state");
    (document, registers)
}

impl Selkie {
    fn store(&self, registers: &Registers) -> Stored {
        let document = view(registers, &self.policy).document.expect("a live record");
        let state = pack(registers, Some(&document));
        Stored { body: document.to_json().into_bytes(), state }
    }

    fn write(
        &mut self,
        record: usize,
        registers: &mut Registers,
        shown: Option<&Document>,
        wanted: &Document,
    ) -> Vec<u8> {
        self.written += 1;
        let dot = Dot { device: self.device, number: ChangeNumber(self.written) };
        let writer = Writer { schema: &self.schema, dot };
        let seen = Seen { document: shown, delete_contested: false };
        let operations = put(registers, seen, wanted, writer);
        let stamp = Stamp::from_unix_ms(1_790_000_000_000 + self.written * 40);
        let records = vec![RecordChange { key: key(record), operations: operations.clone() }];
        let bytes = Change { dot, stamp, records }.to_bytes();
        apply_own(registers, dot, stamp, operations);
        self.context.insert(dot);
        // What a segment says once for all its changes travels beside them here: not counted.
        [&self.device.0[..], &self.written.to_be_bytes(), &bytes].concat()
    }
}

/// Bytes of the dot before each change.
pub const DOT_LEN: usize = 24;

impl Peer for Selkie {
    const NAME: &'static str = "Selkie core";
    type Open = (Document, Registers);

    fn new(replica: usize) -> Self {
        Self {
            device: DeviceId([replica as u8 + 1; 16]),
            written: 0,
            context: Context::default(),
            schema: Schema::new(),
            policy: CollectionPolicy::default(),
        }
    }

    fn create(&mut self, record: usize, map: &Map<String, Value>) -> (Stored, Vec<u8>) {
        let mut registers = Registers::default();
        let wanted = Document::from_value(Value::Object(map.clone())).expect("a document");
        let delta = self.write(record, &mut registers, None, &wanted);
        (self.store(&registers), delta)
    }

    fn seen(&mut self, records: usize) {
        let creator = DeviceId([1; 16]);
        if self.device != creator {
            (1..=records as u64).for_each(|number| {
                self.context.insert(Dot { device: creator, number: ChangeNumber(number) });
            });
        }
    }

    fn edit(&mut self, stored: &Stored, edit: &Edit) -> (Stored, Vec<u8>) {
        let (shown, mut registers) = open(stored);
        let mut wanted = shown.as_map().clone();
        wanted.insert(edit.field.to_owned(), edit.value.clone());
        let wanted = Document::from_value(Value::Object(wanted)).expect("a document");
        let delta = self.write(edit.record, &mut registers, Some(&shown), &wanted);
        (self.store(&registers), delta)
    }

    fn merge(&mut self, record: usize, stored: &Stored, delta: &[u8]) -> Stored {
        let (device, rest) = delta.split_at(16);
        let (number, bytes) = rest.split_at(8);
        let number = u64::from_be_bytes(number.try_into().expect("eight bytes"));
        let device = DeviceId::from_slice(device).expect("a device");
        let dot = Dot { device, number: ChangeNumber(number) };
        let change = Change::from_bytes(dot, bytes).expect("a change");
        let (_, registers) = open(stored);
        let records = BTreeMap::from([(key(record), registers)]);
        let context = std::mem::take(&mut self.context);
        let mut replica = Replica::from_parts(records, context, DeadOnArrival::default());
        replica.apply(change);
        let (mut records, context, _) = replica.into_parts();
        self.context = context;
        self.store(&records.remove(&key(record)).expect("the record"))
    }

    fn open(stored: &Stored) -> Self::Open {
        open(stored)
    }

    fn show(stored: &Stored) -> Vec<String> {
        let (document, _) = open(stored);
        FIELDS.iter().map(|field| format!("{:?}", document.as_map().get(*field))).collect()
    }

    fn edit_bytes(delta: &[u8]) -> &[u8] {
        delta.get(DOT_LEN..).unwrap_or_default()
    }
}
