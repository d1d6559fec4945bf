//! The free-text scanner: finds what has a form of its own, such as addresses of e-mail and numbers of cards.
//!
//! In: a text. Out: spans and their kinds, in order and apart; or the text with them replaced. What
//! never happens here: a look back or ahead without a bound (the time is linear in the text, whatever
//! it holds); an allocation for each byte; a regular expression.
//!
//! It does not see names of people, postal addresses, or anything else that has no form. See
//! `docs/PRIVACY.md` for what it was measured to find.

mod card;
mod check_digits;
mod context;
mod coordinates;
mod email;
mod harmless;
mod iban;
mod ip;
mod mac;
mod national;
mod national_words;
mod number;
mod phone;
mod private_key;
mod text;
mod token;
mod url;
mod user_path;

use std::collections::BTreeMap;

use number::Run;
use text::Text;

/// What a span of text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Found {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// The number of a payment card: known beginning, Luhn's check digit.
    Card,
    /// An international bank account number: known length, check digits modulo 97.
    Iban,
    /// An address of IPv4 or IPv6, other than of the machine itself.
    Ip,
    /// A hardware address (MAC).
    Device,
    /// A user and password inside a URL, or the value of a `password=`.
    Credentials,
    /// A person's number in a national register, mostly by its check digits.
    NationalId,
    /// A latitude and longitude.
    Coordinates,
    /// An access token or key, by its known beginning.
    Token,
    /// A private key in PEM.
    PrivateKey,
    /// The user's name in the path of a home folder.
    UserPath,
}

impl Found {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::Device,
        Self::Credentials,
        Self::NationalId,
        Self::Coordinates,
        Self::Token,
        Self::PrivateKey,
        Self::UserPath,
    ];

    /// What stands in the text's place, without its brackets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Device => "device",
            Self::Credentials => "credentials",
            Self::NationalId => "national id",
            Self::Coordinates => "coordinates",
            Self::Token => "token",
            Self::PrivateKey => "private key",
            Self::UserPath => "user",
        }
    }
}

/// Bytes `start..end` of a text, both at borders of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    /// What it looks like.
    pub found: Found,
}

impl Span {
    fn new(start: usize, end: usize, found: Found) -> Self {
        Self { start, end, found }
    }
}

/// Finds what has a form, in order and without overlaps.
///
/// ```
/// use selkie_core::share::scan::{Found, scan};
/// let text = "mail anna@example.com from 192.0.2.7";
/// let found: Vec<_> = scan(text).iter().map(|span| (span.found, &text[span.start..span.end])).collect();
/// assert_eq!(found, [(Found::Email, "anna@example.com"), (Found::Ip, "192.0.2.7")]);
/// ```
#[must_use]
pub fn scan(text: &str) -> Vec<Span> {
    let mut spans = find_all(&Text::new(text));
    // Bounds on lengths may cut a character; it goes with the rest.
    for span in &mut spans {
        while !text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        while !text.is_char_boundary(span.end) {
            span.end += 1;
        }
    }
    spans
}

fn find_all(text: &Text<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = 0;
    // Nothing before `floor` may be looked at again: it belongs to a span.
    let mut floor = 0;
    while at < text.len() {
        let byte = text.at(at);
        if byte.is_ascii_alphanumeric()
            && text.starts_word(at)
            && let Some(end) = harmless::end(text, at)
        {
            at = end;
            continue;
        }
        if starts_number(text, at) {
            at = numeric(text, at, &mut spans).max(at + 1);
            floor = spans.last().map_or(floor, |span| span.end.max(floor));
            continue;
        }
        let found = match byte {
            b'@' | b'%' => email::find(text, at, floor),
            b':' => url::find(text, at, floor).or_else(|| token::assigned(text, at, floor)),
            b'=' => token::assigned(text, at, floor),
            b'/' | b'\\' => user_path::find(text, at),
            b'-' => private_key::find(text, at),
            b'a'..=b'z' | b'A'..=b'Z' if text.starts_word(at) => word(text, at),
            _ => None,
        };
        match found {
            Some(span) if span.start >= floor && span.end > at => {
                spans.push(span);
                floor = span.end;
                at = span.end;
            }
            _ => at = next(text, at),
        }
    }
    spans
}

/// The next place where something could begin: behind the rest of a word.
fn next(text: &Text<'_>, at: usize) -> usize {
    if !text.at(at).is_ascii_alphanumeric() {
        return at + 1;
    }
    text.word_end(at)
}

fn starts_number(text: &Text<'_>, at: usize) -> bool {
    match text.at(at) {
        b'+' => text.at(at + 1).is_ascii_digit() || text.goes_on_with(at + 1, b"("),
        b'(' => text.at(at + 1).is_ascii_digit() || text.goes_on_with(at + 1, b"+"),
        b'0'..=b'9' => text.starts_word(at),
        _ => false,
    }
}

/// What has letters in it, at the start of a word.
fn word(text: &Text<'_>, at: usize) -> Option<Span> {
    token::find(text, at)
        .or_else(|| iban::find(text, at))
        .or_else(|| mac::find(text, at))
        .or_else(|| ip::find_v6(text, at))
        .or_else(|| national_words::find(text, at))
}

/// Everything in one run of digits and separators; returns where to go on.
fn numeric(text: &Text<'_>, at: usize, spans: &mut Vec<Span>) -> usize {
    if text.at(at).is_ascii_digit() {
        let found = coordinates::find(text, at)
            .or_else(|| ip::find_v4(text, at))
            .or_else(|| word(text, at));
        if let Some(span) = found {
            spans.push(span);
            return span.end;
        }
    }
    let Some(run) = Run::read(text, at) else { return at + 1 };
    let mut group = 0;
    while group < run.len() {
        let found = card::find(&run, group)
            .or_else(|| national::find_digits(text, &run, group))
            .or_else(|| phone::find(text, &run, group));
        match found {
            Some((span, groups)) => {
                spans.push(span);
                group += groups.max(1);
            }
            None => group += 1,
        }
    }
    let spanned = spans.last().map_or(0, |span| span.end);
    // The last group may begin a word of digits and letters, which is looked at by itself.
    match run.from(run.len() - 1) {
        [last] if run.len() > 1 && !text.ends_word(last.end) => last.start.max(spanned),
        _ => text.word_end(run.end()).max(spanned),
    }
}

/// A text with each span replaced by its kind in brackets, and how many of each there were.
///
/// ```
/// use selkie_core::share::scan::redact;
/// let (clean, counts) = redact("call +33 6 12 34 56 78 or mail anna@example.com");
/// assert_eq!(clean, "call [phone] or mail [email]");
/// assert_eq!(counts.values().sum::<u64>(), 2);
/// ```
#[must_use]
pub fn redact(text: &str) -> (String, BTreeMap<Found, u64>) {
    let mut clean = String::with_capacity(text.len());
    let mut counts = BTreeMap::new();
    let mut from = 0;
    for span in scan(text) {
        clean.push_str(text.get(from..span.start).unwrap_or_default());
        clean.push('[');
        clean.push_str(span.found.name());
        clean.push(']');
        *counts.entry(span.found).or_default() += 1;
        from = span.end;
    }
    clean.push_str(text.get(from..).unwrap_or_default());
    (clean, counts)
}

#[cfg(test)]
mod tests;
