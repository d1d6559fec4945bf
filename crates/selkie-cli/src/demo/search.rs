//! Looks for known plaintext in files: as it is, in hexadecimal and in base64, at every alignment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something that must not be found.
#[derive(Clone, Debug)]
pub struct Needle {
    /// What it is, for people.
    pub what: &'static str,
    /// Its text; long enough not to turn up in random bytes.
    pub text: String,
}

/// A place where a needle was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which needle, by its place in the list.
    pub needle: usize,
    /// How it was written.
    pub encoding: &'static str,
}

struct Pattern {
    needle: usize,
    encoding: &'static str,
    bytes: Vec<u8>,
}

/// Finds all needles in one pass over each file.
pub struct Search {
    /// By first byte.
    patterns: Vec<Vec<Pattern>>,
}

impl Search {
    /// Prepares every spelling of every needle.
    pub fn new(needles: &[Needle]) -> Self {
        let mut patterns: Vec<Vec<Pattern>> = std::iter::repeat_with(Vec::new).take(256).collect();
        for (needle, Needle { text, .. }) in needles.iter().enumerate() {
            for (encoding, bytes) in spellings(text.as_bytes()) {
                let Some(first) = bytes.first() else { continue };
                if let Some(bucket) = patterns.get_mut(usize::from(*first)) {
                    bucket.push(Pattern { needle, encoding, bytes });
                }
            }
        }
        Self { patterns }
    }

    /// Every hit in some bytes.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (at, first) in bytes.iter().enumerate() {
            let Some(bucket) = self.patterns.get(usize::from(*first)) else { continue };
            let rest = bytes.get(at..).unwrap_or_default();
            for pattern in bucket.iter().filter(|pattern| rest.starts_with(&pattern.bytes)) {
                hits.push(Hit { needle: pattern.needle, encoding: pattern.encoding });
            }
        }
        hits
    }
}

/// What a text can look like in a file.
fn spellings(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("text", text.to_vec()),
        ("UTF-16", text.iter().flat_map(|byte| [*byte, 0]).collect()),
        ("hexadecimal", hex(text).into_bytes()),
        ("hexadecimal", hex(text).to_uppercase().into_bytes()),
    ];
    all.extend((0..3).map(|shift| ("base64", base64_inside(text, shift))));
    all
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 (RFC 4648) without padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let group = three.iter().fold(0_usize, |group, byte| group << 8 | usize::from(*byte));
        let group = group << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let digit = ALPHABET.get(group >> (18 - 6 * place) & 63);
            out.extend(digit.map(|digit| char::from(*digit)));
        }
    }
    out
}

/// The digits that a text is certain to give inside of longer base64, where it begins `shift` bytes
/// after a group of three: those at its edges also depend on its neighbours.
fn base64_inside(text: &[u8], shift: usize) -> Vec<u8> {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(text);
    let first = (8 * shift).div_ceil(6);
    let end = 8 * shifted.len() / 6;
    base64(&shifted).into_bytes().into_iter().take(end).skip(first).collect()
}

/// All files below a folder, each with its bytes.
pub fn files_below(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), fs::read(entry.path())?));
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needle() -> [Needle; 1] {
        [Needle { what: "a field", text: "body_mass_g".to_owned() }]
    }

    /// The vectors of RFC 4648, section 10, without their padding.
    #[test]
    fn base64_is_that_of_its_specification() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_needle_is_found_in_every_spelling_and_place() {
        let search = Search::new(&needle());
        for before in 0..4 {
            let text = format!("{}body_mass_g\": 3750", &"{{\"x"[..before]);
            let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for (encoding, bytes) in [
                ("text", text.clone().into_bytes()),
                ("UTF-16", utf_16),
                ("hexadecimal", hex(text.as_bytes()).into_bytes()),
                ("hexadecimal", hex(text.as_bytes()).to_uppercase().into_bytes()),
                ("base64", base64(text.as_bytes()).into_bytes()),
            ] {
                let hits = search.in_bytes(&bytes);
                assert_eq!(hits.len(), 1, "{encoding} after {before}");
                assert_eq!(hits[0].encoding, encoding);
            }
        }
    }

    #[test]
    fn other_text_gives_no_hit() {
        let search = Search::new(&needle());
        assert!(search.in_bytes(b"body_mass, body mass g, Body_Mass_G").is_empty());
    }
}
