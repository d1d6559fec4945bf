//! Why a segment could not be sealed or opened, and what an app can do about it.

use core::fmt;

use selkie_wire::SegmentNumber;

use crate::ports::RandomError;
use crate::seal::body::BodyError;

/// Why a segment could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// Segment numbers begin at 1.
    Number,
    /// The body breaks a limit.
    Body(BodyError),
    /// The envelope would be larger than a relay takes: put fewer changes in.
    TooLarge,
    /// No randomness: retry later. Nothing is ever sealed under a guessable nonce.
    Random(RandomError),
    /// A fault of this library.
    Internal,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("segment numbers begin at 1"),
            Self::Body(error) => write!(f, "{error}"),
            Self::TooLarge => f.write_str("the segment would be too large; put fewer changes in"),
            Self::Random(error) => write!(f, "{error}"),
            Self::Internal => f.write_str("the segment could not be sealed"),
        }
    }
}

impl core::error::Error for SealError {}

impl From<RandomError> for SealError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<BodyError> for SealError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// Why a segment was not opened; the first check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// An envelope, and no segment.
    Type,
    /// Sealed for another vault.
    Vault,
    /// The roster does not know the sender.
    UnknownDevice,
    /// The sender is revoked, and this is after the last segment of it that counts.
    Revoked,
    /// Not signed by the sender.
    Signature,
    /// Not the number that comes next: one is missing, or this one is known.
    Number {
        /// The one that comes next.
        expected: SegmentNumber,
        /// The one it has.
        found: SegmentNumber,
    },
    /// Follows another segment than the one accepted: the sender's chain has two histories.
    Previous,
    /// The roster names no epoch with this key id.
    UnknownEpoch,
    /// The roster names the epoch, and its key is not here.
    MissingKey,
    /// The key at hand is not the one the envelope commits to.
    Commitment,
    /// The ciphertext is not authentic under its key.
    Decryption,
    /// The plaintext is of a later version.
    TooNew,
    /// The plaintext's frame is malformed, or its padding is not the one right padding.
    Padding,
    /// The body declares a size it does not have, or one that is not accepted.
    Compression,
    /// The body is not what a body must be.
    Body(BodyError),
}

/// What an app (or the sync engine for it) can do about a segment that did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenAction {
    /// The roster here may be old: fetch it, then try this segment again.
    UpdateRoster,
    /// Ask for the segments between, or drop this one if it is known already.
    FillGap,
    /// Keep it sealed and ask the person to update the app.
    UpdateApp,
    /// Keep it aside and show it; the sender's stream waits here, all others go on.
    Quarantine,
}

impl OpenError {
    /// What can be done.
    #[must_use]
    pub const fn action(&self) -> OpenAction {
        match self {
            Self::UnknownDevice | Self::UnknownEpoch | Self::MissingKey => OpenAction::UpdateRoster,
            Self::Number { .. } => OpenAction::FillGap,
            Self::TooNew | Self::Body(BodyError::TooNew) => OpenAction::UpdateApp,
            Self::Type
            | Self::Vault
            | Self::Revoked
            | Self::Signature
            | Self::Previous
            | Self::Commitment
            | Self::Decryption
            | Self::Padding
            | Self::Compression
            | Self::Body(_) => OpenAction::Quarantine,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("the envelope is no segment"),
            Self::Vault => f.write_str("the segment belongs to another vault"),
            Self::UnknownDevice => f.write_str("the segment's sender is not in the roster"),
            Self::Revoked => f.write_str("the segment's sender has been revoked"),
            Self::Signature => f.write_str("the segment is not signed by its sender"),
            Self::Number { expected, found } => {
                write!(f, "the segment is number {found}; {expected} comes next")
            }
            Self::Previous => f.write_str("the sender's segments have two histories"),
            Self::UnknownEpoch => f.write_str("the segment is of an epoch not in the roster"),
            Self::MissingKey => f.write_str("the key of the segment's epoch is not here"),
            Self::Commitment => f.write_str("the segment's key is not the one it commits to"),
            Self::Decryption => f.write_str("the segment does not open"),
            Self::TooNew => f.write_str("the segment is of a newer version; update the app"),
            Self::Padding => f.write_str("the segment's padding is wrong"),
            Self::Compression => f.write_str("the segment's declared size is wrong"),
            Self::Body(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for OpenError {}
