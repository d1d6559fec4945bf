//! What opens a store, as Python hands it over.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};
use selkie::Unlock;
use zeroize::Zeroizing;

use crate::errors::invalid;

/// A passphrase, 32 bytes, or recovery words; our copy is wiped when dropped, Python's cannot be.
pub enum Key {
    Passphrase(Zeroizing<String>),
    Words(Zeroizing<String>),
    Bytes(Zeroizing<[u8; 32]>),
}

impl Key {
    /// Reads `user_key` or, in its place, `recovery_words`.
    pub fn new(key: Option<&Bound<'_, PyAny>>, words: Option<&str>) -> PyResult<Self> {
        match (key, words) {
            (Some(key), None) => Self::of_user(key),
            (None, Some(words)) => Ok(Self::Words(Zeroizing::new(words.to_owned()))),
            _ => Err(invalid("give either user_key or recovery_words")),
        }
    }

    fn of_user(key: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = key.cast::<PyString>() {
            let text = text.to_str().map_err(|_| invalid("the passphrase is not valid Unicode"))?;
            return Ok(Self::Passphrase(Zeroizing::new(text.to_owned())));
        }
        let bytes = if let Ok(bytes) = key.cast::<PyBytes>() {
            Zeroizing::new(bytes.as_bytes().to_vec())
        } else if let Ok(bytes) = key.cast::<PyByteArray>() {
            Zeroizing::new(bytes.to_vec())
        } else {
            return Err(invalid("user_key is a passphrase (str) or a key of 32 bytes"));
        };
        let key = <[u8; 32]>::try_from(bytes.as_slice());
        key.map(|key| Self::Bytes(Zeroizing::new(key)))
            .map_err(|_| invalid("a key has exactly 32 bytes; a passphrase is a str"))
    }

    /// The same in the library's words.
    pub fn unlock(&self) -> Unlock<'_> {
        match self {
            Self::Passphrase(text) => Unlock::Passphrase(text),
            Self::Words(words) => Unlock::RecoveryWords(words),
            Self::Bytes(key) => Unlock::Key(key),
        }
    }
}
