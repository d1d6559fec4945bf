//! The bytes of the three pairing messages (`docs/FORMAT.md`, pairing messages).

use std::collections::BTreeMap;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use selkie_wire::envelope::{EnvelopeType, MAGIC, SUITE_1};
use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::MAILBOX_BYTES_MAX;
use selkie_wire::roster::DeviceKeys;
use selkie_wire::{DeviceId, Digest, SegmentNumber, VaultId, cbor};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::PairingError;

/// Length of the clear header, which is also the associated data.
pub(super) const HEADER_LEN: usize = 16;

/// Which message; also its slot in the mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Offer = 0,
    Request = 1,
    Grant = 2,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct OfferBody {
    #[n(0)]
    pub(super) vault: VaultId,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) kem_key: Vec<u8>,
    #[n(2)]
    pub(super) expires_ms: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct RequestBody {
    #[n(0)]
    pub(super) keys: DeviceKeys,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) consent: [u8; 64],
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct GrantBody {
    #[n(0)]
    pub(super) admin_key: SecretBytes,
    #[n(1)]
    pub(super) roster_number: RosterNumber,
    #[n(2)]
    pub(super) roster_digest: Digest,
    #[n(3)]
    pub(super) roster_entries: Vec<ByteVec>,
    #[n(4)]
    pub(super) epoch_keys: Vec<(u32, SecretBytes)>,
    #[n(5)]
    pub(super) heads: BTreeMap<DeviceId, (SegmentNumber, Digest)>,
}

/// Key bytes on their way through CBOR; wiped afterwards.
#[derive(Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(transparent)]
pub(super) struct SecretBytes(#[cbor(n(0), with = "minicbor::bytes")] pub(super) [u8; 32]);

/// The header of a message whose sealed part has this length.
pub(super) fn header(step: Step, sealed_len: usize) -> Result<[u8; HEADER_LEN], PairingError> {
    if sealed_len > MAILBOX_BYTES_MAX - HEADER_LEN {
        return Err(PairingError::TooLarge);
    }
    let sealed_len = u32::try_from(sealed_len).map_err(|_| PairingError::TooLarge)?.to_le_bytes();
    let mut bytes = [0u8; HEADER_LEN];
    let kind = [EnvelopeType::Pairing as u8, SUITE_1, 0, 0, step as u8, 0, 0, 0];
    for (slot, byte) in bytes.iter_mut().zip(MAGIC.iter().chain(&kind).chain(&sealed_len)) {
        *slot = *byte;
    }
    Ok(bytes)
}

/// Splits a message into header and sealed part, and checks that it is the step expected.
pub(super) fn parse(step: Step, bytes: &[u8]) -> Result<(&[u8; HEADER_LEN], &[u8]), PairingError> {
    let (found, sealed) = bytes.split_first_chunk().ok_or(PairingError::Message)?;
    if sealed.len() > MAILBOX_BYTES_MAX - HEADER_LEN {
        return Err(PairingError::TooLarge);
    }
    if !found.starts_with(&MAGIC) || found.get(4) != Some(&(EnvelopeType::Pairing as u8)) {
        return Err(PairingError::Message);
    }
    if found.get(5..8) != Some(&[SUITE_1, 0, 0]) {
        return Err(PairingError::TooNew);
    }
    if *found != header(step, sealed.len())? {
        return Err(PairingError::Message);
    }
    Ok((found, sealed))
}

/// Encodes without leaving unwiped copies behind: the buffer is large enough from the start.
pub(super) fn encode<T: Encode<()>>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAILBOX_BYTES_MAX));
    // Writing into a Vec has no error; our types raise none.
    let _infallible = minicbor::encode(value, &mut *bytes);
    bytes
}

/// Decodes what was sealed under the right code, and is still checked as if it were hostile.
pub(super) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, PairingError> {
    cbor::decode(bytes).map_err(|_| PairingError::Message)
}
