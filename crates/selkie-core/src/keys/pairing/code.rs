//! The pairing code: 128 random bits, as a QR code or as 27 characters that catch typing errors.

use core::fmt;

use selkie_wire::{Digest, MailboxId};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::derive::{self, Label, derive};
use crate::ports::{RandomError, RandomSource};

/// Crockford's base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 26 characters of secret and check bits, one check character.
const CHARACTERS: usize = 27;
/// Characters between hyphens.
const GROUP: usize = 5;

/// What the sponsor shows and the joiner reads; good for one pairing, within ten minutes.
///
/// ```
/// use selkie_core::keys::{PairingCode, PairingCodeError};
/// let code = PairingCode::from_bytes([7; 16]);
/// let text = code.text();
/// assert_eq!(text.len(), 32, "27 characters in groups of five");
/// let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
/// assert_eq!(PairingCode::parse(&typed)?.mailbox_id(), code.mailbox_id());
/// # Ok::<(), PairingCodeError>(())
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PairingCode([u8; 16]);

/// Why a text is no pairing code. Names positions, never characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingCodeError {
    /// Not 27 characters, hyphens and spaces aside.
    Length {
        /// How many there are.
        found: usize,
    },
    /// A character that no code contains.
    Character {
        /// Which one, from 1, hyphens and spaces aside.
        position: usize,
    },
    /// Mistyped: the check does not come out. One wrong character, or two swapped, always end here.
    Check,
}

impl fmt::Display for PairingCodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "a pairing code has {CHARACTERS} characters, not {found}")
            }
            Self::Character { position } => {
                write!(f, "character {position} cannot be part of a pairing code")
            }
            Self::Check => f.write_str("the pairing code is mistyped"),
        }
    }
}

impl core::error::Error for PairingCodeError {}

impl PairingCode {
    /// A new code.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails or is stuck.
    pub fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        random.draw().map(Self)
    }

    /// From the 128 bits, as a QR code carries them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 128 bits. A dangerous door: whoever has them can answer the pairing.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// The code for people: `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XX`.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let values = self.values();
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP));
        for (index, value) in values.iter().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(ALPHABET.get(usize::from(*value)).copied().map_or('0', char::from));
        }
        text
    }

    /// Reads a code as typed: any case, hyphens and white space anywhere, O for 0, I or L for 1.
    ///
    /// # Errors
    /// [`PairingCodeError`], which says where to look and repeats no character.
    pub fn parse(text: &str) -> Result<Self, PairingCodeError> {
        let characters = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let found = characters.clone().count();
        if found != CHARACTERS {
            return Err(PairingCodeError::Length { found });
        }
        let mut values = Zeroizing::new([0u8; CHARACTERS]);
        for (index, (slot, character)) in values.iter_mut().zip(characters).enumerate() {
            *slot = value_of(character)
                .ok_or(PairingCodeError::Character { position: index.saturating_add(1) })?;
        }
        let code = Self(secret_of(&values));
        if code.values() == values { Ok(code) } else { Err(PairingCodeError::Check) }
    }

    /// The mailbox where the messages meet; tells the relay nothing about the code.
    #[must_use]
    pub fn mailbox_id(&self) -> MailboxId {
        MailboxId(*self.derive(derive::PAIRING_MAILBOX))
    }

    pub(crate) fn derive(&self, label: Label) -> Zeroizing<[u8; 32]> {
        let root = Digest::labelled(b"selkie/1/pairing-root\0", &[&self.0]);
        derive(&Zeroizing::new(root.0), label, &[])
    }

    /// 128 bits of secret, 2 check bits, then the character that makes the checksum zero.
    fn values(&self) -> Zeroizing<[u8; CHARACTERS]> {
        let Digest(hash) = Digest::labelled(b"selkie/1/pairing-check\0", &[&self.0]);
        let check = hash.first().map_or(0, |byte| byte >> 6);
        let bits = u128::from_be_bytes(self.0);
        let mut values = Zeroizing::new([0u8; CHARACTERS]);
        let mut sum = 0;
        for (index, slot) in values.iter_mut().enumerate() {
            *slot = match index {
                0..=24 => ((bits >> (123 - 5 * index)) & 31) as u8,
                25 => ((bits & 7) << 2) as u8 | check,
                _ => sum,
            };
            sum ^= times_power(*slot, CHARACTERS - 1 - index);
        }
        values
    }
}

/// The 128 bits that the first 26 values carry.
fn secret_of(values: &[u8; CHARACTERS]) -> [u8; 16] {
    let mut bits = 0u128;
    for (index, value) in values.iter().enumerate() {
        bits = match index {
            0..=24 => (bits << 5) | u128::from(*value),
            25 => (bits << 3) | u128::from(*value >> 2),
            _ => bits,
        };
    }
    bits.to_be_bytes()
}

fn value_of(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == character).map(|index| index as u8)
}

/// `value · α^power` in GF(32) with `α⁵ = α² + 1`. The powers of α up to 30 all differ, so a
/// changed character, or two swapped ones, always change the weighted sum.
fn times_power(value: u8, power: usize) -> u8 {
    (0..power).fold(value, |value, _| {
        let doubled = value << 1;
        if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
    })
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingCode(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(values: &[u8]) -> String {
        values.iter().map(|value| char::from(ALPHABET[usize::from(*value)])).collect()
    }

    #[test]
    fn every_wrong_character_and_every_swap_is_noticed() {
        for seed in 0..8u8 {
            let code = PairingCode::from_bytes(core::array::from_fn(|i| {
                seed.wrapping_mul(31).wrapping_add(i as u8 * 7)
            }));
            let values = *code.values();
            for index in 0..CHARACTERS {
                for wrong in (0..32).filter(|wrong| *wrong != values[index]) {
                    let mut values = values;
                    values[index] = wrong;
                    let error = PairingCode::parse(&typed(&values)).unwrap_err();
                    assert_eq!(error, PairingCodeError::Check);
                }
                for other in (0..index).filter(|other| values[*other] != values[index]) {
                    let mut values = values;
                    values.swap(index, other);
                    let error = PairingCode::parse(&typed(&values)).unwrap_err();
                    assert_eq!(error, PairingCodeError::Check);
                }
            }
        }
    }

    #[test]
    fn length_and_foreign_characters_are_named() {
        let text = PairingCode::from_bytes([5; 16]).text();
        let cut = PairingCode::parse(&text[..31]).unwrap_err();
        assert_eq!(cut, PairingCodeError::Length { found: 26 });
        let foreign = format!("{}U{}", &text[..3], &text[4..]);
        let error = PairingCode::parse(&foreign).unwrap_err();
        assert_eq!(error, PairingCodeError::Character { position: 4 });
    }

    proptest! {
        #[test]
        fn the_text_round_trips_however_it_is_typed(bytes: [u8; 16], lower: bool, spaces: bool) {
            let mut text = PairingCode::from_bytes(bytes).text().to_string();
            if lower {
                text = text.to_lowercase().replace('0', "o").replace('1', "i");
            }
            if spaces {
                text = text.replace('-', "  ");
            }
            let code = PairingCode::parse(&text).unwrap();
            prop_assert_eq!(code.expose(), &bytes);
        }
    }
}
