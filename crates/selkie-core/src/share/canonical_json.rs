//! JSON as RFC 8785 writes it: the one text of a payload, shown as it is sent.

use core::fmt::Write as _;

use serde_json::{Number, Value};

/// The canonical text of a value whose numbers are canonical (`record::value`).
pub(super) fn to_text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// As deep as a payload: its rules bound it.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => write_number(number, text),
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            text.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(key, text);
                text.push(':');
                write(item, text);
            }
            text.push('}');
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            // Writing to a String cannot fail.
            c if c < ' ' => drop(write!(text, "\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// As ECMAScript's `Number::toString`.
fn write_number(number: &Number, text: &mut String) {
    if let Some(integer) = number.as_i64() {
        let _infallible = write!(text, "{integer}");
        return;
    }
    // The shortest digits that read back, the nearer of two, the even one of two as near; the standard
    // library's own are not always the nearest.
    let shortest = number.to_string();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let before = |len: usize| i32::try_from(len).unwrap_or(i32::MAX);
    let exponent: i32 = exponent.trim_start_matches('+').parse().unwrap_or(0);
    // Where the point stands, counted from the first digit that is not zero.
    let point = exponent + before(whole.len()) - before(zeros);
    text.push_str(sign);
    if (count..=21).contains(&point) {
        text.push_str(digits);
        text.extend(core::iter::repeat_n('0', usize::try_from(point - count).unwrap_or(0)));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        text.push_str(whole);
        text.push('.');
        text.push_str(fraction);
    } else if (-5..=0).contains(&point) {
        text.push_str("0.");
        text.extend(core::iter::repeat_n('0', usize::try_from(-point).unwrap_or(0)));
        text.push_str(digits);
    } else {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        let exponent = point - 1;
        let sign = if exponent < 0 { "-" } else { "+" };
        let _infallible = write!(text, "e{sign}{}", exponent.abs());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Numbers of RFC 8785, appendix B, and the example of section 3.2.2.
    #[test]
    fn text_is_that_of_rfc_8785() {
        for (bits, expected) in [
            (0x0000_0000_0000_0001u64, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0001, "9007199254740994"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(to_text(&json!(f64::from_bits(bits))), expected);
        }
        let value = json!({
            "string": "€$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false],
            "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7,
        });
        assert_eq!(
            to_text(&value),
            "{\"\\r\":2,\"1\":4,\"literals\":[null,true,false],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\
             \"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }
}
