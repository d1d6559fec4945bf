//! Driving sync and pairing: the core decides what is next, this does it.
//!
//! In: a vault and a relay's address. Out: an up-to-date vault, a report, a new member. What never
//! happens here: a decision about data; a lock on the store while the network is waited for.

mod pairing;
mod run;
mod sync;

pub(crate) use pairing::join;
pub use pairing::{Invitation, PendingDevice};
#[cfg(feature = "http")]
pub(crate) use run::run;
pub(crate) use run::{event_of, run_over};
pub(crate) use sync::{Hooks, run_recorded};
pub use sync::{SyncPhase, SyncProgress, SyncReport};
