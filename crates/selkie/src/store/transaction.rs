//! Local writes: several records, one change, one durable transaction.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rusqlite::{TransactionBehavior, params};
use selkie_core::change::ChangeError;
use selkie_core::change::{
    Change, Dot, Operation, RecordChange, Registers, Seen, Writer, clear_old_removals, delete, put,
};
use selkie_core::clock::Stamp;
use selkie_core::limits::DOCUMENT_BYTES_MAX;
use selkie_core::merge::{ConflictKind, POLICY_COLLECTION, SCHEMA_COLLECTION, View, apply_own};
use selkie_core::record::{Document, RecordKey};
use selkie_wire::DeviceId;
use selkie_wire::limits::CHANGE_BYTES_MAX;
use serde::Serialize;
use serde_json::Value;

use super::database::Database;
use super::identity::to_sql;
use super::purge::DELETED_KEPT_MS;
use super::rows::{Changed, Rows, StoredRecord, stamp_to_sql};
use super::validation::check_valid;
use crate::collection::{Record, new_record_id};
use crate::watch::{Event, EventKind};
use crate::{Error, ErrorKind};

/// Several writes that happen together or not at all; see [`Vault::transaction`](crate::Vault::transaction).
///
/// Reads inside see the writes before them. Its writes become one change, which may be at most 3 MiB.
pub struct Transaction<'c> {
    inner: RefCell<Inner<'c>>,
}

/// A collection inside a transaction.
pub struct TransactionCollection<'t, 'c> {
    transaction: &'t Transaction<'c>,
    name: String,
}

struct Inner<'c> {
    rows: Rows<'c>,
    stamp: Stamp,
    touched: BTreeMap<RecordKey, Touched>,
}

/// A record that was read or written: as it was, and as it is to be.
struct Touched {
    stored: Option<StoredRecord>,
    shown: View,
    wanted: Option<Document>,
    /// For the `priority` policy, where the call says one.
    priority: Option<i32>,
    resolution: Vec<Operation>,
}

impl Database {
    /// Runs `work` in one write transaction and makes it durable, or leaves no trace of it.
    pub(crate) fn write<T>(
        &mut self,
        device: DeviceId,
        now_ms: u64,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Vec<Event>), Error> {
        let Self { connection, cache } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = write_in(&sql, cache, device, now_ms, work);
        match outcome.and_then(|done| sql.commit().map(|()| done).map_err(Error::from)) {
            Ok(done) => Ok(done),
            Err(error) => {
                // Collections made in the transaction are gone again.
                cache.forget();
                Err(error)
            }
        }
    }
}

fn write_in<T>(
    sql: &rusqlite::Transaction<'_>,
    cache: &mut super::rows::Cache,
    device: DeviceId,
    now_ms: u64,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<(T, Vec<Event>), Error> {
    let rows = Rows::new(sql, cache)?;
    let (number, mut clock) = rows.next_change()?;
    let stamp = clock.tick(now_ms);
    let transaction =
        Transaction { inner: RefCell::new(Inner { rows, stamp, touched: BTreeMap::new() }) };
    let done = work(&transaction)?;
    let events = transaction.inner.into_inner().finish(Dot { device, number }, now_ms)?;
    Ok((done, events))
}

impl<'c> Transaction<'c> {
    /// A collection, by name; it need not exist yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that cannot be one.
    pub fn collection(&self, name: &str) -> Result<TransactionCollection<'_, 'c>, Error> {
        check_collection_name(name)?;
        Ok(self.system_collection(name))
    }

    /// The collection that counts a person's answers.
    pub(crate) fn preferences(&self) -> TransactionCollection<'_, 'c> {
        self.system_collection(super::attention::PREFERENCE_COLLECTION)
    }

    /// A collection of Selkie's own.
    pub(crate) fn system_collection(&self, name: &str) -> TransactionCollection<'_, 'c> {
        TransactionCollection { transaction: self, name: name.to_owned() }
    }

    /// Adds a person's resolution of a conflict, as operations that `decide` makes of the record.
    pub(crate) fn resolve(
        &self,
        key: &RecordKey,
        decide: impl FnOnce(&StoredRecord, &View) -> Result<Vec<Operation>, Error>,
    ) -> Result<(), Error> {
        let mut inner = self.inner.borrow_mut();
        let touched = inner.touch(key)?;
        let stored = touched.stored.as_ref().ok_or_else(|| not_found(key))?;
        touched.resolution = decide(stored, &touched.shown)?;
        Ok(())
    }
}

/// Names that begin with an underscore are Selkie's own.
pub(crate) fn check_collection_name(name: &str) -> Result<(), Error> {
    if name.starts_with('_') || !RecordKey::is_collection_name(name) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a collection name has 1 to 128 bytes, no control characters, and does not begin with _",
        ));
    }
    Ok(())
}

