//! Making slots, and replacing them; the caller replaces the file.

use super::format::{
    CallerSlot, KIND_CALLER, KIND_PASSPHRASE, KIND_RECOVERY, PassphraseSlot, RecoverySlot, StoreId,
    header,
};
use super::{Credential, KeySlots, SlotError};
use crate::keys::aead::wrap;
use crate::keys::derive::{self, authenticate, derive};
use crate::keys::passphrase::{KdfParameters, Passphrase};
use crate::keys::recovery::RecoveryCode;
use crate::keys::secret::{AdminKey, StoreKey};
use crate::ports::RandomSource;

/// First bytes of the associated data of a wrapped store key.
const STORE_LABEL: &[u8] = b"selkie/1/slot-store\0";
/// First bytes of the associated data of a wrapped admin key.
const ADMIN_LABEL: &[u8] = b"selkie/1/slot-admin\0";

pub(super) fn store_associated(store_id: StoreId, kind: u8, kdf: &[u8]) -> Vec<u8> {
    [STORE_LABEL, &header(store_id), &[kind], kdf].concat()
}

pub(super) fn admin_associated(store_id: StoreId, kind: u8, kdf: &[u8]) -> Vec<u8> {
    [ADMIN_LABEL, &header(store_id), &[kind], kdf].concat()
}

impl KeySlots {
    /// Makes the file of a new store, with a slot for each credential given.
    ///
    /// # Errors
    /// [`SlotError::NoSlot`] if no credential is given, [`SlotError::Kdf`],
    /// [`SlotError::Random`].
    pub fn create(
        store_key: &StoreKey,
        admin_key: &AdminKey,
        passphrase: Option<&Passphrase>,
        recovery: Option<&RecoveryCode>,
        caller_key: Option<&[u8; 32]>,
        parameters: KdfParameters,
        random: &mut dyn RandomSource,
    ) -> Result<Self, SlotError> {
        if passphrase.is_none() && recovery.is_none() && caller_key.is_none() {
            return Err(SlotError::NoSlot);
        }
        let store_id = StoreId(random.draw()?);
        let mut slots =
            Self { store_id, passphrase: None, recovery: None, caller: None, mac: [0; 32] };
        if let Some(passphrase) = passphrase {
            let keys = (store_key, admin_key);
            slots.passphrase =
                Some(passphrase_slot(store_id, keys, passphrase, parameters, random)?);
        }
        if let Some(code) = recovery {
            slots.recovery = Some(recovery_slot(store_id, (store_key, admin_key), code, random)?);
        }
        if let Some(caller_key) = caller_key {
            slots.caller = Some(caller_slot(store_id, store_key, caller_key, random)?);
        }
        slots.authenticate(store_key);
        Ok(slots)
    }

    /// The bytes of a file in which `new` has taken the old passphrase's place; other slots stay.
    /// The old file stays valid until the caller has replaced it by these bytes, atomically. A new
    /// passphrase revokes nobody: whoever had the old file and passphrase still has the store key.
    ///
    /// # Errors
    /// As [`unlock_admin`](Self::unlock_admin) for `old`, which must be a passphrase or recovery
    /// words; [`SlotError::Kdf`], [`SlotError::Random`].
    pub fn replace_passphrase(
        &self,
        old: &Credential<'_>,
        new: &Passphrase,
        parameters: KdfParameters,
        random: &mut dyn RandomSource,
    ) -> Result<Vec<u8>, SlotError> {
        parameters.check()?;
        let (store_key, admin_key) = self.unlock_both(old)?;
        let keys = (&store_key, &admin_key);
        let mut slots = self.clone();
        slots.passphrase = Some(passphrase_slot(self.store_id, keys, new, parameters, random)?);
        slots.authenticate(&store_key);
        Ok(slots.to_bytes())
    }

