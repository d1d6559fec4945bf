//! Pseudonym: a keyed hash that one destination, purpose and domain can compare, and nobody else.

use minicbor::Encoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use super::Work;
use crate::keys::UserShareKey;
use crate::share::policy::{Node, Reader};

/// Longest rotation: ten years.
const ROTATE_DAYS_MAX: i64 = 3660;
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const CONTEXT_LABEL: &[u8] = b"selkie/1/pseudonym-context\0";
/// Bytes of the hash that are sent: enough that no two people meet by chance.
const PSEUDONYM_BYTES: usize = 16;
/// A text with fewer characters has so few values that their frequency tells them.
const TEXT_CHARS_MIN: usize = 4;
/// Smaller integers are counts, ages and choices, not ids.
const INTEGER_MIN: u64 = 1000;
/// Words for truth values, which a pseudonym would not hide: one of two is more frequent.
const TRUTH_WORDS: [&str; 4] = ["true", "false", "null", "none"];

/// Sends a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pseudonym {
    domain: String,
    normalise: Normalise,
    /// After so many days the same value has another pseudonym; 0: never.
    rotate_days: u32,
}

/// What makes two spellings one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normalise {
    /// Nothing.
    None,
    /// NFKC, no space around, lower case.
    Text,
    /// As text, and it must have one `@`.
    Email,
    /// Digits only, with a `+` for `00` or `+`.
    Phone,
}

impl Normalise {
    const ALL: [(&'static str, Self); 4] = [
        ("none", Self::None),
        ("text", Self::Text),
        ("email", Self::Email),
        ("phone", Self::Phone),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("none", |(name, _)| name)
    }

    /// The one spelling; `None` if it is not what the rule is for.
    fn apply(self, text: &str) -> Option<String> {
        let lower = || text.nfkc().collect::<String>().trim().to_lowercase();
        match self {
            Self::None => Some(text.to_owned()),
            Self::Text => Some(lower()),
            Self::Email => Some(lower()).filter(|text| text.matches('@').count() == 1),
            Self::Phone => {
                let plain: String =
                    text.nfkc().filter(|c| c.is_ascii_digit() || *c == '+').collect();
                let (plus, digits) = match plain.strip_prefix('+').or(plain.strip_prefix("00")) {
                    Some(rest) => ("+", rest),
                    None => ("", plain.as_str()),
                };
                let fits = digits.bytes().all(|b| b.is_ascii_digit()) && digits.len() >= 6;
                fits.then(|| format!("{plus}{digits}"))
            }
        }
    }
}

impl Pseudonym {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let mut table = Reader::new(node, "`pseudonym`", rule.problems())?;
        let domain = table.required("domain");
        let domain = table.text(domain, "domain", "a short name", |name| {
            (1..=64).contains(&name.len()) && !name.chars().any(char::is_control)
        });
        let normalise = table.optional("normalise");
        let known = |name: &str| Normalise::ALL.iter().find(|(known, _)| *known == name);
        let wanted = "\"none\", \"text\", \"email\" or \"phone\"";
        let name = table.text(normalise, "normalise", wanted, |name| known(name).is_some());
        let rotate = table.optional("rotate_days");
        let days = table.integer(rotate, "rotate_days", 1, ROTATE_DAYS_MAX);
        table.finish();
        if (normalise.is_some() && name.is_none()) || (rotate.is_some() && days.is_none()) {
            return None;
        }
        Some(Self {
            domain: domain?.to_owned(),
            normalise: name.and_then(known).map_or(Normalise::None, |(_, it)| *it),
            rotate_days: days.and_then(|days| u32::try_from(days).ok()).unwrap_or(0),
        })
    }

    /// Whether a value has another pseudonym after a while.
    pub(crate) fn rotates(&self) -> bool {
        self.rotate_days > 0
    }

    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({ "domain": self.domain, "normalise": self.normalise.name() });
        if let (true, Some(map)) = (self.rotate_days > 0, value.as_object_mut()) {
            map.insert("rotate_days".to_owned(), self.rotate_days.into());
        }
        value
    }

    pub(super) fn apply(&self, value: &Value, work: &Work<'_>) -> Option<Value> {
        let epoch = (work.now_ms / DAY_MS).checked_div(u64::from(self.rotate_days)).unwrap_or(0);
        let context =
            context(work.destination, work.purpose, &self.domain, self.rotate_days, epoch);
        derive_pseudonym(value, self.normalise, work.key, &context).map(Value::from)
    }
}

/// The digest of who may compare a pseudonym with which others.
pub(crate) fn context(
    destination: &str,
    purpose: &str,
    domain: &str,
    rotate_days: u32,
    epoch: u64,
) -> [u8; 32] {
    let parts = json!([destination, purpose, domain, rotate_days, epoch]);
    let mut hash = Sha256::new();
    hash.update(CONTEXT_LABEL);
    hash.update(crate::record::value::to_bytes(&parts));
    hash.finalize().into()
}

/// The pseudonym of a text or of an integer that may be an id; nothing else has one.
pub(crate) fn derive_pseudonym(
    value: &Value,
    normalise: Normalise,
    key: &UserShareKey,
    context: &[u8; 32],
) -> Option<String> {
    let mut e = Encoder::new(Vec::new());
    match value {
        Value::String(text) => {
            let text = normalise.apply(text)?;
            let is_truth = TRUTH_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
            if is_truth || text.chars().count() < TEXT_CHARS_MIN {
                return None;
            }
            // The writer is a Vec, whose error type is uninhabited.
            let _infallible = e.str(&text).map(|_| ());
        }
        Value::Number(number) if normalise == Normalise::None => {
            let integer =
                number.as_i64().filter(|integer| integer.unsigned_abs() >= INTEGER_MIN)?;
            let _infallible = e.i64(integer).map(|_| ());
        }
        _ => return None,
    }
    let digest = key.derive_pseudonym(context, &e.into_writer());
    Some(digest.iter().take(PSEUDONYM_BYTES).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value, normalise: Normalise) -> Option<String> {
        let key = UserShareKey::from_bytes([1; 32]);
        derive_pseudonym(&value, normalise, &key, &context("lab", "p", "person", 0, 0))
    }

    #[test]
    fn booleans_enums_and_what_is_not_canonical_have_no_pseudonym() {
        for value in [
            json!(true),
            json!(null),
            json!(""),
            json!("yes"),
            json!("TRUE"),
            json!("m"),
            json!(1),
            json!(999),
            json!(1.5),
            json!({"lat": 1, "lon": 2}),
            json!(["a@b.example"]),
        ] {
            assert_eq!(of(value.clone(), Normalise::None), None, "{value}");
        }
    }

    #[test]
    fn spellings_of_one_value_have_one_pseudonym() {
        for (one, other, normalise) in [
            ("User@Example.com", " user@example.com\n", Normalise::Email),
            ("user@example.com", "user＠example.com", Normalise::Email),
            ("+33 6 12-34-56-78", "0033612345678", Normalise::Phone),
            ("Straße", "straße ", Normalise::Text),
        ] {
            assert_eq!(of(one.into(), normalise), of(other.into(), normalise), "{one}");
            assert!(of(one.into(), normalise).is_some());
            assert_ne!(of(one.into(), Normalise::None), of(other.into(), Normalise::None));
        }
        assert_eq!(of(json!("no address"), Normalise::Email), None);
        assert_ne!(of(json!("5000"), Normalise::None), of(json!(5000), Normalise::None));
    }
}
