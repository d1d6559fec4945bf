//! The registers of a record as one blob beside its visible document (`docs/FORMAT.md`, store file).
//!
//! A value that the document shows is not stored twice: the blob then holds only who wrote it.

use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use selkie_wire::{DeviceId, cbor};

use crate::change::{ChangeNumber, Class, Dot, Entry, EntryValue, Registers, Sibling};
use crate::clock::Stamp;
use crate::record::{Document, Path, leaf_values, value};

/// The blob does not fit its document: the database was damaged, or written by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedError;

impl fmt::Display for PackedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record's state cannot be read")
    }
}

impl core::error::Error for PackedError {}

impl From<minicbor::decode::Error> for PackedError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// All an entry says besides its value; entries of one change mostly share it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Origin {
    dot: Dot,
    stamp: Stamp,
    priority: i32,
    class: Class,
    origin: Option<Stamp>,
}

impl Origin {
    fn of(sibling: &Sibling) -> Self {
        let Entry { stamp, priority, class, origin, .. } = sibling.entry;
        Self { dot: sibling.dot, stamp, priority, class, origin }
    }

    fn sibling(self, value: EntryValue) -> Sibling {
        let Self { dot, stamp, priority, class, origin } = self;
        Sibling { dot, entry: Entry { stamp, priority, class, origin, value } }
    }
}

/// Packs registers beside the document shown. Equal input gives equal bytes on every device.
#[must_use]
pub fn pack(registers: &Registers, shown: Option<&Document>) -> Vec<u8> {
    let shown = shown.map(|shown| leaf_values(shown.as_map())).unwrap_or_default();
    let mut origins: Vec<Origin> = Vec::new();
    let mut index_of = |sibling: &Sibling| {
        let origin = Origin::of(sibling);
        origins.iter().position(|known| *known == origin).unwrap_or_else(|| {
            origins.push(origin);
            origins.len() - 1
        })
    };
    let mut shown_by: Vec<Option<usize>> = Vec::with_capacity(shown.len());
    let mut elided: Vec<(&Path, Dot)> = Vec::with_capacity(shown.len());
    for (path, leaf) in &shown {
        let sibling = registers.at(path).iter().find(|sibling| sibling.entry.value.shows(leaf));
        shown_by.push(sibling.map(&mut index_of));
        if let Some(sibling) = sibling {
            elided.push((path, sibling.dot));
        }
    }
    let mut rest: Vec<(&Path, Vec<(usize, &EntryValue)>)> = Vec::new();
    // Both are in order of path, and what is elided is among the registers.
    let mut elided = elided.into_iter().peekable();
    for (path, siblings) in registers.iter() {
        let elided = elided.next_if(|(elided, _)| *elided == path).map(|(_, dot)| dot);
        let hidden: Vec<_> = siblings
            .iter()
            .filter(|sibling| elided != Some(sibling.dot))
            .map(|sibling| (index_of(sibling), &sibling.entry.value))
            .collect();
        if !hidden.is_empty() {
            rest.push((path, hidden));
        }
    }
    let mut e = Encoder::new(Vec::with_capacity(64));
    // The writer is a Vec, whose error type is uninhabited.
    let _infallible = encode(&mut e, &origins, &shown_by, &rest);
    e.into_writer()
}

/// Packs the registers of a record that one ordinary write has just made, without making them: all
/// its leaves are shown, by that write. The same bytes as [`pack`]'s, where no schema gives a field
/// another type.
#[must_use]
pub fn pack_new(dot: Dot, stamp: Stamp, is_empty: bool) -> Vec<u8> {
    let origin = Origin { dot, stamp, priority: 0, class: Class::Plain, origin: None };
    let shown_by: &[_] = if is_empty { &[] } else { &[Some(0)] };
    let root = Path::root();
    let mut e = Encoder::new(Vec::with_capacity(64));
    // The writer is a Vec, whose error type is uninhabited.
    let _infallible =
        encode(&mut e, &[origin], shown_by, &[(&root, vec![(0, &EntryValue::Alive)])]);
    e.into_writer()
}

fn encode<W: Write>(
    e: &mut Encoder<W>,
    origins: &[Origin],
    shown_by: &[Option<usize>],
    rest: &[(&Path, Vec<(usize, &EntryValue)>)],
) -> Result<(), minicbor::encode::Error<W::Error>> {
    let mut devices: Vec<DeviceId> = origins.iter().map(|origin| origin.dot.device).collect();
    devices.sort_unstable();
    devices.dedup();
    e.array(4)?.array(devices.len() as u64)?;
    for device in &devices {
        e.bytes(device.as_bytes())?;
    }
    e.array(origins.len() as u64)?;
    for origin in origins {
        let device = devices.binary_search(&origin.dot.device).unwrap_or(0);
        let plain = (origin.priority, origin.class, origin.origin) == (0, Class::Plain, None);
        e.array(if plain { 3 } else { 6 })?;
        e.u64(device as u64)?.u64(origin.dot.number.0)?.u64(origin.stamp.0)?;
        if !plain {
            e.i32(origin.priority)?.u8(origin.class as u8)?;
            e.encode(origin.origin)?;
        }
    }
    match shown_by.split_first() {
        Some((Some(first), others)) if others.iter().all(|other| *other == Some(*first)) => {
            e.u64(*first as u64)?;
        }
        _ => {
            e.array(shown_by.len() as u64)?;
            for index in shown_by {
                e.encode(index.map(|index| index as u64))?;
            }
        }
    }
    e.array(rest.len() as u64)?;
    for (path, values) in rest {
        e.array(2)?.bytes(path.as_bytes())?.array(values.len() as u64)?;
        for (origin, value) in values {
            encode_value(e, *origin as u64, value)?;
        }
    }
    Ok(())
}

