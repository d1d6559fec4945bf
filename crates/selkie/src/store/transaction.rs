//! Local writes: several records, one change, one durable transaction.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{TransactionBehavior, params};
use selkie_core::change::{ChangeError, Dot, Operation, change_bytes};
use selkie_core::clock::Stamp;
use selkie_core::limits::DOCUMENT_BYTES_MAX;
use selkie_core::merge::View;
use selkie_core::record::{Document, RecordKey};
use selkie_wire::DeviceId;
use selkie_wire::limits::CHANGE_BYTES_MAX;
use serde::Serialize;
use serde_json::Value;

use super::database::Database;
use super::identity::to_sql;
use super::rows::{Rows, StoredRecord, stamp_to_sql};
use super::savepoint::Savepoints;
use super::touched::Touched;
use crate::collection::{Record, new_record_id};
use crate::watch::Event;
use crate::{Error, ErrorKind};

/// Several writes that happen together or not at all; see [`Vault::transaction`](crate::Vault::transaction).
///
/// Reads inside see the writes before them. Its writes become one change, which may be at most 3 MiB.
pub struct Transaction<'c> {
    pub(super) inner: RefCell<Inner<'c>>,
}

/// A collection inside a transaction.
pub struct TransactionCollection<'t, 'c> {
    transaction: &'t Transaction<'c>,
    name: String,
}

pub(super) struct Inner<'c> {
    rows: Rows<'c>,
    device: DeviceId,
    /// The change that the writes become.
    dot: Dot,
    stamp: Stamp,
    pub(super) touched: BTreeMap<RecordKey, Touched>,
    pub(super) savepoints: Savepoints,
}

impl Database {
    /// Runs `work` in one write transaction and makes it durable, or leaves no trace of it.
    pub(crate) fn write<T>(
        &mut self,
        device: DeviceId,
        now_ms: u64,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Vec<Event>), Error> {
        let Self { connection, cache, .. } = self;
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
    let (dot, mut clock) = rows.next_change(device)?;
    let stamp = clock.tick(now_ms);
    let touched = BTreeMap::new();
    let savepoints = Savepoints::default();
    let inner = Inner { rows, device, dot, stamp, touched, savepoints };
    let transaction = Transaction { inner: RefCell::new(inner) };
    let done = work(&transaction)?;
    let events = transaction.inner.into_inner().finish(now_ms)?;
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
        let touched = inner.touch(key.clone())?;
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
        self.transaction.inner.borrow_mut().want_whole(key, wanted)
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
        let wanted = document_of(document)?;
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        inner.touch(key.clone())?.priority = Some(priority);
        inner.want_whole(key, wanted)
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
        let now = inner.now();
        let touched = inner.touch(key)?;
        Ok(touched.wanted()?.map(|document| touched.record(id, document, now)))
    }

    /// Applies a JSON merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::InvalidInput`].
    pub fn patch(&self, id: &str, patch: &Value) -> Result<Record, Error> {
        let patch = document_of(patch)?;
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        let wanted = inner.touch(key.clone())?.wanted()?;
        let mut wanted = wanted.ok_or_else(|| not_found(&key))?;
        wanted.merge_patch(&patch);
        // Two documents within bounds can exceed them together.
        let wanted = Document::from_value(wanted.into_value())?;
        inner.want(key, wanted)
    }

    /// Deletes a record; whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn delete(&self, id: &str) -> Result<bool, Error> {
        let key = self.key(id)?;
        let mut inner = self.transaction.inner.borrow_mut();
        Ok(inner.touch(key)?.delete())
    }
}

impl Inner<'_> {
    /// When, and by whom.
    fn now(&self) -> (u64, DeviceId) {
        (self.stamp.unix_ms(), self.dot.device)
    }

    /// The record as this transaction has it; read from the store the first time.
    fn touch(&mut self, key: RecordKey) -> Result<&mut Touched, Error> {
        let touched = match self.touched.entry(key) {
            Entry::Occupied(known) => {
                if self.savepoints.are_open() {
                    self.savepoints.remember(known.key(), || known.get().mark());
                }
                known.into_mut()
            }
            Entry::Vacant(vacant) => {
                let touched = Touched::load(&mut self.rows, vacant.key())?;
                self.savepoints.remember(vacant.key(), || touched.mark());
                vacant.insert(touched)
            }
        };
        Ok(touched)
    }

    /// As [`want`](Self::want), for a document that says nothing of what a newer app added.
    fn want_whole(&mut self, key: RecordKey, wanted: Document) -> Result<Record, Error> {
        let touched = match self.rows.knows_app_version(key.collection()) {
            true => self.touch(key.clone())?.wanted()?,
            false => None,
        };
        let wanted = self.rows.keep_later_fields(&key, touched.as_ref(), wanted)?;
        self.want(key, wanted)
    }

    fn want(&mut self, key: RecordKey, wanted: Document) -> Result<Record, Error> {
        let now = self.now();
        let ordinary = self.rows.writes_plainly(&key, &wanted, self.device)?;
        let id = key.id().to_owned();
        Ok(self.touch(key)?.put(&id, wanted, ordinary, now))
    }

    /// Writes the change to the log, and its effect to the records. What stays on this device becomes a
    /// change of its own, which the log never sees.
    fn finish(self, now_ms: u64) -> Result<Vec<Event>, Error> {
        let Self { mut rows, device, stamp, dot, touched, .. } = self;
        let (mut local, mut synced) = (Vec::new(), Vec::new());
        for (key, touched) in touched {
            let stays = rows.is_local_only(key.collection())?;
            if stays { &mut local } else { &mut synced }.push((key, touched));
        }
        let mut events = Vec::new();
        if !synced.is_empty() {
            let name = (device, dot, stamp);
            events.extend(write_change(&mut rows, name, synced, now_ms, true)?);
        }
        if !local.is_empty() {
            let dot = rows.next_local_dot(dot.device)?;
            let name = (device, dot, stamp);
            events.extend(write_change(&mut rows, name, local, now_ms, false)?);
        }
        Ok(events)
    }
}

/// Writes one change, to the log as well if it `syncs`.
fn write_change(
    rows: &mut Rows<'_>,
    (device, dot, stamp): (DeviceId, Dot, Stamp),
    touched: Vec<(RecordKey, Touched)>,
    now_ms: u64,
    syncs: bool,
) -> Result<Vec<Event>, Error> {
    let mut records = Vec::with_capacity(touched.len());
    let mut written = Vec::with_capacity(touched.len());
    for (key, mut touched) in touched {
        if let Some(writes) = touched.writes(rows, &key, (device, dot), now_ms)? {
            records.push((key, writes));
            written.push(touched);
        }
    }
    if records.is_empty() {
        return Ok(Vec::new());
    }
    if syncs {
        let bytes = change_bytes(dot, stamp, &records);
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(ChangeError::TooLong.into());
        }
        let mut log = rows.connection.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3)")?;
        log.execute(params![to_sql(dot.number.0), stamp_to_sql(stamp), bytes])?;
    }
    let mut events = Vec::with_capacity(written.len());
    let mut unique = Vec::new();
    for (record, touched) in records.into_iter().zip(written) {
        if !rows.schema(record.0.collection())?.unique.is_empty() {
            unique.push((record.0.clone(), touched.shown.document.clone()));
        }
        events.push(touched.write(rows, (dot, stamp), record, now_ms)?);
    }
    for (key, before) in unique {
        rows.check_unique(&key, before.as_ref())?;
    }
    Ok(events)
}

const _: () = assert!(DOCUMENT_BYTES_MAX < CHANGE_BYTES_MAX, "one document always fits a change");
