//! Opening a slot. Reads only: a wrong key changes nothing, and nothing counts attempts.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::create::{admin_associated, store_associated};
use super::format::{KIND_CALLER, KIND_PASSPHRASE, KIND_RECOVERY, PassphraseSlot};
use super::{Credential, KeySlots, SlotError};
use crate::keys::aead::{WRAPPED_LEN, unwrap};
use crate::keys::derive::{self, authenticate, derive};
use crate::keys::secret::{AdminKey, StoreKey};

/// One wrapped key, with what opens it.
struct Lock<'a> {
    key: Zeroizing<[u8; 32]>,
    associated: Vec<u8>,
    wrapped: &'a [u8; WRAPPED_LEN],
}

impl Lock<'_> {
    fn open(&self) -> Result<Zeroizing<[u8; 32]>, SlotError> {
        // A wrong key and a changed slot look the same, on purpose.
        unwrap(&self.key, &self.associated, self.wrapped).map_err(|_| SlotError::WrongKey)
    }
}

impl KeySlots {
    /// Opens the store key, then checks the whole file under it.
    ///
    /// # Errors
    /// [`SlotError::WrongKey`]; [`SlotError::NoSlot`]; [`SlotError::Damaged`] if the key is right
    /// and other bytes of the file were changed; [`SlotError::Kdf`].
    pub fn unlock(&self, credential: &Credential<'_>) -> Result<StoreKey, SlotError> {
        let (store, _) = self.locks(credential)?;
        self.open_store(&store)
    }

    /// Opens the admin key. Ask for the credential each time; do not keep the key.
    ///
    /// # Errors
    /// As [`unlock`](Self::unlock); [`SlotError::NoAdminKey`] for a caller's own key.
    pub fn unlock_admin(&self, credential: &Credential<'_>) -> Result<AdminKey, SlotError> {
        self.unlock_both(credential).map(|(_, admin)| admin)
    }

    pub(super) fn unlock_both(
        &self,
        credential: &Credential<'_>,
    ) -> Result<(StoreKey, AdminKey), SlotError> {
        let (store, admin) = self.locks(credential)?;
        let store_key = self.open_store(&store)?;
        let admin = admin.ok_or(SlotError::NoAdminKey)?;
        Ok((store_key, AdminKey::from_bytes(*admin.open()?)))
    }

    fn open_store(&self, lock: &Lock<'_>) -> Result<StoreKey, SlotError> {
        let store_key = StoreKey::from_bytes(*lock.open()?);
        let mac_key = store_key.derive_slots_mac_key(&self.store_id.0);
        let mac = authenticate(&mac_key, &self.authenticated_bytes());
        if bool::from(mac.ct_eq(&self.mac)) { Ok(store_key) } else { Err(SlotError::Damaged) }
    }

    /// The locks on store and admin key that `credential` may open. Runs Argon2id once.
    fn locks(
        &self,
        credential: &Credential<'_>,
    ) -> Result<(Lock<'_>, Option<Lock<'_>>), SlotError> {
        let id = self.store_id;
        match credential {
            Credential::Passphrase(passphrase) => {
                let slot = self.passphrase.as_ref().ok_or(SlotError::NoSlot)?;
                let stretched = passphrase.derive_key(&slot.salt, slot.parameters)?;
                let kdf = PassphraseSlot::kdf_bytes(slot.parameters, &slot.salt);
                let store = Lock {
                    key: derive(&stretched, derive::PASSPHRASE_STORE, &[&id.0]),
                    associated: store_associated(id, KIND_PASSPHRASE, &kdf),
                    wrapped: &slot.store,
                };
                let admin = Lock {
                    key: derive(&stretched, derive::PASSPHRASE_ADMIN, &[&id.0]),
                    associated: admin_associated(id, KIND_PASSPHRASE, &kdf),
                    wrapped: &slot.admin,
                };
                Ok((store, Some(admin)))
            }
            Credential::Recovery(code) => {
                let slot = self.recovery.as_ref().ok_or(SlotError::NoSlot)?;
                let store = Lock {
                    key: code.derive_slot_store_key(&id.0),
                    associated: store_associated(id, KIND_RECOVERY, &[]),
                    wrapped: &slot.store,
                };
                let admin = Lock {
                    key: code.derive_slot_admin_key(&id.0),
                    associated: admin_associated(id, KIND_RECOVERY, &[]),
                    wrapped: &slot.admin,
                };
                Ok((store, Some(admin)))
            }
            Credential::CallerKey(key) => {
                let slot = self.caller.as_ref().ok_or(SlotError::NoSlot)?;
                let store = Lock {
                    key: derive(key, derive::CALLER_STORE, &[&id.0]),
                    associated: store_associated(id, KIND_CALLER, &[]),
                    wrapped: &slot.store,
                };
                Ok((store, None))
            }
        }
    }
}
