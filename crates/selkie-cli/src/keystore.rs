//! The system's keystore: Keychain, Credential Manager, or Linux's kernel keyring.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use selkie::{KeyStore, KeyStoreError};
use zeroize::{Zeroize as _, Zeroizing};

/// Whose entries they are.
const SERVICE: &str = "selkie";

/// The keystore of the system this runs on.
pub struct SystemKeyStore;

impl KeyStore for SystemKeyStore {
    fn store(&mut self, name: &str, secret: &[u8; 32]) -> Result<(), KeyStoreError> {
        entry(name)?.set_secret(secret).map_err(translate)
    }

    fn load(&mut self, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        let mut bytes = entry(name)?.get_secret().map_err(translate)?;
        let secret = bytes.as_slice().try_into().map(Zeroizing::new);
        bytes.zeroize();
        secret.map_err(|_| KeyStoreError::Invalidated)
    }

    fn delete(&mut self, name: &str) -> Result<(), KeyStoreError> {
        match entry(name)?.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            other => other.map_err(translate),
        }
    }
}

fn entry(name: &str) -> Result<Entry, KeyStoreError> {
    #[cfg(target_os = "linux")]
    let store: Arc<CredentialStore> =
        linux_keyutils_keyring_store::Store::new().map_err(translate)?;
    #[cfg(target_os = "macos")]
    let store: Arc<CredentialStore> =
        apple_native_keyring_store::keychain::Store::new().map_err(translate)?;
    #[cfg(target_os = "windows")]
    let store: Arc<CredentialStore> =
        windows_native_keyring_store::Store::new().map_err(translate)?;
    #[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
    let store: Arc<CredentialStore> =
        return Err(KeyStoreError::Unavailable("not on this system".to_owned()));
    Entry::new_in_store(&store, SERVICE, name).map_err(translate)
}

fn translate(error: Error) -> KeyStoreError {
    match error {
        Error::NoEntry => KeyStoreError::Invalidated,
        // The kernel's keyring has no lock that a person could open; it is not given to all processes.
        Error::NoStorageAccess(_) if cfg!(target_os = "linux") => {
            KeyStoreError::Unavailable("the kernel gives this process no keyring".to_owned())
        }
        Error::NoStorageAccess(_) => KeyStoreError::Locked,
        other => KeyStoreError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_keystore_is_told_from_a_key_that_is_gone() {
        let denied = translate(Error::NoStorageAccess("denied".into()));
        assert_eq!(denied == KeyStoreError::Locked, !cfg!(target_os = "linux"), "{denied}");
        assert_eq!(translate(Error::NoEntry), KeyStoreError::Invalidated);
        assert!(matches!(translate(Error::NoDefaultStore), KeyStoreError::Unavailable(_)));
    }
}
