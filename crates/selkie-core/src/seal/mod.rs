//! Seal and open: from a body of changes to an envelope that anyone may carry, and back.
//!
//! In: a [`SegmentBody`], keys, the sender's place in its chain; or an envelope and a roster. Out:
//! an [`Envelope`](selkie_wire::Envelope), or a body that is known to come, whole and in its place,
//! from a member of the vault. What never happens here: I/O, a clock; trial decryption (the key is
//! picked by its id, and an envelope costs exactly one AEAD call); a look at plaintext before the
//! signature and the tag are right.
//!
//! A segment's way: body → CBOR → zstd → padding → XChaCha20-Poly1305 → Ed25519. Layouts are
//! specified in `docs/FORMAT.md`.

pub mod body;
pub mod checkpoint;
pub mod compress;
mod frame;
pub mod padding;
pub mod segment;

pub use body::{BodyError, ChangesOf, Heads, SegmentBody};
pub use segment::{
    Expected, OpenAction, OpenError, SealContext, SealError, open_segment, seal_segment,
};
