//! The conflict resolver alone: two documents, or three with their base, and no store.
//!
//! The same rules as in a vault, because it is the same code: each document becomes the write of a
//! device of its own, and the merged state is shown by the strategy. Which of the two is called local
//! makes no difference: devices are named after what they wrote.

use std::collections::BTreeSet;

use selkie_wire::{DeviceId, Digest};
use serde_json::Value;

use crate::change::{Change, ChangeNumber, Dot, RecordChange, Registers, Seen, Writer, put};
use crate::clock::Stamp;
use crate::record::{Document, DocumentError, Path, RecordKey, Schema};

use super::conflict::{Conflict, SideContent};
use super::policy::{CollectionPolicy, Policy};
use super::replica::Replica;
use super::view::view;

/// How two documents are to be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The later one's fields win.
    #[default]
    Timestamp,
    /// The fields of the one with the higher priority win, then the later one's.
    Priority,
    /// As by `timestamp`, and arrays are united.
    Merge,
    /// As by `timestamp`, and every field that differs is listed for a person.
    UserChoice,
    /// A policy with exceptions by path.
    Policy(CollectionPolicy),
}

/// One of the documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The document: a JSON object.
    pub document: Value,
    /// When it was written, in milliseconds since 1970.
    pub written_at_ms: u64,
    /// For [`Strategy::Priority`].
    pub priority: i32,
}

/// Merges documents; holds nothing but the rules.
///
/// ```
/// use selkie_core::merge::{ConflictResolver, Input, Strategy};
/// use serde_json::json;
/// let local = Input { document: json!({"title": "Milk", "tags": ["a"]}), written_at_ms: 2, priority: 0 };
/// let remote = Input { document: json!({"title": "Bread", "tags": ["b"]}), written_at_ms: 1, priority: 0 };
/// let resolver = ConflictResolver::new(Strategy::Merge);
/// let outcome = resolver.resolve(&local, &remote, None)?;
/// assert_eq!(outcome.document, json!({"title": "Milk", "tags": ["a", "b"]}));
/// assert_eq!(outcome, resolver.resolve(&remote, &local, None)?, "whichever is called local");
/// # Ok::<(), selkie_core::record::DocumentError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConflictResolver {
    policy: CollectionPolicy,
    schema: Schema,
}

/// What a merge came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The merged document.
    pub document: Value,
    /// What was decided, for each field in which the documents differed.
    pub decisions: Vec<Decision>,
    /// The fields that wait for a person.
    pub conflicts: Vec<Conflict>,
}

/// What became of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The field.
    pub path: Path,
    /// The values that competed, the older first; `None` where the field is not there.
    pub candidates: Vec<Option<Value>>,
    /// What it is now; `None` if it is gone.
    pub chosen: Option<Value>,
}

