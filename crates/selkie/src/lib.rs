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
mod engine;
mod error;
pub mod share;
mod status;
mod store;
mod system;
pub mod transport;
mod unlock;
mod vault;
mod watch;

pub use collection::{Collection, Page, Record};
pub use engine::{Invitation, PendingDevice, SyncPhase, SyncProgress, SyncReport};
pub use error::{Error, ErrorKind};
pub use selkie_core::change::Dot;
pub use selkie_core::clock::Stamp;
pub use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictKind, OnDelete, Policy, PriorityFrom, Resolution, Side,
    SideContent,
};
pub use selkie_core::merge::{ConflictResolver, Decision, Input, Outcome, Strategy};
pub use selkie_core::record::{FieldType, Path as FieldPath, Schema};
pub use selkie_wire::{DeviceId, Digest, VaultId};
pub use status::{
    CollectionInfo, Decider, DeviceInfo, HistoryEntry, LastSync, OpenConflict, Preference, Status,
    Suggestion, UniqueClash,
};
pub use store::{Filter, Query, Transaction, TransactionCollection};
pub use unlock::{RecoveryWords, Unlock};
pub use vault::{NewVault, Vault};
pub use watch::{Event, EventKind, Watch};

/// The snippets of `docs/CONCEPTS.md`, so that they compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/CONCEPTS.md")]
mod concepts {}

/// The snippet of `docs/PRIVACY.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/PRIVACY.md")]
mod privacy {}
