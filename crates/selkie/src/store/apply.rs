//! Segments of other devices: opened, merged and stored, one page in one transaction.
//!
//! Killed at any point, the page was applied with its cursor or not at all; applied again, every
//! change of it is a no-op.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, TransactionBehavior, params};
use selkie_core::change::{Change, ChangeNumber};
use selkie_core::clock::Stamp;
use selkie_core::merge::{Overwritten, POLICY_COLLECTION, Replica, SCHEMA_COLLECTION};
use selkie_core::record::RecordKey;
use selkie_core::seal::Heads;
use selkie_core::sync::{HoldReason, Inbox, Position, Verdict};
use selkie_wire::{DeviceId, Digest, SegmentNumber};

use super::context::{load_context, load_dead, store_context, store_dead};
use super::database::Database;
use super::identity::{Identity, from_sql, segment_number, to_sql};
use super::incarnation::{incarnations, store_incarnations};
use super::rows::{Changed, Rows, StoredRecord, is_rules, stamp_to_sql};
use crate::Error;
use crate::watch::{Event, EventKind};

/// Segments kept sealed at most; beyond them the oldest gaps are refilled from the relay later.
const HELD_SEGMENTS_MAX: i64 = 10_000;
/// Bytes of them at most.
const HELD_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// A position in a relay's list, and the relay it belongs to.
pub(crate) struct TrackedPosition<'a> {
    pub(crate) url: &'a str,
    pub(crate) position: Position,
}

/// What a page did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Segments opened and merged.
    pub(crate) segments: u64,
    /// Changes that were new.
    pub(crate) changes: u64,
    /// Segments that were known.
    pub(crate) duplicates: u64,
    /// Segments kept sealed.
    pub(crate) held: u64,
    /// Segments that there was no room to keep.
    pub(crate) unkept: u64,
    /// Envelopes that are not this vault's, or not intact.
    pub(crate) refused: u64,
    pub(crate) events: Vec<Event>,
}

impl Database {
    /// Applies envelopes, then whatever was held and can be opened now.
    pub(crate) fn apply_page(
        &mut self,
        identity: &Identity,
        at: Option<&TrackedPosition<'_>>,
        envelopes: Vec<Vec<u8>>,
        now_ms: u64,
    ) -> Result<Applied, Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read inside, or another process's progress would be taken back.
        let (next_own, _) = Rows::new(&sql, cache)?.next_change(identity.device_id())?;
        let mut inbox = Inbox {
            roster: &identity.roster,
            incarnations: incarnations(&sql, &identity.roster)?,
            own: next_own.device,
            own_changes: ChangeNumber(next_own.number.0.saturating_sub(1)),
            epoch_keys: &identity.epoch_keys,
            heads: heads(&sql)?,
        };
        let mut applied = Applied::default();
        let work = || {
            let bodies = receive(&sql, &mut inbox, envelopes, now_ms, &mut applied)?;
            store_heads(&sql, &inbox.heads)?;
            store_incarnations(&sql, &inbox.incarnations)?;
            let mut rows = Rows::new(&sql, cache)?;
            merge_bodies(&mut rows, identity.device_id(), bodies, now_ms, &mut applied)?;
            if let Some(at) = at {
                super::sync_state::store_position(&sql, at)?;
            }
            Ok(())
        };
        match work().and_then(|()| sql.commit().map_err(Error::from)) {
            Ok(()) => Ok(applied),
            Err(error) => {
                cache.forget();
                Err(error)
            }
        }
    }

    /// The last segment accepted of each other device.
    pub(crate) fn heads(&self) -> Result<Heads, Error> {
        heads(&self.connection)
    }

    /// How many segments wait for others before them, or for a roster entry.
    pub(crate) fn waiting_count(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM held WHERE reason IN ('gap', 'roster')";
        Ok(from_sql(self.connection.query_row(sql, [], |row| row.get(0))?))
    }

    /// How many segments are kept sealed.
    pub(crate) fn held_count(&self) -> Result<u64, Error> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM held", [], |row| row.get(0))?;
        Ok(from_sql(count))
    }
}

fn heads(sql: &Connection) -> Result<Heads, Error> {
    let mut statement = sql.prepare_cached("SELECT device, number, digest FROM head")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?, row.get::<_, [u8; 32]>(2)?))
    })?;
    rows.map(|row| {
        let (device, number, digest) = row?;
        Ok((DeviceId(device), (segment_number(number), Digest(digest))))
    })
    .collect()
}

