//! Hardware addresses: six pairs of hexadecimal digits.

use super::text::Text;
use super::{Found, Span};

/// The hardware address that begins there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    let separator = text.at(at + 2);
    if !matches!(separator, b':' | b'-') || matches!(text.before(at), b':' | b'-') {
        return None;
    }
    let fits = (0..6).all(|pair| {
        let start = at + pair * 3;
        text.at(start).is_ascii_hexdigit()
            && text.at(start + 1).is_ascii_hexdigit()
            && (pair == 5 || text.at(start + 2) == separator)
    });
    let end = at + 17;
    // Digits alone are more likely a date and time.
    let has_letter = text.slice(at, end).iter().any(u8::is_ascii_alphabetic);
    let apart = text.ends_word(end) && text.at(end) != separator;
    (fits && apart && (has_letter || separator == b':')).then(|| Span::new(at, end, Found::Device))
}
