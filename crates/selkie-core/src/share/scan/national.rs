//! People's numbers in national registers, by their check digits or, where there are none, by their
//! form and a word before.

use super::check_digits::{is_day_and_month, luhn, mod_11_10, number, verhoeff, weighted};
use super::context;
use super::number::{Group, Run};
use super::text::Text;
use super::{Found, Span};

/// A number of digits that begins with a group, and how many groups it takes.
pub(super) fn find_digits(
    text: &Text<'_>,
    run: &Run<'_, '_>,
    group: usize,
) -> Option<(Span, usize)> {
    let groups = run.from(group);
    (1..=groups.len().min(7)).rev().find_map(|count| {
        let taken = groups.get(..count)?;
        let (first, last) = (taken.first()?, taken.last()?);
        if !run.is_apart(first, last) || taken.iter().any(|group| group.opened != 0) {
            return None;
        }
        let digits = run.digits::<18>(taken)?;
        let before = text.before(first.start);
        if matches!(before, b'.' | b'$') || (before == b'-' && count == 1) {
            return None;
        }
        let goes_on =
            matches!(text.at(last.end), b'.' | b'-') && text.at(last.end + 1).is_ascii_digit();
        let mut lens = [0u8; 7];
        for (len, group) in lens.iter_mut().zip(taken) {
            *len = u8::try_from(group.len()).unwrap_or(u8::MAX);
        }
        let form = Form {
            lens: lens.get(..count)?,
            separators: separators(taken),
            digits: digits.as_slice(),
        };
        let is_id = !goes_on
            && match form.judge() {
                Verdict::Sure => true,
                Verdict::IfSaid => context::has(text, first.start, context::NATIONAL),
                Verdict::No => false,
            };
        is_id.then(|| (Span::new(first.start, last.end, Found::NationalId), count))
    })
}

fn separators(taken: &[Group]) -> u8 {
    let mut inner = taken.iter().take(taken.len() - 1).map(|group| group.separator);
    let first = inner.next().unwrap_or(0);
    if inner.all(|other| other == first) { first } else { b'?' }
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Sure,
    IfSaid,
    No,
}

/// Digits, and how they were grouped.
struct Form<'a> {
    lens: &'a [u8],
    /// The separator of all groups, `?` where they differ, 0 for one group.
    separators: u8,
    digits: &'a [u8],
}

impl Form<'_> {
    fn judge(&self) -> Verdict {
        let sure = |fits: bool| if fits { Verdict::Sure } else { Verdict::No };
        let said = |fits: bool| if fits { Verdict::IfSaid } else { Verdict::No };
        let digits = self.digits;
        match (self.lens, digits.len()) {
            // United States, in its own form; also taxpayers' numbers.
            ([3, 2, 4], 9) if self.separators == b'-' => sure(has_us_form(digits)),
            ([3, 2, 4], 9) => said(is_us(digits)),
            // United Kingdom's health service; Canada; Brazil; Switzerland; Belgium.
            ([3, 3, 4], 10) if self.separators == b' ' => sure(is_nhs(digits)),
            ([3, 3, 3], 9) if luhn(digits) => sure(matches!(self.separators, b' ' | b'-')),
            ([3, 3, 3], 9) => said(is_australian(digits)),
            ([3, 3, 3, 2], 11) => sure(is_cpf(digits)),
            ([3, 4, 4, 2], 13) => sure(is_swiss(digits)),
            ([2, 2, 2, 3, 2], 11) => sure(is_belgian(digits)),
            // Sweden, Denmark, South Korea.
            ([6, 4], 10) => {
                if luhn(digits) {
                    sure(is_birth(digits, 2))
                } else {
                    said(is_danish(digits))
                }
            }
            ([8, 4], 12) if self.separators == b'-' => {
                sure(luhn(digits.get(2..).unwrap_or_default()) && is_birth(digits, 4))
            }
            ([6, 7], 13) => sure(is_korean(digits)),
            // India; Germany in its printed form.
            ([4, 4, 4], 12) => sure(digits.first() > Some(&1) && verhoeff(digits)),
            ([2, 3, 3, 3], 11) => sure(is_german(digits)),
            ([5, 6], 11) => sure(is_norwegian(digits)),
            // France, in groups or not.
            (_, 15) => sure(is_french(digits)),
            ([_], 13) if is_swiss(digits) => Verdict::Sure,
            // So are some times in milliseconds.
            ([_], 13) => said(is_south_african(digits)),
            ([_], 18) => sure(is_chinese(digits)),
            ([_], 12) => said(verhoeff(digits)),
            ([_], 11) => self.eleven(),
            ([_], 10) => said(is_nhs(digits)),
            ([_], 9) => said(
                is_us(digits)
                    || luhn(digits)
                    || is_dutch(digits)
                    || is_portuguese(digits)
                    || is_australian(digits),
            ),
            _ => Verdict::No,
        }
    }

    /// Eleven digits in a row: many countries, and many things that are not people.
    fn eleven(&self) -> Verdict {
        let digits = self.digits;
        if is_norwegian(digits) || is_belgian(digits) || is_pesel(digits) || is_cpf(digits) {
            return Verdict::Sure;
        }
        if is_german(digits) || is_turkish(digits) {
            return Verdict::IfSaid;
        }
        Verdict::No
    }
}

