//! All values of one record that are not overwritten: for each path, its concurrent siblings.

use std::collections::BTreeMap;

use crate::record::{Component, Path};

use super::change::Dot;
use super::entry::{Entry, EntryValue};

/// One value at a path, and the change that wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sibling {
    /// The change.
    pub dot: Dot,
    /// The value.
    pub entry: Entry,
}

/// The replicated state S of one record: path → siblings, in order of their dots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registers(BTreeMap<Path, Vec<Sibling>>);

impl Registers {
    /// The siblings at a path.
    #[must_use]
    pub fn at(&self, path: &Path) -> &[Sibling] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// The dots at a path.
    pub fn dots_at<'a>(&'a self, path: &Path) -> impl Iterator<Item = Dot> + use<'a> {
        self.at(path).iter().map(|sibling| sibling.dot)
    }

    /// All registers, in order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[Sibling])> {
        self.0.iter().map(|(path, siblings)| (path, siblings.as_slice()))
    }

    /// The registers strictly below a path.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a [Sibling])> {
        let from = (core::ops::Bound::Excluded(path), core::ops::Bound::Unbounded);
        let below = self.0.range::<Path, _>(from).take_while(|(other, _)| other.starts_with(path));
        below.map(|(path, siblings)| (path, siblings.as_slice()))
    }

    /// Whether nothing was ever written, or everything was overwritten by nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what is shown is more than the values as they stand: some path has more than one
    /// sibling, a value stands above another, or there are elements to put together.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        // In byte order, what lies below a path follows it directly.
        let nested = self.0.keys().zip(self.0.keys().skip(1));
        self.0.values().any(|siblings| siblings.len() > 1)
            || nested.into_iter().any(|(path, next)| !path.is_root() && next.starts_with(path))
            || self.0.iter().any(|(path, siblings)| {
                let marker =
                    siblings.iter().any(|sibling| sibling.entry.value == EntryValue::EmptyArray);
                marker || path.components().any(|step| matches!(step, Component::Element(_)))
            })
    }

    /// Adds a value, in its place. A dot that is there already stays as it is.
    pub(crate) fn insert(&mut self, path: Path, sibling: Sibling) {
        let siblings = self.0.entry(path).or_default();
        if let Err(at) = siblings.binary_search_by_key(&sibling.dot, |known| known.dot) {
            siblings.insert(at, sibling);
        }
    }

    /// Keeps the siblings that `keep` says, and no empty register.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Path, &Sibling) -> bool) {
        self.0.retain(|path, siblings| {
            siblings.retain(|sibling| keep(path, sibling));
            !siblings.is_empty()
        });
    }

    /// Removes one sibling, and gives it back.
    pub(crate) fn remove(&mut self, path: &Path, dot: Dot) -> Option<Sibling> {
        let siblings = self.0.get_mut(path)?;
        let at = siblings.iter().position(|sibling| sibling.dot == dot)?;
        let removed = siblings.remove(at);
        if siblings.is_empty() {
            self.0.remove(path);
        }
        Some(removed)
    }
}

impl FromIterator<(Path, Sibling)> for Registers {
    fn from_iter<I: IntoIterator<Item = (Path, Sibling)>>(siblings: I) -> Self {
        let mut registers = Self::default();
        for (path, sibling) in siblings {
            registers.insert(path, sibling);
        }
        registers
    }
}
