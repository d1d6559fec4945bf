//! Keys: from a passphrase, recovery words or a pairing code to the keys that seal and sign.
//!
//! In: what a person types or an app hands over, random bytes, roster entries. Out: typed keys,
//! a key-slot file, signed roster entries, pairing messages; all as bytes or values for the caller
//! to store and send. What never happens here: I/O, a clock, global randomness; a key in an error,
//! a log line or `Debug`; a copy of a key that is not wiped; trial decryption.
//!
//! Layouts and every derivation label are specified in `docs/FORMAT.md`.

pub(crate) mod aead;
pub(crate) mod derive;
pub mod device;
mod kem;
pub mod pairing;
pub mod passphrase;
pub mod recovery;
pub mod roster;
pub mod secret;
pub mod slots;

pub use device::{DeviceSecrets, DeviceSecretsError};
pub use pairing::{
    Grant, JoinRequest, Joiner, PairingCode, PairingCodeError, PairingError, SixDigits, Sponsor,
};
pub use passphrase::{KdfError, KdfParameters, Passphrase, PassphraseError};
pub use recovery::{RecoveryCode, RecoveryCodeError, fingerprint_words};
pub use secret::{AdminKey, DatabaseKey, EpochKey, StoreKey, UserShareKey};
pub use slots::{Credential, KeySlots, SlotError, StoreId};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
