//! The mass-delete guard (`docs/SYNC_STATES.md`): a page that would delete most of a collection is not
//! applied before somebody agrees.
//!
//! What a page does is known only once it is merged, so it is judged inside its transaction and rolled
//! back; then the segments that did it are kept sealed, and the rest of the page is applied.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use selkie_core::change::{Change, EntryValue, Operation, RecordChange};
use selkie_core::record::RecordKey;
use selkie_core::sync::{HoldReason, Inbox, Verdict};
use selkie_wire::{DeviceId, SegmentNumber};

use super::apply::{Applied, Page, TrackedPosition};
use super::database::Database;
use super::identity::{Identity, from_sql, segment_number, to_sql};
use super::receive::open_envelopes;
use super::rows::Rows;
use crate::status::HeldDeletion;
use crate::watch::{Event, EventKind};
use crate::{Error, ErrorKind};

/// Deletions below this many are never held: a person sees and mends them.
const DELETIONS_MIN: u64 = 20;
/// Deletions are added up over this time, so that many small segments count as one large one.
const WINDOW_MS: u64 = 60 * 60 * 1000;
/// A share of the records that cannot be exceeded: the guard is off.
const PERCENT_MAX: u8 = 100;

/// Devices whose segments from a number on are not opened, though they could be.
pub(super) type Frozen = BTreeMap<DeviceId, SegmentNumber>;

/// A collection that would lose too much.
#[derive(Debug)]
pub(super) struct MassDelete {
    collection: String,
    deletions: u64,
    records: u64,
    ids: BTreeSet<String>,
}

impl Database {
    /// Applies envelopes, then whatever was held and can be opened now. Segments that would delete most
    /// of a collection are kept sealed instead.
    pub(crate) fn apply_page(
        &mut self,
        identity: &Identity,
        at: Option<&TrackedPosition<'_>>,
        envelopes: Vec<Vec<u8>>,
        now_ms: u64,
    ) -> Result<Applied, Error> {
        let mut frozen = frozen(&self.connection)?;
        let mut held = Vec::new();
        loop {
            let known = (!held.is_empty()).then(|| frozen.clone());
            let guard = Guard::On { frozen: known.as_ref(), held: &held };
            let found = match self.try_page(identity, at, &envelopes, now_ms, &guard)? {
                Page::Applied(applied) => return Ok(*applied),
                Page::MassDelete(found) => found,
            };
            let deleter = self.deleter(identity, &envelopes, &frozen, &found, now_ms)?;
            let before = frozen.clone();
            if let Some((device, number)) = deleter {
                let first = frozen.entry(device).or_insert(number);
                *first = (*first).min(number);
                held.extend(found.iter().map(|mass| HeldDeletion {
                    device,
                    collection: mass.collection.clone(),
                    deletions: mass.deletions,
                    records: mass.records,
                }));
            }
            if frozen == before {
                // Each turn holds more than the one before, or there is no end.
                return Err(Error::new(
                    ErrorKind::Internal,
                    "a page deletes most of a collection, and nobody in it does",
                ));
            }
        }
    }

    /// Who deletes most of these records in a page, and in which segment first. Others who delete some
    /// too go on, unless that is still too much.
    fn deleter(
        &mut self,
        identity: &Identity,
        envelopes: &[Vec<u8>],
        frozen: &Frozen,
        found: &[MassDelete],
        now_ms: u64,
    ) -> Result<Option<(DeviceId, SegmentNumber)>, Error> {
        // Only looked at: the transaction is never committed.
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bodies = open_envelopes(&sql, cache, identity, envelopes, frozen, now_ms)?;
        for deletes_only in [true, false] {
            let mut by_device: BTreeMap<DeviceId, (usize, SegmentNumber)> = BTreeMap::new();
            for body in &bodies {
                for change in &body.changes {
                    let records = deletions_in(change, found, deletes_only);
                    if records > 0 {
                        by_device.entry(body.device).or_insert((0, body.number)).0 += records;
                    }
                }
            }
            let most =
                by_device.into_iter().max_by_key(|(device, (records, _))| (*records, *device));
            if let Some((device, (_, first))) = most {
                return Ok(Some((device, first)));
            }
        }
        Ok(None)
    }

