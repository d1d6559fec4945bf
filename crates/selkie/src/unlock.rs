//! What opens a store, as a caller hands it over.

use std::fmt;

use selkie_core::keys::{Credential, Passphrase, RecoveryCode};
use zeroize::Zeroizing;

use crate::Error;

/// What opens a store. Nothing of it is kept after the call it is passed to.
#[derive(Clone, Copy)]
pub enum Unlock<'a> {
    /// What the user chose.
    Passphrase(&'a str),
    /// The 24 words shown when the vault was made.
    RecoveryWords(&'a str),
    /// 32 random bytes that the app keeps itself, in the system's keystore for example. Opens the
    /// store, and administers nothing: inviting a device still asks for passphrase or words.
    Key(&'a [u8; 32]),
}

impl fmt::Debug for Unlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unlock(<redacted>)")
    }
}

/// An [`Unlock`] in the core's terms; wiped when dropped.
pub(crate) enum OwnedCredential {
    Passphrase(Passphrase),
    Recovery(RecoveryCode),
    Key(Zeroizing<[u8; 32]>),
}

impl OwnedCredential {
    pub(crate) fn new(unlock: Unlock<'_>) -> Result<Self, Error> {
        Ok(match unlock {
            Unlock::Passphrase(text) => Self::Passphrase(Passphrase::new(text)?),
            Unlock::RecoveryWords(words) => Self::Recovery(RecoveryCode::from_words(words)?),
            Unlock::Key(key) => Self::Key(Zeroizing::new(*key)),
        })
    }

    pub(crate) fn as_credential(&self) -> Credential<'_> {
        match self {
            Self::Passphrase(passphrase) => Credential::Passphrase(passphrase),
            Self::Recovery(code) => Credential::Recovery(code),
            Self::Key(key) => Credential::CallerKey(key),
        }
    }

    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        if let Self::Passphrase(passphrase) = self { Some(passphrase) } else { None }
    }

    pub(crate) fn key(&self) -> Option<&[u8; 32]> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }
}

/// The 24 words that open the store a vault was made with when its passphrase is lost. Show them
/// once; wiped when dropped.
pub struct RecoveryWords(pub(crate) Zeroizing<String>);

impl RecoveryWords {
    /// The words, with single spaces between.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecoveryWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryWords(<redacted>)")
    }
}