fn not_found(key: &RecordKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no record {key}"))
}

/// Checks what an app wants stored.
pub(crate) fn document_of(value: &impl Serialize) -> Result<Document, Error> {
    let value = serde_json::to_value(value).map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            "the document does not serialise to JSON with string keys",
        )
    })?;
    Ok(Document::from_value(value)?)
}

impl TransactionCollection<'_, '_> {
    fn key(&self, id: &str) -> Result<RecordKey, Error> {
        Ok(RecordKey::new(self.name.as_str(), id)?)
    }

    /// Stores a document under an id, in place of what is there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a document that cannot be stored.
    pub fn put(&self, id: &str, document: &impl Serialize) -> Result<Record, Error> {
        let wanted = document_of(document)?;
        let key = self.key(id)?;
        self.transaction.inner.borrow_mut().want(&key, Some(wanted))
    }

    /// As [`put`](Self::put), with a priority for the `priority` policy.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_with_priority(
        &self,
        id: &str,
        document: &impl Serialize,
        priority: i32,
    ) -> Result<Record, Error> {
        let record = self.put(id, document)?;
        self.transaction.inner.borrow_mut().touch(&self.key(id)?)?.priority = Some(priority);
        Ok(record)
    }

    /// Stores a document under a new, time-ordered id.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn insert(&self, document: &impl Serialize) -> Result<Record, Error> {
        self.put(&new_record_id()?, document)
    }

    /// The record, with the writes of this transaction; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn get(&self, id: &str) -> Result<Option<Record>, Error> {
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        inner.touch(&key)?;
        inner.record(&key)
    }

    /// Applies a JSON merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::InvalidInput`].
    pub fn patch(&self, id: &str, patch: &Value) -> Result<Record, Error> {
        let patch = document_of(patch)?;
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        let mut wanted = inner.touch(&key)?.wanted.clone().ok_or_else(|| not_found(&key))?;
        wanted.merge_patch(&patch);
        // Two documents within bounds can exceed them together.
        let wanted = Document::from_value(wanted.into_value())?;
        inner.want(&key, Some(wanted))
    }

    /// Deletes a record; whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn delete(&self, id: &str) -> Result<bool, Error> {
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        let touched = inner.touch(&key)?;
        Ok(touched.wanted.take().is_some())
    }
}

impl Inner<'_> {
    fn touch(&mut self, key: &RecordKey) -> Result<&mut Touched, Error> {
        if !self.touched.contains_key(key) {
            let stored = self.rows.load(key)?;
            let shown = match &stored {
                Some(stored) if stored.contested => self.rows.view(key, &stored.registers)?,
                Some(stored) => View { document: stored.document.clone(), conflicts: Vec::new() },
                None => View::default(),
            };
            let wanted = shown.document.clone();
            let touched = Touched { stored, shown, wanted, priority: None, resolution: Vec::new() };
            self.touched.insert(key.clone(), touched);
        }
        self.touched.get_mut(key).ok_or_else(super::identity::damaged)
    }

    fn want(&mut self, key: &RecordKey, wanted: Option<Document>) -> Result<Record, Error> {
        self.touch(key)?.wanted = wanted;
        self.record(key)?.ok_or_else(super::identity::damaged)
    }

    /// The record as it will be.
    fn record(&self, key: &RecordKey) -> Result<Option<Record>, Error> {
        let Some(touched) = self.touched.get(key) else { return Ok(None) };
        let Some(wanted) = &touched.wanted else { return Ok(None) };
        let changed = touched.shown.document.as_ref() != Some(wanted);
        let now_ms = self.stamp.unix_ms();
        let stored = touched.stored.as_ref();
        let updated_at_ms = stored.map_or(now_ms, |stored| stored.updated_at_ms);
        Ok(Some(Record {
            id: key.id().to_owned(),
            document: wanted.clone().into_value(),
            created_at_ms: stored.map_or(now_ms, |stored| stored.created_at_ms.min(now_ms)),
            updated_at_ms: if changed { updated_at_ms.max(now_ms) } else { updated_at_ms },
            conflicts: u32::try_from(touched.shown.conflicts.len()).unwrap_or(u32::MAX),
        }))
    }

    /// Writes the change to the log, and its effect to the records.
    fn finish(self, dot: Dot, now_ms: u64) -> Result<Vec<Event>, Error> {
        let Self { mut rows, stamp, touched } = self;
        let mut records = Vec::new();
        let mut written = Vec::new();
        for (key, touched) in touched {
            let mut operations = touched.operations(&mut rows, &key, dot)?;
            if let Some(stored) = &touched.stored {
                let before = Stamp::from_unix_ms(now_ms.saturating_sub(DELETED_KEPT_MS));
                clear_old_removals(&stored.registers, before, &mut operations);
            }
            if !operations.is_empty() {
                records.push(RecordChange { key, operations });
                written.push(touched);
            }
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let change = Change { dot, stamp, records };
        let bytes = change.to_bytes();
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(ChangeError::TooLong.into());
        }
        let mut log = rows.connection.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3)")?;
        log.execute(params![to_sql(dot.number.0), stamp_to_sql(stamp), bytes])?;
        let mut events = Vec::with_capacity(written.len());
        for (record, touched) in change.records.into_iter().zip(written) {
            events.push(write_record(&mut rows, (dot, stamp), record, touched, now_ms)?);
        }
        Ok(events)
    }
}

