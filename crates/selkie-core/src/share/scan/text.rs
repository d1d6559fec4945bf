//! A text as bytes that can be looked at anywhere: outside of it there are zero bytes.

/// The bytes of a text.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte there; zero behind the end.
    pub(super) fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The byte before; zero at the beginning.
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.at(at))
    }

    /// The bytes between, as far as there are any.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start.min(self.len())..end.min(self.len())).unwrap_or_default()
    }

    /// Whether a word of letters and digits begins there.
    pub(super) fn starts_word(&self, at: usize) -> bool {
        !is_word(self.before(at))
    }

    /// Whether no word goes on there.
    pub(super) fn ends_word(&self, at: usize) -> bool {
        !is_word(self.at(at))
    }

    /// Behind the letters and digits that begin there.
    pub(super) fn word_end(&self, at: usize) -> usize {
        self.end_while(at, usize::MAX, |byte| byte.is_ascii_alphanumeric())
    }

    /// Behind the bytes that fit, `max` of them at most.
    pub(super) fn end_while(&self, at: usize, max: usize, fits: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().take(max).take_while(|byte| fits(**byte)).count()
    }

    /// Where the bytes that fit and end there begin, `max` of them at most and none before `floor`.
    pub(super) fn start_while(
        &self,
        end: usize,
        floor: usize,
        max: usize,
        fits: impl Fn(u8) -> bool,
    ) -> usize {
        let before = self.bytes.get(floor.min(end)..end).unwrap_or_default();
        end - before.iter().rev().take(max).take_while(|byte| fits(**byte)).count()
    }

    /// Whether the text goes on with these bytes there.
    pub(super) fn goes_on_with(&self, at: usize, bytes: &[u8]) -> bool {
        self.slice(at, at + bytes.len()) == bytes
    }
}

/// Letters, digits, underscores, and every byte of other alphabets.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
