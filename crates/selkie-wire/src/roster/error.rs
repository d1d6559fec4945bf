//! Why an entry does not count.

use core::fmt;

use crate::cbor::CborError;
use crate::envelope::EnvelopeError;

/// Why a roster entry does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RosterError {
    /// Not the layout of an entry.
    Structure(EnvelopeError),
    /// The body is not deterministic CBOR of a known operation.
    Body(CborError),
    /// Belongs to another vault.
    Vault,
    /// Not the number that comes next.
    Number,
    /// Does not name the entry before it: two administrators wrote at once, or someone rewrote it.
    Fork,
    /// Not signed by the admin key, or the new device did not agree.
    Signature,
    /// Contradicts the roster: a device added twice, one revoked that is not there, an epoch skipped,
    /// a key for someone who is no member.
    Meaning,
    /// Begins an epoch of a cipher suite that this version does not know: update.
    TooNew,
    /// More entries or devices than allowed.
    Limit,
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(error) => write!(f, "roster entry: {error}"),
            Self::Body(error) => write!(f, "roster entry: {error}"),
            Self::Vault => f.write_str("the roster entry belongs to another vault"),
            Self::Number => f.write_str("the roster entry is not the next one"),
            Self::Fork => f.write_str("the roster has two histories"),
            Self::Signature => f.write_str("the roster entry is not signed by the vault's owner"),
            Self::Meaning => f.write_str("the roster entry contradicts the roster"),
            Self::TooNew => f.write_str("the roster entry is of a newer version; update the app"),
            Self::Limit => f.write_str("the roster is larger than allowed"),
        }
    }
}

impl core::error::Error for RosterError {}

impl From<EnvelopeError> for RosterError {
    fn from(error: EnvelopeError) -> Self {
        Self::Structure(error)
    }
}
