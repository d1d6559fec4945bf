//! Telephone numbers: international ones, and national ones by the shapes people write.

use super::context;
use super::number::{Group, Run};
use super::text::{Text, is_word};
use super::{Found, Span};

/// Digits of a number after E.164, with some for a prefix or an extension.
const DIGITS_MAX: usize = 17;

/// The number that begins with a group, and how many groups it takes.
pub(super) fn find(text: &Text<'_>, run: &Run<'_, '_>, group: usize) -> Option<(Span, usize)> {
    let groups = run.from(group);
    let first = groups.first()?;
    let taken = groups.get(..reach(groups))?;
    let digits = taken.iter().map(Group::len).sum::<usize>();
    if first.opened == b'+' {
        // A `+` binds what follows, as far as a number can be long.
        let fits = (7..=15).contains(&digits) && text.at(first.start) != b'0';
        return fits.then(|| take(text, taken)).flatten();
    }
    let whole = taken.len() == groups.len();
    let before = text.before(first.outer_start());
    let last = taken.last()?;
    let apart =
        !is_word(before) && (text.ends_word(last.end) || extension_end(text, last.end).is_some());
    let said = || {
        context::is_phone_by_what_follows(text, last.end)
            || context::has(text, first.outer_start(), context::PHONE)
    };
    if !whole || !apart || is_inside(text, last, before) {
        return prefix(text, run, groups);
    }
    let fits = match shape(text, taken, digits) {
        Shape::Phone => true,
        Shape::Maybe => said(),
        Shape::Other => false,
    };
    if fits { take(text, taken) } else { prefix(text, run, groups) }
}

/// How sure a shape is by itself.
#[derive(PartialEq, Eq)]
enum Shape {
    Phone,
    /// Only where a word before it says so.
    Maybe,
    Other,
}

/// How many groups can be one number.
fn reach(groups: &[Group]) -> usize {
    let mut digits = 0;
    let fits = |group: &&Group| {
        digits += group.len();
        digits <= DIGITS_MAX
    };
    let most = groups.iter().take_while(fits).count();
    // A `+` in the middle begins another number.
    let next = groups.iter().skip(1).position(|group| group.opened == b'+');
    next.map_or(most, |at| most.min(at + 1))
}

/// Parts of something else: a path, a decimal number, a version, an identifier, a sum.
fn is_inside(text: &Text<'_>, last: &Group, before: u8) -> bool {
    let (after, next) = (text.at(last.end), text.at(last.end + 1));
    let joins = matches!(after, b'-' | b'/') && next.is_ascii_alphabetic();
    matches!(before, b'-' | b'.' | b'/' | b'\\' | b'#' | b'$' | b'@' | b'%' | b'&')
        || (matches!(after, b'.' | b',' | b':' | b'-' | b'/') && next.is_ascii_digit())
        || matches!(after, b'%' | b'@')
        || (joins && !context::is_phone_by_what_follows(text, last.end))
}

fn shape(text: &Text<'_>, taken: &[Group], digits: usize) -> Shape {
    let [first, rest @ ..] = taken else { return Shape::Other };
    let begins = text.at(first.start);
    let zero_zero = text.goes_on_with(first.start, b"00");
    if is_date(text, taken) || !(7..=DIGITS_MAX).contains(&digits) {
        return Shape::Other;
    }
    if rest.is_empty() {
        let trunk = begins == b'0' && text.at(first.start + 1) != b'0' && matches!(digits, 10 | 11);
        return if trunk { Shape::Phone } else { Shape::Maybe };
    }
    if digits < 8 || taken.iter().any(|group| group.len() > 9) {
        return Shape::Maybe;
    }
    let in_brackets = first.opened == b'(' && first.closed && (2..=5).contains(&first.len());
    let trunk = begins == b'0' && !zero_zero && (9..=12).contains(&digits) && one_kind(taken);
    let trunk = trunk && (first.len() > 1 || matches!(first.separator, b' ' | b')'));
    let abroad = zero_zero && (10..=DIGITS_MAX).contains(&digits);
    if in_brackets || trunk || abroad || is_north_american(text, taken) || is_grouped(text, taken) {
        return Shape::Phone;
    }
    Shape::Maybe
}

