//! Whether the name of a field says that its value is personal, in whatever spelling.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::words::{
    AFFIXES, AMOUNTS, ANYWHERE, BY_CHANCE, MACHINE_PLACES, PROPERTIES, SENSITIVE, THINGS, TOGETHER,
    has,
};

/// Why a value is personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Sensitive {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A name of a person.
    Name,
    /// A postal address.
    Address,
    /// What tells one device from all others.
    DeviceId,
    /// Where somebody is or was.
    Location,
    /// What a body gives away.
    Biometric,
    /// A number or date that stands for one person.
    Identity,
    /// A password, token or key.
    Secret,
}

impl Sensitive {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Phone,
        Self::Name,
        Self::Address,
        Self::DeviceId,
        Self::Location,
        Self::Biometric,
        Self::Identity,
        Self::Secret,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Name => "name",
            Self::Address => "address",
            Self::DeviceId => "device id",
            Self::Location => "location",
            Self::Biometric => "biometric",
            Self::Identity => "identity",
            Self::Secret => "secret",
        }
    }
}

/// Longest name that is looked at whole; a longer one is no name, and is scanned as text.
const NAME_BYTES_MAX: usize = 128;

/// What the name of a field says about its value.
///
/// Case, accents, separators, digits, plurals and the width of letters do not matter, nor do words before or
/// behind. `None` does not mean harmless.
///
/// ```
/// use selkie_core::share::anonymize::{Sensitive, sensitive_name};
/// for key in ["user_email", "E-MAIL", "primaryEMail2", "ｅｍａｉｌ", "emails", "useremail"] {
///     assert_eq!(sensitive_name(key), Some(Sensitive::Email), "{key}");
/// }
/// assert_eq!(sensitive_name("file_name"), None);
/// assert_eq!(sensitive_name("memory_allocation"), None);
/// ```
#[must_use]
pub fn sensitive_name(name: &str) -> Option<Sensitive> {
    let words = words(name)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or("");
        let after = words.get(at + 1..).unwrap_or_default();
        let together = TOGETHER.iter().find(|(all, _)| words.get(at..at + all.len()) == Some(*all));
        let hit = match together {
            Some((all, sensitive)) => Some((*sensitive, words.get(at + all.len()..))),
            None => alone(word).map(|sensitive| (sensitive, Some(after))),
        };
        let Some((sensitive, rest)) = hit else { continue };
        let is_property = rest.and_then(<[&str]>::last).is_some_and(|last| has(PROPERTIES, last));
        let is_thing = match sensitive {
            Sensitive::Name => has(THINGS, before),
            Sensitive::Address => has(MACHINE_PLACES, before),
            Sensitive::Secret => *word == "token" && has(AMOUNTS, before),
            _ => false,
        };
        let is_strict = matches!(sensitive, Sensitive::Biometric);
        if (is_property && !is_strict) || is_thing {
            continue;
        }
        // The last word is what the value is: an email's name is a name. A body outranks all.
        if found != Some(Sensitive::Biometric) {
            found = Some(sensitive);
        }
    }
    found
}

fn alone(word: &str) -> Option<Sensitive> {
    let exact = SENSITIVE.iter().find(|(known, _)| *known == word);
    let inside = || {
        let one = word.strip_suffix('s').unwrap_or(word);
        let by_chance = has(BY_CHANCE, one);
        ANYWHERE
            .iter()
            .find(|(known, _)| word.len() > known.len() && !by_chance && word.contains(known))
    };
    exact.or_else(inside).map(|(_, sensitive)| *sensitive)
}

/// A name as plain words: `primaryEMailAddress_2` → primary, e, mail, address.
fn words(name: &str) -> Option<Vec<String>> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous_lower = false;
    let chars: Vec<char> =
        name.nfkd().filter(|c| !is_combining_mark(*c) && !is_invisible(*c)).collect();
    for (at, c) in chars.iter().enumerate() {
        if !c.is_alphabetic() {
            end(&mut word, &mut words);
            previous_lower = false;
            continue;
        }
        let next_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        // `userEmail`, and the last capital of `IPAddress`.
        if c.is_uppercase() && (previous_lower || (next_lower && !word.is_empty())) {
            end(&mut word, &mut words);
        }
        previous_lower = c.is_lowercase();
        word.extend(c.to_lowercase());
    }
    end(&mut word, &mut words);
    Some(spelled_out(words))
}

/// Signs without width, which part nothing that a reader sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Ends a word: singular, and cut into known words if it is several written as one.
fn end(word: &mut String, words: &mut Vec<String>) {
    if word.is_empty() {
        return;
    }
    let whole = core::mem::take(word).replace('ß', "ss");
    let whole = singular(whole);
    match pieces(&whole) {
        Some(pieces) => words.extend(pieces),
        None => words.push(whole),
    }
}

fn is_known(word: &str) -> bool {
    SENSITIVE.iter().any(|(known, _)| *known == word)
}

fn singular(word: String) -> String {
    if is_known(&word) || word.len() < 4 {
        return word;
    }
    // `addresses`; `address` itself is known.
    let forms = [word.strip_suffix("es"), word.strip_suffix('s')];
    let known = forms.into_iter().flatten().find(|form| is_known(form)).map(str::to_owned);
    known.unwrap_or(word)
}

/// Words of which a long one is made without a gap, at least one of them sensitive.
fn pieces(word: &str) -> Option<Vec<String>> {
    if is_known(word) || word.len() < 5 || word.len() > 40 || !word.is_ascii() {
        return None;
    }
    // How each beginning is reached: the length of its last piece.
    let mut reached: Vec<Option<usize>> = vec![None; word.len() + 1];
    *reached.first_mut()? = Some(0);
    for start in 0..word.len() {
        if reached.get(start)?.is_none() {
            continue;
        }
        let rest = word.get(start..)?;
        let sensitive = SENSITIVE.iter().map(|(known, _)| *known);
        for piece in sensitive.chain(AFFIXES.split(' ')).filter(|piece| rest.starts_with(*piece)) {
            let plural = usize::from(is_known(piece) && rest.get(piece.len()..) == Some("s"));
            for len in [piece.len(), piece.len() + plural] {
                let slot = reached.get_mut(start + len)?;
                // The longest piece that ends there wins: `phone` before `e`.
                *slot = Some(slot.unwrap_or(0).max(len));
            }
        }
    }
    let mut pieces = Vec::new();
    let mut at = word.len();
    while at > 0 {
        let len = (*reached.get(at)?)?;
        pieces.push(singular(word.get(at - len..at)?.to_owned()));
        at -= len;
    }
    pieces.reverse();
    pieces.iter().any(|piece| is_known(piece)).then_some(pieces)
}

/// Letters one by one are a word: `p.h.o.n.e`. What a zero-width sign or a digit cuts is one as well.
fn spelled_out(words: Vec<String>) -> Vec<String> {
    let all = words.concat();
    let mut joined = Vec::new();
    if words.iter().all(|word| word.chars().count() == 1) && words.len() > 2 {
        joined.push(all.clone());
    } else if words.len() > 1 && is_known(&all) {
        joined.push(all);
    }
    if joined.is_empty() { words } else { joined }
}
