//! One file a command. Each has `Arguments`, `EXAMPLES` and `run`.

pub mod anonymize;
pub mod conflicts;
pub mod delete;
pub mod demo;
pub mod devices;
pub mod export;
pub mod get;
pub mod history;
pub mod import;
pub mod init;
pub mod invite;
pub mod join;
pub mod list;
pub mod patch;
pub mod policy;
pub mod preferences;
pub mod put;
pub mod query;
pub mod relay;
pub mod resolve;
pub mod restore;
pub mod schema;
pub mod share_policy;
pub mod status;
pub mod sync;
pub mod undo;
