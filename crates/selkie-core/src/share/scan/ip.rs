//! Addresses of the Internet Protocol, other than of the machine itself and unspecified ones.

use super::context;
use super::text::{Text, is_word};
use super::{Found, Span};

/// An IPv4 address that begins there.
pub(super) fn find_v4(text: &Text<'_>, at: usize) -> Option<Span> {
    if text.before(at) == b'.' || text.before(at) == b'-' {
        return None;
    }
    let mut octets = [0u32; 4];
    let mut end = at;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            (text.at(end) == b'.').then_some(())?;
            end += 1;
        }
        let after = text.end_while(end, 4, |byte| byte.is_ascii_digit());
        let digits = text.slice(end, after);
        if !(1..=3).contains(&digits.len()) || (digits.len() > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        *octet = digits.iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
        end = after;
    }
    let goes_on = is_word(text.at(end))
        || (matches!(text.at(end), b'.' | b'-') && text.at(end + 1).is_ascii_digit());
    let [first, second, third, fourth] = octets;
    let own = first == 127 || (first == 0) || octets == [255; 4];
    let fits = octets.iter().all(|octet| *octet < 256);
    let is_version = (first < 20 && second < 30 && third < 30 && fourth < 30)
        && context::has_within(text, at, 24, context::VERSION);
    (fits && !own && !goes_on && !is_version).then(|| Span::new(at, end, Found::Ip))
}

/// An IPv6 address that begins there (RFC 4291 §2.2).
pub(super) fn find_v6(text: &Text<'_>, at: usize) -> Option<Span> {
    if !text.at(at).is_ascii_hexdigit() || matches!(text.before(at), b':' | b'.' | b'-') {
        return None;
    }
    let (mut groups, mut end, mut gap, mut has_digit) = (0, at, false, false);
    loop {
        let after = text.end_while(end, 5, |byte| byte.is_ascii_hexdigit());
        let group = text.slice(end, after);
        if group.len() > 4 {
            return None;
        }
        if group.is_empty() {
            break;
        }
        has_digit |= group.iter().any(u8::is_ascii_digit);
        groups += 1;
        end = after;
        if text.goes_on_with(end, b"::") {
            if gap {
                return None;
            }
            gap = true;
            end += 2;
        } else if text.at(end) == b':' && text.at(end + 1).is_ascii_hexdigit() && groups < 8 {
            end += 1;
        } else {
            break;
        }
    }
    let whole = groups == 8 && !gap;
    // Code writes `a::b`, too: what is shortened needs a digit and the beginning of a network.
    let network =
        matches!(text.at(at), b'2' | b'3' | b'f' | b'F') && text.at(at + 3).is_ascii_hexdigit();
    let shortened = gap && groups < 8 && has_digit && network;
    (text.ends_word(end) && has_digit && (whole || shortened))
        .then(|| Span::new(at, end, Found::Ip))
}
