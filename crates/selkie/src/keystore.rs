//! The system's keystore, as an app hands it over: it keeps a key that opens this device's store.

use std::fmt;

use selkie_core::keys::{AdminKey, Credential, KeySlots};
use zeroize::Zeroizing;

use crate::store::StoreFiles;
use crate::system::SystemRandom;
use crate::unlock::{OwnedCredential, Unlock};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// A keystore of the system (Keychain, Keystore, Credential Manager, …), or anything like it. What it
/// keeps opens one store on one device, and administers nothing.
///
/// ```
/// use std::collections::HashMap;
///
/// use selkie::{KeyStore, KeyStoreError, Unlock, Vault};
/// use zeroize::Zeroizing;
///
/// #[derive(Default)]
/// struct InMemory(HashMap<String, [u8; 32]>);
///
/// impl KeyStore for InMemory {
///     fn store(&mut self, name: &str, secret: &[u8; 32]) -> Result<(), KeyStoreError> {
///         self.0.insert(name.to_owned(), *secret);
///         Ok(())
///     }
///     fn load(&mut self, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
///         self.0.get(name).map(|key| Zeroizing::new(*key)).ok_or(KeyStoreError::Invalidated)
///     }
///     fn delete(&mut self, name: &str) -> Result<(), KeyStoreError> {
///         self.0.remove(name);
///         Ok(())
///     }
/// }
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let passphrase = Unlock::Passphrase("seals sleep under water");
/// let vault = Vault::create(&path, passphrase)?.vault;
/// let mut keystore = InMemory::default();
/// vault.remember(passphrase, &mut keystore)?;
/// drop(vault);
/// let vault = Vault::open_remembered(&path, &mut keystore)?;
/// vault.forget(&mut keystore)?;
/// assert!(Vault::open_remembered(&path, &mut keystore).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait KeyStore {
    /// Keeps a secret under a name; replaces one that is there.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn store(&mut self, name: &str, secret: &[u8; 32]) -> Result<(), KeyStoreError>;

    /// Gives a secret back. It may ask the person (a fingerprint, the system's password).
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn load(&mut self, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyStoreError>;

    /// Forgets a secret; one that is not there is no error.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn delete(&mut self, name: &str) -> Result<(), KeyStoreError>;
}

/// Why a keystore did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// It is locked, or the person did not confirm: ask again later. Its secrets are still there.
    Locked,
    /// It has no such secret any more: never stored, removed, or made invalid by the system (another
    /// fingerprint was added). Ask for the passphrase, and remember anew.
    Invalidated,
    /// There is no keystore here, or it failed, and why.
    Unavailable(String),
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("the system's keystore is locked; unlock it and try again"),
            Self::Invalidated => f.write_str(
                "the system's keystore has no key of this store; open it with the passphrase",
            ),
            Self::Unavailable(why) => write!(f, "there is no keystore to use here ({why})"),
        }
    }
}

impl std::error::Error for KeyStoreError {}

impl From<KeyStoreError> for Error {
    fn from(error: KeyStoreError) -> Self {
        let kind = match error {
            KeyStoreError::Locked => ErrorKind::Locked,
            KeyStoreError::Invalidated => ErrorKind::WrongKey,
            KeyStoreError::Unavailable(_) => ErrorKind::Storage,
        };
        Self::new(kind, error.to_string())
    }
}

/// The name of a store's secret: random, and of no meaning elsewhere.
fn name_of(slots: &KeySlots) -> String {
    let id: String = slots.store_id().0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("selkie-store-{id}")
}

impl Vault {
    /// Puts a new random key into a keystore, and lets it open this store. A key of the app's own
    /// ([`set_key`](Self::set_key)) is replaced by it.
    ///
    /// # Errors
    /// As [`set_key`](Self::set_key); what the keystore says. Nothing has changed then.
    pub fn remember(&self, unlock: Unlock<'_>, keystore: &mut dyn KeyStore) -> Result<(), Error> {
        let credential = OwnedCredential::new(unlock)?;
        let slots = self.files().read_slots()?;
        // A typed key, so that it is wiped; it signs nothing here.
        let key = AdminKey::generate(&mut SystemRandom)?;
        let credential = credential.as_credential();
        let bytes = slots.set_caller_key(&credential, Some(key.expose()), &mut SystemRandom)?;
        keystore.store(&name_of(&slots), key.expose())?;
        self.files().replace_slots(&bytes)
    }

    /// Opens a store by the key that a keystore has of it.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`]: ask again when the keystore is unlocked. [`ErrorKind::WrongKey`]: it has
    /// no key of this store, or an old one; ask for the passphrase. As [`open`](Self::open).
    pub fn open_remembered(
        path: impl AsRef<std::path::Path>,
        keystore: &mut dyn KeyStore,
    ) -> Result<Self, Error> {
        let files = StoreFiles::at(path.as_ref());
        let key = keystore.load(&name_of(&files.read_slots()?))?;
        let (database, _) = files.open(&OwnedCredential::Key(key))?;
        Self::from_parts(files, database)
    }

    /// Removes this store's key from a keystore, and its way into the store.
    ///
    /// # Errors
    /// What the keystore says; [`ErrorKind::WrongKey`] if nothing else would open the store.
    pub fn forget(&self, keystore: &mut dyn KeyStore) -> Result<(), Error> {
        let slots = self.files().read_slots()?;
        let name = name_of(&slots);
        match keystore.load(&name) {
            Ok(key) => {
                let credential = Credential::CallerKey(&key);
                let bytes = slots.set_caller_key(&credential, None, &mut SystemRandom)?;
                self.files().replace_slots(&bytes)?;
            }
            // Gone already: its slot opens to nobody.
            Err(KeyStoreError::Invalidated) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        Ok(keystore.delete(&name)?)
    }
}
