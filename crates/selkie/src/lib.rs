//! Selkie: a local store that always works offline, is always encrypted under the user's key, and
//! syncs between the user's devices through servers that can read nothing.
//!
//! ```
//! use selkie::{Query, Filter, Unlock, Vault};
//! use serde_json::json;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("notes.db");
//!
//! let new = Vault::create(&path, Unlock::Passphrase("seals sleep under water"))?;
//! // Show `new.recovery_words` to the user once: they open this store when the passphrase is lost.
//! let notes = new.vault.collection("notes")?;
//! notes.put("groceries", &json!({"title": "Milk", "done": false}))?;
//! notes.patch("groceries", &json!({"done": true}))?;
//! let done = notes.query(&Query::new().filter(Filter::parse("done = true")?))?;
//! assert_eq!(done[0].document["title"], "Milk");
//! // new.vault.sync("https://relay.example", &mut |_| {})?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Start with [`Vault`]; a vault has [`Collection`]s of [`Record`]s. Concurrent edits of several
//! devices merge by the collection's [`CollectionPolicy`]; what is put to a person is listed by
//! [`Vault::conflicts`].

mod collection;
mod doctor;
mod engine;
mod error;
mod finding;
mod fingerprint;
mod indexes;
mod keystore;
mod live;
mod manager;
pub mod share;
mod status;
mod store;
mod system;
pub mod transport;
mod unlock;
mod vault;
mod watch;

pub use collection::{Collection, Page, Record};
pub use doctor::{Check, CheckLevel};
pub use engine::membership::RosterChange;
pub use engine::{CheckpointFault, Invitation, PendingDevice, SyncPhase, SyncProgress, SyncReport};
pub use engine::{PackageReport, SyncPackage, SyncPoint};
pub use error::{Error, ErrorKind};
pub use finding::{Finding, FindingKind, Quarantined};
pub use fingerprint::Fingerprint;
pub use keystore::{KeyStore, KeyStoreError};
pub use live::{LiveQuery, LiveResult};
pub use manager::{SyncEvent, SyncEvents, SyncManager, SyncStatus};
pub use selkie_core::change::Dot;
pub use selkie_core::clock::Stamp;
pub use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictKind, OnDelete, Policy, PriorityFrom, Resolution, Side,
    SideContent,
};
pub use selkie_core::merge::{ConflictResolver, Decision, Input, Outcome, Strategy};
pub use selkie_core::record::{FieldType, Path as FieldPath, Schema};
pub use selkie_core::sync::{BlockReason, Link, SyncState};
pub use selkie_wire::{DeviceId, Digest, VaultId};
pub use status::{
    CollectionInfo, Decider, DeviceInfo, HeldDeletion, HeldSegments, HistoryEntry, LastSync,
    Network, Notice, OpenConflict, Preference, RelayStatus, Status, Suggestion, UniqueClash,
    UnsentChange,
};
pub use store::{
    Aggregation, Cursor, Explanation, Filter, Group, IndexInfo, IndexKind, Metric, Neighbour,
    Query, QueryPage, SchemaAgreement, SchemaVersions, Search, SearchHit, SearchIndex, Similar,
    SqlRows, Tokenizer, Transaction, TransactionCollection, VectorIndex,
};
pub use unlock::{RecoveryWords, Unlock};
pub use vault::{NewVault, OpenOptions, Vault};
pub use watch::{Event, EventKind, Watch};

/// The snippets of `docs/CONCEPTS.md`, so that they compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/CONCEPTS.md")]
mod concepts {}

/// The snippets of `docs/QUERY.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/QUERY.md")]
mod queries {}

/// The snippet of `docs/PRIVACY.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/PRIVACY.md")]
mod privacy {}
