//! A checked JSON object: what an app stores under a record's id.

use core::fmt;

use serde_json::{Map, Value};

use crate::limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, INTEGER_MAX, KEY_BYTES_MAX, PATHS_BYTES_MAX,
};

use super::path::{Component, Path};
use super::value::canonicalise;

/// A JSON object within Selkie's bounds, its numbers in canonical form.
///
/// ```
/// use selkie_core::record::{Document, DocumentError};
/// let mut note = Document::from_json(r#"{"title": "Milk", "count": 2.0}"#)?;
/// note.merge_patch(&Document::from_json(r#"{"count": null, "done": true}"#)?);
/// assert_eq!(note.to_json(), r#"{"done":true,"title":"Milk"}"#);
/// assert_eq!(Document::from_json("[1]"), Err(DocumentError::NotAnObject));
/// # Ok::<(), DocumentError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Map<String, Value>);

/// Why JSON cannot be stored as a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// Not JSON; the line and column where it stops being so.
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but no object.
    NotAnObject,
    /// More than [`DOCUMENT_DEPTH_MAX`] levels of objects and arrays.
    TooDeep,
    /// Longer than [`DOCUMENT_BYTES_MAX`].
    TooLong,
    /// A key longer than [`KEY_BYTES_MAX`].
    KeyTooLong,
    /// An integer beyond ±(2^53 − 1): other languages would read another number.
    IntegerTooLarge,
    /// Infinity or not a number.
    NotFinite,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => {
                write!(f, "not valid JSON at line {line}, column {column}")
            }
            Self::NotAnObject => {
                f.write_str("a document must be a JSON object, like {\"title\": \"Milk\"}")
            }
            Self::TooDeep => write!(f, "the document has more than {DOCUMENT_DEPTH_MAX} levels"),
            Self::TooLong => {
                write!(f, "the document is longer than {} MiB", DOCUMENT_BYTES_MAX >> 20)
            }
            Self::KeyTooLong => write!(f, "a key is longer than {KEY_BYTES_MAX} bytes"),
            Self::IntegerTooLarge => {
                write!(f, "an integer is beyond ±{INTEGER_MAX} (2^53 − 1); store it as a string")
            }
            Self::NotFinite => f.write_str("a number is infinite or not a number"),
        }
    }
}

impl core::error::Error for DocumentError {}

impl Document {
    /// Checks a JSON value.
    ///
    /// # Errors
    /// [`DocumentError`]; nothing of the document is repeated in it.
    pub fn from_value(mut value: Value) -> Result<Self, DocumentError> {
        canonicalise(&mut value, 1)?;
        let Value::Object(map) = value else { return Err(DocumentError::NotAnObject) };
        if paths_len(&map, 0) > PATHS_BYTES_MAX {
            return Err(DocumentError::TooLong);
        }
        // Most documents are short by any count; only for the others is the text made.
        let may_be_long = json_len_bound(&map) > DOCUMENT_BYTES_MAX;
        let document = Self(map);
        if may_be_long && document.json_len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong);
        }
        Ok(document)
    }

    /// Reads JSON text. Integers too large for a double are refused here, before they are rounded.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        if text.len() > 2 * DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong);
        }
        let value = serde_json::from_str(text).map_err(|error| {
            // serde_json stops at 128 levels, as a syntax error; ours is the better answer.
            if error.to_string().starts_with("recursion limit") {
                return DocumentError::TooDeep;
            }
            DocumentError::Syntax { line: error.line(), column: error.column() }
        })?;
        if has_long_integer(text) {
            return Err(DocumentError::IntegerTooLarge);
        }
        Self::from_value(value)
    }

    /// Reads the text of a document that was checked before it was stored.
    ///
    /// # Errors
    /// [`DocumentError::Syntax`] or [`DocumentError::NotAnObject`] if the storage was damaged.
    pub fn from_stored_json(text: &str) -> Result<Self, DocumentError> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(DocumentError::NotAnObject),
            Err(error) => Err(DocumentError::Syntax { line: error.line(), column: error.column() }),
        }
    }

    /// A document from a map that came from checked documents.
    pub(crate) fn from_checked_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The object.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value at a path of keys.
    #[must_use]
    pub fn value_at(&self, path: &Path) -> Option<&Value> {
        let mut keys = path.components();
        let Component::Key(first) = keys.next()? else { return None };
        keys.try_fold(self.0.get(first)?, |value, step| match step {
            Component::Key(key) => value.get(key),
            Component::Element(_) => None,
        })
    }

    /// Puts a value at a path of keys; objects on the way are made as needed.
    pub fn set(&mut self, path: &Path, value: Value) {
        let mut keys: Vec<&str> = Vec::new();
        for step in path.components() {
            let Component::Key(key) = step else { return };
            keys.push(key);
        }
        let Some((last, parents)) = keys.split_last() else { return };
        let mut at = &mut self.0;
        for key in parents {
            let slot = at.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            let Value::Object(nested) = slot else { return };
            at = nested;
        }
        at.insert((*last).to_owned(), value);
    }

    /// The object, given away.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Compact JSON text with sorted keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps with string keys always serialise.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    fn json_len(&self) -> usize {
        struct Count(usize);
        impl std::io::Write for Count {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut count = Count(0);
        match serde_json::to_writer(&mut count, &self.0) {
            Ok(()) => count.0,
            Err(_) => usize::MAX,
        }
    }

    /// Applies a JSON merge patch (RFC 7396): `null` removes a key, objects are patched key by key,
    /// everything else replaces.
    pub fn merge_patch(&mut self, patch: &Self) {
        merge_patch(&mut self.0, &patch.0);
    }
}

