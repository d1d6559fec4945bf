//! What people wrote, noted beside the code under test and without it: each write has a number of its own.

use std::collections::{BTreeMap, BTreeSet};

use selkie_wire::Digest;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A field of a record was written or removed; its value is the write's number.
    Field(&'static str, &'static str, bool),
    /// Something was added to the counter.
    Counted(i64),
    /// An item was put into the list.
    Listed,
    /// Items were taken out of the list.
    Unlisted,
}

/// One write.
#[derive(Clone, Debug)]
pub struct Act {
    /// What it did.
    pub deed: Deed,
    /// The writes that it replaced, all of which its writer had seen.
    pub replaces: BTreeSet<u64>,
}

/// Everything that was written, and where it went.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The writes, by their numbers.
    pub acts: BTreeMap<u64, Act>,
    /// What a change carries, by the digest of its bytes.
    changes: BTreeMap<Digest, Vec<u64>>,
    /// What a segment carries, by its digest.
    segments: BTreeMap<Digest, Vec<u64>>,
}

impl Ledger {
    /// A number that no write has.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.acts.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Notes what the bytes of a change say.
    pub fn note_change(&mut self, bytes: &[u8], acts: Vec<u64>) {
        self.changes.insert(Digest::of(bytes), acts);
    }

    /// Notes what a segment carries.
    pub fn note_segment<'a>(&mut self, digest: Digest, changes: impl Iterator<Item = &'a Vec<u8>>) {
        let acts = changes.flat_map(|bytes| self.of_change(bytes)).collect();
        self.segments.insert(digest, acts);
    }

    /// The writes in a change.
    #[must_use]
    pub fn of_change(&self, bytes: &[u8]) -> Vec<u64> {
        self.changes.get(&Digest::of(bytes)).cloned().unwrap_or_default()
    }

    /// The writes in a segment.
    #[must_use]
    pub fn of_segment(&self, digest: Digest) -> &[u64] {
        self.segments.get(&digest).map_or(&[], Vec::as_slice)
    }
}
