//! The roster: who belongs to a vault, as a chain of entries signed by the vault's admin key.
//!
//! In: entries, from a relay or a sponsor. Out: the members, their public keys, and the epochs.
//! Everything here is public; the wraps inside can be opened only by the members they are for.
//! Layout: `docs/FORMAT.md`, roster entry.

use core::fmt;
use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::envelope::{EnvelopeError, EnvelopeType, MAGIC, Reader, SUITE_1, verify_digest};
use crate::ids::{DeviceId, Digest, KeyId, RosterNumber, SegmentNumber, VaultId};
use crate::limits::{DEVICES_MAX, ROSTER_ENTRIES_MAX, ROSTER_ENTRY_BYTES_MAX};

/// What the admin key signs, before the SHA-256 of the entry without its signature.
pub const ROSTER_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/roster\0";
/// What a new device signs to agree to its Add entry.
pub const MEMBER_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/member\0";
/// Bytes before an entry's body.
pub const ENTRY_HEADER_LEN: usize = 84;
const SIGNATURE_LEN: usize = 64;
const GENESIS_LABEL: &[u8] = b"selkie/1/genesis\0";

/// The public keys of a device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceKeys {
    /// Ed25519: signs segments, and certifies the device id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub signing_key: [u8; 32],
    /// Ed25519: signs relay challenges.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub auth_key: [u8; 32],
    /// X-Wing: epoch keys are wrapped to it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub kem_key: Vec<u8>,
}

impl DeviceKeys {
    /// The id the signing key certifies.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId::of_signing_key(&self.signing_key)
    }

    /// What the device signs (under [`MEMBER_SIGNATURE_LABEL`]) to join `vault` with these keys.
    #[must_use]
    pub fn consent_bytes(&self, vault: VaultId) -> Vec<u8> {
        let kem_digest = Digest::of(&self.kem_key);
        [&vault.0[..], &self.signing_key, &self.auth_key, &kem_digest.0].concat()
    }
}

/// One epoch key, sealed for one reader.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wrap {
    /// For whom.
    #[n(0)]
    pub device: DeviceId,
    /// HPKE encapsulation ‖ ciphertext.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// A new epoch key, for everyone who may read what follows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rotation {
    /// Number of the epoch, from 0.
    #[n(0)]
    pub epoch: u32,
    /// Cipher suite of the epoch.
    #[n(1)]
    pub suite: u8,
    /// Commitment to the epoch key.
    #[n(2)]
    pub key_id: KeyId,
    /// The key, for each live device.
    #[n(3)]
    pub wraps: Vec<Wrap>,
    /// The key, for the recovery words.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub recovery_wrap: Vec<u8>,
    /// The previous epoch's key sealed under this one; empty in epoch 0.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub previous_key: Vec<u8>,
}

/// How the recovery words reach the admin key and the epochs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecoveryKeys {
    /// X-Wing public key derived from the words.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub kem_key: Vec<u8>,
    /// The admin key's seed, sealed under a key derived from the words.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed_admin_key: Vec<u8>,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Operation {
    /// Begins a vault; its digest is the vault's id.
    #[n(0)]
    Genesis {
        /// Ed25519 key that signs every entry.
        #[cbor(n(0), with = "minicbor::bytes")]
        admin_key: [u8; 32],
        /// The recovery words' public side.
        #[n(1)]
        recovery: RecoveryKeys,
    },
    /// Admits a device that agreed.
    #[n(1)]
    Add {
        /// The device's public keys.
        #[n(0)]
        keys: DeviceKeys,
        /// The device's own signature over [`DeviceKeys::consent_bytes`].
        #[cbor(n(1), with = "minicbor::bytes")]
        consent: [u8; SIGNATURE_LEN],
    },
    /// Begins a new epoch.
    #[n(2)]
    Rotate {
        /// The new epoch.
        #[n(0)]
        rotation: Rotation,
    },
    /// Removes a device, and begins an epoch it cannot read, in one entry.
    #[n(3)]
    Revoke {
        /// Who leaves.
        #[n(0)]
        device: DeviceId,
        /// The last segment of it that counts.
        #[n(1)]
        last: SegmentNumber,
        /// That segment's digest (its Add entry's, if it never sent one).
        #[n(2)]
        last_digest: Digest,
        /// The epoch after it.
        #[n(3)]
        rotation: Rotation,
    },
    /// Raises the oldest format a member may write; never lowers it.
    #[n(4)]
    MinVersion {
        /// The version.
        #[n(0)]
        version: u32,
    },
    /// Replaces the recovery words.
    #[n(5)]
    Recovery {
        /// The new words' public side.
        #[n(0)]
        recovery: RecoveryKeys,
        /// The current epoch key, for the new words.
        #[cbor(n(1), with = "minicbor::bytes")]
        recovery_wrap: Vec<u8>,
    },
}

