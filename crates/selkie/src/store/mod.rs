//! The encrypted store: one SQLCipher file, and a key-slot file beside it.
//!
//! In: documents, filters, sealed segments of other devices. Out: records, own sealed segments,
//! events. What never happens here: a database without a key, a network, a merge rule of its own.
//!
//! The path of a local write: `transaction` → `write` → `rows`. Of a segment: `outbox` on the way
//! out, `apply` on the way in.

mod apply;
mod attention;
mod chain_file;
mod conflicts;
mod context;
mod database;
mod deletion_guard;
mod digest;
mod expiry;
mod files;
mod findings;
mod fork;
mod history;
mod identity;
mod incarnation;
pub(crate) mod indexes;
mod links;
mod local_only;
mod outbox;
mod purge;
pub(crate) mod query;
mod readers;
mod receive;
mod rows;
mod savepoint;
mod schema;
mod session;
mod slot_file;
mod sync_state;
mod touched;
mod transaction;
mod unique;
mod unsent;
mod validation;
mod vector_ffi;
mod versions;
mod views;

pub(crate) use apply::{Applied, TrackedPosition};
pub(crate) use attention::{Resolver, answer};
pub(crate) use database::{BUSY_TIMEOUT, CACHE_KIB, Database};
pub(crate) use files::{StoreFiles, create_store};
pub(crate) use fork::Theirs;
pub(crate) use identity::{Identity, NewIdentity};
pub use indexes::{
    IndexInfo, IndexKind, Metric, Neighbour, Search, SearchHit, SearchIndex, Similar, Tokenizer,
    VectorIndex,
};
pub(crate) use links::EndedRun;
pub use query::{Aggregation, Cursor, Explanation, Filter, Group, Query, QueryPage};
pub(crate) use readers::Readers;
pub(crate) use transaction::check_collection_name;
pub use transaction::{Transaction, TransactionCollection};
pub(crate) use validation::validator_of;
pub use versions::{SchemaAgreement, SchemaVersions};
pub use views::SqlRows;
pub(crate) use views::select;
