//! JSON that people and files give us: read without losing a digit, refused with a reason.

use std::io::{self, Read as _};

use serde_json::Value;

use crate::exit::Failure;

/// Longest JSON text read for one record; the library's own limit on documents is lower and has the
/// last word.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Integers beyond this are read differently by different languages (RFC 7493).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Reads the JSON given as an argument, or on standard input for `-` or none.
pub fn read_argument(argument: Option<&str>) -> Result<Value, Failure> {
    match argument {
        Some(text) if text != "-" => parse(text.as_bytes()),
        _ => parse(&read_stdin()?),
    }
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Parses one JSON value.
pub fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    if bytes.len() > TEXT_BYTES_MAX {
        let message = format!("longer than {} MiB", TEXT_BYTES_MAX >> 20);
        return Err(Failure::refused("document_too_long", message)
            .help("a document may have 2 MiB; split it into several records"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("not UTF-8 text (at byte {})", error.valid_up_to());
        Failure::refused("invalid_utf8", message).help("convert it first, for example with iconv")
    })?;
    let value = serde_json::from_str(text).map_err(|error| {
        // The reader stops at 128 levels; what is wrong then is the depth, not the syntax.
        if error.to_string().starts_with("recursion limit") {
            return Failure::refused("document_too_deep", "the document has more than 16 levels");
        }
        Failure::refused("invalid_json", format!("not valid JSON: {error}"))
    })?;
    if has_long_integer(text) {
        return Err(Failure::refused(
            "integer_too_large",
            format!("an integer is beyond ±{INTEGER_MAX} (2^53 − 1)"),
        )
        .help("other programs would read another number; write it as a string"));
    }
    Ok(value)
}

/// Whether valid JSON text has an integer that a double could round.
///
/// The parser turns an integer of more than 64 bits into a double without a word, so the text itself
/// is asked.
fn has_long_integer(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c.is_ascii_digit()) {
        rest = rest.get(at..).unwrap_or("");
        if let Some(string) = rest.strip_prefix('"') {
            rest = after_string(string);
            continue;
        }
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let is_integer = number.bytes().all(|byte| byte.is_ascii_digit());
        if is_integer && !number.parse::<u64>().is_ok_and(|number| number <= INTEGER_MAX) {
            return true;
        }
        rest = after;
    }
    false
}

/// What follows a string's closing quote.
fn after_string(mut rest: &str) -> &str {
    while let Some(at) = rest.find(['"', '\\']) {
        let is_end = rest.get(at..).is_some_and(|rest| rest.starts_with('"'));
        // An escape is a backslash and an ASCII character, whatever follows.
        rest = rest.get(at + if is_end { 1 } else { 2 }..).unwrap_or("");
        if is_end {
            break;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_json_is_refused_with_its_reason() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let long = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX));
        for (bytes, code) in [
            (&b""[..], "invalid_json"),
            (b"{\"a\": }", "invalid_json"),
            (b"{} {}", "invalid_json"),
            (b"{\"a\": NaN}", "invalid_json"),
            (b"{\"a\": \"\xff\"}", "invalid_utf8"),
            (deep.as_bytes(), "document_too_deep"),
            (long.as_bytes(), "document_too_long"),
            (b"{\"a\": 9007199254740992}", "integer_too_large"),
            (b"[-9007199254740992]", "integer_too_large"),
            (b"[123456789012345678901234567890]", "integer_too_large"),
        ] {
            assert_eq!(parse(bytes).unwrap_err().code, code);
        }
    }

    #[test]
    fn digits_in_strings_and_floats_are_left_alone() {
        for text in [
            "9007199254740991",
            "-9007199254740991",
            r#"{"99999999999999999999": "99999999999999999999"}"#,
            r#"{"a\"1": "\\", "b": "\u0022 99999999999999999999"}"#,
            "[1.5e300, 0.12345678901234567890, 1e20]",
        ] {
            parse(text.as_bytes()).unwrap();
        }
    }
}
