//! JSON values in one canonical form, and as deterministic CBOR.
//!
//! Equal values have equal bytes on every device: numbers are integers where they are whole and
//! within ±(2^53 − 1) (so `1.0` is `1` and `-0.0` is `0`), other numbers are binary64; object keys
//! are unique and, in CBOR, in the order of RFC 8949 §4.2.1.

use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Number, Value};

use crate::limits::{DOCUMENT_DEPTH_MAX, INTEGER_MAX, KEY_BYTES_MAX};

use super::DocumentError;

/// Brings a value to canonical form and checks its bounds; `level` is the depth it sits at, from 1.
///
/// # Errors
/// [`DocumentError`] for depth, key length and numbers.
pub fn canonicalise(value: &mut Value, level: usize) -> Result<(), DocumentError> {
    if level > DOCUMENT_DEPTH_MAX && (value.is_object() || value.is_array()) {
        return Err(DocumentError::TooDeep);
    }
    match value {
        Value::Number(number) => {
            if let Some(canonical) = canonical_number(number)? {
                *number = canonical;
            }
        }
        Value::Array(items) => {
            for item in items {
                canonicalise(item, level + 1)?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                if key.len() > KEY_BYTES_MAX {
                    return Err(DocumentError::KeyTooLong);
                }
                canonicalise(item, level + 1)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

/// The canonical form of a number if it differs from the one given.
fn canonical_number(number: &Number) -> Result<Option<Number>, DocumentError> {
    if let Some(integer) = number.as_i64() {
        let fits = (-INTEGER_MAX..=INTEGER_MAX).contains(&integer);
        return if fits { Ok(None) } else { Err(DocumentError::IntegerTooLarge) };
    }
    if number.is_u64() {
        return Err(DocumentError::IntegerTooLarge);
    }
    let float =
        number.as_f64().filter(|float| float.is_finite()).ok_or(DocumentError::NotFinite)?;
    Ok(whole(float).map(Number::from))
}

/// A float that stands for an integer within bounds, as that integer.
fn whole(float: f64) -> Option<i64> {
    let bound = INTEGER_MAX as f64;
    (float.trunc() == float && (-bound..=bound).contains(&float)).then_some(float as i64)
}

/// Writes a canonical value as deterministic CBOR.
///
/// # Errors
/// Only the writer's own.
pub fn encode<W: Write>(
    value: &Value,
    e: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    match value {
        Value::Null => e.null()?,
        Value::Bool(bool) => e.bool(*bool)?,
        Value::Number(number) => match number.as_i64() {
            Some(integer) => e.i64(integer)?,
            None => e.f64(number.as_f64().unwrap_or(0.0))?,
        },
        Value::String(text) => e.str(text)?,
        Value::Array(items) => {
            e.array(items.len() as u64)?;
            return items.iter().try_for_each(|item| encode(item, e));
        }
        Value::Object(map) => {
            e.map(map.len() as u64)?;
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_unstable_by_key(|(key, _)| (key.len(), key.as_bytes()));
            for (key, item) in pairs {
                encode(item, e.str(key)?)?;
            }
            return Ok(());
        }
    };
    Ok(())
}

/// The deterministic CBOR of a canonical value.
#[must_use]
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    // The writer is a Vec, whose error type is uninhabited.
    let _infallible = encode(value, &mut e);
    e.into_writer()
}

/// Reads one canonical value; the caller has checked that the bytes are deterministic CBOR.
///
/// # Errors
/// For a value that is not canonical, or deeper than a document may be.
pub fn decode(d: &mut Decoder<'_>) -> Result<Value, minicbor::decode::Error> {
    decode_at(d, 1)
}

fn decode_at(d: &mut Decoder<'_>, level: usize) -> Result<Value, minicbor::decode::Error> {
    let refuse = |why| Err(minicbor::decode::Error::message(why));
    Ok(match d.datatype()? {
        Type::Array | Type::Map if level > DOCUMENT_DEPTH_MAX => {
            return refuse("a value is nested too deeply");
        }
        Type::Null => {
            d.null()?;
            Value::Null
        }
        Type::Bool => Value::Bool(d.bool()?),
        Type::F64 => {
            let float = d.f64()?;
            match Number::from_f64(float) {
                Some(number) if whole(float).is_none() => Value::Number(number),
                _ => return refuse("a number is not canonical"),
            }
        }
        Type::String => Value::String(d.str()?.to_owned()),
        Type::Array => {
            let len = d.array()?.unwrap_or(0);
            let items: Result<_, _> = (0..len).map(|_| decode_at(d, level + 1)).collect();
            Value::Array(items?)
        }
        Type::Map => {
            let len = d.map()?.unwrap_or(0);
            let mut map = Map::new();
            for _ in 0..len {
                let key = d.str()?;
                if key.len() > KEY_BYTES_MAX {
                    return refuse("a key is too long");
                }
                map.insert(key.to_owned(), decode_at(d, level + 1)?);
            }
            Value::Object(map)
        }
        _ => {
            let integer = d.i64()?;
            if !(-INTEGER_MAX..=INTEGER_MAX).contains(&integer) {
                return refuse("an integer is too large");
            }
            Value::from(integer)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(mut value: Value) -> Value {
        canonicalise(&mut value, 1).unwrap();
        value
    }

    #[test]
    fn equal_numbers_become_the_same_number() {
        assert_eq!(canonical(json!([1.0, -0.0, 1e3, 0.5])), json!([1, 0, 1000, 0.5]));
    }

    /// Written from docs/FORMAT.md and RFC 8949, not from the code.
    #[test]
    fn bytes_are_those_of_the_specification() {
        let cases: &[(Value, &[u8])] = &[
            (json!(null), &[0xf6]),
            (json!(true), &[0xf5]),
            (json!(23), &[0x17]),
            (json!(-1), &[0x20]),
            (json!(1.5), &[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
            (json!("é"), &[0x62, 0xc3, 0xa9]),
            (json!([1, [2]]), &[0x82, 0x01, 0x81, 0x02]),
            (json!({"bb": 1, "a": 2, "c": 3}), b"\xa3\x61a\x02\x61c\x03\x62bb\x01"),
        ];
        for (value, bytes) in cases {
            assert_eq!(to_bytes(value), *bytes, "{value}");
            selkie_wire::cbor::check(bytes).unwrap();
            assert_eq!(decode(&mut Decoder::new(bytes)).unwrap(), *value);
        }
    }

    #[test]
    fn values_that_are_not_canonical_are_refused() {
        let cases: &[&[u8]] = &[
            &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0],
            &[0xa1, 0x01, 0x01],
        ];
        for bytes in cases {
            assert!(decode(&mut Decoder::new(bytes)).is_err(), "{bytes:02x?}");
        }
    }
}
