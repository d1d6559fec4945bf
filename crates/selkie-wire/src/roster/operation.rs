//! What an entry does, and the public keys and wraps it carries.

use minicbor::{Decode, Encode};

use super::SIGNATURE_LEN;
use crate::envelope::verify_digest;
use crate::ids::{DeviceId, Digest, KeyId, SegmentNumber, VaultId};

/// What a new device signs to agree to its Add entry.
pub const MEMBER_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/member\0";

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

/// What the recovery words' holder signs (under this label) to publish a [`RecoveryProof`].
pub const RECOVERY_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/recovery\0";

/// Lets a relay give the roster to a device that has nothing but the recovery words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecoveryProof {
    /// Ed25519 key derived from the words; also what a relay finds the vault by.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// Its signature over [`RecoveryKeys::proof_bytes`], so that nobody can point it at another vault.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; SIGNATURE_LEN],
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
    /// How the words prove themselves to a relay; absent in vaults made without it.
    #[n(2)]
    pub proof: Option<RecoveryProof>,
}

impl RecoveryKeys {
    /// What [`RecoveryProof::key`] signs, under [`RECOVERY_SIGNATURE_LABEL`].
    #[must_use]
    pub fn proof_bytes(admin_key: &[u8; 32], kem_key: &[u8]) -> Vec<u8> {
        [&admin_key[..], &Digest::of(kem_key).0].concat()
    }

    /// Whether the proof, if there is one, is signed by its own key for this vault's admin key.
    pub(super) fn is_proved(&self, admin_key: &[u8; 32]) -> bool {
        self.proof.as_ref().is_none_or(|proof| {
            let bytes = Self::proof_bytes(admin_key, &self.kem_key);
            verify_digest(&proof.key, RECOVERY_SIGNATURE_LABEL, &bytes, &proof.signature)
        })
    }
}

/// Where a further chain of a device ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainEnd {
    /// The chain.
    #[n(0)]
    pub chain: DeviceId,
    /// Its last segment that counts.
    #[n(1)]
    pub last: SegmentNumber,
    /// That segment's digest.
    #[n(2)]
    pub last_digest: Digest,
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
        /// Its further chains, and their last segments that count; of others, none does.
        #[n(4)]
        chains: Option<Vec<ChainEnd>>,
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
