//! A change: one local transaction, one dot, one byte string for ever.

use core::fmt;

use minicbor::{Decoder, Encoder};
use selkie_wire::DeviceId;
use selkie_wire::cbor::{self, CborError};
use selkie_wire::limits::CHANGE_BYTES_MAX;

use crate::clock::Stamp;
use crate::record::RecordKey;

use super::new_record::NewRecord;
use super::operation::{DeviceTable, Operation};

/// Number of a change of one device, contiguous from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeNumber(pub u64);

impl fmt::Display for ChangeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one change: the device incarnation that made it, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who made it.
    pub device: DeviceId,
    /// Which of that device's changes.
    pub number: ChangeNumber,
}

/// One transaction of one device.
///
/// ```
/// use selkie_core::change::{Change, ChangeNumber, Dot, RecordChange, Registers, Seen, Writer, put};
/// use selkie_core::clock::Stamp;
/// use selkie_core::record::{Document, RecordKey, Schema};
/// use selkie_wire::DeviceId;
///
/// let note = Document::from_json(r#"{"title": "Milk"}"#)?;
/// let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(1) };
/// let writer = Writer { schema: &Schema::new(), dot };
/// let change = Change {
///     dot,
///     stamp: Stamp::from_unix_ms(1_700_000_000_000),
///     records: vec![RecordChange {
///         key: RecordKey::new("notes", "groceries")?,
///         operations: put(&Registers::default(), Seen::default(), &note, writer),
///     }],
/// };
/// assert_eq!(Change::from_bytes(change.dot, &change.to_bytes())?, change);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name. Not part of its bytes: the segment around it says it once for all its changes.
    pub dot: Dot,
    /// When, by the writer's hybrid logical clock.
    pub stamp: Stamp,
    /// What it does to each record, each path at most once.
    pub records: Vec<RecordChange>,
}

/// What a change does to one record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordChange {
    /// The record.
    pub key: RecordKey,
    /// Its writes.
    pub operations: Vec<Operation>,
}

/// Why bytes are not a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// Longer than [`CHANGE_BYTES_MAX`].
    TooLong,
    /// Not deterministic CBOR, or not of a change's shape.
    Cbor(CborError),
    /// A record or a path of a record occurs twice.
    Doubled,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(f, "one transaction is longer than {} MiB; split it", CHANGE_BYTES_MAX >> 20)
            }
            Self::Cbor(error) => write!(f, "not a change: {error}"),
            Self::Doubled => f.write_str("not a change: it writes a path twice"),
        }
    }
}

impl core::error::Error for ChangeError {}

/// Keys of the change map (`docs/FORMAT.md`, change).
mod key {
    pub const STAMP: u8 = 0;
    pub const DEVICES: u8 = 1;
    pub const RECORDS: u8 = 2;
}

impl Change {
    /// Its bytes. A change longer than [`CHANGE_BYTES_MAX`] must not be stored; see
    /// [`from_bytes`](Self::from_bytes), which refuses it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let records = self.records.iter();
        let records = records.map(|record| (&record.key, Parts::Operations(&record.operations)));
        encoded(self.dot.device, self.stamp, &records.collect::<Vec<_>>())
    }

    /// Reads the change that is called `dot`.
    ///
    /// # Errors
    /// [`ChangeError`], never a panic, whatever the bytes.
    pub fn from_bytes(dot: Dot, bytes: &[u8]) -> Result<Self, ChangeError> {
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(ChangeError::TooLong);
        }
        cbor::check(bytes).map_err(ChangeError::Cbor)?;
        let change = Self::decode(dot, &mut Decoder::new(bytes))
            .map_err(|_| ChangeError::Cbor(CborError::Shape))?;
        if change.is_doubled() {
            return Err(ChangeError::Doubled);
        }
        Ok(change)
    }

    fn decode(dot: Dot, d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let (mut stamp, mut others, mut records) = (None, Vec::new(), Vec::new());
        for _ in 0..d.map()?.unwrap_or(0) {
            match d.u8()? {
                key::STAMP => stamp = Some(Stamp(d.u64()?)),
                key::DEVICES => others = d.decode()?,
                key::RECORDS => {
                    let devices = DeviceTable { own: dot.device, others: &others };
                    for _ in 0..d.array()?.unwrap_or(0) {
                        records.push(decode_record(d, &devices)?);
                    }
                }
                // An old version that dropped what it does not know would drop a person's data.
                _ => return Err(minicbor::decode::Error::message("a key of a later version")),
            }
        }
        let stamp =
            stamp.ok_or_else(|| minicbor::decode::Error::message("a change has no stamp"))?;
        Ok(Self { dot, stamp, records })
    }

    fn is_doubled(&self) -> bool {
        let mut keys: Vec<_> = self.records.iter().map(|record| &record.key).collect();
        keys.sort_unstable();
        let record_doubled = keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
        record_doubled
            || self.records.iter().any(|record| {
                let mut paths: Vec<_> =
                    record.operations.iter().map(|operation| &operation.path).collect();
                paths.sort_unstable();
                paths.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
            })
    }
}

