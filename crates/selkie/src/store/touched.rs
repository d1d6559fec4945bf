//! A record inside a transaction: as it was, as it is to be, and what leads from one to the other.

use selkie_core::change::{
    Dot, NewRecord, Operation, Registers, Seen, Writer, Writes, clear_old_removals, delete, put,
};
use selkie_core::clock::Stamp;
use selkie_core::merge::{
    Conflict, ConflictKind, POLICY_COLLECTION, SCHEMA_COLLECTION, View, apply_own,
};
use selkie_core::record::{Document, RecordKey, Schema};
use selkie_wire::DeviceId;

use super::purge::DELETED_KEPT_MS;
use super::rows::{Changed, Rows, StoredRecord};
use super::validation::check_valid;
use crate::Error;
use crate::collection::Record;
use crate::watch::{Event, EventKind};

/// A record that was read or written.
pub(super) struct Touched {
    pub(super) stored: Option<StoredRecord>,
    pub(super) shown: View,
    wanted: Wanted,
    /// For the `priority` policy, where the call says one.
    pub(super) priority: Option<i32>,
    pub(super) resolution: Vec<Operation>,
}

/// What was wanted of a record at a savepoint.
#[derive(Clone)]
pub(super) struct Mark {
    wanted: Wanted,
    priority: Option<i32>,
    resolution: Vec<Operation>,
}

/// What an app wants of a record.
#[derive(Clone)]
enum Wanted {
    AsShown,
    Document(Document),
    /// A document for a record that was never there, as it goes into the store and the change: the
    /// caller has the document itself, and a transaction of many records stays small.
    New(String, NewRecord),
    Deleted,
}

impl Touched {
    /// The record as the store has it.
    pub(super) fn load(rows: &mut Rows<'_>, key: &RecordKey) -> Result<Self, Error> {
        let mut stored = rows.load(key)?;
        let shown = match &mut stored {
            Some(stored) if stored.contested => rows.view(key, &stored.registers)?,
            Some(stored) => View { document: stored.document.take(), conflicts: Vec::new() },
            None => View::default(),
        };
        let wanted = Wanted::AsShown;
        Ok(Self { stored, shown, wanted, priority: None, resolution: Vec::new() })
    }

    pub(super) fn mark(&self) -> Mark {
        let (wanted, resolution) = (self.wanted.clone(), self.resolution.clone());
        Mark { wanted, priority: self.priority, resolution }
    }

    pub(super) fn go_back(&mut self, mark: Mark) {
        let Mark { wanted, priority, resolution } = mark;
        (self.wanted, self.priority, self.resolution) = (wanted, priority, resolution);
    }

    /// The document as it is to be.
    pub(super) fn wanted(&self) -> Result<Option<Document>, Error> {
        Ok(match &self.wanted {
            Wanted::AsShown => self.shown.document.clone(),
            Wanted::Document(document) => Some(document.clone()),
            Wanted::New(text, _) => Some(Document::from_stored_json(text)?),
            Wanted::Deleted => None,
        })
    }

    /// Puts a document; `plainly` says whether neither schema nor policy has a say in it.
    pub(super) fn put(
        &mut self,
        id: &str,
        wanted: Document,
        plainly: bool,
        now: (u64, DeviceId),
    ) -> Record {
        if plainly && self.stored.is_none() && self.priority.is_none() {
            self.wanted = Wanted::New(wanted.to_json(), NewRecord::of(&wanted));
        } else {
            self.wanted = Wanted::Document(wanted.clone());
        }
        self.record(id, wanted, now)
    }

    /// Deletes it; whether there was something to delete.
    pub(super) fn delete(&mut self) -> bool {
        match std::mem::replace(&mut self.wanted, Wanted::Deleted) {
            Wanted::AsShown => self.shown.document.is_some(),
            Wanted::Document(_) | Wanted::New(..) => true,
            Wanted::Deleted => false,
        }
    }

    /// The record as it will be with this document, if it is written now, by this device.
    pub(super) fn record(
        &self,
        id: &str,
        document: Document,
        (now_ms, device): (u64, DeviceId),
    ) -> Record {
        let changed = self.shown.document.as_ref() != Some(&document);
        let stored = self.stored.as_ref();
        let updated_at_ms = stored.map_or(now_ms, |stored| stored.updated_at_ms);
        Record {
            id: id.to_owned(),
            document: document.into_value(),
            created_at_ms: stored.map_or(now_ms, |stored| stored.created_at_ms.min(now_ms)),
            updated_at_ms: if changed { updated_at_ms.max(now_ms) } else { updated_at_ms },
            updated_by: if changed || stored.is_none() {
                Some(device)
            } else {
                stored.and_then(|stored| stored.updated_by)
            },
            conflicts: u32::try_from(self.shown.conflicts.len()).unwrap_or(u32::MAX),
        }
    }

