//! Words shortly before a number that say what it is.

use super::text::Text;

/// How far back a word may stand.
const REACH: usize = 40;

pub(super) const PHONE: &[&str] = &[
    "phone",
    "tel",
    "mobile",
    "cell",
    "call",
    "fax",
    "whatsapp",
    "sms",
    "contact",
    "dial",
    "reach",
    "telefon",
    "telefono",
    "tlf",
    "handy",
    "mobil",
    "gsm",
    "móvil",
    "celular",
    "téléphone",
    "portable",
    "answer",
    "answering",
    "message",
    "messages",
    "ring",
    "hotline",
    "ph",
];
pub(super) const NATIONAL: &[&str] = &[
    "ssn",
    "social",
    "security",
    "nhs",
    "pesel",
    "cpf",
    "cpr",
    "bsn",
    "nif",
    "nino",
    "sin",
    "tfn",
    "aadhaar",
    "steuer",
    "idnr",
    "nir",
    "tax",
    "national",
    "insurance",
    "identity",
    "personal",
    "fiscal",
    "kimlik",
    "passport",
    "insee",
    "citizen",
    "itin",
    "tin",
];
pub(super) const PLACE: &[&str] = &[
    "lat",
    "lng",
    "lon",
    "long",
    "latitude",
    "longitude",
    "gps",
    "coord",
    "coords",
    "coordinate",
    "coordinates",
    "location",
    "geo",
    "position",
    "pos",
];
pub(super) const VERSION: &[&str] =
    &["version", "ver", "v", "release", "build", "firmware", "kernel"];

/// Words right behind a number that say so: `… office`, `…-Fax`, `… is my mobile`.
const BEHIND: &[&str] = &["office", "fax", "mobile", "cell", "phone", "tel", "home", "desk"];

/// Whether one of them stands in the next bytes.
pub(super) fn is_phone_by_what_follows(text: &Text<'_>, at: usize) -> bool {
    let apart = |byte: &u8| !(byte.is_ascii_alphabetic() || *byte >= 0x80);
    let line = text.slice(at, at + 18).split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(apart);
    words.any(|found| BEHIND.iter().any(|word| found.eq_ignore_ascii_case(word.as_bytes())))
}

/// Whether one of the words stands in the bytes before `at`.
pub(super) fn has(text: &Text<'_>, at: usize, words: &[&str]) -> bool {
    has_within(text, at, REACH, words)
}

/// As [`has`], with a reach of its own.
pub(super) fn has_within(text: &Text<'_>, at: usize, reach: usize, words: &[&str]) -> bool {
    let before = text.slice(at.saturating_sub(reach), at);
    let apart = |byte: &u8| !(byte.is_ascii_alphabetic() || *byte >= 0x80);
    before.split(apart).any(|found| {
        !found.is_empty()
            && words.iter().any(|word| {
                let plain = found.eq_ignore_ascii_case(word.as_bytes());
                plain || (found.len() > 3 && is_compound(found, word.as_bytes()))
            })
    })
}

/// `homePhone`, `phones`, `telephone`: a long enough word at an end.
fn is_compound(found: &[u8], word: &[u8]) -> bool {
    let Some(rest) = found.len().checked_sub(word.len()).filter(|_| word.len() >= 5) else {
        return false;
    };
    let is = |part: Option<&[u8]>| part.is_some_and(|part| part.eq_ignore_ascii_case(word));
    is(found.get(rest..)) || is(found.get(..word.len()))
}
