//! A part of a shard in an envelope of type 2.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use selkie_wire::cbor;
use selkie_wire::envelope::{EnvelopeType, HEADER_LEN, Header, SIGNATURE_LEN, TAG_LEN};
use selkie_wire::limits::{ENVELOPE_BYTES_MAX, SHARD_PART_BYTES_MAX, SHARD_PARTS_MAX};
use selkie_wire::{Digest, Envelope, Roster, SegmentNumber};
use zeroize::{Zeroize, Zeroizing};

use super::{CheckpointSeal, committed_key};
use crate::keys::{EpochKey, aead};
use crate::ports::RandomSource;
use crate::seal::body::BodyError;
use crate::seal::{OpenError, SealError, frame};

/// What a chunk carries.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChunkBody {
    /// The shard.
    #[n(0)]
    pub shard: u8,
    /// Which part of it, from 0.
    #[n(1)]
    pub part: u16,
    /// How many parts it has.
    #[n(2)]
    pub parts: u16,
    /// The part.
    #[n(3)]
    pub bytes: ByteVec,
}

impl core::fmt::Debug for ChunkBody {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ChunkBody({}, {}/{}, <redacted>)", self.shard, self.part, self.parts)
    }
}

impl Drop for ChunkBody {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ChunkBody {
    /// A shard's bytes, cut into the parts that fit envelopes; `None` if there would be too many.
    #[must_use]
    pub fn cut(shard: u8, bytes: &[u8]) -> Option<Vec<Self>> {
        let cuts: Vec<&[u8]> = bytes.chunks(SHARD_PART_BYTES_MAX).collect();
        let parts =
            u16::try_from(cuts.len()).ok().filter(|n| usize::from(*n) <= SHARD_PARTS_MAX)?;
        let body =
            |(part, bytes): (u16, &[u8])| Self { shard, part, parts, bytes: bytes.to_vec().into() };
        Some((0u16..).zip(cuts).map(body).collect())
    }
}

/// Seals a part of a shard. A chunk stands in no chain: its number is 1, its previous digest zero.
///
/// # Errors
/// [`SealError`].
pub fn seal_chunk(
    seal: &CheckpointSeal<'_>,
    body: &ChunkBody,
    random: &mut dyn RandomSource,
) -> Result<Envelope, SealError> {
    let body = Zeroizing::new(cbor::encode(body));
    let plaintext = frame::encode(&body, true).ok_or(SealError::TooLarge)?;
    let ciphertext_len = plaintext.len() + TAG_LEN;
    if HEADER_LEN + ciphertext_len + SIGNATURE_LEN > ENVELOPE_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    let header = Header {
        envelope_type: EnvelopeType::CheckpointChunk,
        vault: seal.vault,
        device: seal.device.device_id(),
        number: SegmentNumber(1),
        previous: Digest([0; 32]),
        roster: seal.roster,
        key_id: seal.epoch_key.derive_key_id(seal.vault),
        nonce: random.draw()?,
        ciphertext_len: u32::try_from(ciphertext_len).map_err(|_| SealError::TooLarge)?,
    };
    let associated = header.to_bytes();
    let key = seal.epoch_key.derive_checkpoint_key(seal.vault);
    let ciphertext = aead::seal(&key, &header.nonce, &associated, &plaintext)
        .map_err(|_| SealError::Internal)?;
    let mut bytes = [&associated[..], &ciphertext].concat();
    let signature = seal.device.sign_segment(&bytes);
    bytes.extend_from_slice(&signature);
    Envelope::parse(bytes).map_err(|_| SealError::Internal)
}

/// Opens a chunk that a manifest names, so that its author vouches for these very bytes; who sealed it
/// first may have left the vault since.
///
/// # Errors
/// The first check that fails, in the order of a segment's.
pub fn open_chunk(
    envelope: &Envelope,
    roster: &Roster,
    epoch_keys: &[EpochKey],
) -> Result<ChunkBody, OpenError> {
    let header = envelope.header();
    if header.envelope_type != EnvelopeType::CheckpointChunk {
        return Err(OpenError::Type);
    }
    if header.vault != roster.vault() {
        return Err(OpenError::Vault);
    }
    let member = roster.member(header.device).ok_or(OpenError::UnknownDevice)?;
    envelope.verify(&member.keys.signing_key).map_err(|_| OpenError::Signature)?;
    let key = committed_key(roster, epoch_keys, header.key_id)?;
    let key = key.derive_checkpoint_key(header.vault);
    let plaintext =
        aead::open(&key, &header.nonce, envelope.associated_data(), envelope.ciphertext())
            .map_err(|_| OpenError::Decryption)?;
    let body = frame::decode(&plaintext)?;
    let body: ChunkBody =
        cbor::decode(&body).map_err(|error| OpenError::Body(BodyError::Cbor(error)))?;
    let fits = body.part < body.parts
        && usize::from(body.parts) <= SHARD_PARTS_MAX
        && body.bytes.len() <= SHARD_PART_BYTES_MAX;
    if fits { Ok(body) } else { Err(OpenError::Body(BodyError::Limit)) }
}
