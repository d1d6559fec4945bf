//! One entry, as it is stored and sent.

use super::{Operation, RosterError, SIGNATURE_LEN};
use crate::cbor;
use crate::envelope::{EnvelopeError, EnvelopeType, MAGIC, Reader, SUITE_1, verify_digest};
use crate::ids::{Digest, RosterNumber, VaultId};
use crate::limits::ROSTER_ENTRY_BYTES_MAX;

/// What the admin key signs, before the SHA-256 of the entry without its signature.
pub const ROSTER_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/roster\0";
/// Bytes before an entry's body.
pub const ENTRY_HEADER_LEN: usize = 84;

/// An entry whose structure is right; its signature is checked when a [`Roster`] applies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    pub(super) vault: VaultId,
    pub(super) number: RosterNumber,
    pub(super) previous: Digest,
    pub(super) operation: Operation,
    bytes: Vec<u8>,
}

impl RosterEntry {
    /// The bytes an admin key signs: header and body. `vault` and `previous` are zero in genesis.
    #[must_use]
    pub fn unsigned_bytes(
        vault: VaultId,
        number: RosterNumber,
        previous: Digest,
        operation: &Operation,
    ) -> Vec<u8> {
        let body = cbor::encode(operation);
        let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(ENTRY_HEADER_LEN + body.len() + SIGNATURE_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[EnvelopeType::Roster as u8, SUITE_1, 0, 0]);
        bytes.extend_from_slice(&vault.0);
        bytes.extend_from_slice(&number.0.to_le_bytes());
        bytes.extend_from_slice(&previous.0);
        bytes.extend_from_slice(&body_len.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Checks layout and body.
    ///
    /// # Errors
    /// [`RosterError::Structure`], [`RosterError::Body`] or [`RosterError::Limit`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RosterError> {
        if bytes.len() > ROSTER_ENTRY_BYTES_MAX {
            return Err(RosterError::Limit);
        }
        let mut reader = Reader { rest: &bytes };
        if reader.take::<4>()? != MAGIC {
            return Err(EnvelopeError::Magic.into());
        }
        if reader.take::<4>()? != [EnvelopeType::Roster as u8, SUITE_1, 0, 0] {
            return Err(EnvelopeError::TooNew.into());
        }
        let vault = VaultId(reader.take()?);
        let number = RosterNumber(u64::from_le_bytes(reader.take()?));
        let previous = Digest(reader.take()?);
        let body_len = u32::from_le_bytes(reader.take()?) as usize;
        let (body, signature) =
            reader.rest.split_at_checked(body_len).ok_or(EnvelopeError::Length)?;
        if signature.len() != SIGNATURE_LEN {
            return Err(EnvelopeError::Length.into());
        }
        let operation = cbor::decode(body).map_err(RosterError::Body)?;
        Ok(Self { vault, number, previous, operation, bytes })
    }

    /// The entry as stored and sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its place in the chain, from 0.
    #[must_use]
    pub fn number(&self) -> RosterNumber {
        self.number
    }

    /// What it does.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// SHA-256 of the whole entry.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    pub(super) fn signed_by(&self, admin_key: &[u8; 32]) -> bool {
        let (signed, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN);
        verify_digest(admin_key, ROSTER_SIGNATURE_LABEL, signed, signature)
    }
}
