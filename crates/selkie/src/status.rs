//! What a UI shows of a vault.

use std::path::PathBuf;

use selkie_core::merge::Conflict;
use selkie_wire::{DeviceId, VaultId};

/// A collection and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// How many records it has.
    pub records: u64,
}

/// A device of the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its id.
    pub id: DeviceId,
    /// Whether it is this one.
    pub is_this: bool,
    /// Whether it has been removed from the vault.
    pub revoked: bool,
}

/// The last run of sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSync {
    /// With which relay.
    pub url: String,
    /// When it ended, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// `ok`, or the code of the error it ended with.
    pub outcome: String,
}

/// A vault at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The database file.
    pub path: PathBuf,
    /// The vault.
    pub vault: VaultId,
    /// This device.
    pub device: DeviceId,
    /// All devices ever admitted.
    pub devices: Vec<DeviceInfo>,
    /// Records in all collections.
    pub records: u64,
    /// The collections, by name.
    pub collections: Vec<CollectionInfo>,
    /// Changes made here and not yet sealed for sending.
    pub unsent_changes: u64,
    /// Conflicts that wait for a person.
    pub open_conflicts: u64,
    /// Segments of other devices that wait sealed.
    pub segments_held: u64,
    /// Size of the database file and its log.
    pub database_bytes: u64,
    /// The last run of sync with any relay.
    pub last_sync: Option<LastSync>,
}

/// A difference that waits for a person, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenConflict {
    /// The record's collection.
    pub collection: String,
    /// The record's id.
    pub id: String,
    /// The sides to choose from.
    pub conflict: Conflict,
    /// Names what is shown here; hand it to [`Vault::resolve`](crate::Vault::resolve).
    pub token: String,
    /// When this device first saw it, in milliseconds since 1970 (UTC).
    pub since_ms: u64,
}
