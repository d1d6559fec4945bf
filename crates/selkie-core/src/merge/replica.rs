//! The replicated state of a vault (or of the records a page touches), and its two operations.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{
    Change, Class, Dot, Entry, Operation, RecordChange, Registers, Sibling, Written,
};
use crate::clock::Stamp;
use crate::record::{Path, RecordKey};

use super::context::{Context, DeadOnArrival};

/// (S, C, D): registers, causal context, and dots dead on arrival.
///
/// Any order, batching and duplication of [`apply`](Self::apply) and [`join`](Self::join) over the
/// same changes ends in the same replica. Precondition: a dot names one byte string, for ever.
///
/// ```
/// use selkie_core::change::{Change, ChangeNumber, Dot, RecordChange, Seen, Writer, put};
/// use selkie_core::clock::Stamp;
/// use selkie_core::merge::{CollectionPolicy, Replica, view};
/// use selkie_core::record::{Document, RecordKey, Schema};
/// use selkie_wire::DeviceId;
///
/// let (mut phone, mut laptop) = (Replica::default(), Replica::default());
/// let key = RecordKey::new("notes", "groceries")?;
/// let note = Document::from_json(r#"{"title": "Milk"}"#)?;
/// let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(1) };
/// let writer = Writer { schema: &Schema::new(), dot };
/// let change = Change {
///     dot,
///     stamp: Stamp::from_unix_ms(1),
///     records: vec![RecordChange {
///         key: key.clone(),
///         operations: put(&phone.registers(&key), Seen::default(), &note, writer),
///     }],
/// };
/// phone.apply(change.clone());
/// laptop.apply(change.clone());
/// laptop.apply(change);
/// assert_eq!(phone, laptop);
/// let shown = view(&laptop.registers(&key), &CollectionPolicy::default()).document;
/// assert_eq!(shown, Some(note));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replica {
    records: BTreeMap<RecordKey, Registers>,
    context: Context,
    dead: DeadOnArrival,
}

/// A value that a change put an end to: what a record's history is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Overwritten {
    /// The record.
    pub key: RecordKey,
    /// Where it stood.
    pub path: Path,
    /// What stood there.
    pub sibling: Sibling,
    /// The change that overwrote it.
    pub by: Dot,
    /// When, by that change's writer.
    pub by_stamp: Stamp,
    /// Who decided that.
    pub by_class: Class,
    /// Why, for a resolution.
    pub why: Option<String>,
}

impl Replica {
    /// A replica from its parts. It may hold only some records: all that are applied to must be in.
    #[must_use]
    pub fn from_parts(
        records: BTreeMap<RecordKey, Registers>,
        context: Context,
        dead: DeadOnArrival,
    ) -> Self {
        Self { records, context, dead }
    }

    /// The parts, given away.
    #[must_use]
    pub fn into_parts(self) -> (BTreeMap<RecordKey, Registers>, Context, DeadOnArrival) {
        (self.records, self.context, self.dead)
    }

    /// The registers of a record; empty if it was never written.
    #[must_use]
    pub fn registers(&self, key: &RecordKey) -> std::borrow::Cow<'_, Registers> {
        self.records.get(key).map_or_else(
            || std::borrow::Cow::Owned(Registers::default()),
            std::borrow::Cow::Borrowed,
        )
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<RecordKey, Registers> {
        &self.records
    }

    /// What has been applied.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What is overwritten but has not arrived.
    #[must_use]
    pub fn dead(&self) -> &DeadOnArrival {
        &self.dead
    }

    /// Applies a change; `false` if it was applied before.
    pub fn apply(&mut self, change: Change) -> bool {
        self.apply_telling(change, &mut |_| {})
    }

