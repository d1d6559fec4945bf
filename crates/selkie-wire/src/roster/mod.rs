//! The roster: who belongs to a vault, as a chain of entries signed by the vault's admin key.
//!
//! In: entries, from a relay or a sponsor. Out: the members, their public keys, and the epochs.
//! Everything here is public; the wraps inside can be opened only by the members they are for.
//! Layout: `docs/FORMAT.md`, roster entry. What never happens here: signing, opening a wrap.

mod entry;
mod error;
mod operation;
#[allow(clippy::module_inception)]
mod roster;

pub use entry::{ENTRY_HEADER_LEN, ROSTER_SIGNATURE_LABEL, RosterEntry};
pub use error::RosterError;
pub use operation::{
    ChainEnd, DeviceKeys, MEMBER_SIGNATURE_LABEL, Operation, RECOVERY_SIGNATURE_LABEL,
    RecoveryKeys, RecoveryProof, Rotation, Wrap,
};
pub use roster::{Member, Roster};

const SIGNATURE_LEN: usize = 64;
