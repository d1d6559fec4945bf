//! The encrypted store: one SQLCipher file, and a key-slot file beside it.
//!
//! In: documents, filters, sealed segments of other devices. Out: records, own sealed segments,
//! events. What never happens here: a database without a key, a network, a merge rule of its own.
//!
//! The path of a local write: `transaction` → `write` → `rows`. Of a segment: `outbox` on the way
//! out, `apply` on the way in.

mod apply;
mod attention;
mod checkpoint;
mod conflicts;
mod context;
mod database;
mod digest;
mod files;
mod history;
mod identity;
mod outbox;
mod purge;
mod query;
mod rows;
mod schema;
mod sync_state;
mod touched;
mod transaction;
mod unique;
mod validation;

pub(crate) use apply::TrackedPosition;
pub(crate) use attention::{Resolver, answer};
pub(crate) use checkpoint::{Built, Incoming, OpenedShard, SealedShard, malformed};
pub(crate) use database::Database;
pub(crate) use files::{StoreFiles, create_store};
pub(crate) use identity::{Identity, NewIdentity};
pub use query::{Filter, Query};
pub(crate) use transaction::check_collection_name;
pub use transaction::{Transaction, TransactionCollection};
pub(crate) use validation::validator_of;