/// What a change does to one record, on its way into the change's bytes.
#[derive(Debug)]
pub enum Writes {
    /// Any writes.
    Operations(Vec<Operation>),
    /// Those that make a record that was never there.
    New(NewRecord),
}

impl Writes {
    fn parts(&self) -> Parts<'_> {
        match self {
            Self::Operations(operations) => Parts::Operations(operations),
            Self::New(new) => Parts::Encoded(new.operations()),
        }
    }
}

/// The bytes of a change; see [`Change::to_bytes`].
#[must_use]
pub fn change_bytes(dot: Dot, stamp: Stamp, records: &[(RecordKey, Writes)]) -> Vec<u8> {
    let records: Vec<_> = records.iter().map(|(key, writes)| (key, writes.parts())).collect();
    encoded(dot.device, stamp, &records)
}

enum Parts<'a> {
    Operations(&'a [Operation]),
    /// Operations in their array, which overwrite nothing.
    Encoded(&'a [u8]),
}

fn encoded(own: DeviceId, stamp: Stamp, records: &[(&RecordKey, Parts<'_>)]) -> Vec<u8> {
    let others = other_devices(own, records);
    let mut e = Encoder::new(Vec::with_capacity(256));
    // The writer is a Vec, whose error type is uninhabited.
    let _infallible = encode(&DeviceTable { own, others: &others }, stamp, records, &mut e);
    e.into_writer()
}

fn encode(
    devices: &DeviceTable<'_>,
    stamp: Stamp,
    records: &[(&RecordKey, Parts<'_>)],
    e: &mut Encoder<Vec<u8>>,
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    e.map(2 + u64::from(!devices.others.is_empty()))?;
    e.u8(key::STAMP)?.u64(stamp.0)?;
    if !devices.others.is_empty() {
        e.u8(key::DEVICES)?.array(devices.others.len() as u64)?;
        for device in devices.others {
            e.bytes(device.as_bytes())?;
        }
    }
    e.u8(key::RECORDS)?.array(records.len() as u64)?;
    for (key, parts) in records {
        e.array(3)?.str(key.collection())?.str(key.id())?;
        match parts {
            Parts::Operations(operations) => {
                e.array(operations.len() as u64)?;
                operations.iter().try_for_each(|operation| operation.encode(devices, e))?;
            }
            Parts::Encoded(bytes) => e.writer_mut().extend_from_slice(bytes),
        }
    }
    Ok(())
}

/// The devices whose dots are named, other than the change's own, in order.
fn other_devices(own: DeviceId, records: &[(&RecordKey, Parts<'_>)]) -> Vec<DeviceId> {
    let operations = records.iter().flat_map(|(_, parts)| match parts {
        Parts::Operations(operations) => *operations,
        Parts::Encoded(_) => &[],
    });
    let dots = operations.flat_map(|operation| &operation.overwrites);
    let mut devices: Vec<_> = dots.map(|dot| dot.device).filter(|device| *device != own).collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

fn decode_record(
    d: &mut Decoder<'_>,
    devices: &DeviceTable<'_>,
) -> Result<RecordChange, minicbor::decode::Error> {
    if d.array()? != Some(3) {
        return Err(minicbor::decode::Error::message("a record change has three parts"));
    }
    let key = RecordKey::new(d.str()?, d.str()?)
        .map_err(|_| minicbor::decode::Error::message("a record has no valid name"))?;
    let len = d.array()?.unwrap_or(0);
    let operations: Result<_, _> = (0..len).map(|_| Operation::decode(d, devices)).collect();
    Ok(RecordChange { key, operations: operations? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::change::{Class, EntryValue, Registers, Seen, Writer, Written, put};
    use crate::record::{Document, Path, Schema};

    use super::*;

    fn dot(device: u8, number: u64) -> Dot {
        Dot { device: DeviceId([device; 16]), number: ChangeNumber(number) }
    }

    fn change(operations: Vec<Operation>) -> Change {
        let key = RecordKey::new("notes", "n1").unwrap();
        Change { dot: dot(1, 9), stamp: Stamp(5), records: vec![RecordChange { key, operations }] }
    }

    fn operation(path: &str, overwrites: Vec<Dot>, value: Option<EntryValue>) -> Operation {
        let path = if path.is_empty() { Path::root() } else { Path::parse(path).unwrap() };
        Operation { path, overwrites, written: value.map(Written::plain) }
    }

    /// Written by hand from docs/FORMAT.md, change.
    #[test]
    fn bytes_are_those_of_the_specification() {
        let change = change(vec![
            operation("", vec![dot(1, 3), dot(2, 24)], Some(EntryValue::Alive)),
            operation("a", vec![], Some(EntryValue::Value(json!("x")))),
            operation("b", vec![dot(2, 1)], None),
        ]);
        let expected = [
            &b"\xa3\x00\x05\x01\x81\x50"[..],
            &[2; 16],
            b"\x02\x81\x83\x65notes\x62n1\x83",
            b"\xa3\x00\x40\x01\x84\x00\x03\x01\x18\x18\x02\x03",
            b"\xa2\x00\x42\x02a\x03\x61x",
            b"\xa2\x00\x42\x02b\x01\x82\x01\x01",
        ]
        .concat();
        assert_eq!(change.to_bytes(), expected);
        assert_eq!(Change::from_bytes(change.dot, &expected), Ok(change));
    }

    #[test]
    fn a_new_record_has_the_bytes_of_its_operations() {
        for value in [json!({}), json!({"b": [1, {"x": {}}], "a": {"c": {}, "d": null}})] {
            let document = Document::from_value(value).unwrap();
            let schema = Schema::default();
            let writer = Writer { schema: &schema, dot: dot(1, 9) };
            let operations = put(&Registers::default(), Seen::default(), &document, writer);
            let change = change(operations);
            let key = change.records[0].key.clone();
            let new = Writes::New(NewRecord::of(&document));
            assert_eq!(change_bytes(change.dot, change.stamp, &[(key, new)]), change.to_bytes());
        }
    }

    #[test]
    fn every_field_of_an_operation_survives() {
        let written = Written {
            value: EntryValue::Unknown { kind: 77, bytes: vec![1, 2, 3] },
            priority: -4,
            class: Class::Auto,
            origin: Some(Stamp(3)),
            why: Some("deadline".to_owned()),
        };
        let path = Path::parse("a").unwrap();
        let change = change(vec![Operation { path, overwrites: vec![], written: Some(written) }]);
        assert_eq!(Change::from_bytes(change.dot, &change.to_bytes()), Ok(change));
    }

    #[test]
    fn what_contradicts_the_specification_is_refused() {
        let twice = change(vec![operation("a", vec![], None), operation("a", vec![], None)]);
        assert_eq!(Change::from_bytes(twice.dot, &twice.to_bytes()), Err(ChangeError::Doubled));
        let shape = Err(ChangeError::Cbor(CborError::Shape));
        let bad = [
            change(vec![operation("a", vec![], Some(EntryValue::Alive))]),
            change(vec![operation("", vec![], Some(EntryValue::Value(json!(1))))]),
        ];
        for change in bad {
            assert_eq!(Change::from_bytes(change.dot, &change.to_bytes()), shape);
        }
        let good = change(vec![operation("a", vec![dot(2, 1)], None)]).to_bytes();
        for len in 0..good.len() {
            assert!(Change::from_bytes(dot(1, 9), &good[..len]).is_err(), "{len}");
        }
    }
}
