//! What one operation leaves at one path.

use serde_json::Value;

use crate::clock::Stamp;
use crate::record::{Leaf, value};

/// Who decided a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// An ordinary write.
    #[default]
    Plain = 0,
    /// A machine's resolution of a conflict.
    Auto = 1,
    /// A person's resolution of a conflict; outranks a machine's.
    Human = 2,
}

impl Class {
    /// Reads its number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Plain, Self::Auto, Self::Human].into_iter().find(|class| *class as u8 == byte)
    }
}

/// A value at a path; its dot is kept beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When it was written, by the writer's hybrid logical clock.
    pub stamp: Stamp,
    /// For the `priority` policy; stamped by the writer.
    pub priority: i32,
    /// Who decided it.
    pub class: Class,
    /// For a machine's resolution: the stamp of the value it chose.
    pub origin: Option<Stamp>,
    /// What is there.
    pub value: EntryValue,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryValue {
    /// A scalar, an array, or an object written as one value.
    Value(Value),
    /// An object without keys.
    EmptyObject,
    /// The field was removed.
    Absent,
    /// At the root: the record is there.
    Alive,
    /// At the root: the record was deleted.
    Dead,
    /// A set or list without elements.
    EmptyArray,
    /// A kind that this version does not know: kept, passed on, never shown.
    Unknown {
        /// Its number.
        kind: u32,
        /// Its value, as deterministic CBOR.
        bytes: Vec<u8>,
    },
}

impl EntryValue {
    /// Its value as bytes, beside [`kind`](Self::kind); `None` for kinds that have none.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Value(value) => Some(value::to_bytes(value)),
            Self::Unknown { bytes, .. } => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The value of a kind and its bytes, as [`to_bytes`](Self::to_bytes) gave them.
    #[must_use]
    pub fn from_bytes(kind: u32, bytes: Option<&[u8]>) -> Option<Self> {
        match (kind, bytes) {
            (0, Some(bytes)) => {
                selkie_wire::cbor::check(bytes).ok()?;
                value::decode(&mut minicbor::Decoder::new(bytes)).ok().map(Self::Value)
            }
            (kind, Some(bytes)) => Some(Self::Unknown { kind, bytes: bytes.to_vec() }),
            (kind, None) => Self::from_kind(kind),
        }
    }

    /// The kind without a value of this number.
    pub(crate) fn from_kind(kind: u32) -> Option<Self> {
        Some(match kind {
            1 => Self::EmptyObject,
            2 => Self::Absent,
            3 => Self::Alive,
            4 => Self::Dead,
            5 => Self::EmptyArray,
            _ => return None,
        })
    }

    /// The number of the kind in `docs/FORMAT.md`, change.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Value(_) => 0,
            Self::EmptyObject => 1,
            Self::Absent => 2,
            Self::Alive => 3,
            Self::Dead => 4,
            Self::EmptyArray => 5,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The leaf it shows, if it shows one.
    #[must_use]
    pub fn as_leaf(&self) -> Option<Leaf> {
        match self {
            Self::Value(value) => Some(Leaf::Value(value.clone())),
            Self::EmptyObject => Some(Leaf::EmptyObject),
            Self::EmptyArray => Some(Leaf::Value(Value::Array(Vec::new()))),
            _ => None,
        }
    }

    /// Whether it is exactly this leaf of a document; an object among those is empty.
    pub(crate) fn shows(&self, leaf: &Value) -> bool {
        match self {
            Self::Value(mine) => !leaf.is_object() && mine == leaf,
            Self::EmptyObject => leaf.is_object(),
            _ => false,
        }
    }

    /// What shows this leaf of a document; an object that is not empty is written whole.
    pub(crate) fn of_leaf(leaf: &Value) -> Self {
        match leaf {
            Value::Object(map) if map.is_empty() => Self::EmptyObject,
            other => Self::Value(other.clone()),
        }
    }
}

impl From<Leaf> for EntryValue {
    fn from(leaf: Leaf) -> Self {
        match leaf {
            Leaf::Value(value) => Self::Value(value),
            Leaf::EmptyObject => Self::EmptyObject,
        }
    }
}
