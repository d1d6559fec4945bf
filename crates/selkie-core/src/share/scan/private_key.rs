//! Private keys in PEM (RFC 7468).

use super::text::Text;
use super::{Found, Span};

const KEY_BYTES_MAX: usize = 16 * 1024;

/// The key whose `-----BEGIN` is there, up to its end or the end of what could be one.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    if !text.goes_on_with(at, b"-----BEGIN ") || text.before(at) == b'-' {
        return None;
    }
    let label_end = text.end_while(at + 11, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
    let label = text.slice(at + 11, label_end);
    if !label.ends_with(b"PRIVATE KEY") || !text.goes_on_with(label_end, b"-----") {
        return None;
    }
    let is_body = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n\t :,\\".contains(&byte);
    // Headers of older forms hold dashes, so the body may go on behind one of them.
    let mut end = label_end + 5;
    while end < at + KEY_BYTES_MAX {
        end = text.end_while(end, KEY_BYTES_MAX, is_body);
        if text.goes_on_with(end, b"-----END ") {
            let after =
                text.end_while(end + 9, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
            end = after + 5;
            break;
        }
        if text.at(end) != b'-' || text.at(end + 1) == b'-' {
            break;
        }
        end += 1;
    }
    Some(Span::new(at, end.min(text.len()), Found::PrivateKey))
}
