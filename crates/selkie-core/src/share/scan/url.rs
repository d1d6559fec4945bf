//! User and password in a URL: `https://user:password@host`.

use super::text::Text;
use super::{Found, Span};

const USER_INFO_BYTES_MAX: usize = 256;

/// The user information behind the `://` that begins there.
pub(super) fn find(text: &Text<'_>, at: usize, floor: usize) -> Option<Span> {
    if !text.goes_on_with(at, b"://") || at < floor {
        return None;
    }
    let start = at + 3;
    let inside = |byte: u8| !byte.is_ascii_whitespace() && !b"/?#\"'<>()[]\\,;@".contains(&byte);
    let end = text.end_while(start, USER_INFO_BYTES_MAX, inside);
    (end > start && text.at(end) == b'@').then(|| Span::new(start, end, Found::Credentials))
}