impl ConflictResolver {
    /// A resolver with one strategy for all fields.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        let policy = match strategy {
            Strategy::Timestamp => Policy::Timestamp,
            Strategy::Priority => Policy::Priority,
            Strategy::Merge => Policy::Merge,
            Strategy::UserChoice => Policy::UserChoice,
            Strategy::Policy(policy) => return Self { policy, schema: Schema::default() },
        };
        Self { policy: CollectionPolicy::with_default(policy), schema: Schema::default() }
    }

    /// The same with a schema, for sets, counters and lists.
    #[must_use]
    pub fn with_schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Merges two documents. With their common `base`, a field that only one of them changed is that
    /// one's; without it, every field in which they differ competes.
    ///
    /// # Errors
    /// [`DocumentError`] if one of them is no document.
    pub fn resolve(
        &self,
        local: &Input,
        remote: &Input,
        base: Option<&Value>,
    ) -> Result<Outcome, DocumentError> {
        self.resolve_with(local, remote, base, |_| None)
    }

    /// As [`resolve`](Self::resolve); `custom` is asked about every field that waits for a person, and
    /// may answer with a value.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_with(
        &self,
        local: &Input,
        remote: &Input,
        base: Option<&Value>,
        mut custom: impl FnMut(&Conflict) -> Option<Value>,
    ) -> Result<Outcome, DocumentError> {
        let mut inputs = [self.prepare(local)?, self.prepare(remote)?];
        // Named after what they say, in order of time: no trace is left of who was local.
        inputs.sort_by(|a, b| {
            (a.written_at_ms, a.priority, a.json()).cmp(&(b.written_at_ms, b.priority, b.json()))
        });
        let base = base.map(|base| Document::from_value(base.clone())).transpose()?;
        let replica = self.merge(&inputs, base.as_ref());
        let mut shown = view(&replica.registers(&key()), &self.policy);
        let mut document = shown.document.unwrap_or_default();
        shown.conflicts.retain(|conflict| {
            let Some(answer) = custom(conflict) else { return true };
            document.set(&conflict.path, answer);
            false
        });
        let decisions = self.decisions(&inputs, base.as_ref(), &document);
        Ok(Outcome { document: document.into_value(), decisions, conflicts: shown.conflicts })
    }

    fn prepare(&self, input: &Input) -> Result<Prepared, DocumentError> {
        Ok(Prepared {
            document: Document::from_value(input.document.clone())?,
            written_at_ms: input.written_at_ms,
            priority: input.priority,
        })
    }

    /// A replica in which the base was written first, and both documents by devices that saw only it.
    fn merge(&self, inputs: &[Prepared; 2], base: Option<&Document>) -> Replica {
        let mut common = Replica::default();
        if let Some(base) = base {
            let first =
                self.change(&Registers::default(), None, base, (device(b"base"), Stamp(0), 0));
            common.apply(first);
        }
        let seen = common.registers(&key()).into_owned();
        let mut merged = common;
        for (at, input) in inputs.iter().enumerate() {
            let name = [&[u8::try_from(at).unwrap_or(0)], input.json().as_bytes()].concat();
            let writer = (device(&name), Stamp::from_unix_ms(input.written_at_ms), input.priority);
            merged.apply(self.change(&seen, base, &input.document, writer));
        }
        merged
    }

    fn change(
        &self,
        registers: &Registers,
        shown: Option<&Document>,
        wanted: &Document,
        (device, stamp, priority): (DeviceId, Stamp, i32),
    ) -> Change {
        let dot = Dot { device, number: ChangeNumber(1) };
        let seen = Seen { document: shown, delete_contested: false };
        let writer = Writer { schema: &self.schema, dot };
        let mut operations = put(registers, seen, wanted, writer);
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.priority = priority;
        }
        Change { dot, stamp, records: vec![RecordChange { key: key(), operations }] }
    }

    fn decisions(
        &self,
        inputs: &[Prepared; 2],
        base: Option<&Document>,
        merged: &Document,
    ) -> Vec<Decision> {
        let paths: BTreeSet<Path> = inputs
            .iter()
            .flat_map(|input| self.schema.leaf_values(input.document.as_map()))
            .map(|(path, _)| path)
            .collect();
        paths
            .into_iter()
            .filter_map(|path| {
                let candidates: Vec<Option<Value>> =
                    inputs.iter().map(|input| input.document.value_at(&path).cloned()).collect();
                let before = base.and_then(|base| base.value_at(&path).cloned());
                let changed = candidates.iter().filter(|value| **value != before || base.is_none());
                let differs = candidates.first() != candidates.last();
                (differs && changed.count() > 1).then(|| Decision {
                    chosen: merged.value_at(&path).cloned(),
                    path,
                    candidates,
                })
            })
            .collect()
    }
}

struct Prepared {
    document: Document,
    written_at_ms: u64,
    priority: i32,
}

impl Prepared {
    fn json(&self) -> String {
        self.document.to_json()
    }
}

fn device(name: &[u8]) -> DeviceId {
    let Digest(digest) = Digest::of(name);
    let mut id = [0; 16];
    id.copy_from_slice(digest.split_at(16).0);
    DeviceId(id)
}

fn key() -> RecordKey {
    RecordKey::fixed("resolver", "document")
}

impl SideContent {
    /// The value this side would leave, if it is one.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}
