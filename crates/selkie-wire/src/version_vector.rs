//! Version vectors: for each device, the highest number of which nothing before is missing.

use std::collections::BTreeMap;

use crate::ids::DeviceId;

/// Device → highest contiguous number. Absent means 0.
///
/// ```
/// use selkie_wire::{DeviceId, VersionVector};
/// let phone = DeviceId([1; 16]);
/// let mut seen = VersionVector::default();
/// seen.advance(phone, 3);
/// assert!(seen.covers(phone, 2) && !seen.covers(phone, 4));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector(BTreeMap<DeviceId, u64>);

impl VersionVector {
    /// The highest contiguous number seen of `device`.
    #[must_use]
    pub fn get(&self, device: DeviceId) -> u64 {
        self.0.get(&device).copied().unwrap_or(0)
    }

    /// Whether number `number` of `device` is covered.
    #[must_use]
    pub fn covers(&self, device: DeviceId, number: u64) -> bool {
        number <= self.get(device)
    }

    /// Raises `device` to `number`; never lowers it.
    pub fn advance(&mut self, device: DeviceId, number: u64) {
        if number > self.get(device) {
            self.0.insert(device, number);
        }
    }

    /// Devices in order, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, u64)> + '_ {
        self.0.iter().map(|(device, number)| (*device, *number))
    }
}

impl FromIterator<(DeviceId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (DeviceId, u64)>>(pairs: I) -> Self {
        let mut vector = Self::default();
        for (device, number) in pairs {
            vector.advance(device, number);
        }
        vector
    }
}
