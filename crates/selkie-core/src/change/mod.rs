//! From a local write to a change: what was written, at which paths, and what its writer had seen.
//!
//! In: the registers of a record, the document shown, and the document wanted. Out: a [`Change`],
//! whose bytes never change again. What never happens here: merging, policies, sealing.

#[allow(clippy::module_inception)]
mod change;
mod elements;
mod entry;
mod new_record;
mod operation;
mod registers;
mod renaming;
mod write;

pub use change::{Change, ChangeError, ChangeNumber, Dot, RecordChange, Writes, change_bytes};
pub use entry::{Class, Entry, EntryValue};
pub use new_record::NewRecord;
pub use operation::{Operation, Written};
pub use registers::{Registers, Sibling};
pub use renaming::Renaming;
pub(crate) use write::alive;
pub use write::{Seen, Writer, clear_old_removals, delete, put};