/// Opens what can be opened, in order; keeps the rest.
fn receive(
    sql: &Connection,
    inbox: &mut Inbox<'_>,
    envelopes: Vec<Vec<u8>>,
    now_ms: u64,
    applied: &mut Applied,
) -> Result<Vec<(Stamp, Vec<Change>)>, Error> {
    let mut bodies = Vec::new();
    for bytes in envelopes {
        match inbox.receive(bytes) {
            Verdict::Opened { device, stamp, changes } => {
                bodies.push((stamp, changes));
                open_held(sql, inbox, device, &mut bodies)?;
            }
            Verdict::Duplicate => applied.duplicates += 1,
            Verdict::Refused(_) => applied.refused += 1,
            Verdict::Held { device, number, digest, reason, bytes } => {
                let kept = hold(sql, (device, number, digest), reason, &bytes, now_ms)?;
                applied.held += u64::from(kept);
                applied.unkept += u64::from(!kept);
            }
        }
    }
    // A roster entry that arrived meanwhile may open what was held before this page.
    let waiting: Vec<[u8; 16]> = {
        let mut statement = sql.prepare_cached("SELECT DISTINCT device FROM held")?;
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    for device in waiting {
        open_held(sql, inbox, DeviceId(device), &mut bodies)?;
        forget_passed(sql, inbox, DeviceId(device))?;
    }
    applied.segments = bodies.len() as u64;
    Ok(bodies)
}

/// Opens the held segments of a device that follow its head now.
fn open_held(
    sql: &Connection,
    inbox: &mut Inbox<'_>,
    device: DeviceId,
    bodies: &mut Vec<(Stamp, Vec<Change>)>,
) -> Result<(), Error> {
    loop {
        let head = inbox.heads.get(&device).map_or(SegmentNumber(0), |(number, _)| *number);
        let Some(next) = head.next() else { return Ok(()) };
        let candidates: Vec<Vec<u8>> = {
            let mut statement =
                sql.prepare_cached("SELECT bytes FROM held WHERE device = ?1 AND number = ?2")?;
            let place = params![device.as_bytes(), to_sql(next.0)];
            statement.query_map(place, |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let mut opened = false;
        for bytes in candidates {
            if let Verdict::Opened { stamp, changes, .. } = inbox.receive(bytes) {
                bodies.push((stamp, changes));
                opened = true;
                break;
            }
        }
        if !opened {
            return Ok(());
        }
        sql.execute(
            "DELETE FROM held WHERE device = ?1 AND number <= ?2 AND reason <> 'quarantine'",
            params![device.as_bytes(), to_sql(next.0)],
        )?;
    }
}

/// What was held and then came once more in its order waits for nothing.
fn forget_passed(sql: &Connection, inbox: &Inbox<'_>, device: DeviceId) -> Result<(), Error> {
    let Some((head, _)) = inbox.heads.get(&device) else { return Ok(()) };
    sql.prepare_cached(
        "DELETE FROM held WHERE device = ?1 AND number <= ?2 AND reason <> 'quarantine'",
    )?
    .execute(params![device.as_bytes(), to_sql(head.0)])?;
    Ok(())
}

/// Keeps a segment sealed, if there is room.
fn hold(
    sql: &Connection,
    (device, number, digest): (DeviceId, SegmentNumber, Digest),
    reason: HoldReason,
    bytes: &[u8],
    now_ms: u64,
) -> Result<bool, Error> {
    let (count, size_bytes): (i64, i64) =
        sql.query_row("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM held", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let room = count < HELD_SEGMENTS_MAX && size_bytes < HELD_BYTES_MAX;
    if room {
        sql.execute(
            "INSERT OR REPLACE INTO held VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                device.as_bytes(),
                to_sql(number.0),
                digest.as_bytes(),
                reason.name(),
                to_sql(now_ms),
                bytes
            ],
        )?;
    }
    Ok(room)
}

fn store_heads(sql: &Connection, heads: &Heads) -> Result<(), Error> {
    let mut statement = sql.prepare_cached("INSERT OR REPLACE INTO head VALUES (?1, ?2, ?3)")?;
    for (device, (number, digest)) in heads {
        statement.execute(params![device.as_bytes(), to_sql(number.0), digest.as_bytes()])?;
    }
    Ok(())
}

/// Merges the changes of opened segments into the records they touch.
fn merge_bodies(
    rows: &mut Rows<'_>,
    device: DeviceId,
    bodies: Vec<(Stamp, Vec<Change>)>,
    now_ms: u64,
    applied: &mut Applied,
) -> Result<(), Error> {
    let (next_own, mut clock) = rows.next_change(device)?;
    let mut changes = Vec::new();
    for (stamp, opened) in bodies {
        clock.observe(stamp, now_ms);
        changes.extend(opened);
    }
    if changes.is_empty() {
        return Ok(());
    }
    rows.connection
        .execute("UPDATE local SET stamp = max(stamp, ?1)", [stamp_to_sql(clock.last())])?;
    let mut stored = load_touched(rows, &changes)?;
    let mut stamps: BTreeMap<RecordKey, (Stamp, Stamp)> = BTreeMap::new();
    let registers = stored
        .iter_mut()
        .filter_map(|(key, record)| {
            Some((key.clone(), std::mem::take(&mut record.as_mut()?.registers)))
        })
        .collect();
    let context = load_context(rows.connection, next_own)?;
    let dead = load_dead(rows.connection, &changes)?;
    let (context_before, dead_before) = (context.clone(), dead.clone());
    let mut replica = Replica::from_parts(registers, context, dead);
    let mut overwritten: BTreeMap<RecordKey, Vec<Overwritten>> = BTreeMap::new();
    let mut tell = |past: Overwritten| overwritten.entry(past.key.clone()).or_default().push(past);
    for change in changes {
        let keys: Vec<_> = change.records.iter().map(|record| record.key.clone()).collect();
        let stamp = change.stamp;
        if replica.apply_telling(change, &mut tell) {
            applied.changes += 1;
            for key in keys {
                let span = stamps.entry(key).or_insert((stamp, stamp));
                *span = (span.0.min(stamp), span.1.max(stamp));
            }
        }
    }
    let (records, context, dead) = replica.into_parts();
    store_context(rows.connection, &context_before, &context)?;
    store_dead(rows.connection, &dead_before, &dead)?;
    let touched = Touched { stored, stamps, overwritten };
    save_touched(rows, &touched, records, now_ms, applied)
}

type Stored = BTreeMap<RecordKey, Option<StoredRecord>>;

/// The records a page touches: as they were, when they were written, and what was overwritten.
struct Touched {
    stored: Stored,
    stamps: BTreeMap<RecordKey, (Stamp, Stamp)>,
    overwritten: BTreeMap<RecordKey, Vec<Overwritten>>,
}

fn load_touched(rows: &mut Rows<'_>, changes: &[Change]) -> Result<Stored, Error> {
    let keys: BTreeSet<&RecordKey> =
        changes.iter().flat_map(|change| &change.records).map(|record| &record.key).collect();
    keys.into_iter().map(|key| Ok((key.clone(), rows.load(key)?))).collect()
}

fn save_touched(
    rows: &mut Rows<'_>,
    Touched { stored, stamps, overwritten }: &Touched,
    mut records: BTreeMap<RecordKey, selkie_core::change::Registers>,
    now_ms: u64,
    applied: &mut Applied,
) -> Result<(), Error> {
    // Policies first: they decide how the others are shown.
    let (policies, others): (Vec<_>, Vec<_>) =
        stamps.iter().partition(|(key, _)| is_rules(key.collection()));
    for (key, stamps) in policies.into_iter().chain(others) {
        let registers = records.remove(key).unwrap_or_default();
        let shown = rows.view(key, &registers)?;
        let before = stored.get(key).and_then(Option::as_ref);
        let was_shown = before.and_then(|before| before.document.as_ref());
        if was_shown != shown.document.as_ref() {
            let kind = if shown.document.is_some() { EventKind::Put } else { EventKind::Deleted };
            applied.events.push(Event::new(key, kind, true));
        }
        let overwritten: Vec<_> = overwritten.get(key).into_iter().flatten().collect();
        let changed = Changed {
            key,
            stored: before,
            registers: &registers,
            stamps: *stamps,
            overwritten: &overwritten,
        };
        rows.save(&changed, &shown, now_ms)?;
    }
    for key in stamps.keys().filter(|key| key.collection() == POLICY_COLLECTION) {
        rows.show_anew(key.id(), now_ms)?;
    }
    for key in stamps.keys().filter(|key| key.collection() == SCHEMA_COLLECTION) {
        rows.index_unique_keys(key.id())?;
    }
    Ok(())
}
