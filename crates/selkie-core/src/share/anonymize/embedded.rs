//! JSON inside of a text.

use serde_json::Value;

/// Longest text that is read as JSON.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The object or array that a text holds, and nothing but it.
pub(super) fn json_in(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    let outer = (trimmed.as_bytes().first()?, trimmed.as_bytes().last()?);
    let maybe = matches!(outer, (b'{', b'}') | (b'[', b']') | (b'"', b'"'));
    if !maybe || trimmed.len() > TEXT_BYTES_MAX {
        return None;
    }
    // The parser itself stops at 128 levels. A text in quotes counts only if it holds JSON again.
    match serde_json::from_str(trimmed).ok()? {
        Value::String(inner) if inner != trimmed => json_in(&inner),
        value @ (Value::Object(_) | Value::Array(_)) => Some(value),
        _ => None,
    }
}
