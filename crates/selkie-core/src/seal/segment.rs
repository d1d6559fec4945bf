//! Sealing a segment, and opening one with every check in its order.

mod errors;
mod plaintext;

pub use errors::{OpenAction, OpenError, SealError};
use selkie_wire::envelope::{EnvelopeType, HEADER_LEN, Header, SIGNATURE_LEN, TAG_LEN};
use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::ENVELOPE_BYTES_MAX;
use selkie_wire::{
    DeviceId, Digest, Envelope, IncarnationToken, Incarnations, KeyId, Roster, SegmentNumber,
    VaultId,
};
use subtle::ConstantTimeEq;

use crate::keys::aead;
use crate::keys::{DeviceSecrets, EpochKey};
use crate::ports::RandomSource;
use crate::seal::body::SegmentBody;

/// Where a segment stands, and what seals it.
#[derive(Debug)]
pub struct SealContext<'a> {
    /// The vault.
    pub vault: VaultId,
    /// The sender.
    pub device: &'a DeviceSecrets,
    /// Which of the sender's chains; `None` for the one that has the device's own id.
    pub incarnation: Option<IncarnationToken>,
    /// Its place in that chain, from 1.
    pub number: SegmentNumber,
    /// Digest of the chain's previous envelope; for the first, of the sender's Add entry, or the
    /// incarnation's token.
    pub previous: Digest,
    /// The last roster entry the sender has applied.
    pub roster: RosterNumber,
    /// The current epoch's key.
    pub epoch_key: &'a EpochKey,
    /// Off where one field is secret and its neighbour is written by someone else: together,
    /// compressed, they would tell of each other by their length (CRIME).
    pub compress: bool,
}

impl SealContext<'_> {
    /// The id of the sender's chain.
    #[must_use]
    pub fn chain(&self) -> DeviceId {
        match self.incarnation {
            Some(token) => self.device.incarnation_id(token),
            None => self.device.device_id(),
        }
    }
}

/// The place a segment must have to be accepted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The number after the last one accepted of this chain.
    pub number: SegmentNumber,
    /// That one's digest; for the first, the Add entry's or the incarnation's token.
    pub previous: Digest,
}

/// Seals a body.
///
/// ```
/// use selkie_core::keys::{AdminKey, DeviceSecrets, RecoveryCode, roster};
/// use selkie_core::seal::{Expected, SealContext, SegmentBody, open_segment, seal_segment};
/// use selkie_wire::{Incarnations, SegmentNumber};
/// # use selkie_core::ports::{RandomError, RandomSource};
/// # struct Counter(u8);
/// # impl RandomSource for Counter {
/// #     fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
/// #         for byte in bytes { self.0 = self.0.wrapping_add(1); *byte = self.0; }
/// #         Ok(())
/// #     }
/// # }
/// # let mut random = Counter(0);
/// # let admin = AdminKey::generate(&mut random)?;
/// # let phone = DeviceSecrets::generate(&mut random)?;
/// # let code = RecoveryCode::generate(&mut random)?;
/// let vault = roster::create_vault(&admin, &phone, &code, &mut random)?;
/// let previous = vault.roster.member(phone.device_id()).expect("the first device").added;
/// let context = SealContext {
///     vault: vault.roster.vault(),
///     device: &phone,
///     incarnation: None,
///     number: SegmentNumber(1),
///     previous,
///     roster: vault.roster.last(),
///     epoch_key: &vault.epoch_key,
///     compress: true,
/// };
/// let body = SegmentBody { first_change: 1, changes: vec![b"a change".to_vec()], ..Default::default() };
/// let envelope = seal_segment(&context, &body, &mut random)?;
///
/// let key_id = vault.epoch_key.derive_key_id(vault.roster.vault());
/// let expected = Expected { number: SegmentNumber(1), previous };
/// let lookup = |wanted| (wanted == key_id).then_some(&vault.epoch_key);
/// assert_eq!(open_segment(&envelope, &vault.roster, &Incarnations::default(), expected, lookup)?, body);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SealError`]; nothing is used up by a failure, the same number can be tried again.
pub fn seal_segment(
    context: &SealContext<'_>,
    body: &SegmentBody,
    random: &mut dyn RandomSource,
) -> Result<Envelope, SealError> {
    let SealContext { vault, number, previous, roster, epoch_key, compress, .. } = *context;
    if number.0 == 0 {
        return Err(SealError::Number);
    }
    let plaintext = plaintext::encode(body, compress)?;
    let ciphertext_len = plaintext.len() + TAG_LEN;
    if HEADER_LEN + ciphertext_len + SIGNATURE_LEN > ENVELOPE_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    let chain = context.chain();
    let header = Header {
        envelope_type: EnvelopeType::Segment,
        vault,
        device: chain,
        number,
        previous,
        roster,
        key_id: epoch_key.derive_key_id(vault),
        nonce: random.draw()?,
        ciphertext_len: u32::try_from(ciphertext_len).map_err(|_| SealError::TooLarge)?,
    };
    let associated = header.to_bytes();
    let key = epoch_key.derive_segment_key(vault, chain);
    let ciphertext = aead::seal(&key, &header.nonce, &associated, &plaintext)
        .map_err(|_| SealError::Internal)?;
    let mut bytes = Vec::with_capacity(HEADER_LEN + ciphertext_len + SIGNATURE_LEN);
    bytes.extend_from_slice(&associated);
    bytes.extend_from_slice(&ciphertext);
    let signature = context.device.sign_segment(&bytes);
    bytes.extend_from_slice(&signature);
    // Read back by the parser every receiver uses, so that what it would refuse is never sent.
    Envelope::parse(bytes).map_err(|_| SealError::Internal)
}

