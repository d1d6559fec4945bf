//! What a JSON parser does not tell: integers that it rounds and keys that it drops.
//!
//! `serde_json` turns an integer of more than 64 bits into a double, and of two equal keys it keeps the
//! last. Both lose what somebody wrote without a word, so the text itself is asked.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Integers beyond this are read differently by different languages (RFC 7493, section 2.2).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// What would be lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Loss {
    /// An integer that a double could round.
    LongInteger,
    /// A key that an object has twice.
    DuplicateKey(String),
}

/// Looks through JSON text that a parser has found to be valid.
pub fn find_loss(text: &str) -> Option<Loss> {
    // The keys of each open object; none for an array.
    let mut open: Vec<Option<BTreeSet<Cow<'_, str>>>> = Vec::new();
    let mut is_key_next = false;
    let mut rest = text;
    loop {
        let is_of_interest =
            |c: char| matches!(c, '"' | '{' | '}' | '[' | ']' | ',') || c.is_ascii_digit();
        rest = rest.get(rest.find(is_of_interest)?..)?;
        let first = rest.chars().next()?;
        let end = match first {
            '"' => string_end(rest),
            _ if first.is_ascii_digit() => number_end(rest),
            _ => 1,
        };
        let (token, after) = rest.split_at_checked(end)?;
        match first {
            '"' if is_key_next => {
                let keys = open.last_mut().and_then(Option::as_mut);
                let key = unescaped(token);
                if keys.is_some_and(|keys| !keys.insert(key.clone())) {
                    return Some(Loss::DuplicateKey(key.into_owned()));
                }
                is_key_next = false;
            }
            '{' => {
                open.push(Some(BTreeSet::new()));
                is_key_next = true;
            }
            '[' => {
                open.push(None);
                is_key_next = false;
            }
            '}' | ']' => {
                open.pop();
                is_key_next = false;
            }
            ',' => is_key_next = matches!(open.last(), Some(Some(_))),
            _ if first.is_ascii_digit() && is_long_integer(token) => {
                return Some(Loss::LongInteger);
            }
            _ => {}
        }
        rest = after;
    }
}

/// Length of the string that text begins with, both quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_end(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

fn is_long_integer(number: &str) -> bool {
    let is_integer = number.bytes().all(|byte| byte.is_ascii_digit());
    is_integer && !number.parse::<u64>().is_ok_and(|number| number <= INTEGER_MAX)
}

/// A key without its quotes; `"a"` and `"\u0061"` are one key.
fn unescaped(string: &str) -> Cow<'_, str> {
    if string.contains('\\') {
        return Cow::Owned(serde_json::from_str(string).unwrap_or_default());
    }
    Cow::Borrowed(string.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parser_would_drop_or_round_is_found() {
        let twice = |key: &str| Some(Loss::DuplicateKey(key.to_owned()));
        for (text, loss) in [
            ("9007199254740992", Some(Loss::LongInteger)),
            ("[-9007199254740992]", Some(Loss::LongInteger)),
            (r#"{"a": [1, 123456789012345678901234567890]}"#, Some(Loss::LongInteger)),
            (r#"{"a": 1, "a": 2}"#, twice("a")),
            (r#"{"a": {"b": 1}, "c": [{"d": 1, "e": {}, "d": 2}]}"#, twice("d")),
            (r#"{"a": 1, "b": [1, 2], "\u0061": 2}"#, twice("a")),
            (r#"{"": 1, "": 2}"#, twice("")),
        ] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(find_loss(text), loss, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        for text in [
            "9007199254740991",
            "-9007199254740991",
            r#"{"99999999999999999999": "99999999999999999999"}"#,
            r#"{"a\"1": "\\", "b": "\u0022 99999999999999999999"}"#,
            r#"{"a": "a", "b": {"a": ["a", "a", {"a": "b"}]}, "c": ["b", "b"]}"#,
            r#"[{"a": 1}, {"a": 2}]"#,
            r#"{"a": "{\"a\": 1, \"a\": 2}"}"#,
            "[1.5e300, 0.12345678901234567890, 1e20]",
            "\"ü\"",
            "null",
        ] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(find_loss(text), None, "{text}");
        }
    }
}
