//! A passphrase, and Argon2id (RFC 9106), which makes guessing it slow.

use core::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of the random salt beside a passphrase slot.
pub const SALT_LEN: usize = 16;

/// What a person remembers, in Unicode normal form NFKC, so that it can be typed on any keyboard.
///
/// ```
/// use selkie_core::keys::{Passphrase, PassphraseError};
/// let passphrase = Passphrase::new("seals sleep under water")?;
/// assert_eq!(format!("{passphrase:?}"), "Passphrase(<redacted>)");
/// assert_eq!(Passphrase::new("").unwrap_err(), PassphraseError::Empty);
/// # Ok::<(), PassphraseError>(())
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

/// Why a text is no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Nothing was typed: ask again. (How good a passphrase is, is for the app to judge.)
    Empty,
    /// Longer than [`Passphrase::BYTES_MAX`].
    TooLong,
}

impl fmt::Display for PassphraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the passphrase is empty",
            Self::TooLong => "the passphrase is longer than 1024 bytes",
        })
    }
}

impl core::error::Error for PassphraseError {}

impl Passphrase {
    /// Longest text taken, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 1024;

    /// Normalises what was typed (NFKC, Unicode Standard Annex 15).
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        if text.is_empty() {
            return Err(PassphraseError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(PassphraseError::TooLong);
        }
        // One character normalises to at most 18 others (UAX 15), in practice to one. Reserved
        // ahead, the text never moves while it grows and leaves no unwiped copy behind.
        let mut normalised = String::with_capacity(text.len() * 18);
        normalised.extend(text.nfkc());
        Ok(Self(normalised))
    }

    /// Argon2id of the passphrase. Takes as long, and as much memory, as `parameters` say.
    ///
    /// # Errors
    /// [`KdfError`]; parameters out of bounds are refused before any memory is taken.
    pub fn derive_key(
        &self,
        salt: &[u8; SALT_LEN],
        parameters: KdfParameters,
    ) -> Result<Zeroizing<[u8; 32]>, KdfError> {
        parameters.check()?;
        let KdfParameters { memory_kib, passes, lanes } = parameters;
        let params =
            Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| KdfError::OutOfBounds)?;
        let block_count = params.block_count();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        // Our own blocks, not the crate's: it does not wipe them, and the last hold the key.
        let mut blocks: Vec<Block> = Vec::new();
        blocks.try_reserve_exact(block_count).map_err(|_| KdfError::Memory)?;
        blocks.resize(block_count, Block::default());
        let mut blocks = Zeroizing::new(blocks);
        let mut key = Zeroizing::new([0u8; 32]);
        argon2
            .hash_password_into_with_memory(
                self.0.as_bytes(),
                salt,
                &mut *key,
                blocks.as_mut_slice(),
            )
            .map_err(|_| KdfError::OutOfBounds)?;
        Ok(key)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(<redacted>)")
    }
}

/// How much work one guess at a passphrase costs (Argon2id's m, t and p).
///
/// ```
/// use selkie_core::keys::KdfParameters;
/// assert!(KdfParameters::RECOMMENDED.check().is_ok());
/// let feeble = KdfParameters { memory_kib: 8, ..KdfParameters::RECOMMENDED };
/// assert!(feeble.check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParameters {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// Why a key could not be derived from a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KdfError {
    /// Weaker than the floor (someone may have lowered them), or beyond the ceiling (a file that
    /// asks for 4 TiB would only stop the app).
    OutOfBounds,
    /// This device has not enough memory for them at the moment: close other apps and retry.
    Memory,
}

impl fmt::Display for KdfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "the key derivation parameters are outside what is accepted",
            Self::Memory => "not enough memory to derive the key",
        })
    }
}

impl core::error::Error for KdfError {}

impl KdfParameters {
    /// What new slots use: 64 MiB, 3 passes, 1 lane (RFC 9106's second choice, in one lane because
    /// lanes run one after the other here). About 0.25 s on a small computer.
    pub const RECOMMENDED: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// The least that is accepted: 19 MiB, 2 passes, 1 lane (OWASP's minimum).
    pub const FLOOR: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The most that is accepted: 1 GiB, 10 passes, 8 lanes.
    pub const CEILING: Self = Self { memory_kib: 1024 * 1024, passes: 10, lanes: 8 };

    /// Whether each parameter lies between [`FLOOR`](Self::FLOOR) and [`CEILING`](Self::CEILING).
    ///
    /// # Errors
    /// [`KdfError::OutOfBounds`].
    pub fn check(self) -> Result<(), KdfError> {
        let within = |value: u32, least: u32, most: u32| (least..=most).contains(&value);
        let (least, most) = (Self::FLOOR, Self::CEILING);
        let accepted = within(self.memory_kib, least.memory_kib, most.memory_kib)
            && within(self.passes, least.passes, most.passes)
            && within(self.lanes, least.lanes, most.lanes);
        if accepted { Ok(()) } else { Err(KdfError::OutOfBounds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_from_any_keyboard_are_the_same_passphrase() {
        for (one, other) in [("é", "e\u{301}"), ("ﬁn", "fin"), ("Ａ", "A"), ("Å", "\u{212b}")]
        {
            assert_eq!(Passphrase::new(one).unwrap().0, Passphrase::new(other).unwrap().0);
        }
        assert_ne!(Passphrase::new("a").unwrap().0, Passphrase::new("A").unwrap().0);
    }

    #[test]
    fn the_longest_text_normalises_without_moving() {
        // U+FDFA is the character that grows most under NFKC.
        let text = "\u{fdfa}".repeat(Passphrase::BYTES_MAX / 3);
        let passphrase = Passphrase::new(&text).unwrap();
        assert!(passphrase.0.len() <= text.len() * 18);
        assert_eq!(passphrase.0.capacity(), text.len() * 18);
    }

    #[test]
    fn empty_and_endless_are_refused() {
        assert_eq!(Passphrase::new("").unwrap_err(), PassphraseError::Empty);
        assert_eq!(Passphrase::new(&"a".repeat(1025)).unwrap_err(), PassphraseError::TooLong);
    }

    #[test]
    fn parameters_outside_floor_and_ceiling_are_refused_at_once() {
        let cases = [
            (19 * 1024, 2, 1, true),
            (19 * 1024 - 1, 2, 1, false),
            (19 * 1024, 1, 1, false),
            (19 * 1024, 2, 0, false),
            (1024 * 1024, 10, 8, true),
            (1024 * 1024 + 1, 10, 8, false),
            (1024 * 1024, 11, 8, false),
            (1024 * 1024, 10, 9, false),
            (8, 3, 1, false),
            (u32::MAX, u32::MAX, u32::MAX, false),
        ];
        for (memory_kib, passes, lanes, accepted) in cases {
            let parameters = KdfParameters { memory_kib, passes, lanes };
            assert_eq!(parameters.check().is_ok(), accepted, "{parameters:?}");
            if !accepted {
                let key = Passphrase::new("x").unwrap().derive_key(&[0; 16], parameters);
                assert_eq!(key.unwrap_err(), KdfError::OutOfBounds);
            }
        }
    }
}
