//! The vault's own keys: what opens this store, locking it, and the fingerprint two people compare.

use std::mem;

use selkie_core::keys::roster::admin_key_from_recovery;
use selkie_core::keys::{AdminKey, KdfParameters};

use super::Vault;
use crate::fingerprint::Fingerprint;
use crate::store::Database;
use crate::system::SystemRandom;
use crate::unlock::{OwnedCredential, Unlock};
use crate::{Error, ErrorKind};

impl Vault {
    /// Makes another passphrase open this store. `old` is the passphrase of before, or the recovery
    /// words. Cut off at any moment, the old or the new one opens it. It revokes nobody: who has an
    /// old copy of the two files and the old passphrase can read that copy. Other devices keep theirs.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`], also for a key of the app's own, which administers nothing;
    /// [`ErrorKind::InvalidInput`] for an empty passphrase; [`ErrorKind::Storage`].
    pub fn change_passphrase(&self, old: Unlock<'_>, new: &str) -> Result<(), Error> {
        let old = OwnedCredential::new(old)?;
        let new = OwnedCredential::new(Unlock::Passphrase(new))?;
        let Some(new) = new.passphrase() else { return Err(not_a_passphrase()) };
        let slots = self.files().read_slots()?;
        let parameters = KdfParameters::RECOMMENDED;
        let random = &mut SystemRandom;
        let bytes = slots.replace_passphrase(&old.as_credential(), new, parameters, random)?;
        self.files().replace_slots(&bytes)
    }

    /// Lets a key of the app's own open this store as well (kept in the system's keystore, for
    /// example), or, with `None`, no such key any more. It never administers the vault.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`]; also if nothing would be left that opens the store.
    pub fn set_key(&self, unlock: Unlock<'_>, key: Option<&[u8; 32]>) -> Result<(), Error> {
        let credential = OwnedCredential::new(unlock)?;
        let slots = self.files().read_slots()?;
        let bytes = slots.set_caller_key(&credential.as_credential(), key, &mut SystemRandom)?;
        self.files().replace_slots(&bytes)
    }

    /// Lets the vault's recovery words open this store too. A store that made its vault, or was
    /// recovered, has this from the start; one that joined has not, since nobody typed the words there.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`] if the words are not the vault's, or `unlock` does not administer;
    /// [`ErrorKind::InvalidInput`] for words that are none.
    pub fn enable_recovery(&self, unlock: Unlock<'_>, words: &str) -> Result<(), Error> {
        let OwnedCredential::Recovery(code) = OwnedCredential::new(Unlock::RecoveryWords(words))?
        else {
            return Err(not_a_passphrase());
        };
        let identity = self.database().identity()?;
        admin_key_from_recovery(&identity.roster, &code)?;
        let credential = OwnedCredential::new(unlock)?;
        let slots = self.files().read_slots()?;
        let bytes =
            slots.replace_recovery(&credential.as_credential(), &code, &mut SystemRandom)?;
        self.files().replace_slots(&bytes)
    }

    /// Closes the store and wipes its keys from memory. Every later call gives
    /// [`ErrorKind::Locked`], in all clones of this vault, until [`unlock`](Self::unlock). Documents
    /// that the app itself holds are its own.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] if the write-ahead log could not be closed; the store is locked then
    /// too, and nothing is lost.
    pub fn lock(&self) -> Result<(), Error> {
        let locked = Database::locked()?;
        let open = mem::replace(&mut *self.database(), locked);
        self.readers().lock();
        open.close_wiping()
    }

    /// Opens a locked store again. Does nothing more to one that is open than checking the
    /// credential.
    ///
    /// # Errors
    /// As [`open`](Self::open); the store stays as it was.
    pub fn unlock(&self, unlock: Unlock<'_>) -> Result<(), Error> {
        let credential = OwnedCredential::new(unlock)?;
        let (database, _) = self.files().open(&credential)?;
        if database.identity()?.roster.vault() != self.id() {
            return Err(Error::new(ErrorKind::Storage, "another store lies there now"));
        }
        let mut current = self.database();
        if current.is_locked() {
            self.readers().open_as(&database);
            *current = database;
        }
        Ok(())
    }

    /// Whether the store is locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.database().is_locked()
    }

    /// Words (and a text for a QR code) that are equal on two devices exactly if both know the same
    /// vault with the same members. Two people compare them to find a relay that shows each of them
    /// another roster.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`], [`ErrorKind::Locked`].
    pub fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Ok(Fingerprint::of(&self.database().identity()?.roster))
    }

    /// The key that signs roster entries. Recovery words are held against the roster and not this
    /// store's slot, so that words which were replaced administer nothing.
    pub(crate) fn admin_key(&self, unlock: Unlock<'_>) -> Result<AdminKey, Error> {
        let credential = OwnedCredential::new(unlock)?;
        if let OwnedCredential::Recovery(code) = &credential {
            let identity = self.database().identity()?;
            return Ok(admin_key_from_recovery(&identity.roster, code)?);
        }
        Ok(self.files().read_slots()?.unlock_admin(&credential.as_credential())?)
    }
}

fn not_a_passphrase() -> Error {
    Error::new(ErrorKind::InvalidInput, "this is no passphrase")
}