    /// As [`apply`](Self::apply), and tells of every value that the change overwrites.
    pub fn apply_telling(&mut self, change: Change, tell: &mut dyn FnMut(Overwritten)) -> bool {
        let Change { dot, stamp, records } = change;
        if self.context.contains(dot) {
            return false;
        }
        for RecordChange { key, operations } in records {
            let registers = self.records.entry(key.clone()).or_default();
            let (context, dead) = (&self.context, &mut self.dead);
            let change = (&key, dot, stamp);
            apply_operations(registers, change, operations, tell, |path, event| match event {
                Event::Overwrites(seen) => {
                    if !context.contains(seen) {
                        dead.insert(seen, key.clone(), path.clone());
                    }
                    true
                }
                Event::Written => !dead.contains(dot, &key, path),
            });
            if registers.is_empty() {
                self.records.remove(&key);
            }
        }
        self.dead.arrived(dot);
        self.context.insert(dot);
        true
    }

    /// Joins another state: keeps what both hold, and what one holds and the other has not
    /// overwritten.
    pub fn join(&mut self, mut other: Self) {
        let keys: BTreeSet<_> = self.records.keys().chain(other.records.keys()).cloned().collect();
        for key in keys {
            let theirs = other.records.remove(&key).unwrap_or_default();
            let Some(mine) = self.records.get_mut(&key) else {
                let mut theirs = theirs;
                theirs.retain(|path, sibling| !self.has_killed(&key, path, sibling.dot));
                if !theirs.is_empty() {
                    self.records.insert(key, theirs);
                }
                continue;
            };
            let mut joined = core::mem::take(mine);
            joined.retain(|path, sibling| {
                theirs.at(path).iter().any(|their| their.dot == sibling.dot)
                    || !other.has_killed(&key, path, sibling.dot)
            });
            for (path, siblings) in theirs.iter() {
                for sibling in siblings {
                    if !self.has_killed(&key, path, sibling.dot) {
                        joined.insert(path.clone(), sibling.clone());
                    }
                }
            }
            if joined.is_empty() {
                self.records.remove(&key);
            } else {
                self.records.insert(key, joined);
            }
        }
        self.context.join(&other.context);
        self.dead.join(&other.dead, &self.context);
    }

    /// Whether a value that is not among the registers was overwritten (rather than never seen).
    fn has_killed(&self, key: &RecordKey, path: &Path, dot: Dot) -> bool {
        self.context.contains(dot) || self.dead.contains(dot, key, path)
    }
}

/// Applies this device's own new write to a record it has just read: all it overwrites is there, and
/// its dot is new, so neither context nor dots dead on arrival come into it.
pub fn apply_own(
    registers: &mut Registers,
    change: (&RecordKey, Dot, Stamp),
    operations: Vec<Operation>,
    tell: &mut dyn FnMut(Overwritten),
) {
    apply_operations(registers, change, operations, tell, |_, _| true);
}

/// What the vault's state may have a say in, while operations are applied.
enum Event {
    /// A sibling is overwritten, whether it was among the registers or not.
    Overwrites(Dot),
    /// A value is about to be inserted; `false` keeps it out.
    Written,
}

fn apply_operations(
    registers: &mut Registers,
    (key, dot, stamp): (&RecordKey, Dot, Stamp),
    operations: Vec<Operation>,
    tell: &mut dyn FnMut(Overwritten),
    mut ask: impl FnMut(&Path, Event) -> bool,
) {
    for Operation { path, overwrites, written } in operations {
        let by_class = written.as_ref().map_or(Class::Plain, |written| written.class);
        for seen in overwrites {
            if let Some(sibling) = registers.remove(&path, seen) {
                tell(Overwritten {
                    key: key.clone(),
                    path: path.clone(),
                    sibling,
                    by: dot,
                    by_stamp: stamp,
                    by_class,
                    why: written.as_ref().and_then(|written| written.why.clone()),
                });
            }
            // Asked though it was there: a checkpoint half applied brings values before their dots.
            if seen != dot {
                ask(&path, Event::Overwrites(seen));
            }
        }
        let Some(Written { value, priority, class, origin, .. }) = written else { continue };
        if ask(&path, Event::Written) {
            let entry = Entry { stamp, priority, class, origin, value };
            registers.insert(path, Sibling { dot, entry });
        }
    }
}
