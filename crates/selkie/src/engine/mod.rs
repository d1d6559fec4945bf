//! Driving sync, packages and pairing: the core decides what is next, this does it.
//!
//! In: a vault, and an address or a package. Out: an up-to-date vault, a report, a new member. What never
//! happens here: a decision about data; a lock on the store while the network is waited for.

mod fork;
mod mailbox;
pub(crate) mod membership;
mod package;
mod pairing;
#[cfg(feature = "http")]
pub(crate) mod recovery;
mod run;
mod steps;
mod sync;
mod sync_point;

pub use package::{PackageReport, SyncPackage};
pub(crate) use package::{apply as apply_package, make as make_package};
pub use pairing::{Invitation, PendingDevice};
pub(crate) use pairing::{Way, join};
pub(crate) use run::{connect, event_of, run, run_over};
pub(crate) use sync::{Hooks, run_recorded};
pub use sync::{SyncPhase, SyncProgress, SyncReport};
pub use sync_point::SyncPoint;
