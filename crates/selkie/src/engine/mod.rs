//! Driving sync and pairing: the core decides what is next, this does it.
//!
//! In: a vault and a relay's address. Out: an up-to-date vault, a report, a new member. What never
//! happens here: a decision about data; a lock on the store while the network is waited for.

mod checkpoint;
mod pairing;
mod sync;

pub use checkpoint::CheckpointFault;
pub(crate) use pairing::join;
pub use pairing::{Invitation, PendingDevice};
pub use sync::{SyncPhase, SyncProgress, SyncReport};
pub(crate) use sync::{run, run_over};
