//! What has been seen: the causal context C, and the dots D overwritten before they arrived.

use std::collections::{BTreeMap, BTreeSet};

use selkie_wire::{DeviceId, VersionVector};

use crate::change::{ChangeNumber, Dot};
use crate::record::{Path, RecordKey};

/// The dots of all changes applied: for each device the numbers from 1 without a gap, and a cloud of
/// those beyond a gap.
///
/// ```
/// use selkie_core::change::{ChangeNumber, Dot};
/// use selkie_core::merge::Context;
/// use selkie_wire::DeviceId;
/// let dot = |number| Dot { device: DeviceId([1; 16]), number: ChangeNumber(number) };
/// let mut context = Context::default();
/// context.insert(dot(2));
/// assert!(context.contains(dot(2)) && !context.contains(dot(1)), "a gap stays a gap");
/// context.insert(dot(1));
/// assert_eq!(context.contiguous(DeviceId([1; 16])), ChangeNumber(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    contiguous: VersionVector,
    cloud: BTreeSet<Dot>,
}

impl Context {
    /// Rebuilds a context from its two parts, in any order.
    pub fn from_parts(contiguous: VersionVector, cloud: impl IntoIterator<Item = Dot>) -> Self {
        let mut context = Self { contiguous, cloud: BTreeSet::new() };
        for dot in cloud {
            context.insert(dot);
        }
        context
    }

    /// Whether the change was applied.
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        self.contiguous.covers(dot.device, dot.number.0) || self.cloud.contains(&dot)
    }

    /// The highest number of `device` below which none is missing.
    #[must_use]
    pub fn contiguous(&self, device: DeviceId) -> ChangeNumber {
        ChangeNumber(self.contiguous.get(device))
    }

    /// The contiguous part.
    #[must_use]
    pub fn version_vector(&self) -> &VersionVector {
        &self.contiguous
    }

    /// The dots beyond a gap.
    pub fn cloud(&self) -> impl Iterator<Item = Dot> + '_ {
        self.cloud.iter().copied()
    }

    /// Adds a dot.
    pub fn insert(&mut self, dot: Dot) {
        if self.contains(dot) {
            return;
        }
        self.cloud.insert(dot);
        self.absorb(dot.device);
    }

    /// Moves what follows the contiguous part without a gap into it.
    fn absorb(&mut self, device: DeviceId) {
        while let Some(number) = self.contiguous.get(device).checked_add(1) {
            if !self.cloud.remove(&Dot { device, number: ChangeNumber(number) }) {
                return;
            }
            self.contiguous.advance(device, number);
        }
    }

    /// Adds all dots of another context.
    pub fn join(&mut self, other: &Self) {
        for (device, number) in other.contiguous.iter() {
            self.contiguous.advance(device, number);
        }
        let contiguous = &self.contiguous;
        self.cloud.extend(other.cloud.iter().copied());
        self.cloud.retain(|dot| !contiguous.covers(dot.device, dot.number.0));
        let devices: BTreeSet<_> = self.cloud.iter().map(|dot| dot.device).collect();
        for device in devices {
            self.absorb(device);
        }
    }
}

/// D: values overwritten by a change that arrived before the change that wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadOnArrival(BTreeMap<Dot, BTreeSet<(RecordKey, Path)>>);

impl DeadOnArrival {
    /// Notes that `dot`'s value at a path is overwritten already.
    pub fn insert(&mut self, dot: Dot, key: RecordKey, path: Path) {
        self.0.entry(dot).or_default().insert((key, path));
    }

    /// Whether that value is overwritten already.
    #[must_use]
    pub fn contains(&self, dot: Dot, key: &RecordKey, path: &Path) -> bool {
        // Almost always empty, so the names are copied only when there is something to compare.
        self.0.get(&dot).is_some_and(|values| values.contains(&(key.clone(), path.clone())))
    }

    /// Forgets a dot once it has arrived.
    pub(super) fn arrived(&mut self, dot: Dot) {
        self.0.remove(&dot);
    }

    pub(super) fn join(&mut self, other: &Self, context: &Context) {
        for (dot, values) in &other.0 {
            self.0.entry(*dot).or_default().extend(values.iter().cloned());
        }
        self.0.retain(|dot, _| !context.contains(*dot));
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that waits.
    pub fn iter(&self) -> impl Iterator<Item = (Dot, &RecordKey, &Path)> {
        self.0.iter().flat_map(|(dot, values)| values.iter().map(|(key, path)| (*dot, key, path)))
    }
}
