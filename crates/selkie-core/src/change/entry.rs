//! What one operation leaves at one path.

use serde_json::Value;

use crate::clock::Stamp;
use crate::record::Leaf;

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
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
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
    /// A kind that this version does not know: kept, passed on, never shown.
    Unknown {
        /// Its number.
        kind: u32,
        /// Its value, as deterministic CBOR.
        bytes: Vec<u8>,
    },
}

impl EntryValue {
    /// The number of the kind in `docs/FORMAT.md`, change.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Value(_) => 0,
            Self::EmptyObject => 1,
            Self::Absent => 2,
            Self::Alive => 3,
            Self::Dead => 4,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The leaf it shows, if it shows one.
    #[must_use]
    pub fn as_leaf(&self) -> Option<Leaf> {
        match self {
            Self::Value(value) => Some(Leaf::Value(value.clone())),
            Self::EmptyObject => Some(Leaf::EmptyObject),
            _ => None,
        }
    }

    /// Whether it shows exactly this leaf of a document; an object among those is empty.
    pub(crate) fn shows(&self, leaf: &Value) -> bool {
        match self {
            Self::Value(mine) => !leaf.is_object() && mine == leaf,
            Self::EmptyObject => leaf.is_object(),
            _ => false,
        }
    }

    /// What shows this leaf of a document.
    pub(crate) fn of_leaf(leaf: &Value) -> Self {
        match leaf {
            Value::Object(_) => Self::EmptyObject,
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
