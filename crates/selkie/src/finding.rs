//! What should not be: a chain with two histories, segments held back, a relay that went back.

use std::fmt;

use selkie_wire::DeviceId;

/// Something that a person should know of the vault's devices or relays. It stays until it is healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// When this device first saw it, in milliseconds since 1970 (UTC).
    pub since_ms: u64,
}

/// What was found.
///
/// ```
/// use selkie::{DeviceId, FindingKind};
/// let device = DeviceId([7; 16]);
/// let held_back = FindingKind::Withheld { device, up_to: 4, said_by: DeviceId([8; 16]) };
/// assert_eq!(held_back.code(), "withheld");
/// assert!(held_back.advice().contains("sync"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// A device's chain has two histories.
    Fork {
        /// Whose chain.
        device: DeviceId,
        /// The segment number that names two different segments.
        number: u64,
        /// The device whose sealed word, or own segment, shows it.
        said_by: DeviceId,
    },
    /// A device has segments that others have seen, and that no relay gave, though its list was read
    /// to the end.
    Withheld {
        /// Whose segments.
        device: DeviceId,
        /// The last one known of.
        up_to: u64,
        /// Who has seen it.
        said_by: DeviceId,
    },
    /// A relay holds another history of the vault's members than this device: two administrators
    /// changed them apart from each other, through different relays or without one.
    RosterFork {
        /// Its address.
        relay: String,
    },
    /// A relay shows less than it has shown before.
    Rollback {
        /// Its address.
        relay: String,
    },
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fork { device, number, .. } => {
                write!(f, "device {} has two histories, from segment {number} on", device.short())
            }
            Self::Withheld { device, up_to, said_by } => write!(
                f,
                "segments of device {} up to {up_to} are missing here; device {} has them",
                device.short(),
                said_by.short()
            ),
            Self::RosterFork { relay } => {
                write!(f, "{relay} knows another history of the vault's members")
            }
            Self::Rollback { relay } => write!(f, "{relay} shows less than it did before"),
        }
    }
}

impl FindingKind {
    /// A stable word, for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Fork { .. } => "fork",
            Self::Withheld { .. } => "withheld",
            Self::RosterFork { .. } => "roster_fork",
            Self::Rollback { .. } => "rollback",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Fork { .. } => {
                "that device's store was copied or restored from a backup, or someone else has its \
                 keys: find out which; if it was not you, remove the device from the vault"
            }
            Self::Withheld { .. } => {
                "sync that device, and sync here with each relay it uses; if it stays, this relay \
                 lost segments or holds them back: use another one"
            }
            Self::RosterFork { .. } => {
                "use one relay for all changes of members: decide for one history, keep its relay, and \
                 let the devices of the other one join again; nothing of either is deleted"
            }
            Self::Rollback { .. } => {
                "the relay lost data or was restored from a backup; sync all devices with it, which \
                 fills it again; if it happens again, use another relay"
            }
        }
    }
}

/// Segments of a device that are kept sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Who sealed them.
    pub device: DeviceId,
    /// How many.
    pub segments: u64,
    /// The lowest and the highest of their numbers.
    pub numbers: (u64, u64),
    /// When the first one came, in milliseconds since 1970 (UTC).
    pub since_ms: u64,
}
