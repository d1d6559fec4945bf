//! The recovery code: 24 words on paper that open a vault when every device is lost.

use core::fmt;

use bip39::{Language, Mnemonic};
use ed25519_dalek::{Signer, SigningKey};
use selkie_wire::Digest;
use selkie_wire::envelope::signature_message;
use selkie_wire::relay::{RECOVERY_AUTH_SIGNATURE_LABEL, recovery_auth_bytes};
use selkie_wire::roster::{RECOVERY_SIGNATURE_LABEL, RecoveryKeys, RecoveryProof};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::keys::derive::{self, derive};
use crate::keys::kem::KemSeed;
use crate::keys::secret::Secret32;
use crate::ports::{RandomError, RandomSource};

/// Words in a code.
const WORD_COUNT: usize = 24;
/// Longest word of the English list.
const WORD_LEN_MAX: usize = 8;

/// 256 random bits, written as 24 English words (BIP-39) of which the last carries a checksum.
/// Shown once; it never goes to a relay.
///
/// ```
/// use selkie_core::keys::{RecoveryCode, RecoveryCodeError};
/// let code = RecoveryCode::from_bytes([7; 32]);
/// let words = code.words();
/// assert_eq!(words.split(' ').count(), 24);
/// assert_eq!(*RecoveryCode::from_words(&words)?.words(), *words);
/// # Ok::<(), RecoveryCodeError>(())
/// ```
pub struct RecoveryCode(Secret32);

impl ZeroizeOnDrop for RecoveryCode {}

/// Why words are not a recovery code. Names positions, never words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryCodeError {
    /// Not 24 words.
    WordCount {
        /// How many there are.
        found: usize,
    },
    /// A word that is not in the list: misspelt, most likely.
    UnknownWord {
        /// Which word, from 1.
        position: usize,
    },
    /// Every word exists, but together they are no code: one was swapped or mistaken for another.
    Checksum,
}

impl fmt::Display for RecoveryCodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WordCount { found } => {
                write!(f, "a recovery code has {WORD_COUNT} words, not {found}")
            }
            Self::UnknownWord { position } => {
                write!(f, "word {position} is not in the word list; check its spelling")
            }
            Self::Checksum => f.write_str("the words do not fit together; check their order"),
        }
    }
}

impl core::error::Error for RecoveryCodeError {}

impl RecoveryCode {
    /// A new code.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails or is stuck.
    pub fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        Secret32::generate(random).map(Self)
    }

    /// From the 256 bits, as a QR code carries them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret32::from_bytes(bytes))
    }

    /// The 256 bits. A dangerous door: whoever holds them holds the vault.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The 24 words, separated by one space.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(WORD_COUNT * (WORD_LEN_MAX + 1)));
        // 32 bytes are always a valid length of entropy.
        if let Ok(mnemonic) = Mnemonic::from_entropy_in(Language::English, self.expose()) {
            for word in mnemonic.words() {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(word);
            }
        }
        words
    }

    /// Reads words as typed: any case, any white space between them.
    ///
    /// # Errors
    /// [`RecoveryCodeError`], which says where to look and repeats no word.
    pub fn from_words(text: &str) -> Result<Self, RecoveryCodeError> {
        let found = text.split_whitespace().count();
        if found != WORD_COUNT {
            return Err(RecoveryCodeError::WordCount { found });
        }
        let mut lower = Zeroizing::new(String::with_capacity(text.len()));
        lower.extend(text.chars().map(|character| character.to_ascii_lowercase()));
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &lower).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => {
                    RecoveryCodeError::UnknownWord { position: index.saturating_add(1) }
                }
                _ => RecoveryCodeError::Checksum,
            },
        )?;
        let (entropy, _) = mnemonic.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let bytes = entropy.first_chunk::<32>().ok_or(RecoveryCodeError::Checksum)?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The X-Wing public key that every epoch key is wrapped to, beside the devices' keys.
    #[must_use]
    pub fn kem_public_key(&self) -> Vec<u8> {
        self.derive_kem_seed().public_key()
    }

    /// The Ed25519 public key by which a relay knows these words; nothing of them can be guessed
    /// from it, since they are 256 random bits.
    #[must_use]
    pub fn proof_public_key(&self) -> [u8; 32] {
        self.proof_key().verifying_key().to_bytes()
    }

    /// Proves these words to a relay, to fetch their vault's roster. `origin` is the address this
    /// device itself connected to.
    #[must_use]
    pub fn sign_challenge(&self, origin: &str, challenge: &[u8]) -> [u8; 64] {
        let key = self.proof_key();
        let bytes = recovery_auth_bytes(origin, &key.verifying_key().to_bytes(), challenge);
        key.sign(&signature_message(RECOVERY_AUTH_SIGNATURE_LABEL, &bytes)).to_bytes()
    }

    /// What the roster publishes of these words for relays.
    pub(crate) fn prove(&self, admin_public_key: &[u8; 32]) -> RecoveryProof {
        let key = self.proof_key();
        let bytes = RecoveryKeys::proof_bytes(admin_public_key, &self.kem_public_key());
        let signature = key.sign(&signature_message(RECOVERY_SIGNATURE_LABEL, &bytes)).to_bytes();
        RecoveryProof { key: key.verifying_key().to_bytes(), signature }
    }

    fn proof_key(&self) -> SigningKey {
        SigningKey::from_bytes(&derive(self.expose(), derive::RECOVERY_PROOF, &[]))
    }

    pub(crate) fn derive_kem_seed(&self) -> KemSeed {
        KemSeed::from_bytes(*derive(self.expose(), derive::RECOVERY_KEM, &[]))
    }

    /// Wraps the admin key in the roster.
    pub(crate) fn derive_admin_key_encryption_key(&self) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::RECOVERY_ADMIN, &[])
    }

    /// Wraps the store key in a key-slot file.
    pub(crate) fn derive_slot_store_key(&self, store_id: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::RECOVERY_STORE, &[store_id])
    }

    /// Wraps the admin key in a key-slot file.
    pub(crate) fn derive_slot_admin_key(&self, store_id: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::RECOVERY_SLOT_ADMIN, &[store_id])
    }
}

