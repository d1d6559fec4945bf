//! People's numbers that have letters in them.

use super::check_digits::{is_day_and_month, weighted};
use super::context;
use super::national::{CHINESE, part};
use super::text::Text;
use super::{Found, Span};

/// A number with letters in it that begins there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    if let Some(end) = spaced_british_end(text, at) {
        return Some(Span::new(at, end, Found::NationalId));
    }
    let mut end = text.end_while(at, 20, |byte| byte.is_ascii_alphanumeric());
    // Finland writes a sign of the century, Spain sometimes a dash before the letter.
    if matches!(text.at(end), b'-' | b'+') && matches!(end - at, 6 | 8) {
        end = text.end_while(end + 1, 8, |byte| byte.is_ascii_alphanumeric());
    }
    let word = text.slice(at, end);
    if !(7..=18).contains(&word.len()) || !word.iter().any(u8::is_ascii_digit) {
        return None;
    }
    if !word.iter().any(u8::is_ascii_alphabetic) || matches!(text.before(at), b'-' | b'.' | b'/') {
        return None;
    }
    if !text.ends_word(end) {
        return None;
    }
    let mut upper = [0u8; 18];
    for (slot, byte) in upper.iter_mut().zip(word) {
        *slot = byte.to_ascii_uppercase();
    }
    let word = upper.get(..word.len())?;
    let sure = is_spanish(word)
        || is_italian(word)
        || is_finnish(word)
        || is_chinese_x(word)
        || is_mexican(word);
    let is_id = sure
        || ((is_british(word) || is_singaporean(word) || is_irish(word))
            && (context::has(text, at, context::NATIONAL) || is_singaporean_sure(word)));
    is_id.then(|| Span::new(at, end, Found::NationalId))
}

fn digits_of(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'))
    })
}

fn is_spanish(word: &[u8]) -> bool {
    let (body, letter) = match word {
        [body @ .., b'-', letter] => (body, letter),
        [body @ .., letter] => (body, letter),
        [] => return false,
    };
    let number = match body {
        [lead @ b'X'..=b'Z', rest @ ..] if rest.len() == 7 => {
            digits_of(rest).map(|rest| u64::from(lead - b'X') * 10_000_000 + rest)
        }
        _ if body.len() == 8 => digits_of(body),
        _ => None,
    };
    let letter_of =
        |number: u64| b"TRWAGMYFPDXBNJZSQVHLCKE".get(usize::try_from(number % 23).ok()?);
    number.and_then(letter_of) == Some(letter)
}

fn is_italian(word: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let form = b"AAAAAA00A00A000A";
    let fits = word.len() == 16
        && word.iter().zip(form).all(|(byte, kind)| match kind {
            // Two people alike: digits are replaced by letters.
            b'0' => byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte),
            _ => byte.is_ascii_uppercase(),
        });
    let sum: u32 = word
        .iter()
        .take(15)
        .enumerate()
        .map(|(at, byte)| {
            let value = if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') };
            match at % 2 {
                0 => ODD.get(usize::from(value)).copied().unwrap_or(0),
                _ => u32::from(value),
            }
        })
        .sum();
    fits && word.last().map(|byte| u32::from(byte.wrapping_sub(b'A'))) == Some(sum % 26)
}

fn is_finnish(word: &[u8]) -> bool {
    let [date @ .., sign, one, two, three, check] = word else { return false };
    let serial = [*one, *two, *three];
    let (Some(born), Some(serial)) = (digits_of(date), digits_of(&serial)) else { return false };
    let letter = b"0123456789ABCDEFHJKLMNPRSTUVWXY"
        .get(usize::try_from((born * 1000 + serial) % 31).unwrap_or(0));
    date.len() == 6
        && b"+-ABCDEFYXWVU".contains(sign)
        && is_day_and_month(born / 10_000, born / 100 % 100)
        && letter == Some(check)
}

fn is_chinese_x(word: &[u8]) -> bool {
    let [body @ .., b'X'] = word else { return false };
    let mut digits = [0u8; 18];
    for (slot, byte) in digits.iter_mut().zip(body) {
        *slot = byte.wrapping_sub(b'0');
    }
    digits_of(body).is_some()
        && body.len() == 17
        && (1900..=2099).contains(&part(&digits, 6, 4))
        && (12 - weighted(&digits, &CHINESE) % 11) % 11 == 10
}

fn is_mexican(word: &[u8]) -> bool {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMN.OPQRSTUVWXYZ";
    let [letters, date, sex, rest] = [(0, 4), (4, 10), (10, 11), (11, 18)]
        .map(|(from, to)| word.get(from..to).unwrap_or_default());
    let sum: usize = word
        .iter()
        .take(17)
        .enumerate()
        .map(|(at, byte)| ORDER.iter().position(|other| other == byte).unwrap_or(0) * (18 - at))
        .sum();
    word.len() == 18
        && letters.iter().all(u8::is_ascii_uppercase)
        && digits_of(date).is_some_and(|date| is_day_and_month(date % 100, date / 100 % 100))
        && matches!(sex, b"H" | b"M" | b"X")
        && rest.last() == Some(&(b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0)))
}

/// `AB 12 34 56 C`.
fn spaced_british_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut word = [0u8; 9];
    let mut end = at;
    for (index, slot) in word.iter_mut().enumerate() {
        if matches!(index, 2 | 4 | 6 | 8) {
            (text.at(end) == b' ').then_some(())?;
            end += 1;
        }
        *slot = text.at(end);
        end += 1;
    }
    (is_british(&word) && text.ends_word(end)).then_some(end)
}

fn is_british(word: &[u8]) -> bool {
    let [one, two, body @ .., suffix] = word else { return false };
    body.len() == 6
        && digits_of(body).is_some()
        && one.is_ascii_uppercase()
        && !b"DFIQUV".contains(one)
        && two.is_ascii_uppercase()
        && !b"DFIQUVO".contains(two)
        && matches!(suffix, b'A'..=b'D')
}

fn is_singaporean(word: &[u8]) -> bool {
    let [lead, body @ .., check] = word else { return false };
    body.len() == 7
        && b"STFGM".contains(lead)
        && digits_of(body).is_some()
        && check.is_ascii_uppercase()
}

fn is_singaporean_sure(word: &[u8]) -> bool {
    let [lead, body @ .., check] = word else { return false };
    let mut digits = [0u8; 7];
    for (slot, byte) in digits.iter_mut().zip(body) {
        *slot = byte.wrapping_sub(b'0');
    }
    let sum = weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]);
    let (offset, letters): (u32, &[u8; 11]) = match lead {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        _ => return false,
    };
    let at = usize::try_from((sum + offset) % 11).unwrap_or(0);
    is_singaporean(word) && letters.get(at) == Some(check)
}

fn is_irish(word: &[u8]) -> bool {
    let body = word.get(..7).unwrap_or_default();
    let (Some(_), Some(check)) = (digits_of(body), word.get(7)) else { return false };
    let digits: Vec<u8> = body.iter().map(|byte| byte - b'0').collect();
    let second = word
        .get(8)
        .map_or(0, |byte| if *byte == b'W' { 0 } else { u32::from(byte.wrapping_sub(b'@')) });
    let sum = weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    let letter = u32::from(check.wrapping_sub(b'@'));
    matches!(word.len(), 8 | 9) && sum % 23 == letter % 23 && letter < 24
}
