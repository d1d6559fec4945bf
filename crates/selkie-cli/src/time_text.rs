//! Times that people type: moments of the calendar, spans, and how far away something is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::exit::Failure;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The units of a span, largest first.
const UNITS: [(&str, u64); 5] =
    [("w", 7 * DAY_MS), ("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS)];

/// The wall time in milliseconds since 1970 (UTC).
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a span like `24h`, `90m` or `30d`, in milliseconds.
pub fn span(text: &str) -> Result<u64, Failure> {
    parse_span(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no span of time"))
            .help("write a number and s, m, h, d or w; for example: 24h")
    })
}

fn parse_span(text: &str) -> Option<u64> {
    let (unit, unit_ms) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| is_plain)?.checked_mul(unit_ms)
}

/// A span as a person reads it, in its two largest units: `21 h 10 min`.
pub fn about(ms: u64) -> String {
    let units = [("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS)];
    let Some(first) = units.iter().position(|(_, unit_ms)| ms >= *unit_ms) else {
        return "less than a minute".to_owned();
    };
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, unit_ms) in units.iter().skip(first).take(2) {
        if rest >= *unit_ms {
            parts.push(format!("{} {unit}", rest / unit_ms));
        }
        rest %= unit_ms;
    }
    parts.join(" ")
}

/// A span as it is typed, exactly: `24h`, `30d`.
pub fn typed(ms: u64) -> String {
    // Hours up to two days: a deadline of a day is spoken of as 24 hours.
    let fits = |(unit, unit_ms): &(&str, u64)| {
        ms > 0 && ms.is_multiple_of(*unit_ms) && *unit != "w" && (*unit != "d" || ms > 2 * DAY_MS)
    };
    match UNITS.iter().find(|unit| fits(unit)) {
        Some((unit, unit_ms)) => format!("{}{unit}", ms / unit_ms),
        None => format!("{}s", ms / SECOND_MS),
    }
}

/// Reads a moment: RFC 3339 in UTC, or a span before `now_ms`; in milliseconds since 1970.
pub fn moment(text: &str, now_ms: u64) -> Result<u64, Failure> {
    let at_ms = parse_span(text).and_then(|span| now_ms.checked_sub(span));
    let at_ms = at_ms.or_else(|| parse_moment(text)).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no time"))
            .help("write it in UTC like 2026-11-24T16:00:00Z, or how long ago: 2h, 3d")
    })?;
    if at_ms > now_ms {
        return Err(Failure::usage(format!("{text:?} is yet to come")));
    }
    Ok(at_ms)
}

/// `2026-11-24T16:00:00Z`; with a space as selkie prints it; with or without fractions of a second.
fn parse_moment(text: &str) -> Option<u64> {
    let text = text.strip_suffix(['Z', 'z'])?;
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let days = days_of(year, month, day)?;
    Some(days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction_ms)
}

/// Three numbers, each of exactly so many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut next = |digits: usize| {
        let part = parts.next()?;
        let fits = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| fits)
    };
    let [first, second, third] = digits;
    let found = [next(first)?, next(second)?, next(third)?];
    parts.next().is_none().then_some(found)
}

/// Days since 1970 of a date that exists: the inverse of what `text::moment` does.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let days_in_month = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=days_in_month).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + in_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for at_ms in [0, 951_782_399_000, 951_782_400_000, 1_709_251_200_000, 4_102_444_799_000] {
            let written = text::moment(at_ms);
            assert_eq!(parse_moment(&written), Some(at_ms), "{written}");
            assert_eq!(parse_moment(&written.replace(' ', "T")), Some(at_ms), "{written}");
        }
        assert_eq!(parse_moment("1970-01-01T00:00:00.25Z"), Some(250));
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T16:00:00",
            "2026-11-24T16:00:00+01:00",
            "2026-11-24",
            "26-11-24T16:00:00Z",
            "1969-12-31T23:59:59Z",
            "",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_is_how_long_ago() {
        let now_ms = 10 * DAY_MS;
        for (text, at_ms) in [("2h", now_ms - 2 * HOUR_MS), ("3d", 7 * DAY_MS), ("1w", 3 * DAY_MS)]
        {
            assert_eq!(moment(text, now_ms).unwrap(), at_ms, "{text}");
        }
        for text in ["11d", "h", "-2h", "+2h", "2", "1970-01-20T00:00:00Z", "99999999999999999999h"]
        {
            assert_eq!(moment(text, now_ms).unwrap_err().code, "usage", "{text}");
        }
    }

    #[test]
    fn spans_are_told_in_two_units_and_typed_exactly() {
        for (ms, told) in [
            (59_999, "less than a minute"),
            (HOUR_MS, "1 h"),
            (21 * HOUR_MS + 10 * MINUTE_MS + 5, "21 h 10 min"),
            (2 * DAY_MS + 59 * MINUTE_MS, "2 d"),
        ] {
            assert_eq!(about(ms), told);
        }
        for (ms, text) in [(DAY_MS, "24h"), (30 * DAY_MS, "30d"), (90 * MINUTE_MS, "90m")] {
            assert_eq!(typed(ms), text);
            assert_eq!(span(text).unwrap(), ms);
        }
    }
}
