//! One write at one path, with exactly the siblings its writer saw.

use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use selkie_wire::DeviceId;
use serde_json::Value;

use crate::clock::Stamp;
use crate::record::{Path, value};

use super::change::{ChangeNumber, Dot};
use super::entry::{Class, EntryValue};

/// Overwrites named siblings at a path, and may leave a value there.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Where.
    pub path: Path,
    /// The siblings its writer saw; no others are touched.
    pub overwrites: Vec<Dot>,
    /// What it leaves; nothing where only the shape around it changed.
    pub written: Option<Written>,
}

/// What an operation leaves at its path. Its stamp is the change's.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The value.
    pub value: EntryValue,
    /// For the `priority` policy.
    pub priority: i32,
    /// Who decided it.
    pub class: Class,
    /// For a machine's resolution: the stamp of the value it chose.
    pub origin: Option<Stamp>,
    /// Why a resolution chose it, for the record's history.
    pub why: Option<String>,
}

impl Written {
    /// An ordinary write.
    #[must_use]
    pub fn plain(value: EntryValue) -> Self {
        Self { value, priority: 0, class: Class::Plain, origin: None, why: None }
    }

    /// A person's resolution of a conflict.
    #[must_use]
    pub fn human(value: EntryValue, why: Option<String>) -> Self {
        Self { class: Class::Human, why, ..Self::plain(value) }
    }
}

/// The last kind that this version knows.
const KIND_KNOWN_MAX: u32 = 5;

/// Keys of the operation map (`docs/FORMAT.md`, change).
mod key {
    pub const PATH: u8 = 0;
    pub const OVERWRITES: u8 = 1;
    pub const KIND: u8 = 2;
    pub const VALUE: u8 = 3;
    pub const PRIORITY: u8 = 4;
    pub const CLASS: u8 = 5;
    pub const ORIGIN: u8 = 6;
    pub const WHY: u8 = 7;
}

/// Devices a change names by index: 0 is the change's own, the others follow in its table.
pub(super) struct DeviceTable<'a> {
    pub own: DeviceId,
    pub others: &'a [DeviceId],
}

impl DeviceTable<'_> {
    fn index(&self, device: DeviceId) -> u64 {
        if device == self.own {
            return 0;
        }
        self.others.iter().position(|other| *other == device).map_or(0, |at| at as u64 + 1)
    }

    fn device(&self, index: u64) -> Option<DeviceId> {
        match index.checked_sub(1) {
            None => Some(self.own),
            Some(at) => self.others.get(usize::try_from(at).ok()?).copied(),
        }
    }
}

fn encode_value<W: Write>(
    value: &EntryValue,
    e: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    match value {
        EntryValue::Value(value) => value::encode(value, e.u8(key::VALUE)?)?,
        EntryValue::Unknown { kind, bytes } => {
            e.u8(key::KIND)?.u32(*kind)?.u8(key::VALUE)?.bytes(bytes)?;
        }
        other => {
            e.u8(key::KIND)?.u32(other.kind())?;
        }
    }
    Ok(())
}

/// An ordinary write of a known kind where nothing was.
pub(super) fn encode_first_value<W: Write>(
    path: &Path,
    value: &EntryValue,
    e: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    encode_value(value, e.map(2)?.u8(key::PATH)?.bytes(path.as_bytes())?)
}

/// The same for a leaf as it stands in a document.
pub(super) fn encode_first_leaf<W: Write>(
    path: &Path,
    leaf: &Value,
    e: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    if leaf.is_object() {
        return encode_first_value(path, &EntryValue::EmptyObject, e);
    }
    e.map(2)?.u8(key::PATH)?.bytes(path.as_bytes())?.u8(key::VALUE)?;
    value::encode(leaf, e)
}

impl Operation {
    pub(super) fn encode<W: Write>(
        &self,
        devices: &DeviceTable<'_>,
        e: &mut Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(self.key_count())?.u8(key::PATH)?.bytes(self.path.as_bytes())?;
        if !self.overwrites.is_empty() {
            e.u8(key::OVERWRITES)?.array(self.overwrites.len() as u64 * 2)?;
            for dot in &self.overwrites {
                e.u64(devices.index(dot.device))?.u64(dot.number.0)?;
            }
        }
        let Some(written) = &self.written else { return Ok(()) };
        encode_value(&written.value, e)?;
        if written.priority != 0 {
            e.u8(key::PRIORITY)?.i32(written.priority)?;
        }
        if written.class != Class::Plain {
            e.u8(key::CLASS)?.u8(written.class as u8)?;
        }
        if let Some(origin) = written.origin {
            e.u8(key::ORIGIN)?.u64(origin.0)?;
        }
        if let Some(why) = &written.why {
            e.u8(key::WHY)?.str(why)?;
        }
        Ok(())
    }