    /// What is to be written; `None` if nothing differs.
    pub(super) fn writes(
        &mut self,
        rows: &mut Rows<'_>,
        key: &RecordKey,
        (device, dot): (DeviceId, Dot),
        now_ms: u64,
    ) -> Result<Option<Writes>, Error> {
        if let Wanted::New(_, record) = &mut self.wanted {
            return Ok(Some(Writes::New(std::mem::take(record))));
        }
        let mut operations = self.operations(rows, key, (device, dot))?;
        if let Some(stored) = &self.stored {
            let before = Stamp::from_unix_ms(now_ms.saturating_sub(DELETED_KEPT_MS));
            clear_old_removals(&stored.registers, before, &mut operations);
        }
        Ok((!operations.is_empty()).then_some(Writes::Operations(operations)))
    }

    fn operations(
        &self,
        rows: &mut Rows<'_>,
        key: &RecordKey,
        (device, dot): (DeviceId, Dot),
    ) -> Result<Vec<Operation>, Error> {
        if !self.resolution.is_empty() {
            return Ok(self.resolution.clone());
        }
        let nothing = Registers::default();
        let registers = self.stored.as_ref().map_or(&nothing, |stored| &stored.registers);
        let shown = self.shown.document.as_ref();
        let (mut operations, wanted) = match &self.wanted {
            Wanted::Document(wanted) => {
                let contested = |conflict: &Conflict| conflict.kind == ConflictKind::EditVsDelete;
                let delete_contested = self.shown.conflicts.iter().any(contested);
                let seen = Seen { document: shown, delete_contested };
                let schema = rows.schema(key.collection())?;
                if shown != Some(wanted) {
                    check_valid(&schema, wanted)?;
                }
                (put(registers, seen, wanted, Writer { schema: &schema, dot }), Some(wanted))
            }
            Wanted::Deleted if shown.is_some() => (delete(registers), None),
            Wanted::AsShown | Wanted::New(..) | Wanted::Deleted => return Ok(Vec::new()),
        };
        let policy = rows.policy(key.collection())?;
        let priority = self.priority.unwrap_or_else(|| policy.priority_of(wanted, device));
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.priority = priority;
        }
        Ok(operations)
    }

    /// Writes the record, and what follows from it.
    pub(super) fn write(
        self,
        rows: &mut Rows<'_>,
        (dot, stamp): (Dot, Stamp),
        (key, writes): (RecordKey, Writes),
        now_ms: u64,
    ) -> Result<Event, Error> {
        let kind = match (writes, &self.wanted) {
            (Writes::New(_), Wanted::New(text, _)) => {
                rows.insert_new(&key, text, (dot, stamp))?;
                EventKind::Put
            }
            (Writes::Operations(operations), _) => {
                self.change(rows, (&key, dot, stamp), operations, now_ms)?
            }
            (Writes::New(_), _) => return Err(super::identity::damaged()),
        };
        if key.collection() == POLICY_COLLECTION {
            rows.show_anew(key.id(), now_ms)?;
        }
        if key.collection() == SCHEMA_COLLECTION {
            rows.index_unique_keys(key.id())?;
        }
        Ok(Event::new(&key, kind, false))
    }

    fn change(
        self,
        rows: &mut Rows<'_>,
        (key, dot, stamp): (&RecordKey, Dot, Stamp),
        operations: Vec<Operation>,
        now_ms: u64,
    ) -> Result<EventKind, Error> {
        let Self { mut stored, shown, wanted, resolution, .. } = self;
        let mut registers =
            stored.as_mut().map(|stored| std::mem::take(&mut stored.registers)).unwrap_or_default();
        let mut overwritten = Vec::new();
        let change = (key, dot, stamp);
        apply_own(&mut registers, change, operations, &mut |past| overwritten.push(past));
        let overwritten: Vec<_> = overwritten.iter().collect();
        // Uncontested, every policy shows the one value there is: what was wanted.
        let shown = if registers.is_contested() || !resolution.is_empty() {
            rows.view(key, &registers)?
        } else {
            let document = match wanted {
                Wanted::Document(wanted) => Some(wanted),
                Wanted::AsShown | Wanted::New(..) => shown.document,
                Wanted::Deleted => None,
            };
            View { document, conflicts: Vec::new() }
        };
        let changed = Changed {
            key,
            stored: stored.as_ref(),
            registers: &registers,
            stamps: (stamp, stamp),
            by: Some(dot.device),
            overwritten: &overwritten,
        };
        rows.save(&changed, &shown, now_ms)?;
        Ok(if shown.document.is_some() { EventKind::Put } else { EventKind::Deleted })
    }
}

impl Rows<'_> {
    /// Whether a document is written as it is: its collection is an app's, has no schema, and its
    /// policy gives the write no priority.
    pub(super) fn writes_plainly(
        &mut self,
        key: &RecordKey,
        wanted: &Document,
        device: DeviceId,
    ) -> Result<bool, Error> {
        let collection = key.collection();
        Ok(!collection.starts_with('_')
            && *self.schema(collection)? == Schema::default()
            && self.policy(collection)?.priority_of(Some(wanted), device) == 0)
    }
}
