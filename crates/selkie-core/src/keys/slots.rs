//! The key-slot file: the store key, wrapped once for each way to unlock, beside the database.

mod create;
mod format;
mod unlock;

use core::fmt;

pub use format::StoreId;
use format::{CallerSlot, PassphraseSlot, RecoverySlot};

use crate::keys::aead::WrapError;
use crate::keys::passphrase::{KdfError, Passphrase};
use crate::keys::recovery::RecoveryCode;
use crate::ports::RandomError;

/// The parsed key-slot file. Holds nothing secret: every key in it is wrapped.
///
/// ```
/// use selkie_core::keys::{
///     AdminKey, Credential, KdfParameters, KeySlots, Passphrase, RecoveryCode, SlotError, StoreKey,
/// };
/// use selkie_core::ports::{RandomError, RandomSource};
/// # struct Counter(u8);
/// # impl RandomSource for Counter {
/// #     fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
/// #         for byte in bytes { self.0 = self.0.wrapping_add(1); *byte = self.0; }
/// #         Ok(())
/// #     }
/// # }
/// # let mut random = Counter(0);
/// let (store_key, admin_key) = (StoreKey::from_bytes([1; 32]), AdminKey::from_bytes([2; 32]));
/// let passphrase = Passphrase::new("seals sleep under water").expect("not empty");
/// let code = RecoveryCode::from_bytes([3; 32]);
/// let slots = KeySlots::create(
///     &store_key, &admin_key, Some(&passphrase), Some(&code), None,
///     KdfParameters::FLOOR, &mut random,
/// )?;
/// let file = slots.to_bytes();
/// let slots = KeySlots::parse(&file)?;
/// assert_eq!(slots.unlock(&Credential::Passphrase(&passphrase))?.expose(), store_key.expose());
/// assert_eq!(slots.unlock_admin(&Credential::Recovery(&code))?.expose(), admin_key.expose());
/// # Ok::<(), SlotError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlots {
    store_id: StoreId,
    passphrase: Option<PassphraseSlot>,
    recovery: Option<RecoverySlot>,
    caller: Option<CallerSlot>,
    mac: [u8; 32],
}

/// What opens a store.
pub enum Credential<'a> {
    /// The passphrase: store and admin key.
    Passphrase(&'a Passphrase),
    /// The recovery words: store and admin key.
    Recovery(&'a RecoveryCode),
    /// A random key the app keeps itself, in the system's keystore for example: store key only, so
    /// that an unlocked stolen phone administers nothing.
    CallerKey(&'a [u8; 32]),
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(<redacted>)",
            Self::Recovery(_) => "Recovery(<redacted>)",
            Self::CallerKey(_) => "CallerKey(<redacted>)",
        })
    }
}

/// Why a key-slot file could not be made, read or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotError {
    /// The passphrase, the words or the key are not the ones: ask again. Nothing has changed, and
    /// no attempt is counted.
    WrongKey,
    /// The file has no slot of this kind, or none was given to make: offer another way to unlock.
    NoSlot,
    /// This credential opens the store, but not the admin key: ask for the passphrase or the words.
    NoAdminKey,
    /// The bytes were changed or cut: restore the file from a backup, or recover by words.
    Damaged,
    /// Written by a newer version: update the app.
    TooNew,
    /// The passphrase could not be stretched; see there.
    Kdf(KdfError),
    /// No randomness: retry later. Nothing was made.
    Random(RandomError),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey => f.write_str("this does not unlock the store"),
            Self::NoSlot => f.write_str("the store has no such way to unlock it"),
            Self::NoAdminKey => f.write_str("this needs the passphrase or the recovery code"),
            Self::Damaged => f.write_str("the key-slot file is damaged"),
            Self::TooNew => f.write_str("the key-slot file is of a newer version; update the app"),
            Self::Kdf(error) => write!(f, "{error}"),
            Self::Random(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for SlotError {}

impl From<KdfError> for SlotError {
    fn from(error: KdfError) -> Self {
        Self::Kdf(error)
    }
}

impl From<RandomError> for SlotError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<WrapError> for SlotError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::Random(error) => Self::Random(error),
            WrapError::Cipher => Self::Damaged,
        }
    }
}

impl KeySlots {
    /// The store this file belongs to; the same id is kept inside the database, so that a file
    /// copied from another store is noticed.
    #[must_use]
    pub const fn store_id(&self) -> StoreId {
        self.store_id
    }

    /// Whether a passphrase can open the store.
    #[must_use]
    pub const fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Whether recovery words can.
    #[must_use]
    pub const fn has_recovery(&self) -> bool {
        self.recovery.is_some()
    }

    /// Whether a key of the caller can.
    #[must_use]
    pub const fn has_caller_key(&self) -> bool {
        self.caller.is_some()
    }
}

#[cfg(test)]
mod tests;
