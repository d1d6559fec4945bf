//! Latitude and longitude, as decimal pairs or one by one behind their names.

use super::context;
use super::text::Text;
use super::{Found, Span};

/// A decimal number in a text.
struct Decimal {
    start: usize,
    end: usize,
    /// Digits behind the point.
    places: usize,
    whole: u32,
}

/// The pair, or the named number, that begins with the digit there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    if !text.at(at).is_ascii_digit() || text.before(at) == b'.' {
        return None;
    }
    let lat = decimal(text, at)?;
    let said = || context::has_within(text, lat.start, 24, context::PLACE);
    if let Some(lon) = partner(text, &lat) {
        let in_range = lat.whole <= 90 && lon.whole <= 180;
        let precise = lat.places.min(lon.places);
        // A pair of small fractions is a pair of measures; a place near zero has little land.
        let sure = precise >= 5 && (lat.whole > 1 || lon.whole > 1);
        if in_range && (sure || (precise >= 3 && said())) {
            return Some(Span::new(lat.start, lon.end, Found::Coordinates));
        }
    }
    (lat.whole <= 180 && lat.places >= 3 && is_named(text, lat.start))
        .then(|| Span::new(lat.start, lat.end, Found::Coordinates))
}

/// The second number of a pair, behind a comma, a semicolon or a space, or a direction.
fn partner(text: &Text<'_>, lat: &Decimal) -> Option<Decimal> {
    let mut at = text.end_while(lat.end, 3, |byte| byte == b' ' || byte == b'N' || byte == b'S');
    at = text.end_while(at, 4, |byte| matches!(byte, b',' | b';' | b' ' | b'/'));
    (at > lat.end).then_some(())?;
    if matches!(text.at(at), b'-' | b'+') {
        at += 1;
    }
    let lon = decimal(text, at)?;
    let end = text.end_while(lon.end, 2, |byte| matches!(byte, b' ' | b'E' | b'W'));
    let directed = matches!(text.before(end), b'E' | b'W');
    Some(Decimal { end: if directed { end } else { lon.end }, ..lon })
}

fn decimal(text: &Text<'_>, at: usize) -> Option<Decimal> {
    let point = text.end_while(at, 4, |byte| byte.is_ascii_digit());
    if point == at || point - at > 3 || text.at(point) != b'.' {
        return None;
    }
    let mut end = text.end_while(point + 1, 20, |byte| byte.is_ascii_digit());
    let places = end - point - 1;
    if places == 0 || (text.at(end) == b'.' && text.at(end + 1).is_ascii_digit()) {
        return None;
    }
    // A degree sign, in UTF-8.
    if text.goes_on_with(end, "°".as_bytes()) {
        end += "°".len();
    } else if text.at(end).is_ascii_alphabetic() && !b"NSEW".contains(&text.at(end)) {
        return None;
    }
    let whole =
        text.slice(at, point).iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
    let start = at - usize::from(matches!(text.before(at), b'-' | b'+'));
    Some(Decimal { start, end, places, whole })
}

/// `lat=48.8566`, `"longitude": 2.3522`.
fn is_named(text: &Text<'_>, at: usize) -> bool {
    let name_end = text.start_while(at, 0, 4, |byte| b" :=\"'".contains(&byte));
    let start = text.start_while(name_end, 0, 24, |byte| byte.is_ascii_alphabetic());
    const NAMES: [&[u8]; 6] = [b"lat", b"lon", b"lng", b"long", b"latitude", b"longitude"];
    let name = text.slice(start, name_end);
    name_end < at && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}
