//! A run of digits with single separators between, cut into its groups.

use super::text::{Text, is_word};

/// Groups looked at together; a longer run goes on in the next one.
const GROUPS_MAX: usize = 16;

/// Digits between two separators.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    /// What stands between it and the next group: a separator, or 0 at the end of the run.
    pub(super) separator: u8,
    /// What opens it: `+`, `(`, or 0.
    pub(super) opened: u8,
    /// Whether `)` closes it.
    pub(super) closed: bool,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Where it begins, with a `+` or `(` before it.
    pub(super) fn outer_start(&self) -> usize {
        self.start - usize::from(self.opened != 0)
    }
}

/// The groups of a run.
pub(super) struct Run<'t, 'a> {
    text: &'t Text<'a>,
    groups: [Group; GROUPS_MAX],
    len: usize,
    end: usize,
}

impl<'t, 'a> Run<'t, 'a> {
    /// Reads the run that begins with a digit, `+` or `(`.
    pub(super) fn read(text: &'t Text<'a>, at: usize) -> Option<Self> {
        let mut run = Self { text, groups: [Group::default(); GROUPS_MAX], len: 0, end: at };
        let mut at = at;
        while let Some(slot) = run.groups.get_mut(run.len) {
            let mut opened = 0;
            while matches!(text.at(at), b'+' | b'(') {
                opened = text.at(at);
                at += 1;
            }
            let end = text.end_while(at, usize::MAX, |byte| byte.is_ascii_digit());
            if end == at {
                break;
            }
            let closed = text.at(end) == b')';
            let mut after = end + usize::from(closed);
            *slot = Group { start: at, end, separator: 0, opened, closed };
            run.len += 1;
            run.end = end;
            let separator = match text.at(after) {
                byte @ (b' ' | b'-' | b'.' | b'/') => byte,
                // A no-break space.
                0xc2 if text.at(after + 1) == 0xa0 => b' ',
                _ if closed || text.at(after) == b'(' => b')',
                _ => 0,
            };
            let is_hard = separator == b' ' && text.at(after) == 0xc2;
            after += match separator {
                0 | b')' => 0,
                _ if is_hard => 2,
                _ => 1,
            };
            let goes_on = text.at(after).is_ascii_digit()
                || (text.at(after) == b'(' && text.at(after + 1).is_ascii_digit());
            if separator == 0 || !goes_on {
                break;
            }
            slot.separator = separator;
            at = after;
        }
        (run.len > 0).then_some(run)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Behind the last digit.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The groups from one on.
    pub(super) fn from(&self, group: usize) -> &[Group] {
        self.groups.get(group..self.len).unwrap_or_default()
    }

    /// Whether a group is the beginning or the end of something longer: a word, or a decimal number.
    pub(super) fn is_apart(&self, first: &Group, last: &Group) -> bool {
        let (before, after) = (self.text.before(first.outer_start()), self.text.at(last.end));
        !is_word(before) && !is_word(after)
    }

    /// The digits of some groups, up to `N`; `None` if there are more.
    pub(super) fn digits<const N: usize>(&self, groups: &[Group]) -> Option<Digits<N>> {
        let mut digits = Digits { values: [0; N], len: 0 };
        for group in groups {
            for byte in self.text.slice(group.start, group.end) {
                *digits.values.get_mut(digits.len)? = byte - b'0';
                digits.len += 1;
            }
        }
        Some(digits)
    }
}

/// The values of some digits.
pub(super) struct Digits<const N: usize> {
    values: [u8; N],
    len: usize,
}

impl<const N: usize> Digits<N> {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.values.get(..self.len).unwrap_or_default()
    }
}