/// A length that the JSON text of this object does not exceed.
fn json_len_bound(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| text_len_bound(key) + value_len_bound(value)).sum::<usize>() + 2
}

/// With the quotes, and the colon or comma after them. A byte is escaped to six at most.
fn text_len_bound(text: &str) -> usize {
    6 * text.len() + 3
}

fn value_len_bound(value: &Value) -> usize {
    /// `-1.7976931348623157e+308` and a comma; longer than any other scalar.
    const SCALAR: usize = 25;
    match value {
        Value::String(text) => text_len_bound(text),
        Value::Array(items) => items.iter().map(value_len_bound).sum::<usize>() + 3,
        Value::Object(map) => json_len_bound(map) + 1,
        Value::Null | Value::Bool(_) | Value::Number(_) => SCALAR,
    }
}

/// Bytes of the paths of all leaves, roughly: long keys above many leaves count for each of them.
fn paths_len(map: &Map<String, Value>, above: usize) -> usize {
    map.iter().fold(0, |sum: usize, (key, value)| {
        let here = above + key.len() + 2;
        sum.saturating_add(match value {
            Value::Object(nested) => paths_len(nested, here),
            _ => here,
        })
    })
}

fn merge_patch(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(patch) => {
                let mut nested = match target.remove(key) {
                    Some(Value::Object(nested)) => nested,
                    _ => Map::new(),
                };
                merge_patch(&mut nested, patch);
                target.insert(key.clone(), Value::Object(nested));
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

/// Whether valid JSON text has an integer literal of more digits than 2^53 has.
fn has_long_integer(text: &str) -> bool {
    const DIGITS_MAX: usize = 16;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let token = bytes.get(at..).unwrap_or_default();
        at += match byte {
            b'"' => string_len(token),
            b'-' | b'0'..=b'9' => {
                let digits = token.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
                let digits = digits + usize::from(*byte != b'-');
                let len = digits + usize::from(*byte == b'-');
                let whole = !matches!(token.get(len), Some(b'.' | b'e' | b'E'));
                if whole && digits > DIGITS_MAX {
                    return true;
                }
                let tail = token.iter().skip(len);
                len + tail
                    .take_while(|byte| {
                        matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-' | b'0'..=b'9')
                    })
                    .count()
            }
            _ => 1,
        };
    }
    false
}

/// Bytes of the JSON string that `token` begins with, quotes included.
fn string_len(token: &[u8]) -> usize {
    let mut len = 1;
    while let Some(byte) = token.get(len) {
        match byte {
            b'"' => return len + 1,
            b'\\' => len += 2,
            _ => len += 1,
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn bad_documents_are_refused_with_their_reason() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(10 * 1000 * 1000));
        let medium = format!(r#"{{"a":"{}"}}"#, "x".repeat(DOCUMENT_BYTES_MAX));
        let key = format!(r#"{{"{}":1}}"#, "k".repeat(KEY_BYTES_MAX + 1));
        let cases = [
            ("[1]", DocumentError::NotAnObject),
            ("3", DocumentError::NotAnObject),
            ("{\"a\":\n}", DocumentError::Syntax { line: 2, column: 1 }),
            ("", DocumentError::Syntax { line: 1, column: 0 }),
            (&nested(DOCUMENT_DEPTH_MAX + 1), DocumentError::TooDeep),
            (&nested(200), DocumentError::TooDeep),
            (&long, DocumentError::TooLong),
            (&medium, DocumentError::TooLong),
            (&key, DocumentError::KeyTooLong),
            (r#"{"a":9007199254740992}"#, DocumentError::IntegerTooLarge),
            (r#"{"a":-9007199254740992}"#, DocumentError::IntegerTooLarge),
            (r#"{"a":18446744073709551615}"#, DocumentError::IntegerTooLarge),
            (r#"{"a":[123456789012345678901234567890]}"#, DocumentError::IntegerTooLarge),
        ];
        for (text, error) in cases {
            let start: String = text.chars().take(40).collect();
            assert_eq!(Document::from_json(text), Err(error), "{start}");
        }
    }

    #[test]
    fn good_documents_are_kept_to_the_digit() {
        for text in [
            &nested(DOCUMENT_DEPTH_MAX),
            r#"{"a":9007199254740991,"b":-9007199254740991}"#,
            r#"{"a":6.02214076e23,"b":1e-7,"c":0.1}"#,
            r#"{"text":"\"12345678901234567890\" \\","z":[]}"#,
        ] {
            let document = Document::from_json(text).unwrap();
            let again: Value = serde_json::from_str(text).unwrap();
            assert_eq!(document.into_value(), again);
        }
    }

    #[test]
    fn no_text_is_longer_than_its_bound() {
        for value in [
            json!({}),
            json!({"": ""}),
            json!({"\u{1}": "\u{1}\u{1}", "a": [], "b": {}, "c": [[]], "d": null}),
            json!({"a": [-1.7976931348623157e308, -9007199254740991_i64, false], "b": {"c": 1}}),
        ] {
            let document = Document::from_value(value).unwrap();
            let (len, bound) = (document.json_len(), json_len_bound(document.as_map()));
            assert_eq!(len, document.to_json().len());
            assert!(len <= bound, "{len} > {bound}: {document:?}");
        }
    }

    /// RFC 7396, appendix A, the cases whose target and patch are objects.
    #[test]
    fn merge_patch_follows_the_rfc() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (target, patch, result) in cases {
            let mut document = Document::from_value(target.clone()).unwrap();
            document.merge_patch(&Document::from_value(patch.clone()).unwrap());
            assert_eq!(document.into_value(), result, "{target} + {patch}");
        }
    }
}
