//! E-mail addresses, also with `%40` for the `@` as URLs have them.

use super::text::Text;
use super::{Found, Span};

/// RFC 5321 §4.5.3.1.
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 255;
/// Endings of files that are written like a domain: `icon@2x.png`.
const FILES: [&[u8]; 16] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"mjs", b"css", b"ts", b"tsx",
    b"json", b"html", b"map", b"vue", b"wasm",
];

/// The address around the `@` or `%40` there.
pub(super) fn find(text: &Text<'_>, at: usize, floor: usize) -> Option<Span> {
    let after = match text.at(at) {
        b'@' => at + 1,
        _ if text.goes_on_with(at, b"%40") => at + 3,
        _ => return None,
    };
    let is_local = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"._%+-!#$&'*^`{|}~".contains(&byte) || byte >= 0x80
    };
    let mut start = text.start_while(at, floor, LOCAL_BYTES_MAX, is_local);
    // What was cut at the bound may lie inside of a character.
    while start < at && !(text.at(start).is_ascii_alphanumeric() || text.at(start) >= 0xc0) {
        start += 1;
    }
    let end = domain_end(text, after)?;
    let is_tool = text.slice(start, at) == b"git";
    (start < at && text.before(at) != b'.' && !is_tool).then(|| Span::new(start, end, Found::Email))
}

/// Behind a domain of at least two labels, the last of letters.
pub(super) fn domain_end(text: &Text<'_>, start: usize) -> Option<usize> {
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte >= 0x80;
    let bound = start + DOMAIN_BYTES_MAX;
    let mut best = None;
    let mut at = start;
    let mut labels = 0;
    while at < bound {
        let end = text.end_while(at, 64, is_label);
        if end == at || text.at(at) == b'-' {
            break;
        }
        labels += 1;
        let label = text.slice(at, end);
        let is_top = (label.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
            || label.starts_with(b"xn--"))
            && label.len() >= 2;
        if labels >= 2 && is_top {
            best = Some((end, label));
        }
        if text.at(end) != b'.' {
            break;
        }
        at = end + 1;
    }
    let (end, top) = best?;
    let is_file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    (!is_file).then_some(end)
}