impl Touched {
    fn operations(
        &self,
        rows: &mut Rows<'_>,
        key: &RecordKey,
        dot: Dot,
    ) -> Result<Vec<Operation>, Error> {
        if !self.resolution.is_empty() {
            return Ok(self.resolution.clone());
        }
        let nothing = Registers::default();
        let registers = self.stored.as_ref().map_or(&nothing, |stored| &stored.registers);
        let contested = |kind| kind == ConflictKind::EditVsDelete;
        let mut operations = match (&self.wanted, &self.shown.document) {
            (Some(wanted), shown) => {
                let delete_contested =
                    self.shown.conflicts.iter().any(|conflict| contested(conflict.kind));
                let seen = Seen { document: shown.as_ref(), delete_contested };
                let schema = rows.schema(key.collection())?;
                if shown.as_ref() != Some(wanted) {
                    check_valid(&schema, wanted)?;
                    rows.check_unique(key, wanted)?;
                }
                put(registers, seen, wanted, Writer { schema: &schema, dot })
            }
            (None, Some(_)) => delete(registers),
            (None, None) => Vec::new(),
        };
        let policy = rows.policy(key.collection())?;
        let by_policy = policy.priority_of(self.wanted.as_ref(), dot.device);
        let priority = self.priority.unwrap_or(by_policy);
        for written in operations.iter_mut().filter_map(|operation| operation.written.as_mut()) {
            written.priority = priority;
        }
        Ok(operations)
    }
}

fn write_record(
    rows: &mut Rows<'_>,
    (dot, stamp): (Dot, Stamp),
    record: RecordChange,
    touched: Touched,
    now_ms: u64,
) -> Result<Event, Error> {
    let Touched { mut stored, wanted, resolution, .. } = touched;
    let mut registers =
        stored.as_mut().map(|stored| std::mem::take(&mut stored.registers)).unwrap_or_default();
    let mut overwritten = Vec::new();
    let change = (&record.key, dot, stamp);
    apply_own(&mut registers, change, record.operations, &mut |past| overwritten.push(past));
    let overwritten: Vec<_> = overwritten.iter().collect();
    // Uncontested, every policy shows the one value there is: what was wanted.
    let shown = if registers.is_contested() || !resolution.is_empty() {
        rows.view(&record.key, &registers)?
    } else {
        View { document: wanted, conflicts: Vec::new() }
    };
    let changed = Changed {
        key: &record.key,
        stored: stored.as_ref(),
        registers: &registers,
        stamps: (stamp, stamp),
        overwritten: &overwritten,
    };
    rows.save(&changed, &shown, now_ms)?;
    if record.key.collection() == POLICY_COLLECTION {
        rows.show_anew(record.key.id(), now_ms)?;
    }
    if record.key.collection() == SCHEMA_COLLECTION {
        rows.index_unique_keys(record.key.id())?;
    }
    let kind = if shown.document.is_some() { EventKind::Put } else { EventKind::Deleted };
    Ok(Event::new(&record.key, kind, false))
}

const _: () = assert!(DOCUMENT_BYTES_MAX < CHANGE_BYTES_MAX, "one document always fits a change");
