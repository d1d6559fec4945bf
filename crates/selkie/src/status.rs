//! What a UI shows of a vault.

use std::path::PathBuf;

use selkie_core::merge::{Conflict, SideContent};
use selkie_core::record::Path;
use selkie_wire::{DeviceId, VaultId};

use crate::finding::{Finding, Quarantined};
use crate::watch::EventKind;

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
    /// Other names that its writes stand under, if its store was ever copied or restored.
    pub chains: Vec<DeviceId>,
    /// Its clock in its last segment that was opened here, in milliseconds since 1970 (UTC); `None`
    /// for this device, and for one that has sent nothing.
    pub last_heard_ms: Option<u64>,
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
    /// The name its writes stand under: its own id, or another once its store was copied or restored.
    pub chain: DeviceId,
    /// All devices ever admitted.
    pub devices: Vec<DeviceInfo>,
    /// Records in all collections.
    pub records: u64,
    /// The collections, by name.
    pub collections: Vec<CollectionInfo>,
    /// Changes made here that no relay is known to have.
    pub unsent_changes: u64,
    /// Conflicts that wait for a person.
    pub open_conflicts: u64,
    /// Segments of other devices that wait sealed.
    pub segments_held: u64,
    /// Segments that were kept aside: sealed after their device was removed, or in a second history.
    pub quarantined: Vec<Quarantined>,
    /// What should not be; each has advice.
    pub findings: Vec<Finding>,
    /// Size of the database file and its log.
    pub database_bytes: u64,
    /// The last run of sync with any relay.
    pub last_sync: Option<LastSync>,
}

/// A change made on this device that has not been sent, at one of the records it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsentChange {
    /// The record's collection.
    pub collection: String,
    /// The record's id.
    pub id: String,
    /// Whether it was written or deleted.
    pub kind: EventKind,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The number of the change; records of one transaction share it.
    pub change: u64,
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
    /// When it will have been settled by what is shown, if nobody answers.
    pub deadline_ms: u64,
    /// What a person has mostly answered to conflicts like this.
    pub suggestion: Option<Suggestion>,
}

/// What a person has mostly answered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The side of this conflict that would be the same answer.
    pub side: usize,
    /// The answer in a word: newest, oldest, kept, deleted or other.
    pub answer: String,
    /// How often it was given.
    pub support: u64,
    /// Of how many.
    pub of: u64,
}

/// How a person has answered conflicts of one field and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Collection, field and kind.
    pub id: String,
    /// Each answer given, and how often.
    pub answers: Vec<(String, u64)>,
}

/// Two or more records that have a value which the schema says is unique.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueClash {
    /// The collection.
    pub collection: String,
    /// The field.
    pub path: Path,
    /// The value they share.
    pub value: serde_json::Value,
    /// The records, in order of id.
    pub ids: Vec<String>,
}

/// Who decided that a value should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// An ordinary write.
    Write,
    /// A person who resolved a conflict.
    Person,
    /// A machine that resolved a conflict, and why: custom, learned or deadline.
    Machine(String),
}

/// One value in a record's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// When it was written, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The device that wrote it.
    pub device: DeviceId,
    /// The number of that device's change.
    pub change: u64,
    /// Where; the root for the record itself.
    pub path: Path,
    /// What was written.
    pub content: SideContent,
    /// Who decided it.
    pub decided_by: Decider,
    /// The device that replaced it, and when; `None` while it stands. Of several that replaced it
    /// apart from each other, the one that this device saw first.
    pub replaced_by: Option<(DeviceId, u64)>,
    /// Who decided to replace it.
    pub replaced_why: Decider,
    /// Whether it competed with other values and was not chosen.
    pub lost: bool,
}