/// Whether the separators are of one kind, but for brackets and one other.
fn one_kind(taken: &[Group]) -> bool {
    let mut kinds = [0u8; 2];
    let inner = taken.iter().take(taken.len().saturating_sub(1));
    inner.filter(|group| group.separator != b')').all(|group| {
        match kinds.iter_mut().find(|kind| **kind == 0 || **kind == group.separator) {
            Some(kind) => {
                *kind = group.separator;
                true
            }
            None => false,
        }
    })
}

/// `212-555-0123`, `(212) 555 0123`, `1-212-555-0123`, `001.212.555.0123`.
fn is_north_american(text: &Text<'_>, taken: &[Group]) -> bool {
    let national = match taken {
        [country, rest @ ..] if rest.len() == 3 => {
            let bytes = text.slice(country.start, country.end);
            if bytes != b"1" && bytes != b"001" {
                return false;
            }
            rest
        }
        _ => taken,
    };
    let [area, office, line] = national else { return false };
    let same = area.separator == office.separator || area.closed;
    area.len() == 3 && office.len() == 3 && line.len() == 4 && same && area.separator != b'/'
}

/// `612 345 678`, `11 91234-5678`: groups that hardly anything else has.
fn is_grouped(text: &Text<'_>, taken: &[Group]) -> bool {
    let [one, two, three] = taken else { return false };
    let spaced = one.separator == two.separator && matches!(one.separator, b' ' | b'-');
    let brazilian = one.separator == b' ' && two.separator == b'-' && three.len() == 4;
    let threes = [one, two, three].iter().all(|group| group.len() == 3);
    (threes && spaced && text.at(one.start) >= b'5')
        || (brazilian && one.len() == 2 && matches!(two.len(), 4 | 5))
}

/// `2026-11-24`, `24.11.2026`, `11/24/26`, also with an hour behind.
fn is_date(text: &Text<'_>, taken: &[Group]) -> bool {
    let [one, two, three, ..] = taken else { return false };
    let number = |group: &Group| {
        let digits = text.slice(group.start, group.end).iter().take(8);
        digits.fold(0u32, |value, byte| value * 10 + u32::from(byte - b'0'))
    };
    let small = |group: &Group| (1..=2).contains(&group.len()) && (1..=31).contains(&number(group));
    let year = |group: &Group| group.len() == 4 && (1900..=2100).contains(&number(group));
    let same = one.separator == two.separator && matches!(one.separator, b'-' | b'.' | b'/');
    let month = number(two) <= 12 || number(one) <= 12;
    same && small(two)
        && ((year(one) && small(three))
            || (small(one) && month && (year(three) || three.len() == 2)))
        && (taken.len() <= 3 || three.separator == b' ')
}

/// Where a run is more than a number: the beginning that is one by its own shape.
fn prefix(text: &Text<'_>, run: &Run<'_, '_>, groups: &[Group]) -> Option<(Span, usize)> {
    let shortest = groups.get(..groups.len().min(4))?;
    let next_space = |group: &Group| group.separator == b' ';
    [4, 3].into_iter().filter_map(|count| shortest.get(..count)).find_map(|taken| {
        let (first, last) = (taken.first()?, taken.last()?);
        let apart = groups.len() > taken.len() && next_space(last) && run.is_apart(first, last);
        let inside = matches!(text.before(first.outer_start()), b'-' | b'.' | b'/' | b'#' | b'$');
        (apart && !inside && !is_date(text, taken) && is_north_american(text, taken))
            .then(|| take(text, taken))?
    })
}

/// The span, with an extension behind it.
fn take(text: &Text<'_>, taken: &[Group]) -> Option<(Span, usize)> {
    let (first, last) = (taken.first()?, taken.last()?);
    let mut start = first.outer_start();
    if text.before(start) == b'(' && first.opened == b'+' {
        start -= 1;
    }
    let end = extension_end(text, last.end).unwrap_or(last.end);
    Some((Span::new(start, end, Found::Phone), taken.len()))
}

/// `x123`, ` ext. 123`.
fn extension_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let word = text.end_while(at, 1, |byte| byte == b' ');
    let marks: [&[u8]; 6] = [b"x", b"ext. ", b"ext.", b"ext ", b"ext", b"#"];
    let mark = marks.iter().find(|mark| {
        text.goes_on_with(word, mark) && text.at(word + mark.len()).is_ascii_digit()
    })?;
    let start = word + mark.len();
    let end = text.end_while(start, 6, |byte| byte.is_ascii_digit());
    (end > start && text.ends_word(end)).then_some(end)
}
