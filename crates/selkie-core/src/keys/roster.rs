//! Writing the roster: entries signed by the admin key, and the epoch keys wrapped in them.
//!
//! `selkie_wire::roster` verifies. Each entry made here is applied to a copy of the roster first,
//! so that an entry other devices would refuse is an error here and never sent.

mod author;
mod epochs;

use core::fmt;

pub use author::{
    NewVault, add_device, create_vault, raise_min_version, replace_recovery, revoke_device, rotate,
};
pub(crate) use epochs::epochs_commitment;
pub use epochs::{EpochError, admin_key_from_recovery, epoch_keys, epoch_keys_from_recovery};
use selkie_wire::{KeyId, RosterError, VaultId};

use crate::keys::aead::WrapError;
use crate::keys::kem::KemError;
use crate::ports::RandomError;

/// Why a roster entry could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorError {
    /// The admin key is another vault's.
    NotAdmin,
    /// The epoch key given is not the current one: sync first, so that nothing is locked out.
    NotCurrentEpoch,
    /// A device's X-Wing key is none, so nothing could be sealed to it.
    DeviceKeys,
    /// The entry contradicts the roster, for example a device that is in it already.
    Roster(RosterError),
    /// No randomness: retry later.
    Random(RandomError),
    /// The cipher refused; a fault of this library.
    Cipher,
}

impl fmt::Display for AuthorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAdmin => f.write_str("the admin key belongs to another vault"),
            Self::NotCurrentEpoch => {
                f.write_str("the epoch key is not the current one; sync first")
            }
            Self::DeviceKeys => f.write_str("the device's public keys are not valid"),
            Self::Roster(error) => write!(f, "{error}"),
            Self::Random(error) => write!(f, "{error}"),
            Self::Cipher => f.write_str("the roster entry could not be sealed"),
        }
    }
}

impl core::error::Error for AuthorError {}

impl From<RosterError> for AuthorError {
    fn from(error: RosterError) -> Self {
        Self::Roster(error)
    }
}

impl From<RandomError> for AuthorError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<KemError> for AuthorError {
    fn from(error: KemError) -> Self {
        match error {
            KemError::Random(error) => Self::Random(error),
            KemError::PublicKey => Self::DeviceKeys,
            KemError::Open | KemError::Seal => Self::Cipher,
        }
    }
}

impl From<WrapError> for AuthorError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::Random(error) => Self::Random(error),
            WrapError::Cipher => Self::Cipher,
        }
    }
}

/// HPKE info of an epoch key sealed to a device.
fn wrap_info(vault: VaultId, epoch: u32, device: selkie_wire::DeviceId) -> Vec<u8> {
    [b"selkie/1/epoch-wrap\0", &vault.0[..], &epoch.to_le_bytes(), &device.0].concat()
}

/// HPKE info of an epoch key sealed to the recovery words.
fn recovery_wrap_info(vault: VaultId, epoch: u32) -> Vec<u8> {
    [b"selkie/1/epoch-wrap-recovery\0", &vault.0[..], &epoch.to_le_bytes()].concat()
}

/// Associated data of an epoch key sealed under the one after it.
fn previous_associated(vault: VaultId, epoch: u32, previous: KeyId, current: KeyId) -> Vec<u8> {
    let label = b"selkie/1/previous-epoch\0";
    [&label[..], &vault.0, &epoch.to_le_bytes(), &previous.0, &current.0].concat()
}

/// Associated data of the admin key sealed under the recovery words.
fn admin_associated(admin_public_key: &[u8; 32], recovery_kem_key: &[u8]) -> Vec<u8> {
    let kem_digest = selkie_wire::Digest::of(recovery_kem_key);
    [b"selkie/1/recovery-admin\0", &admin_public_key[..], &kem_digest.0].concat()
}

#[cfg(test)]
mod tests;
