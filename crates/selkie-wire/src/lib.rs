//! Public bytes: what devices and relays exchange, and nothing that needs a secret to read.
//!
//! In: bytes from a relay, a folder or a peer. Out: ids, envelope headers, roster entries, relay
//! messages; all parsed once, strictly, at this edge. What never happens here: decryption, a clock,
//! randomness, I/O. A relay depends on this crate alone, so it cannot read what it stores.
//!
//! Layouts are specified in `docs/FORMAT.md` (stored bytes) and `docs/PROTOCOL.md` (messages).

pub mod cbor;
pub mod envelope;
pub mod ids;
pub mod incarnation;
pub mod limits;
pub mod package;
pub mod relay;
pub mod roster;
pub mod version_vector;

/// The format that this version writes. A vault whose roster asks for more must not be written to by it.
pub const FORMAT_VERSION: u32 = 1;

pub use envelope::{Envelope, EnvelopeError, EnvelopeType, Header};
pub use ids::{
    Cursor, DeviceId, Digest, IncarnationToken, KeyId, MailboxId, RelayEpoch, RosterNumber,
    SegmentNumber, VaultId,
};
pub use incarnation::{Incarnation, Incarnations};
pub use roster::{Roster, RosterEntry, RosterError};
pub use version_vector::VersionVector;
