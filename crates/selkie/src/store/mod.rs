//! The encrypted store: one SQLCipher file, and a key-slot file beside it.
//!
//! In: documents, filters, sealed segments of other devices. Out: records, own sealed segments,
//! events. What never happens here: a database without a key, a network, a merge rule of its own.
//!
//! The path of a local write: `transaction` → `write` → `rows`. Of a segment: `outbox` on the way
//! out, `apply` on the way in.

mod apply;
mod conflicts;
mod database;
mod digest;
mod files;
mod identity;
mod outbox;
mod query;
mod rows;
mod schema;
mod sync_state;
mod transaction;

pub(crate) use apply::{Applied, TrackedPosition};
pub(crate) use database::Database;
pub(crate) use files::{StoreFiles, create_files};
pub(crate) use identity::{Identity, NewIdentity};
pub(crate) use outbox::Outgoing;
pub use query::{Filter, Query};
pub(crate) use rows::StoredRecord;
pub(crate) use sync_state::RelayState;
pub use transaction::{Transaction, TransactionCollection};