/// The number that some of the digits write.
pub(super) fn part(digits: &[u8], from: usize, len: usize) -> u64 {
    number(digits.get(from..from + len).unwrap_or_default())
}

/// A year of `year` digits, then month and day.
fn is_birth(digits: &[u8], year: usize) -> bool {
    is_day_and_month(part(digits, year + 2, 2), part(digits, year, 2))
}

/// In its printed form a number counts even where that area was never given out.
fn has_us_form(digits: &[u8]) -> bool {
    part(digits, 0, 3) != 0 && part(digits, 3, 2) != 0 && part(digits, 5, 4) != 0
}

fn is_us(digits: &[u8]) -> bool {
    let (area, group, serial) = (part(digits, 0, 3), part(digits, 3, 2), part(digits, 5, 4));
    let is_taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    !matches!(area, 0 | 666) && (area < 900 || is_taxpayer) && group != 0 && serial != 0
}

fn is_nhs(digits: &[u8]) -> bool {
    digits.len() == 10
        && digits.first() != Some(&0)
        && weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn is_australian(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

fn is_dutch(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let check = u32::from(digits.last().copied().unwrap_or(0));
    sum % 11 == check
}

fn is_portuguese(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest < 2 { 0 } else { 11 - rest };
    check == u32::from(digits.last().copied().unwrap_or(0))
}

fn is_cpf(digits: &[u8]) -> bool {
    let check = |count: u32| {
        let weights: Vec<u32> = (2..=count + 1).rev().collect();
        weighted(digits, &weights) * 10 % 11 % 10
    };
    let last = |at: usize| digits.get(at).map(|digit| u32::from(*digit));
    let varied = digits.iter().any(|digit| Some(digit) != digits.first());
    varied && last(9) == Some(check(9)) && last(10) == Some(check(10))
}

fn is_swiss(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    part(digits, 0, 3) == 756 && sum.is_multiple_of(10)
}

fn is_belgian(digits: &[u8]) -> bool {
    let (body, check) = (part(digits, 0, 9), part(digits, 9, 2));
    let fits = |body: u64| 97 - body % 97 == check;
    is_birth(digits, 2) && (fits(body) || fits(2_000_000_000 + body))
}

fn is_danish(digits: &[u8]) -> bool {
    is_day_and_month(part(digits, 0, 2), part(digits, 2, 2))
}

fn is_korean(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    let check = (11 - sum % 11) % 10;
    is_birth(digits, 2) && digits.last().copied().map(u32::from) == Some(check)
}

fn is_german(digits: &[u8]) -> bool {
    // Of the first ten digits one is there twice or three times, the others at most once.
    let body = digits.get(..10).unwrap_or_default();
    let count = |digit: u8| body.iter().filter(|other| **other == digit).count();
    let repeated = (0..10).filter(|digit| count(*digit) > 1).count();
    let most = (0..10).map(count).max().unwrap_or(0);
    digits.first() != Some(&0) && repeated == 1 && most <= 3 && mod_11_10(digits)
}

fn is_norwegian(digits: &[u8]) -> bool {
    let one = weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let two = weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let day = part(digits, 0, 2);
    let day = if day > 40 { day - 40 } else { day };
    is_day_and_month(day, part(digits, 2, 2)) && one.is_multiple_of(11) && two.is_multiple_of(11)
}

fn is_french(digits: &[u8]) -> bool {
    let (body, check) = (part(digits, 0, 13), part(digits, 13, 2));
    let month = part(digits, 3, 2);
    let born = matches!(month, 1..=12 | 20..=42 | 50..=99);
    matches!(digits.first(), Some(1..=4 | 7 | 8)) && born && 97 - body % 97 == check
}

fn is_south_african(digits: &[u8]) -> bool {
    is_birth(digits, 2) && matches!(digits.get(10), Some(0 | 1)) && luhn(digits)
}

fn is_pesel(digits: &[u8]) -> bool {
    // The century is added to the month.
    let (month, day) = (part(digits, 2, 2) % 20, part(digits, 4, 2));
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    is_day_and_month(day, month) && sum.is_multiple_of(10)
}

fn is_turkish(digits: &[u8]) -> bool {
    let at = |at: usize| u32::from(digits.get(at).copied().unwrap_or(0));
    let odd = at(0) + at(2) + at(4) + at(6) + at(8);
    let even = at(1) + at(3) + at(5) + at(7);
    let ten: u32 = (0..10).map(at).sum();
    at(0) != 0 && (odd * 7 + 10 * 9 - even) % 10 == at(9) && ten % 10 == at(10)
}

pub(super) const CHINESE: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

fn is_chinese(digits: &[u8]) -> bool {
    let check = (12 - weighted(digits, &CHINESE) % 11) % 11;
    (1900..=2099).contains(&part(digits, 6, 4))
        && is_day_and_month(part(digits, 12, 2), part(digits, 10, 2))
        && digits.last().copied().map(u32::from) == Some(check)
}
