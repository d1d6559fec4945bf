//! What a UI shows of a vault.

use std::path::PathBuf;

use selkie_core::merge::{Conflict, SideContent};
use selkie_core::record::Path;
use selkie_core::sync::{Link, SyncState};
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

/// What carries the network, as the app says. A hint: it is remembered and shown, and only its coming
/// and going decides anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The app has not said.
    #[default]
    Unknown,
    /// A cable.
    Wired,
    /// A wireless network.
    Wifi,
    /// A mobile network.
    Cellular,
    /// None.
    Offline,
}

impl Network {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::Wired, Self::Wifi, Self::Cellular, Self::Offline];

    /// A stable word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Wired => "wired",
            Self::Wifi => "wifi",
            Self::Cellular => "cellular",
            Self::Offline => "offline",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|network| network.name() == name).unwrap_or_default()
    }
}

/// How sync with one relay stands, and what its last run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// The relay's address, or what the app calls it.
    pub url: String,
    /// Where sync with it stands; with the reason and the next retry.
    pub link: Link,
    /// The network of its last run.
    pub network: Network,
    /// When its last run ended, in milliseconds since 1970 (UTC).
    pub last_run_ms: Option<u64>,
    /// When its last good run ended.
    pub last_success_ms: Option<u64>,
    /// How long the last run took.
    pub duration_ms: u64,
    /// Own changes the last run sent.
    pub changes_sent: u64,
    /// Changes of other devices it received.
    pub changes_received: u64,
    /// Bytes of its requests.
    pub bytes_sent: u64,
    /// Bytes of its answers.
    pub bytes_received: u64,
    /// Conflicts that came up in it.
    pub conflicts_found: u64,
    /// Conflicts that were settled in it.
    pub conflicts_resolved: u64,
    /// The code of the error it ended with.
    pub error_code: Option<String>,
    /// What it said.
    pub error_message: Option<String>,
    /// An own segment that the relay would not take; it and what follows wait here.
    pub parked: Option<u64>,
    /// Changes that are sealed, and that this relay does not have.
    pub unsent_changes: u64,
}

/// Segments of one device that wait sealed, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSegments {
    /// Who sealed them.
    pub device: DeviceId,
    /// `gap`: others before them are missing. `roster`: a membership entry is. `update`: a newer app
    /// wrote them. `mass_delete`: they would delete too much. `quarantine`: they are not what a member's
    /// app writes.
    pub reason: String,
    /// How many.
    pub segments: u64,
    /// The lowest number among them.
    pub first: u64,
    /// Since when, in milliseconds since 1970 (UTC).
    pub since_ms: u64,
}

/// Something that a person should know, and can do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A stable word, for programs.
    pub code: &'static str,
    /// What it is, and what to do.
    pub message: String,
}

/// Segments of one device that are not applied because they would delete too much; see
/// [`Vault::confirm_deletions`](crate::Vault::confirm_deletions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDeletion {
    /// The device whose segments wait.
    pub device: DeviceId,
    /// The collection.
    pub collection: String,
    /// How many of its records would be gone, counting what was deleted in the last hour.
    pub deletions: u64,
    /// Of how many.
    pub records: u64,
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
    /// How sync with the relay used last stands, in one of five words; *offline* before the first run.
    pub state: SyncState,
    /// All relays ever synced with, the one used last first.
    pub relays: Vec<RelayStatus>,
    /// What waits sealed, and why.
    pub held: Vec<HeldSegments>,
    /// What was not applied because it would delete too much.
    pub held_deletions: Vec<HeldDeletion>,
    /// What a person should look at, the findings included; empty when all is well.
    pub notices: Vec<Notice>,
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
