//! What files in the folder are called. A name is a claim; what is inside is checked against it.

use std::fmt;

use selkie_wire::ids::RosterNumber;
use selkie_wire::{Digest, SegmentNumber};

/// `<first>-<last>-<digest>.seg`: the segments from first to last of one device, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) first: SegmentNumber,
    pub(super) last: SegmentNumber,
    /// SHA-256 of the file; of the envelope if it holds one.
    pub(super) digest: Digest,
}

/// `<number>-<digest>.entry`: one roster entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryName {
    pub(super) number: RosterNumber,
    pub(super) digest: Digest,
}

impl SegmentName {
    pub(super) fn single(number: SegmentNumber, digest: Digest) -> Self {
        Self { first: number, last: number, digest }
    }

    pub(super) fn is_single(self) -> bool {
        self.first == self.last
    }

    /// Reads a name; anything that is not written exactly so is some other program's file.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".seg")?.split('-');
        let (first, last) = (number(parts.next()?)?, number(parts.next()?)?);
        let digest = Digest::from_hex(parts.next()?)?;
        let parsed = Self { first: SegmentNumber(first), last: SegmentNumber(last), digest };
        (first > 0 && first <= last && parsed.to_string() == name).then_some(parsed)
    }
}

impl EntryName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number_text, digest) = name.strip_suffix(".entry")?.split_once('-')?;
        let number = RosterNumber(number(number_text)?);
        let parsed = Self { number, digest: Digest::from_hex(digest)? };
        (parsed.to_string() == name).then_some(parsed)
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}.seg", self.first, self.last, self.digest)
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.entry", self.number, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        let digest = "ab".repeat(32);
        let good = format!("3-7-{digest}.seg");
        let name = SegmentName::parse(&good).unwrap();
        assert_eq!((name.first.0, name.last.0, name.to_string()), (3, 7, good));
        let entry = format!("0-{digest}.entry");
        assert_eq!(EntryName::parse(&entry).unwrap().to_string(), entry);
        let upper = digest.to_uppercase();
        for wrong in [
            String::new(),
            format!("0-0-{digest}.seg"),
            format!("7-3-{digest}.seg"),
            format!("03-7-{digest}.seg"),
            format!("+3-7-{digest}.seg"),
            format!("3-7-{upper}.seg"),
            format!("3-7-{digest}.sync-conflict-20260101.seg"),
            format!("3-7-{digest}.seg.tmp"),
            format!(".3-7-{digest}.seg"),
            format!("3-7-{}.seg", "a".repeat(63)),
            format!("3-{digest}.seg"),
            format!("99999999999999999999-99999999999999999999-{digest}.seg"),
        ] {
            assert_eq!(SegmentName::parse(&wrong), None, "{wrong}");
            assert_eq!(EntryName::parse(&wrong), None, "{wrong}");
        }
    }
}