/// Why a roster entry does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RosterError {
    /// Not the layout of an entry.
    Structure(EnvelopeError),
    /// The body is not deterministic CBOR of a known operation.
    Body(CborError),
    /// Belongs to another vault.
    Vault,
    /// Not the number that comes next.
    Number,
    /// Does not name the entry before it: two administrators wrote at once, or someone rewrote it.
    Fork,
    /// Not signed by the admin key, or the new device did not agree.
    Signature,
    /// Contradicts the roster: a device added twice, one revoked that is not there, an epoch skipped.
    Meaning,
    /// More entries or devices than allowed.
    Limit,
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(error) => write!(f, "roster entry: {error}"),
            Self::Body(error) => write!(f, "roster entry: {error}"),
            Self::Vault => f.write_str("the roster entry belongs to another vault"),
            Self::Number => f.write_str("the roster entry is not the next one"),
            Self::Fork => f.write_str("the roster has two histories"),
            Self::Signature => f.write_str("the roster entry is not signed by the vault's owner"),
            Self::Meaning => f.write_str("the roster entry contradicts the roster"),
            Self::Limit => f.write_str("the roster is larger than allowed"),
        }
    }
}

impl core::error::Error for RosterError {}

impl From<EnvelopeError> for RosterError {
    fn from(error: EnvelopeError) -> Self {
        Self::Structure(error)
    }
}

/// An entry whose structure is right; its signature is checked when a [`Roster`] applies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    vault: VaultId,
    number: RosterNumber,
    previous: Digest,
    operation: Operation,
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

    fn signed_by(&self, admin_key: &[u8; 32]) -> bool {
        let (signed, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN);
        verify_digest(admin_key, ROSTER_SIGNATURE_LABEL, signed, signature)
    }
}

/// A device of the vault, past or present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its public keys.
    pub keys: DeviceKeys,
    /// Digest of its Add entry: `previous` of its first segment.
    pub added: Digest,
    /// Set once revoked: its last segment that counts.
    pub revoked: Option<(SegmentNumber, Digest)>,
}

/// The verified chain, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    vault: VaultId,
    admin_key: [u8; 32],
    recovery: RecoveryKeys,
    members: BTreeMap<DeviceId, Member>,
    rotations: Vec<Rotation>,
    min_version: u32,
    last: RosterNumber,
    last_digest: Digest,
}

impl Roster {
    /// Begins from a genesis entry.
    ///
    /// # Errors
    /// [`RosterError`] if it is no genesis entry, or is not signed by the key it names.
    pub fn from_genesis(entry: &RosterEntry) -> Result<Self, RosterError> {
        let Operation::Genesis { admin_key, recovery } = &entry.operation else {
            return Err(RosterError::Number);
        };
        let zero = (VaultId([0; 32]), RosterNumber(0), Digest([0; 32]));
        if (entry.vault, entry.number, entry.previous) != zero {
            return Err(RosterError::Number);
        }
        if !entry.signed_by(admin_key) {
            return Err(RosterError::Signature);
        }
        let Digest(vault) = Digest::labelled(GENESIS_LABEL, &[&entry.bytes]);
        Ok(Self {
            vault: VaultId(vault),
            admin_key: *admin_key,
            recovery: recovery.clone(),
            members: BTreeMap::new(),
            rotations: Vec::new(),
            min_version: 1,
            last: RosterNumber(0),
            last_digest: entry.digest(),
        })
    }

    /// Verifies a whole chain, genesis first.
    ///
    /// # Errors
    /// The first entry's fault that is found.
    pub fn from_entries<I>(entries: I) -> Result<Self, RosterError>
    where
        I: IntoIterator<Item = Vec<u8>>,
    {
        let mut entries = entries.into_iter().map(RosterEntry::parse);
        let genesis = entries.next().ok_or(RosterError::Number)??;
        let mut roster = Self::from_genesis(&genesis)?;
        for entry in entries {
            roster.apply(&entry?)?;
        }
        Ok(roster)
    }

