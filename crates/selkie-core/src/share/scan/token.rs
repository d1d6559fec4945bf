//! Access tokens and keys: by their known beginnings, or by the name before a `=` or `:`.

use super::text::{Text, is_word};
use super::{Found, Span};

/// A beginning, and how many characters of its alphabet follow at least.
struct Beginning {
    text: &'static [u8],
    follows_min: usize,
    /// Letters and digits; `true`: also `-`, `_`, `.`.
    wide: bool,
}

const fn beginning(text: &'static [u8], follows_min: usize, wide: bool) -> Beginning {
    Beginning { text, follows_min, wide }
}

/// As the issuers document them.
const BEGINNINGS: [Beginning; 36] = [
    beginning(b"AKIA", 16, false),
    beginning(b"ASIA", 16, false),
    beginning(b"ABIA", 16, false),
    beginning(b"AIza", 35, true),
    beginning(b"ya29.", 20, true),
    beginning(b"ghp_", 36, false),
    beginning(b"gho_", 36, false),
    beginning(b"ghu_", 36, false),
    beginning(b"ghs_", 36, false),
    beginning(b"ghr_", 36, false),
    beginning(b"github_pat_", 30, true),
    beginning(b"glpat-", 20, true),
    beginning(b"gldt-", 20, true),
    beginning(b"xoxb-", 20, true),
    beginning(b"xoxp-", 20, true),
    beginning(b"xoxa-", 20, true),
    beginning(b"xoxr-", 20, true),
    beginning(b"xoxs-", 20, true),
    beginning(b"xapp-", 20, true),
    beginning(b"sk-", 20, true),
    beginning(b"sk_live_", 16, true),
    beginning(b"sk_test_", 16, true),
    beginning(b"rk_live_", 16, true),
    beginning(b"rk_test_", 16, true),
    beginning(b"pk_live_", 16, true),
    beginning(b"whsec_", 24, true),
    beginning(b"SG.", 40, true),
    beginning(b"npm_", 36, false),
    beginning(b"pypi-", 50, true),
    beginning(b"hf_", 30, false),
    beginning(b"dop_v1_", 60, false),
    beginning(b"shpat_", 32, false),
    beginning(b"SK", 32, false),
    beginning(b"key-", 32, false),
    beginning(b"eyJ", 60, true),
    beginning(b"AGE-SECRET-KEY-1", 50, false),
];

const JUDGED_BYTES: usize = 128;

/// The token that begins there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    let first = text.at(at);
    let begins = |known: &&Beginning| {
        known.text.first() == Some(&first) && text.goes_on_with(at, known.text)
    };
    for known in BEGINNINGS.iter().filter(begins) {
        let body = at + known.text.len();
        let wide = known.wide;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || (wide && b"-_.".contains(&byte));
        // Judged by its beginning, so that what is no token is not read to its end again and again.
        let begins = text.slice(body, text.end_while(body, JUDGED_BYTES, fits));
        let mixed =
            begins.iter().any(u8::is_ascii_digit) && begins.iter().any(u8::is_ascii_alphabetic);
        if !mixed || begins.len() < known.follows_min {
            continue;
        }
        let end = text.end_while(body, usize::MAX, fits);
        let end = text.start_while(end, body, 8, |byte| byte == b'.');
        if wide || !is_word(text.at(end)) {
            return Some(Span::new(at, end, Found::Token));
        }
    }
    bearer(text, at)
}

/// `Bearer …` and `Basic …`, as in an HTTP header.
fn bearer(text: &Text<'_>, at: usize) -> Option<Span> {
    let scheme: &[u8] = match text.at(at) {
        b'B' | b'b' if text.slice(at, at + 7).eq_ignore_ascii_case(b"bearer ") => b"bearer ",
        b'B' if text.goes_on_with(at, b"Basic ") => b"basic ",
        _ => return None,
    };
    let start = at + scheme.len();
    let end = text
        .end_while(start, 4096, |byte| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte));
    let token = text.slice(start, end);
    let mixed = token.iter().any(u8::is_ascii_digit) || token.ends_with(b"=");
    (token.len() >= 12 && mixed).then(|| Span::new(start, end, Found::Token))
}

/// Names whose value is nobody's business.
const SECRETS: [&[u8]; 19] = [
    b"password",
    b"passwd",
    b"pwd",
    b"passphrase",
    b"secret",
    b"token",
    b"api_key",
    b"apikey",
    b"api-key",
    b"access_key",
    b"private_key",
    b"client_secret",
    b"access_token",
    b"refresh_token",
    b"auth_token",
    b"session_id",
    b"sessionid",
    b"signature",
    b"credential",
];
const NAME_BYTES_MAX: usize = 40;
const VALUE_BYTES_MAX: usize = 512;

/// The value behind the `=` or `:` there, if the name before it is a secret's.
pub(super) fn assigned(text: &Text<'_>, at: usize, floor: usize) -> Option<Span> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let name_end = at - usize::from(matches!(text.before(at), b'"' | b'\''));
    let start = text.start_while(name_end, floor.min(name_end), NAME_BYTES_MAX, is_name);
    let name = text.slice(start, name_end);
    let ends = |secret: &&[u8]| {
        let rest = name.len().checked_sub(secret.len());
        rest.and_then(|rest| name.get(rest..)).is_some_and(|end| end.eq_ignore_ascii_case(secret))
    };
    SECRETS.iter().find(|secret| ends(secret))?;
    let mut value = text.end_while(at + 1, 2, |byte| byte == b' ');
    let quote = text.at(value);
    let end = if matches!(quote, b'"' | b'\'') {
        value += 1;
        text.end_while(value, VALUE_BYTES_MAX, |byte| byte != quote && byte != b'\n')
    } else {
        text.end_while(value, VALUE_BYTES_MAX, |byte| {
            !byte.is_ascii_whitespace() && !b"&,;\"'(){}[]<>".contains(&byte)
        })
    };
    let value_is = |words: &[&[u8]]| words.contains(&text.slice(value, end));
    let is_none = value_is(&[b"null", b"None", b"none", b"true", b"false", b"nil", b"undefined"]);
    // `tokens: 512` and `max_token=7` are counts.
    let is_count = name.to_ascii_lowercase().ends_with(b"token")
        && text.slice(value, end).iter().all(u8::is_ascii_digit);
    (end >= value + 3 && !is_none && !is_count).then(|| Span::new(value, end, Found::Credentials))
}
