//! International bank account numbers (ISO 13616): known length, check digits modulo 97.

use super::text::Text;
use super::{Found, Span};

const LENGTH_MIN: usize = 15;
const LENGTH_MAX: usize = 34;
/// Lengths of the SWIFT registry.
const LENGTHS: [(&[u8; 2], usize); 84] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
];
/// The rest of the registry, and countries that use the form without being in it.
const MORE: [(&[u8; 2], usize); 6] =
    [(b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30), (b"DZ", 26)];

/// The account number that begins there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    let [a, b, c, d] = [0, 1, 2, 3].map(|step| text.at(at + step));
    if !(a.is_ascii_alphabetic() && b.is_ascii_alphabetic()) {
        return None;
    }
    // Some write a space behind the country's letters.
    if !(c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let known = LENGTHS.iter().chain(&MORE).find(|(code, _)| **code == country);
    let wanted = known.map(|(_, length)| *length)?;
    // One word may have another length: a digit was lost or added, and the check digits were made for it.
    valid_end(text, at, wanted)
        .or_else(|| valid_end(text, at, text.word_end(at) - at))
        .map(|end| Span::new(at, end, Found::Iban))
}

/// Behind `len` characters in fours or without gaps, if their check digits are right.
fn valid_end(text: &Text<'_>, at: usize, len: usize) -> Option<usize> {
    let mut chars = [0u8; LENGTH_MAX];
    let chars = chars.get_mut(..len).filter(|chars| chars.len() >= LENGTH_MIN)?;
    let mut end = at;
    for (index, slot) in chars.iter_mut().enumerate() {
        if index > 0 && index % 4 == 0 && matches!(text.at(end), b' ' | b'-') {
            end += 1;
        }
        *slot = Some(text.at(end)).filter(u8::is_ascii_alphanumeric)?.to_ascii_uppercase();
        end += 1;
    }
    let digits = chars.iter().filter(|byte| byte.is_ascii_digit()).count();
    (text.ends_word(end) && digits >= 8 && remainder(chars) == 1).then_some(end)
}

/// The remainder modulo 97, with the first four characters moved to the end and letters as 10 to 35.
fn remainder(chars: &[u8]) -> u32 {
    let (head, tail) = chars.split_at(4.min(chars.len()));
    tail.iter().chain(head).fold(0, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}