    /// Applies the next entry, or leaves the roster as it was.
    ///
    /// # Errors
    /// [`RosterError`]; see its variants.
    pub fn apply(&mut self, entry: &RosterEntry) -> Result<(), RosterError> {
        if entry.vault != self.vault {
            return Err(RosterError::Vault);
        }
        if Some(entry.number.0) != self.last.0.checked_add(1) {
            return Err(RosterError::Number);
        }
        if entry.previous != self.last_digest {
            return Err(RosterError::Fork);
        }
        if !entry.signed_by(&self.admin_key) {
            return Err(RosterError::Signature);
        }
        if entry.number.0 as usize >= ROSTER_ENTRIES_MAX {
            return Err(RosterError::Limit);
        }
        self.apply_operation(&entry.operation, entry.digest())?;
        self.last = entry.number;
        self.last_digest = entry.digest();
        Ok(())
    }

    fn apply_operation(
        &mut self,
        operation: &Operation,
        digest: Digest,
    ) -> Result<(), RosterError> {
        match operation {
            Operation::Genesis { .. } => return Err(RosterError::Meaning),
            Operation::Add { keys, consent } => self.add(keys, consent, digest)?,
            Operation::Rotate { rotation } => self.rotate(rotation)?,
            Operation::Revoke { device, last, last_digest, rotation } => {
                let live = self.members.get(device).is_some_and(|member| member.revoked.is_none());
                if !live || rotation.wraps.iter().any(|wrap| wrap.device == *device) {
                    return Err(RosterError::Meaning);
                }
                self.rotate(rotation)?;
                if let Some(member) = self.members.get_mut(device) {
                    member.revoked = Some((*last, *last_digest));
                }
            }
            Operation::MinVersion { version } => {
                if *version < self.min_version {
                    return Err(RosterError::Meaning);
                }
                self.min_version = *version;
            }
            Operation::Recovery { recovery, .. } => self.recovery = recovery.clone(),
        }
        Ok(())
    }

    fn add(
        &mut self,
        keys: &DeviceKeys,
        consent: &[u8; SIGNATURE_LEN],
        added: Digest,
    ) -> Result<(), RosterError> {
        let consent_bytes = keys.consent_bytes(self.vault);
        if !verify_digest(&keys.signing_key, MEMBER_SIGNATURE_LABEL, &consent_bytes, consent) {
            return Err(RosterError::Signature);
        }
        if self.members.len() >= DEVICES_MAX {
            return Err(RosterError::Limit);
        }
        if self.members.contains_key(&keys.device_id()) {
            return Err(RosterError::Meaning);
        }
        let member = Member { keys: keys.clone(), added, revoked: None };
        self.members.insert(keys.device_id(), member);
        Ok(())
    }

    fn rotate(&mut self, rotation: &Rotation) -> Result<(), RosterError> {
        let doubled = self.rotations.iter().any(|known| known.key_id == rotation.key_id);
        if rotation.epoch as usize != self.rotations.len() || doubled {
            return Err(RosterError::Meaning);
        }
        self.rotations.push(rotation.clone());
        Ok(())
    }

    /// The vault this is the roster of.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The key that signs entries.
    #[must_use]
    pub fn admin_key(&self) -> &[u8; 32] {
        &self.admin_key
    }

    /// The recovery words' public side.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryKeys {
        &self.recovery
    }

    /// The oldest format a member may write.
    #[must_use]
    pub fn min_version(&self) -> u32 {
        self.min_version
    }

    /// Number of the last entry.
    #[must_use]
    pub fn last(&self) -> RosterNumber {
        self.last
    }

    /// Digest of the last entry.
    #[must_use]
    pub fn last_digest(&self) -> Digest {
        self.last_digest
    }

    /// A device, whether revoked or not.
    #[must_use]
    pub fn member(&self, device: DeviceId) -> Option<&Member> {
        self.members.get(&device)
    }

    /// All devices ever admitted.
    pub fn members(&self) -> impl Iterator<Item = (DeviceId, &Member)> {
        self.members.iter().map(|(device, member)| (*device, member))
    }

    /// Devices that are not revoked.
    pub fn live_members(&self) -> impl Iterator<Item = (DeviceId, &Member)> {
        self.members().filter(|(_, member)| member.revoked.is_none())
    }

    /// The epochs, oldest first.
    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }
}
