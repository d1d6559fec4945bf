//! JSON that people and files give us: read without losing a digit, refused with a reason.

use std::io::{self, Read as _};

use serde_json::Value;

use crate::exit::Failure;
use crate::json_text::{self, INTEGER_MAX, Loss};
use crate::text;

/// Longest JSON text read for one record; the library's own limit on documents is lower and has the
/// last word.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    let json = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("not UTF-8 text (at byte {})", error.valid_up_to());
        Failure::refused("invalid_utf8", message).help("convert it first, for example with iconv")
    })?;
    let value = serde_json::from_str(json).map_err(|error| {
        // The reader stops at 128 levels; what is wrong then is the depth, not the syntax.
        if error.to_string().starts_with("recursion limit") {
            return Failure::refused("document_too_deep", "the document has more than 16 levels");
        }
        Failure::refused("invalid_json", format!("not valid JSON: {}", syntax(&error)))
    })?;
    match json_text::find_loss(json) {
        Some(Loss::LongInteger) => Err(Failure::refused(
            "integer_too_large",
            format!("an integer is beyond ±{INTEGER_MAX} (2^53 − 1)"),
        )
        .help("other programs would read another number; write it as a string")),
        Some(Loss::DuplicateKey(key)) => Err(Failure::refused(
            "duplicate_key",
            format!("an object has the key {} twice", text::compact(&key.into())),
        )
        .help("only one of the two would be kept; remove or rename one")),
        None => Ok(value),
    }
}

/// What is wrong and where. The value may be one of many in a file, so its lines are said to be its own.
fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    match (error.line(), error.column()) {
        (0 | 1, column) => format!("{what} (column {column})"),
        (line, column) => format!("{what} (line {line} of the value, column {column})"),
    }
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
            (b"{\"a\": 1, \"a\": 2}", "duplicate_key"),
        ] {
            assert_eq!(parse(bytes).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_syntax_error_says_where() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().message;
        assert_eq!(message("{\"a\": }"), "not valid JSON: expected value (column 7)");
        assert_eq!(
            message("{\"a\":\n1,}"),
            "not valid JSON: trailing comma (line 2 of the value, column 3)"
        );
    }
}
