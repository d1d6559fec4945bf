//! Date: a year, quarter, month, week or day instead of a moment.

use serde_json::{Value, json};

use super::pseudonym::DAY_MS;
use crate::share::policy::{Kind, Node, Reader};

/// Sends the span of time that a moment lies in, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    to: Span,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Year,
    Quarter,
    Month,
    Week,
    Day,
}

/// What an integer counts, since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Seconds,
}

impl Span {
    const ALL: [(&'static str, Self); 5] = [
        ("year", Self::Year),
        ("quarter", Self::Quarter),
        ("month", Self::Month),
        ("week", Self::Week),
        ("day", Self::Day),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, span)| *span)
    }

    /// Whether each span of this kind is a union of spans of the `finer` kind.
    fn holds(self, finer: Self) -> bool {
        use Span::{Day, Month, Quarter, Week, Year};
        match self {
            Year => matches!(finer, Year | Quarter | Month | Day),
            Quarter => matches!(finer, Quarter | Month | Day),
            Month => matches!(finer, Month | Day),
            Week => matches!(finer, Week | Day),
            Day => finer == Day,
        }
    }
}

impl Date {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let wanted = "\"year\", \"quarter\", \"month\", \"week\" or \"day\"";
        if let Kind::Text(name) = &node.kind {
            let to = Span::from_name(name);
            if to.is_none() {
                rule.wrong(node, "date", wanted);
            }
            return to.map(|to| Self { to, unit: Unit::Milliseconds });
        }
        let mut table = Reader::new(node, "`date`", rule.problems())?;
        let to = table.required("to");
        let to = table.text(to, "to", wanted, |name| Span::from_name(name).is_some());
        let unit = table.optional("unit");
        let name = table.text(unit, "unit", "\"ms\" or \"s\"", |name| matches!(name, "ms" | "s"));
        table.finish();
        if unit.is_some() && name.is_none() {
            return None;
        }
        let unit = if name == Some("s") { Unit::Seconds } else { Unit::Milliseconds };
        Some(Self { to: to.and_then(Span::from_name)?, unit })
    }

    pub(super) fn to_value(self) -> Value {
        let to = Span::ALL.iter().find(|(_, span)| *span == self.to).map_or("", |(name, _)| name);
        json!({ "to": to, "unit": if self.unit == Unit::Seconds { "s" } else { "ms" } })
    }

    pub(super) fn apply(self, value: &Value) -> Option<Value> {
        let day = match value {
            Value::String(text) => day_of_text(text)?,
            Value::Number(number) => {
                let units = match self.unit {
                    Unit::Milliseconds => DAY_MS,
                    Unit::Seconds => DAY_MS / 1000,
                };
                number.as_i64()?.div_euclid(i64::try_from(units).ok()?)
            }
            _ => return None,
        };
        let (year, month, in_month) = civil(day)?;
        Some(Value::from(match self.to {
            Span::Year => format!("{year:04}"),
            Span::Quarter => format!("{year:04}-Q{}", (month - 1) / 3 + 1),
            Span::Month => format!("{year:04}-{month:02}"),
            Span::Day => format!("{year:04}-{month:02}-{in_month:02}"),
            Span::Week => {
                // ISO 8601: a week belongs to the year of its Thursday.
                let thursday = day - (day + 3).rem_euclid(7) + 3;
                let (year, ..) = civil(thursday)?;
                let week = (thursday - days_before(year, 1, 1)) / 7 + 1;
                format!("{year:04}-W{week:02}")
            }
        }))
    }

    pub(super) fn is_narrowing_of(self, older: &Self) -> bool {
        self.unit == older.unit && self.to.holds(older.to)
    }
}

/// The day since 1970, in UTC, of an RFC 3339 time or date.
fn day_of_text(text: &str) -> Option<i64> {
    let number = |from: usize, len: usize| {
        let digits = text.get(from..from + len)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i64>().ok())?
    };
    let mark = |at: usize, marks: &str| text.get(at..=at).filter(|mark| marks.contains(mark));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    mark(4, "-").and(mark(7, "-"))?;
    let date = days_before(year, month, day);
    if civil(date)? != (year, month, day) {
        return None;
    }
    if text.len() == 10 {
        return Some(date);
    }
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    mark(10, "Tt ").and(mark(13, ":")).and(mark(16, ":"))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let at = text.len() - rest.len();
            let sign = if mark(at, "+-")? == "+" { 1 } else { -1 };
            mark(at + 3, ":")?;
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if text.len() != at + 6 || hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes)
        }
    };
    Some((date * 1440 + hour * 60 + minute - offset).div_euclid(1440))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, *chrono-compatible algorithms*).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day since 1970; `None` beyond the years 1 to 9999.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    if !(-719_162..=2_932_896).contains(&days) {
        return None;
    }
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(span: Span, value: &Value) -> Option<String> {
        let date = Date { to: span, unit: Unit::Milliseconds };
        date.apply(value).map(|value| value.as_str().unwrap().to_owned())
    }

    #[test]
    fn a_moment_becomes_a_span_in_utc() {
        for (value, day, week, quarter) in [
            (json!("2026-11-24T18:15:59Z"), "2026-11-24", "2026-W48", "2026-Q4"),
            (json!("2026-01-01"), "2026-01-01", "2026-W01", "2026-Q1"),
            (json!("2027-01-01"), "2027-01-01", "2026-W53", "2027-Q1"),
            (json!("2026-01-01T00:30:00+01:00"), "2025-12-31", "2026-W01", "2025-Q4"),
            (json!("2024-02-29 23:59:60.5-00:30"), "2024-03-01", "2024-W09", "2024-Q1"),
            (json!(0), "1970-01-01", "1970-W01", "1970-Q1"),
            (json!(-1), "1969-12-31", "1970-W01", "1969-Q4"),
        ] {
            assert_eq!(to(Span::Day, &value).unwrap(), day);
            assert_eq!(to(Span::Week, &value).unwrap(), week);
            assert_eq!(to(Span::Quarter, &value).unwrap(), quarter);
            assert_eq!(to(Span::Month, &value).unwrap(), day[..7]);
            assert_eq!(to(Span::Year, &value).unwrap(), day[..4]);
        }
    }

    #[test]
    fn what_is_no_date_is_not_sent() {
        for value in [
            json!("2026-02-30"),
            json!("2026-13-01"),
            json!("24.11.2026"),
            json!("2026-11-24T18:15:59"),
            json!("2026-11-24T25:00:00Z"),
            json!("2026-11-24T18:15:59+1:00"),
            json!("born on 2026-11-24"),
            json!("２０２６-11-24"),
            json!(1.5),
            json!(i64::MAX),
            json!(true),
        ] {
            assert_eq!(to(Span::Day, &value), None, "{value}");
        }
    }

    #[test]
    fn every_day_of_two_centuries_goes_there_and_back() {
        for day in -40_000..40_000 {
            let (year, month, in_month) = civil(day).unwrap();
            assert_eq!(days_before(year, month, in_month), day);
        }
    }
}
