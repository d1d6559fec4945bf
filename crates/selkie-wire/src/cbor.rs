//! Strict CBOR: one byte string for each value (RFC 8949 §4.2.1, core deterministic encoding).
//!
//! Decoders built with `minicbor` skip map keys they do not know, so that older versions can read
//! newer messages; this check runs before them, so that skipping never hides a second encoding.

use core::fmt;

use minicbor::{Decode, Encode};

use crate::limits::CBOR_DEPTH_MAX;

/// Why bytes are not the one deterministic encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CborError {
    /// The item ends before its length says.
    Truncated,
    /// Bytes follow the item.
    Trailing,
    /// A length or integer is not in its shortest form, or a length is indefinite.
    NotShortest,
    /// Map keys are not in ascending byte order, or one occurs twice.
    KeyOrder,
    /// Text is not UTF-8.
    NotUtf8,
    /// Nesting beyond [`CBOR_DEPTH_MAX`].
    TooDeep,
    /// A tag, a half or single float, or a simple value other than false, true and null.
    Unsupported,
    /// Well-formed, but not of the shape expected here.
    Shape,
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end too early",
            Self::Trailing => "bytes follow the end",
            Self::NotShortest => "a length is not in its shortest form",
            Self::KeyOrder => "map keys are out of order or doubled",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooDeep => "nested too deeply",
            Self::Unsupported => "holds a kind of value that is not used here",
            Self::Shape => "does not have the expected shape",
        })
    }
}

impl core::error::Error for CborError {}

/// Encodes a value; encoding into memory cannot fail.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The writer is a Vec, whose error type is uninhabited; our types raise no custom error.
    let _infallible = minicbor::encode(value, &mut bytes);
    bytes
}

/// Decodes exactly one deterministic item.
///
/// # Errors
/// Anything that is not the one encoding of a `T`, whole, without trailing bytes.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CborError> {
    check(bytes)?;
    minicbor::decode(bytes).map_err(|_| CborError::Shape)
}

/// Checks that `bytes` are exactly one deterministically encoded item.
///
/// # Errors
/// The first deviation found.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let rest = item(bytes, CBOR_DEPTH_MAX)?;
    if rest.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
}

/// Skips one item and returns what follows it.
fn item(bytes: &[u8], depth: usize) -> Result<&[u8], CborError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(CborError::TooDeep) };
    let (&first, rest) = bytes.split_first().ok_or(CborError::Truncated)?;
    let (major, info) = (first >> 5, first & 0x1f);
    if major == 7 {
        return simple(info, rest);
    }
    let (argument, rest) = argument(info, rest)?;
    match major {
        0 | 1 => Ok(rest),
        2 => Ok(split(rest, argument)?.1),
        3 => {
            let (text, rest) = split(rest, argument)?;
            core::str::from_utf8(text).map_err(|_| CborError::NotUtf8)?;
            Ok(rest)
        }
        4 => (0..argument).try_fold(rest, |rest, _| item(rest, depth)),
        5 => map(rest, argument, depth),
        _ => Err(CborError::Unsupported),
    }
}

fn map(mut rest: &[u8], pairs: u64, depth: usize) -> Result<&[u8], CborError> {
    let mut previous: Option<&[u8]> = None;
    for _ in 0..pairs {
        let after_key = item(rest, depth)?;
        let (key, _) = rest.split_at(rest.len() - after_key.len());
        if previous.is_some_and(|previous| previous >= key) {
            return Err(CborError::KeyOrder);
        }
        previous = Some(key);
        rest = item(after_key, depth)?;
    }
    Ok(rest)
}

fn simple(info: u8, rest: &[u8]) -> Result<&[u8], CborError> {
    match info {
        20..=22 => Ok(rest),
        27 => Ok(split(rest, 8)?.1),
        _ => Err(CborError::Unsupported),
    }
}

fn argument(info: u8, rest: &[u8]) -> Result<(u64, &[u8]), CborError> {
    let (len, least) = match info {
        0..=23 => return Ok((u64::from(info), rest)),
        24 => (1, 24),
        25 => (2, 1 << 8),
        26 => (4, 1 << 16),
        27 => (8, 1 << 32),
        _ => return Err(CborError::NotShortest),
    };
    let (head, rest) = split(rest, len)?;
    let value = head.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
    if value < least { Err(CborError::NotShortest) } else { Ok((value, rest)) }
}

fn split(bytes: &[u8], len: u64) -> Result<(&[u8], &[u8]), CborError> {
    usize::try_from(len)
        .ok()
        .and_then(|len| bytes.split_at_checked(len))
        .ok_or(CborError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deterministic_items_pass() {
        let good: &[&[u8]] = &[
            &[0x00],
            &[0x18, 24],
            &[0x20],
            &[0x43, 1, 2, 3],
            &[0x63, b'a', b'b', b'c'],
            &[0x82, 0x01, 0xf6],
            &[0xa2, 0x00, 0x01, 0x01, 0x02],
            &[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
        ];
        for bytes in good {
            assert_eq!(check(bytes), Ok(()), "{bytes:02x?}");
        }
    }

    #[test]
    fn every_second_encoding_is_refused() {
        let deep = [[0x81].repeat(CBOR_DEPTH_MAX).as_slice(), &[0x00]].concat();
        let bad: &[(&[u8], CborError)] = &[
            (&[], CborError::Truncated),
            (&[0x18, 23], CborError::NotShortest),
            (&[0x19, 0, 255], CborError::NotShortest),
            (&[0x5f, 0x41, 0, 0xff], CborError::NotShortest),
            (&[0x00, 0x00], CborError::Trailing),
            (&[0xa2, 0x01, 0x01, 0x00, 0x02], CborError::KeyOrder),
            (&[0xa2, 0x01, 0x01, 0x01, 0x02], CborError::KeyOrder),
            (&[0x61, 0xff], CborError::NotUtf8),
            (&[0x44, 1, 2], CborError::Truncated),
            (&[0xc0, 0x00], CborError::Unsupported),
            (&[0xf9, 0x3c, 0x00], CborError::Unsupported),
            (&[0xf7], CborError::Unsupported),
            (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], CborError::Truncated),
            (&deep, CborError::TooDeep),
        ];
        for (bytes, error) in bad {
            assert_eq!(check(bytes), Err(*error), "{bytes:02x?}");
        }
    }
}