    fn key_count(&self) -> u64 {
        let written = self.written.as_ref().map_or(0, |written| {
            let value = if matches!(written.value, EntryValue::Unknown { .. }) { 2 } else { 1 };
            value
                + u64::from(written.priority != 0)
                + u64::from(written.class != Class::Plain)
                + u64::from(written.origin.is_some())
                + u64::from(written.why.is_some())
        });
        1 + u64::from(!self.overwrites.is_empty()) + written
    }

    pub(super) fn decode(
        d: &mut Decoder<'_>,
        devices: &DeviceTable<'_>,
    ) -> Result<Self, minicbor::decode::Error> {
        let refuse = |why| Err(minicbor::decode::Error::message(why));
        let (mut path, mut overwrites) = (None, Vec::new());
        let (mut kind, mut json, mut opaque) = (None, None, Vec::new());
        let (mut priority, mut class, mut origin, mut why) = (0, Class::Plain, None, None);
        for _ in 0..d.map()?.unwrap_or(0) {
            match d.u8()? {
                key::PATH => path = Path::from_bytes(d.bytes()?),
                key::OVERWRITES => overwrites = decode_dots(d, devices)?,
                key::KIND => kind = Some(d.u32()?),
                // Kind 0 carries JSON; kinds of later versions carry their value as bytes.
                key::VALUE if kind.is_none() => json = Some(value::decode(d)?),
                key::VALUE if kind > Some(KIND_KNOWN_MAX) => opaque = d.bytes()?.to_vec(),
                key::VALUE => return refuse("a kind without a value has one"),
                key::PRIORITY => priority = d.i32()?,
                key::CLASS => match Class::from_byte(d.u8()?) {
                    Some(known) => class = known,
                    None => return refuse("a class that this version does not know"),
                },
                key::ORIGIN => origin = Some(Stamp(d.u64()?)),
                key::WHY => why = Some(d.str()?.to_owned()),
                // An old version that dropped what it does not know would drop a person's data.
                _ => return refuse("a key that this version does not know"),
            }
        }
        let Some(path) = path else { return refuse("an operation has no valid path") };
        let value = match (kind, json) {
            (None, None) => None,
            (None, Some(json)) => Some(EntryValue::Value(json)),
            (Some(0), _) => return refuse("kind 0 is written without its number"),
            (Some(kind), _) => {
                let unknown = || EntryValue::Unknown { kind, bytes: opaque };
                Some(EntryValue::from_kind(kind).unwrap_or_else(unknown))
            }
        };
        if value
            .as_ref()
            .is_some_and(|value| is_liveness(value) != path.is_root() && !is_unknown(value))
        {
            return refuse("liveness stands at the root and nothing else does");
        }
        let written = value.map(|value| Written { value, priority, class, origin, why });
        Ok(Self { path, overwrites, written })
    }
}

fn is_liveness(value: &EntryValue) -> bool {
    matches!(value, EntryValue::Alive | EntryValue::Dead)
}

fn is_unknown(value: &EntryValue) -> bool {
    matches!(value, EntryValue::Unknown { .. })
}

fn decode_dots(
    d: &mut Decoder<'_>,
    devices: &DeviceTable<'_>,
) -> Result<Vec<Dot>, minicbor::decode::Error> {
    let len = d.array()?.unwrap_or(0);
    let mut dots = Vec::new();
    for _ in 0..len / 2 {
        let device = devices.device(d.u64()?).ok_or_else(|| {
            minicbor::decode::Error::message("a dot names no device of the table")
        })?;
        dots.push(Dot { device, number: ChangeNumber(d.u64()?) });
    }
    if len % 2 == 1 {
        return Err(minicbor::decode::Error::message("a dot has two numbers"));
    }
    Ok(dots)
}
