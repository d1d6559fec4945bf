//! What is mostly digits and nobody's: dates with times, and UUIDs. Stepped over as a whole.

use super::text::Text;

/// Behind a date, a time or a UUID that begins there.
pub(super) fn end(text: &Text<'_>, at: usize) -> Option<usize> {
    uuid_end(text, at).or_else(|| date_end(text, at)).or_else(|| time_end(text, at))
}

fn uuid_end(text: &Text<'_>, at: usize) -> Option<usize> {
    if text.at(at + 8) != b'-' || text.at(at + 13) != b'-' || text.at(at + 18) != b'-' {
        return None;
    }
    let end = at + 36;
    let fits = text.slice(at, end).iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (fits && end <= text.len() && text.ends_word(end)).then_some(end)
}

/// `2026-11-24`, also with `/`, and the time behind it.
fn date_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let separator = text.at(at + 4);
    if !matches!(separator, b'-' | b'/') || text.at(at + 7) != separator {
        return None;
    }
    let two = |at: usize| two_digits(text, at);
    let year = two(at)? * 100 + two(at + 2)?;
    let fits = (1900..=2100).contains(&year)
        && (1..=12).contains(&two(at + 5)?)
        && (1..=31).contains(&two(at + 8)?)
        && !text.at(at + 10).is_ascii_digit();
    if !fits {
        return None;
    }
    let end = at + 10;
    match text.at(end) {
        b'T' | b't' | b' ' | b'_' | b':' => time_end(text, end + 1).or(Some(end)),
        _ => Some(end),
    }
}

/// `18:15:59.123`, with the offset behind it.
fn time_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let two = |at: usize| two_digits(text, at);
    let clock = text.at(at + 2) == b':' && text.at(at + 5) == b':';
    let fits = clock && two(at)? < 24 && two(at + 3)? < 60 && two(at + 6)? < 61;
    // A hardware address goes on with another pair.
    if !fits || matches!(text.at(at + 8), b':' | b'0'..=b'9') {
        return None;
    }
    let mut end = at + 8;
    if matches!(text.at(end), b'.' | b',') {
        end = text.end_while(end + 1, 9, |byte| byte.is_ascii_digit());
    }
    if matches!(text.at(end), b'+' | b'-') && two(end + 1).is_some() {
        end = text.end_while(end + 1, 5, |byte| byte.is_ascii_digit() || byte == b':');
    } else if matches!(text.at(end), b'Z' | b'z') {
        end += 1;
    }
    Some(end)
}

fn two_digits(text: &Text<'_>, at: usize) -> Option<u32> {
    let (tens, ones) = (text.at(at), text.at(at + 1));
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}