    /// What is held because too much would be deleted.
    pub(crate) fn held_deletions(&self) -> Result<Vec<HeldDeletion>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, collection, deletions, records FROM held_deletion
             ORDER BY collection, device",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(HeldDeletion {
                device: DeviceId(row.get(0)?),
                collection: row.get(1)?,
                deletions: from_sql(row.get(2)?),
                records: from_sql(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Applies what the guard held, and what waited behind it.
    pub(crate) fn confirm_deletions(
        &mut self,
        identity: &Identity,
        now_ms: u64,
    ) -> Result<Applied, Error> {
        if frozen(&self.connection)?.is_empty() {
            return Ok(Applied::default());
        }
        match self.try_page(identity, None, &[], now_ms, &Guard::Off)? {
            Page::Applied(applied) => Ok(*applied),
            Page::MassDelete(_) => Err(super::identity::damaged()),
        }
    }

    /// Sets how much of a collection may be deleted without being asked about.
    pub(crate) fn set_mass_delete_percent(&self, percent: u8) -> Result<(), Error> {
        if percent > PERCENT_MAX {
            return Err(Error::new(ErrorKind::InvalidInput, "a share is at most 100 percent"));
        }
        self.connection.execute("UPDATE deletion_guard SET percent = ?1", [percent])?;
        Ok(())
    }

    /// A run begins: from here on, what was there is counted. After a run that did not end, what it
    /// brought does not count as having been there: it may be the middle of a history.
    pub(crate) fn guard_run_begins(&self, now_ms: u64) -> Result<(), Error> {
        let (since, complete): (i64, bool) =
            self.connection.query_row("SELECT since, complete FROM deletion_guard", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if !complete {
            return Ok(());
        }
        self.connection.execute(
            "UPDATE deletion_guard SET complete = 0,
             last_record = (SELECT coalesce(max(num), 0) FROM record)",
            [],
        )?;
        // A clock that was set back ends the window too.
        if now_ms.abs_diff(from_sql(since)) >= WINDOW_MS {
            self.connection.execute("DELETE FROM deleted_lately", [])?;
            self.connection.execute("UPDATE deletion_guard SET since = ?1", [to_sql(now_ms)])?;
        }
        Ok(())
    }

    /// A run is complete.
    pub(crate) fn guard_run_ends(&self) -> Result<(), Error> {
        self.connection.execute("UPDATE deletion_guard SET complete = 1", [])?;
        Ok(())
    }
}

/// What a page is judged by.
pub(super) enum Guard<'a> {
    /// Somebody agreed.
    Off,
    /// What was found in earlier attempts at the same page, if there were any.
    On { frozen: Option<&'a Frozen>, held: &'a [HeldDeletion] },
}

impl Guard<'_> {
    /// The devices that wait; read in the transaction of the page.
    pub(super) fn frozen(&self, sql: &Connection) -> Result<Frozen, Error> {
        match self {
            Self::Off => Ok(Frozen::new()),
            Self::On { frozen: Some(frozen), .. } => Ok((*frozen).clone()),
            Self::On { frozen: None, .. } => frozen(sql),
        }
    }

    /// Judges what the transaction has done so far, and remembers it in the same.
    pub(super) fn judge(
        &self,
        rows: &mut Rows<'_>,
        events: &[Event],
    ) -> Result<Option<Vec<MassDelete>>, Error> {
        match self {
            Self::Off => {
                rows.connection
                    .execute_batch("DELETE FROM held_deletion; DELETE FROM deleted_lately;")?;
                Ok(None)
            }
            Self::On { held, .. } => {
                let found = judge(rows, events)?;
                if found.is_empty() {
                    store_held(rows.connection, held)?;
                }
                Ok((!found.is_empty()).then_some(found))
            }
        }
    }
}

/// Judges an envelope; one of a device that waits is held, though it could be opened.
pub(super) fn receive(inbox: &mut Inbox<'_>, frozen: &Frozen, bytes: Vec<u8>) -> Verdict {
    if frozen.is_empty() {
        return inbox.receive(bytes);
    }
    let (kept, before) = (bytes.clone(), inbox.heads.clone());
    let verdict = inbox.receive(bytes);
    let Verdict::Opened { device, .. } = verdict else { return verdict };
    let (Some(first), Some((number, digest))) =
        (frozen.get(&device), inbox.heads.get(&device).copied())
    else {
        return verdict;
    };
    if number < *first {
        return verdict;
    }
    inbox.heads = before;
    Verdict::Held { device, number, digest, reason: HoldReason::MassDelete, bytes: kept }
}

