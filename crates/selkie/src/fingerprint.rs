//! A few words that stand for a vault and its members, for two people to compare.

use std::fmt;

use selkie_core::keys::fingerprint_words;
use selkie_wire::{Digest, Roster};

/// Label of the digest.
const LABEL: &[u8] = b"selkie/1/fingerprint\0";

/// What two devices compare; equal exactly if their rosters are.
///
/// ```
/// use selkie::{Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let vault = Vault::create(&path, Unlock::Key(&[7; 32]))?.vault;
/// let fingerprint = vault.fingerprint()?;
/// assert_eq!(fingerprint.words().split(' ').count(), 8);
/// assert_eq!(fingerprint, vault.fingerprint()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    pub(crate) fn of(roster: &Roster) -> Self {
        let number = roster.last().0.to_le_bytes();
        let parts = [&roster.vault().0[..], &number, &roster.last_digest().0];
        Self(Digest::labelled(LABEL, &parts))
    }

    /// Eight English words (88 bits).
    #[must_use]
    pub fn words(&self) -> String {
        fingerprint_words(&self.0)
    }

    /// The text of a QR code: all 256 bits.
    #[must_use]
    pub fn qr_text(&self) -> String {
        format!("SELKIE-FP:{}", self.0.to_string().to_ascii_uppercase())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.words())
    }
}
