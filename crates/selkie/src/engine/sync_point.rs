//! How far each device's segments are known to somebody, as a short text that people can pass on.

use std::fmt;
use std::str::FromStr;

use selkie_wire::limits::DEVICES_MAX;
use selkie_wire::{DeviceId, VersionVector};

use crate::{Error, ErrorKind};

/// What a device has: for each device the last segment of which none before is missing.
///
/// ```
/// use selkie::{SyncPoint, Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// vault.collection("notes")?.put("n", &serde_json::json!({"title": "Milk"}))?;
/// let first = vault.prepare_sync_package(None)?;
/// assert_eq!(first.changes, 1);
/// let since: SyncPoint = first.point.to_string().parse()?;
/// assert_eq!(vault.prepare_sync_package(Some(&since))?.changes, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncPoint(VersionVector);

impl SyncPoint {
    pub(crate) fn get(&self, device: DeviceId) -> u64 {
        self.0.get(device)
    }
}

impl FromIterator<(DeviceId, u64)> for SyncPoint {
    fn from_iter<I: IntoIterator<Item = (DeviceId, u64)>>(pairs: I) -> Self {
        Self(pairs.into_iter().filter(|(_, number)| *number > 0).collect())
    }
}

/// Chains a point may name: a member may have begun several.
const CHAINS_MAX: usize = 16 * DEVICES_MAX;
/// A point of nothing.
const NOTHING: &str = "nothing";

impl fmt::Display for SyncPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = self.0.iter();
        match pairs.next() {
            Some((device, number)) => write!(f, "{device}:{number}")?,
            None => return f.write_str(NOTHING),
        }
        pairs.try_for_each(|(device, number)| write!(f, ",{device}:{number}"))
    }
}

impl FromStr for SyncPoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == NOTHING {
            return Ok(Self::default());
        }
        let wrong = || {
            Error::new(
                ErrorKind::InvalidInput,
                "not a sync point: it is device:number, separated by commas, as another device shows it",
            )
        };
        let pair = |pair: &str| {
            let (device, number) = pair.split_once(':')?;
            Some((DeviceId::from_hex(device)?, number.parse().ok()?))
        };
        if text.split(',').count() > CHAINS_MAX {
            return Err(wrong());
        }
        let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
        Ok(Self::from_iter(pairs.ok_or_else(wrong)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_shown_and_nonsense_is_refused() {
        let two = SyncPoint::from_iter([(DeviceId([1; 16]), 7), (DeviceId([0xab; 16]), 1)]);
        for point in [SyncPoint::default(), two] {
            assert_eq!(point.to_string().parse::<SyncPoint>().unwrap(), point);
        }
        let id = "ab".repeat(16);
        for wrong in
            ["", ",", "7", ":7", &format!("{id}:"), &format!("{id}:-1"), &format!("{id}:7,")]
        {
            assert!(wrong.parse::<SyncPoint>().is_err(), "{wrong}");
        }
    }
}
