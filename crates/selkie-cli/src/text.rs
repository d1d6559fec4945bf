//! Numbers, times and foreign text as a person reads them.

use serde_json::Value;

/// A count with thousands separators.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, in the right number.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// A size in bytes.
pub fn bytes(n: u64) -> String {
    const KIB: f64 = 1024.0;
    let size = n as f64;
    if size < KIB {
        counted(n, "byte")
    } else if size < KIB * KIB {
        format!("{:.1} KiB", size / KIB)
    } else {
        format!("{:.1} MiB", size / (KIB * KIB))
    }
}

/// A duration.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A moment, in UTC, after RFC 3339 with a space: `2026-05-01 08:30:00Z`.
pub fn moment(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date in the Gregorian calendar, with years that begin in March, so that the leap
    // day comes last: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let from_epoch = days + 719_468;
    let (era, of_era) = (from_epoch / 146_097, from_epoch % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Foreign text on one line, with nothing in it that could steer a terminal.
///
/// Ids, names and values come from other devices: escape sequences and characters that turn the
/// direction of writing are shown, not obeyed.
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// A JSON value on one line.
pub fn compact(value: &Value) -> String {
    plain(&value.to_string())
}

/// A JSON value on as many lines as it needs, each without anything that could steer a terminal.
pub fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// At most `chars_max` characters, with a mark where something was left out.
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sized() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "segment"), "1 segment");
        assert_eq!(counted(2, "segment"), "2 segments");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3 * 1024 * 1024), "3.0 MiB");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_250), "1.2 s");
        assert_eq!(duration(61_000), "1 min 1 s");
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (unix_ms, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399_000, "2000-02-28 23:59:59Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (1_709_251_200_000, "2024-03-01 00:00:00Z"),
            (4_102_444_799_999, "2099-12-31 23:59:59Z"),
        ] {
            assert_eq!(moment(unix_ms), text);
        }
    }

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        assert_eq!(plain("\x1b[2J\u{9b}31m\u{202e}a"), r"\u{1b}[2J\u{9b}31m\u{202e}a");
        assert_eq!(plain("Möwe 🐧"), "Möwe 🐧");
        assert_eq!(cut("penguin", 4), "pen…");
        assert_eq!(cut("Möwe", 4), "Möwe");
    }
}