/// Eight words of the same list for the first 88 bits of a digest, for two people to compare.
#[must_use]
pub fn fingerprint_words(digest: &Digest) -> String {
    const WORDS: usize = 8;
    const BITS: usize = 11;
    let bit = |at: usize| {
        let byte = digest.0.get(at / 8).copied().unwrap_or_default();
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let index = |word: usize| (0..BITS).fold(0, |index, at| index * 2 + bit(word * BITS + at));
    let list = Language::English.word_list();
    let words = (0..WORDS).filter_map(|word| list.get(index(word)).copied());
    words.collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_the_bip39_reference_vectors() {
        // github.com/trezor/python-mnemonic, vectors.json, 256-bit entries.
        let all_zero = format!("{}art", "abandon ".repeat(23));
        let all_one = format!("{}vote", "zoo ".repeat(23));
        let cases = [([0u8; 32], all_zero), ([0xff; 32], all_one)];
        for (bytes, words) in cases {
            assert_eq!(*RecoveryCode::from_bytes(bytes).words(), words);
            assert_eq!(RecoveryCode::from_words(&words).unwrap().expose(), &bytes);
        }
    }

    #[test]
    fn mistakes_are_named_by_position_and_never_repeated() {
        let words = RecoveryCode::from_bytes([9; 32]).words();
        let mut list: Vec<&str> = words.split(' ').collect();
        assert_eq!(
            RecoveryCode::from_words("one two").unwrap_err(),
            RecoveryCodeError::WordCount { found: 2 }
        );
        let last = list[23];
        list[23] = if last == "zoo" { "abandon" } else { "zoo" };
        assert_eq!(
            RecoveryCode::from_words(&list.join(" ")).unwrap_err(),
            RecoveryCodeError::Checksum
        );
        list[16] = "selkie";
        let error = RecoveryCode::from_words(&list.join(" ")).unwrap_err();
        assert_eq!(error, RecoveryCodeError::UnknownWord { position: 17 });
        let shown = format!("{error} {error:?}");
        assert!(list.iter().all(|word| !shown.split(' ').any(|shown| shown == *word)), "{shown}");
    }

    proptest! {
        #[test]
        fn words_round_trip_in_any_case_and_spacing(bytes: [u8; 32], upper: bool) {
            let words = RecoveryCode::from_bytes(bytes).words();
            let typed = if upper { words.to_uppercase() } else { words.replace(' ', "\n \t") };
            let code = RecoveryCode::from_words(&typed).unwrap();
            prop_assert_eq!(code.expose(), &bytes);
        }
    }
}
