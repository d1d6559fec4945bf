//! Numbers of payment cards.

use super::check_digits::{luhn, number};
use super::number::{Group, Run};
use super::{Found, Span};

/// The card that begins with a group, and how many groups it takes.
pub(super) fn find(run: &Run<'_, '_>, group: usize) -> Option<(Span, usize)> {
    let groups = run.from(group);
    let first = groups.first().filter(|first| first.opened == 0)?;
    if first.len() >= 12 {
        return take(run, groups.get(..1)?, 1);
    }
    // Printed in fours, or as 4-6-5 and 4-6-4.
    if first.len() != 4 || !matches!(first.separator, b' ' | b'-') {
        return None;
    }
    let count = match groups.get(1)?.len() {
        6 => 3,
        4 => groups.iter().take(5).take_while(|group| group.len() == 4).count(),
        _ => return None,
    };
    let same = |group: &&Group| group.separator == first.separator;
    let fits = |count: &usize| groups.iter().take(count - 1).filter(same).count() == count - 1;
    // A last group of one to three digits belongs to it as well, if it is one of 13, 14, 15 or 19.
    (3..=count + 1).rev().filter(fits).find_map(|count| take(run, groups.get(..count)?, count))
}

fn take(run: &Run<'_, '_>, groups: &[Group], count: usize) -> Option<(Span, usize)> {
    let (first, last) = (groups.first()?, groups.last()?);
    let digits = run.digits::<19>(groups)?;
    let is_card = is_known(digits.as_slice()) && luhn(digits.as_slice());
    (is_card && run.is_apart(first, last))
        .then(|| (Span::new(first.start, last.end, Found::Card), count))
}

/// Beginnings and lengths that schemes give out (ISO/IEC 7812 issuers, as published by them).
fn is_known(digits: &[u8]) -> bool {
    let length = digits.len();
    let prefix = number(digits.get(..4).unwrap_or_default());
    match prefix {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(length, 14 | 16),
        3500..=3599 => (16..=19).contains(&length),
        1800 | 2131 => matches!(length, 15 | 16),
        6011 | 6440..=6599 | 6200..=6299 => (16..=19).contains(&length),
        5000..=5099 | 5600..=5899 | 6304 | 6390 | 6759 | 6761..=6763 | 604 => {
            (12..=19).contains(&length)
        }
        2200..=2204 => (16..=19).contains(&length),
        _ => false,
    }
}