/// Opens a segment, in the order of `docs/FORMAT.md`: type, vault, device, revocation, signature,
/// number, previous digest, key id, AEAD, padding, body. Each check guards the next: nothing is
/// decrypted that is not signed, and nothing is parsed that is not authentic.
///
/// `epoch_key` finds a key by its id, and is asked at most once. See [`seal_segment`] for an
/// example.
///
/// # Errors
/// The first check that fails; [`OpenError::action`] says what an app can do.
pub fn open_segment<'k, F>(
    envelope: &Envelope,
    roster: &Roster,
    incarnations: &Incarnations,
    expected: Expected,
    epoch_key: F,
) -> Result<SegmentBody, OpenError>
where
    F: FnOnce(KeyId) -> Option<&'k EpochKey>,
{
    let header = envelope.header();
    if header.envelope_type != EnvelopeType::Segment {
        return Err(OpenError::Type);
    }
    if header.vault != roster.vault() {
        return Err(OpenError::Vault);
    }
    let owner = incarnations.owner(roster, header.device);
    let (_, member) = owner.ok_or(OpenError::UnknownDevice)?;
    if !member.counts(header.device, header.number, envelope.digest()) {
        return Err(OpenError::Revoked);
    }
    envelope.verify(&member.keys.signing_key).map_err(|_| OpenError::Signature)?;
    if header.number != expected.number {
        return Err(OpenError::Number { expected: expected.number, found: header.number });
    }
    if header.previous != expected.previous {
        return Err(OpenError::Previous);
    }
    if !roster.rotations().iter().any(|rotation| rotation.key_id == header.key_id) {
        return Err(OpenError::UnknownEpoch);
    }
    let key = epoch_key(header.key_id).ok_or(OpenError::MissingKey)?;
    // XChaCha20-Poly1305 does not commit to its key: one ciphertext can be made to open under two.
    // The commitment, recomputed from the key at hand, leaves only one.
    if !bool::from(key.derive_key_id(header.vault).0.ct_eq(&header.key_id.0)) {
        return Err(OpenError::Commitment);
    }
    let segment_key = key.derive_segment_key(header.vault, header.device);
    let (associated, ciphertext) = (envelope.associated_data(), envelope.ciphertext());
    let plaintext = aead::open(&segment_key, &header.nonce, associated, ciphertext)
        .map_err(|_| OpenError::Decryption)?;
    plaintext::decode(&plaintext)
}

#[cfg(test)]
mod tests;
