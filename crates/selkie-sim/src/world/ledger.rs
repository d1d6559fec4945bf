//! What people and machines did, written down beside the code under test and without it.

use std::collections::BTreeSet;

use selkie_core::change::Dot;
use selkie_core::clock::Stamp;
use selkie_core::record::{Document, Path, RecordKey};
use serde_json::Value;

/// What was done to a typed field.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Something was added to the counter.
    Counted(i64),
    /// A member was put into the set, where it was not.
    Joined(Value),
    /// A member was taken out of the set.
    Left(Value),
    /// An item of the list was inserted or changed.
    Listed(String),
    /// An item was taken out of the list.
    Unlisted(String),
    /// The atomic field was written.
    WroteWhole(Value),
    /// An app of a later version wrote what this one does not know.
    WroteUnknown(Path),
}

/// One deed, with the writes of the same thing that it replaced.
#[derive(Clone, Debug)]
pub struct Act {
    /// The change.
    pub dot: Dot,
    /// Every change its writer had seen, or the siblings an answer named.
    pub replaces: BTreeSet<Dot>,
    /// What was done.
    pub deed: Deed,
}

/// An answer to a conflict.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The change.
    pub dot: Dot,
    /// The record.
    pub key: RecordKey,
    /// The conflict's place.
    pub path: Path,
    /// What it named.
    pub named: BTreeSet<Dot>,
    /// Whether a machine gave it.
    pub by_machine: bool,
}

/// What one answer took from one device.
#[derive(Clone, Debug)]
pub struct AnswerApplied {
    /// The answer's change.
    pub dot: Dot,
    /// The record's siblings before.
    pub before: BTreeSet<(Path, Dot)>,
    /// And after.
    pub after: BTreeSet<(Path, Dot)>,
}

/// One write of a document.
#[derive(Clone, Debug)]
pub struct Put {
    /// The change's stamp.
    pub stamp: Stamp,
    /// The world's time.
    pub now_ms: u64,
    /// Whether the writer's clock is a year ahead.
    pub is_ahead: bool,
    /// The document wanted.
    pub wanted: Document,
    /// The document its writer saw right after.
    pub shown: Option<Document>,
    /// Whether a delete of the record waited for a decision.
    pub delete_contested: bool,
    /// For one step of a list: how many values and positions were written, if no two had one position.
    pub list_writes: Option<(usize, usize)>,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Deeds on the typed record.
    pub acts: Vec<Act>,
    /// Answers on any record.
    pub answers: Vec<Answer>,
    /// What answers did on the devices that received them.
    pub applied: Vec<AnswerApplied>,
    /// Writes of documents.
    pub puts: Vec<Put>,
    /// Lists as their writers left them, by label.
    pub lists: Vec<Vec<String>>,
}

impl Ledger {
    /// The answer that a change gave, if it gave one.
    #[must_use]
    pub fn answer(&self, dot: Dot) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.dot == dot)
    }

    /// Whether a deed's change was replaced by another deed on the same thing.
    #[must_use]
    pub fn is_replaced(&self, dot: Dot, same: impl Fn(&Deed) -> bool) -> bool {
        self.acts.iter().any(|act| act.dot != dot && act.replaces.contains(&dot) && same(&act.deed))
    }
}
