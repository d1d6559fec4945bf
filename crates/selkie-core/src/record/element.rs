//! Elements of sets, counters and lists, as components of paths (`docs/FORMAT.md`, change).

use selkie_wire::{DeviceId, Digest};
use serde_json::Value;

use super::path::{Component, Path};
use super::value;

const SET: u8 = b's';
const COUNTER: u8 = b'c';
const LIST: u8 = b'l';
const LIST_VALUE: u8 = b'v';
/// Bytes of the digest that names a set's element.
const SET_DIGEST_LEN: usize = 16;

/// What an element component says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// A member of a set, named by the first half of the SHA-256 of its canonical bytes.
    Set(&'a [u8]),
    /// What one device has added to a counter.
    Counter(DeviceId),
    /// An element of a list, named by the change that inserted it; its position stands here.
    List(&'a [u8]),
    /// Below a list's element: its value.
    ListValue,
}

impl<'a> Element<'a> {
    /// Reads an element component; `None` for one of a later version.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        match tag {
            SET if rest.len() == SET_DIGEST_LEN => Some(Self::Set(rest)),
            COUNTER => DeviceId::from_slice(rest).map(Self::Counter),
            LIST if !rest.is_empty() => Some(Self::List(rest)),
            LIST_VALUE if rest.is_empty() => Some(Self::ListValue),
            _ => None,
        }
    }
}

impl Path {
    /// The path of a set's member.
    #[must_use]
    pub fn set_element(&self, member: &Value) -> Self {
        let Digest(digest) = Digest::of(&value::to_bytes(member));
        self.element(SET, digest.split_at(SET_DIGEST_LEN).0)
    }

    /// The path of what a device has added to a counter.
    #[must_use]
    pub fn counter_element(&self, device: DeviceId) -> Self {
        self.element(COUNTER, device.as_bytes())
    }

    /// The path of a list's element: the `index`-th that a change inserted.
    #[must_use]
    pub fn list_element(&self, device: DeviceId, number: u64, index: u32) -> Self {
        let name = [&device.0[..], &number.to_be_bytes(), &index.to_be_bytes()].concat();
        self.element(LIST, &name)
    }

    /// The path of the value of the list's element at this path.
    #[must_use]
    pub fn list_value(&self) -> Self {
        self.element(LIST_VALUE, &[])
    }

    fn element(&self, tag: u8, name: &[u8]) -> Self {
        self.with_element(&[&[tag], name].concat())
    }

    /// The last step, if it is an element this version knows.
    #[must_use]
    pub fn last_element(&self) -> Option<Element<'_>> {
        match self.components().last()? {
            Component::Element(bytes) => Element::parse(bytes),
            Component::Key(_) => None,
        }
    }
}
