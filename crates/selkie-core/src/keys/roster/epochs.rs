//! Reading one's own epoch keys out of a roster, back to the first.

use core::fmt;

use selkie_wire::roster::Rotation;
use selkie_wire::{Roster, VaultId};
use subtle::ConstantTimeEq;

use super::{admin_associated, previous_associated, recovery_wrap_info, wrap_info};
use crate::keys::aead::unwrap;
use crate::keys::device::DeviceSecrets;
use crate::keys::recovery::RecoveryCode;
use crate::keys::secret::{AdminKey, EpochKey};

/// Why keys could not be read out of a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EpochError {
    /// A wrap for this reader does not open: its maker sealed something else (epoch named).
    Wrap(u32),
    /// A key opened, and is not the one the roster commits to (epoch named). Its maker is broken
    /// or hostile; the key must not be used.
    Commitment(u32),
    /// These recovery words are not the vault's, or no longer.
    WrongCode,
    /// The sealed admin key does not open, or is not the key that signs the roster.
    AdminKey,
}

impl fmt::Display for EpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrap(epoch) => write!(f, "the key of epoch {epoch} does not open"),
            Self::Commitment(epoch) => write!(f, "the key of epoch {epoch} is not the one named"),
            Self::WrongCode => f.write_str("the recovery code does not belong to this vault"),
            Self::AdminKey => f.write_str("the sealed admin key does not open"),
        }
    }
}

impl core::error::Error for EpochError {}

/// The epoch keys that `device` can read, oldest first, each checked against its commitment. A
/// device added since the last rotation finds none here; it has them from its pairing grant.
///
/// # Errors
/// [`EpochError::Wrap`] or [`EpochError::Commitment`].
pub fn epoch_keys(
    roster: &Roster,
    device: &DeviceSecrets,
) -> Result<Vec<(u32, EpochKey)>, EpochError> {
    let (vault, id) = (roster.vault(), device.device_id());
    walk(roster, |rotation| {
        let wrap = rotation.wraps.iter().find(|wrap| wrap.device == id)?;
        let info = wrap_info(vault, rotation.epoch, id);
        let opened = device.open_sealed(None, &info, &rotation.key_id.0, &wrap.sealed);
        Some(opened.ok().and_then(|key| epoch_key(&key)))
    })
}

/// The epoch keys that the recovery words open, oldest first: all of them.
///
/// # Errors
/// [`EpochError::WrongCode`], and as [`epoch_keys`].
pub fn epoch_keys_from_recovery(
    roster: &Roster,
    code: &RecoveryCode,
) -> Result<Vec<(u32, EpochKey)>, EpochError> {
    check_code(roster, code)?;
    let seed = code.derive_kem_seed();
    walk(roster, |rotation| {
        let info = recovery_wrap_info(roster.vault(), rotation.epoch);
        let opened = seed.open(None, &info, &rotation.key_id.0, &rotation.recovery_wrap);
        Some(opened.ok().and_then(|key| epoch_key(&key)))
    })
}

/// The admin key, out of the genesis or the last Recovery entry.
///
/// # Errors
/// [`EpochError::WrongCode`] or [`EpochError::AdminKey`].
pub fn admin_key_from_recovery(
    roster: &Roster,
    code: &RecoveryCode,
) -> Result<AdminKey, EpochError> {
    check_code(roster, code)?;
    let recovery = roster.recovery();
    let associated = admin_associated(roster.admin_key(), &recovery.kem_key);
    let key = code.derive_admin_key_encryption_key();
    let seed =
        unwrap(&key, &associated, &recovery.sealed_admin_key).map_err(|_| EpochError::AdminKey)?;
    let admin_key = AdminKey::from_bytes(*seed);
    // The public key is recomputed: a wrap that holds another key would sign for nobody.
    if admin_key.public_key() == *roster.admin_key() {
        Ok(admin_key)
    } else {
        Err(EpochError::AdminKey)
    }
}

/// That each key is the one its epoch commits to, in ascending order, and the last is the current.
pub(crate) fn epochs_commitment(
    roster: &Roster,
    keys: &[(u32, EpochKey)],
) -> Result<(), EpochError> {
    let mut last = None;
    for (epoch, key) in keys {
        let named = roster.rotations().iter().find(|rotation| rotation.epoch == *epoch);
        let right = named.is_some_and(|named| check_commitment(roster.vault(), named, key));
        if !right || last.is_some_and(|last| last >= *epoch) {
            return Err(EpochError::Commitment(*epoch));
        }
        last = Some(*epoch);
    }
    let current = roster.rotations().last().map(|rotation| rotation.epoch);
    if last == current { Ok(()) } else { Err(EpochError::Commitment(current.unwrap_or(0))) }
}

fn check_commitment(vault: VaultId, rotation: &Rotation, key: &EpochKey) -> bool {
    key.derive_key_id(vault).0.ct_eq(&rotation.key_id.0).into()
}

fn check_code(roster: &Roster, code: &RecoveryCode) -> Result<(), EpochError> {
    if code.kem_public_key() == roster.recovery().kem_key {
        Ok(())
    } else {
        Err(EpochError::WrongCode)
    }
}

fn epoch_key(opened: &[u8]) -> Option<EpochKey> {
    opened
        .first_chunk()
        .filter(|key| key.len() == opened.len())
        .map(|key| EpochKey::from_bytes(*key))
}

/// From the last epoch to the first: each key from the one after it, or else from a wrap.
/// `open_wrap` gives nothing if there is no wrap, and `Some(None)` if there is one that is wrong.
fn walk<F>(roster: &Roster, open_wrap: F) -> Result<Vec<(u32, EpochKey)>, EpochError>
where
    F: Fn(&Rotation) -> Option<Option<EpochKey>>,
{
    let vault = roster.vault();
    let mut keys: Vec<(u32, EpochKey)> = Vec::new();
    let mut later: Option<&Rotation> = None;
    for rotation in roster.rotations().iter().rev() {
        let opened = match (later, keys.last()) {
            (Some(later), Some((_, key))) => open_previous(vault, rotation, later, key).map(Some),
            _ => match open_wrap(rotation) {
                Some(opened) => opened.ok_or(EpochError::Wrap(rotation.epoch)).map(Some),
                None => Ok(None),
            },
        }?;
        if let Some(key) = opened {
            if !check_commitment(vault, rotation, &key) {
                return Err(EpochError::Commitment(rotation.epoch));
            }
            keys.push((rotation.epoch, key));
        }
        later = Some(rotation);
    }
    keys.reverse();
    Ok(keys)
}

fn open_previous(
    vault: VaultId,
    rotation: &Rotation,
    later: &Rotation,
    later_key: &EpochKey,
) -> Result<EpochKey, EpochError> {
    let associated = previous_associated(vault, later.epoch, rotation.key_id, later.key_id);
    let key = later_key.derive_previous_epoch_key(vault, later.epoch);
    unwrap(&key, &associated, &later.previous_key)
        .map(|secret| EpochKey::from_bytes(*secret))
        .map_err(|_| EpochError::Wrap(rotation.epoch))
}
