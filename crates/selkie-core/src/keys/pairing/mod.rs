//! Pairing: a device that is in the vault (the sponsor) lets another one (the joiner) in.
//!
//! In: a code that went from screen to camera or keyboard, and three messages through a mailbox
//! that anyone may read. Out: messages, six digits to compare, and a [`Grant`]: roster, keys and
//! heads. What never happens here: I/O; a second joiner on one code; a grant before the sponsor
//! has a request it can show; a roster believed because the sponsor sent it.
//!
//! The code's 128 bits are what keeps the relay out: every message is bound to them, so the relay
//! can neither read nor replace one. The six digits catch mix-ups (two pairings at once, the wrong
//! phone); against someone who has seen the code they only help if that person is slow.

mod code;
mod joiner;
mod message;
mod sponsor;

use core::fmt;

pub use code::{PairingCode, PairingCodeError};
pub use joiner::{Grant, Joiner};
use selkie_wire::{Digest, RosterError};
pub use sponsor::{JoinRequest, Sponsor};

use crate::keys::aead::{CipherError, WrapError};
use crate::keys::kem::KemError;
use crate::keys::roster::EpochError;
use crate::ports::RandomError;

/// How long a code is good for.
pub const PAIRING_LIFETIME_MS: u64 = selkie_wire::limits::MAILBOX_TTL_MS;

/// Six digits that both screens show; equal if both saw the same offer and request.
///
/// ```
/// # use selkie_core::keys::*;
/// # fn show(digits: SixDigits) {
/// println!("Compare: {digits}"); // "Compare: 042 917"
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SixDigits(u32);

impl SixDigits {
    pub(crate) fn of(offer: &[u8], request: &[u8]) -> Self {
        let parts = [Digest::of(offer).0, Digest::of(request).0];
        let Digest(hash) = Digest::labelled(b"selkie/1/pairing-digits\0", &[parts.as_flattened()]);
        let number = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        Self((number % 1_000_000) as u32)
    }
}

impl fmt::Display for SixDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Why a pairing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingError {
    /// The code is too old: begin again with a new one.
    Expired,
    /// One device already answered this code; a second one may not: begin again with a new code.
    Used,
    /// Not a pairing message, or not the one that comes next.
    Message,
    /// A message of a newer version: update the app.
    TooNew,
    /// Not sealed under this code: the code was mistyped, or the relay changed the message.
    WrongCode,
    /// The joiner's keys are not valid, or it did not agree to join this vault.
    Device,
    /// Roster or admin key are not those of the offered vault.
    Vault,
    /// The roster does not verify.
    Roster(RosterError),
    /// The roster does not contain the joiner with its own keys.
    NotAdded,
    /// An epoch key is not the one the roster commits to, or the current one is missing.
    EpochKey,
    /// The grant names a roster that it was too small to carry: fetch it and read the grant again.
    RosterNeeded,
    /// The message would be larger than a mailbox takes.
    TooLarge,
    /// No randomness: retry later.
    Random(RandomError),
    /// The cipher refused; a fault of this library.
    Cipher,
}

impl fmt::Display for PairingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the pairing code has expired; begin again"),
            Self::Used => f.write_str("the pairing code was used already; begin again"),
            Self::Message => f.write_str("this is not the pairing message that comes next"),
            Self::TooNew => f.write_str("the other device has a newer version; update the app"),
            Self::WrongCode => f.write_str("the pairing code does not fit; begin again"),
            Self::Device => f.write_str("the new device's keys are not valid"),
            Self::Vault => f.write_str("the other device answered for another vault"),
            Self::Roster(error) => write!(f, "{error}"),
            Self::NotAdded => f.write_str("the other device did not add this one"),
            Self::EpochKey => f.write_str("the other device sent a wrong key"),
            Self::RosterNeeded => f.write_str("the roster must be fetched first"),
            Self::TooLarge => f.write_str("the pairing message is too large"),
            Self::Random(error) => write!(f, "{error}"),
            Self::Cipher => f.write_str("the pairing message could not be sealed"),
        }
    }
}

impl core::error::Error for PairingError {}

impl From<RandomError> for PairingError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<RosterError> for PairingError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::TooNew => Self::TooNew,
            other => Self::Roster(other),
        }
    }
}

impl From<EpochError> for PairingError {
    fn from(_: EpochError) -> Self {
        Self::EpochKey
    }
}

impl From<CipherError> for PairingError {
    fn from(_: CipherError) -> Self {
        Self::Cipher
    }
}

impl From<WrapError> for PairingError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::Random(error) => Self::Random(error),
            WrapError::Cipher => Self::Cipher,
        }
    }
}

impl From<KemError> for PairingError {
    fn from(error: KemError) -> Self {
        match error {
            KemError::Random(error) => Self::Random(error),
            KemError::PublicKey => Self::Device,
            KemError::Open => Self::WrongCode,
            KemError::Seal => Self::Cipher,
        }
    }
}

#[cfg(test)]
mod tests;