    /// The bytes of a file in which `new` words have taken the old ones' place, or are there for the
    /// first time. For the vault's own recovery see [`replace_recovery`](crate::keys::roster::replace_recovery).
    ///
    /// # Errors
    /// As [`replace_passphrase`](Self::replace_passphrase).
    pub fn replace_recovery(
        &self,
        credential: &Credential<'_>,
        new: &RecoveryCode,
        random: &mut dyn RandomSource,
    ) -> Result<Vec<u8>, SlotError> {
        let (store_key, admin_key) = self.unlock_both(credential)?;
        let mut slots = self.clone();
        slots.recovery = Some(recovery_slot(self.store_id, (&store_key, &admin_key), new, random)?);
        slots.authenticate(&store_key);
        Ok(slots.to_bytes())
    }

    /// The bytes of a file in which a caller's key opens the store (biometrics were switched on, for
    /// example), or, with `None`, none does any more.
    ///
    /// # Errors
    /// As [`unlock`](Self::unlock) for `credential`; [`SlotError::NoSlot`] if nothing would be left
    /// to open the store with; [`SlotError::Random`].
    pub fn set_caller_key(
        &self,
        credential: &Credential<'_>,
        new: Option<&[u8; 32]>,
        random: &mut dyn RandomSource,
    ) -> Result<Vec<u8>, SlotError> {
        let store_key = self.unlock(credential)?;
        let mut slots = self.clone();
        slots.caller = match new {
            Some(key) => Some(caller_slot(self.store_id, &store_key, key, random)?),
            None => None,
        };
        if slots.passphrase.is_none() && slots.recovery.is_none() && slots.caller.is_none() {
            return Err(SlotError::NoSlot);
        }
        slots.authenticate(&store_key);
        Ok(slots.to_bytes())
    }

    fn authenticate(&mut self, store_key: &StoreKey) {
        let key = store_key.derive_slots_mac_key(&self.store_id.0);
        self.mac = authenticate(&key, &self.authenticated_bytes());
    }
}

fn passphrase_slot(
    store_id: StoreId,
    (store_key, admin_key): (&StoreKey, &AdminKey),
    passphrase: &Passphrase,
    parameters: KdfParameters,
    random: &mut dyn RandomSource,
) -> Result<PassphraseSlot, SlotError> {
    let salt = random.draw()?;
    let stretched = passphrase.derive_key(&salt, parameters)?;
    let kdf = PassphraseSlot::kdf_bytes(parameters, &salt);
    let key = derive(&stretched, derive::PASSPHRASE_STORE, &[&store_id.0]);
    let associated = store_associated(store_id, KIND_PASSPHRASE, &kdf);
    let store = wrap(&key, &associated, store_key.expose(), random)?;
    let key = derive(&stretched, derive::PASSPHRASE_ADMIN, &[&store_id.0]);
    let associated = admin_associated(store_id, KIND_PASSPHRASE, &kdf);
    let admin = wrap(&key, &associated, admin_key.expose(), random)?;
    Ok(PassphraseSlot { parameters, salt, store, admin })
}

fn recovery_slot(
    store_id: StoreId,
    (store_key, admin_key): (&StoreKey, &AdminKey),
    code: &RecoveryCode,
    random: &mut dyn RandomSource,
) -> Result<RecoverySlot, SlotError> {
    let key = code.derive_slot_store_key(&store_id.0);
    let associated = store_associated(store_id, KIND_RECOVERY, &[]);
    let store = wrap(&key, &associated, store_key.expose(), random)?;
    let key = code.derive_slot_admin_key(&store_id.0);
    let associated = admin_associated(store_id, KIND_RECOVERY, &[]);
    let admin = wrap(&key, &associated, admin_key.expose(), random)?;
    Ok(RecoverySlot { store, admin })
}

fn caller_slot(
    store_id: StoreId,
    store_key: &StoreKey,
    caller_key: &[u8; 32],
    random: &mut dyn RandomSource,
) -> Result<CallerSlot, SlotError> {
    let key = derive(caller_key, derive::CALLER_STORE, &[&store_id.0]);
    let associated = store_associated(store_id, KIND_CALLER, &[]);
    Ok(CallerSlot { store: wrap(&key, &associated, store_key.expose(), random)? })
}