/// The devices that wait for somebody to agree.
fn frozen(sql: &Connection) -> Result<Frozen, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT device, min(number) FROM held WHERE reason = 'mass_delete' GROUP BY device",
    )?;
    let rows =
        statement.query_map([], |row| Ok((DeviceId(row.get(0)?), segment_number(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn store_held(sql: &Connection, held: &[HeldDeletion]) -> Result<(), Error> {
    for held in held {
        sql.execute(
            "INSERT OR REPLACE INTO held_deletion VALUES (?1, ?2, ?3, ?4)",
            params![
                held.device.as_bytes(),
                held.collection,
                to_sql(held.deletions),
                to_sql(held.records)
            ],
        )?;
    }
    Ok(())
}

/// Adds up what the page deleted; which collections lose too much by it.
fn judge(rows: &mut Rows<'_>, events: &[Event]) -> Result<Vec<MassDelete>, Error> {
    let mut deleted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let gone = events.iter().filter(|event| event.kind == EventKind::Deleted);
    for event in gone.filter(|event| !event.collection.starts_with('_')) {
        deleted.entry(&event.collection).or_default().insert(event.id.clone());
    }
    let mut found = Vec::new();
    if deleted.is_empty() {
        return Ok(found);
    }
    let (percent, last_record): (i64, i64) = rows.connection.query_row(
        "SELECT percent, last_record FROM deletion_guard",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (name, ids) in deleted {
        let Some(num) = rows.collection_num(name)? else { continue };
        let sql = rows.connection;
        let here = was_there(sql, num, last_record, &ids)?;
        if here == 0 {
            continue;
        }
        let before: Option<i64> = sql
            .prepare_cached("SELECT deleted FROM deleted_lately WHERE collection = ?1")?
            .query_row([num], |row| row.get(0))
            .optional()?;
        let deletions = here.saturating_add(before.map_or(0, from_sql));
        sql.prepare_cached("INSERT OR REPLACE INTO deleted_lately VALUES (?1, ?2)")?
            .execute([num, to_sql(deletions)])?;
        if deletions < DELETIONS_MIN || percent >= i64::from(PERCENT_MAX) {
            continue;
        }
        let left: i64 = sql.query_row(
            "SELECT count(*) FROM record
             WHERE collection = ?1 AND num <= ?2 AND body IS NOT NULL",
            [num, last_record],
            |row| row.get(0),
        )?;
        let records = deletions.saturating_add(from_sql(left));
        if deletions.saturating_mul(100) > records.saturating_mul(from_sql(percent)) {
            found.push(MassDelete { collection: name.to_owned(), deletions, records, ids });
        }
    }
    Ok(found)
}

/// How many of these records were there when the run began.
fn was_there(
    sql: &Connection,
    collection: i64,
    last_record: i64,
    ids: &BTreeSet<String>,
) -> Result<u64, Error> {
    let mut statement =
        sql.prepare_cached("SELECT 1 FROM record WHERE collection = ?1 AND id = ?2 AND num <= ?3")?;
    let mut count = 0;
    for id in ids {
        count += u64::from(statement.exists(params![collection, id, last_record])?);
    }
    Ok(count)
}

/// How many of the records that would go a change deletes; or, with `false`, writes to at all.
fn deletions_in(change: &Change, found: &[MassDelete], deletes_only: bool) -> usize {
    let goes = |key: &RecordKey| {
        found.iter().any(|mass| mass.collection == key.collection() && mass.ids.contains(key.id()))
    };
    let deletes = |record: &&RecordChange| {
        goes(&record.key) && (!deletes_only || record.operations.iter().any(is_delete))
    };
    change.records.iter().filter(deletes).count()
}

fn is_delete(operation: &Operation) -> bool {
    let written = operation.written.as_ref();
    operation.path.is_root() && written.is_none_or(|written| written.value == EntryValue::Dead)
}