fn encode_value<W: Write>(
    e: &mut Encoder<W>,
    origin: u64,
    value: &EntryValue,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    match value {
        EntryValue::Value(value) => {
            e.array(3)?.u64(origin)?.u32(0)?;
            value::encode(value, e)?;
        }
        EntryValue::Unknown { kind, bytes } => {
            e.array(3)?.u64(origin)?.u32(*kind)?.bytes(bytes)?;
        }
        other => {
            e.array(2)?.u64(origin)?.u32(other.kind())?;
        }
    }
    Ok(())
}

/// Unpacks registers with the document they are stored beside.
///
/// # Errors
/// [`PackedError`] if blob and document do not fit each other.
pub fn unpack(blob: &[u8], shown: Option<&Document>) -> Result<Registers, PackedError> {
    cbor::check(blob).map_err(|_| PackedError)?;
    let mut d = Decoder::new(blob);
    if d.array()? != Some(4) {
        return Err(PackedError);
    }
    let origins = decode_origins(&mut d)?;
    let origin = |index: u64| {
        usize::try_from(index).ok().and_then(|at| origins.get(at)).copied().ok_or(PackedError)
    };
    let mut registers = Registers::default();
    let shown = shown.map(|shown| leaf_values(shown.as_map())).unwrap_or_default();
    let shown_by = decode_shown_by(&mut d, shown.len())?;
    for ((path, leaf), index) in shown.into_iter().zip(shown_by) {
        if let Some(index) = index {
            registers.insert(path, origin(index)?.sibling(EntryValue::of_leaf(leaf)));
        }
    }
    for _ in 0..d.array()?.unwrap_or(0) {
        d.array()?;
        let path = Path::from_bytes(d.bytes()?).ok_or(PackedError)?;
        for _ in 0..d.array()?.unwrap_or(0) {
            let len = d.array()?.unwrap_or(0);
            let index = d.u64()?;
            let value = decode_value(&mut d, len)?;
            registers.insert(path.clone(), origin(index)?.sibling(value));
        }
    }
    Ok(registers)
}

fn decode_origins(d: &mut Decoder<'_>) -> Result<Vec<Origin>, PackedError> {
    let devices: Vec<DeviceId> = d.decode()?;
    let mut origins = Vec::new();
    for _ in 0..d.array()?.unwrap_or(0) {
        let len = d.array()?.unwrap_or(0);
        let device = usize::try_from(d.u64()?).ok().and_then(|at| devices.get(at)).copied();
        let dot = Dot { device: device.ok_or(PackedError)?, number: ChangeNumber(d.u64()?) };
        let mut origin =
            Origin { dot, stamp: Stamp(d.u64()?), priority: 0, class: Class::Plain, origin: None };
        if len == 6 {
            origin.priority = d.i32()?;
            origin.class = Class::from_byte(d.u8()?).ok_or(PackedError)?;
            origin.origin = d.decode()?;
        }
        origins.push(origin);
    }
    Ok(origins)
}

/// For each leaf shown, in order of path: whose value it is.
fn decode_shown_by(
    d: &mut Decoder<'_>,
    leaf_count: usize,
) -> Result<Vec<Option<u64>>, PackedError> {
    let indexes = if d.datatype()? == minicbor::data::Type::Array {
        d.decode::<Vec<Option<u64>>>()?
    } else {
        vec![Some(d.u64()?); leaf_count]
    };
    if indexes.len() == leaf_count { Ok(indexes) } else { Err(PackedError) }
}

fn decode_value(d: &mut Decoder<'_>, len: u64) -> Result<EntryValue, PackedError> {
    Ok(match (d.u32()?, len) {
        (0, 3) => EntryValue::Value(value::decode(d)?),
        (kind, 2) => EntryValue::from_kind(kind).ok_or(PackedError)?,
        (kind, 3) => EntryValue::Unknown { kind, bytes: d.bytes()?.to_vec() },
        _ => return Err(PackedError),
    })
}

#[cfg(test)]
mod tests {
    use crate::change::{Seen, Writer, put};
    use crate::merge::apply_own;
    use crate::record::{RecordKey, Schema};

    use super::*;

    #[test]
    fn a_new_record_packs_the_same_with_and_without_its_registers() {
        let dot = Dot { device: DeviceId([9; 16]), number: ChangeNumber(300) };
        let key = RecordKey::new("notes", "n").unwrap();
        for text in ["{}", r#"{"a":{}}"#, r#"{"b":[1],"a":{"c":"x","d":{"e":null}}}"#] {
            let document = Document::from_json(text).unwrap();
            let mut registers = Registers::default();
            let writer = Writer { schema: &Schema::default(), dot };
            let operations = put(&registers, Seen::default(), &document, writer);
            apply_own(&mut registers, (&key, dot, Stamp(7)), operations, &mut |_| {});
            let packed = pack_new(dot, Stamp(7), text == "{}");
            assert_eq!(packed, pack(&registers, Some(&document)), "{text}");
            assert_eq!(unpack(&packed, Some(&document)), Ok(registers), "{text}");
        }
    }
}
