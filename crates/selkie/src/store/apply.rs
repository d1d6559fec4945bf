//! Segments of other devices: opened, merged and stored, one page in one transaction.
//!
//! Killed at any point, the page was applied with its cursor or not at all; applied again, every
//! change of it is a no-op.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::TransactionBehavior;
use selkie_core::change::Change;
use selkie_core::clock::Stamp;
use selkie_core::merge::{Overwritten, POLICY_COLLECTION, Replica, SCHEMA_COLLECTION};
use selkie_core::record::RecordKey;
use selkie_core::seal::Heads;
use selkie_core::sync::Position;
use selkie_wire::DeviceId;

use super::checkpoint::begin_anew;
use super::context::{load_context, load_dead, store_context, store_dead};
use super::database::Database;
use super::deletion_guard::{Guard, MassDelete};
use super::identity::{Identity, from_sql};
use super::incarnation::store_incarnations;
use super::receive::{Body, accept, heads, hear, inbox, receive, store_heads};
use super::rows::{Changed, Rows, StoredRecord, is_rules, stamp_to_sql};
use crate::Error;
use crate::watch::{Event, EventKind};

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

/// What became of a page.
pub(super) enum Page {
    Applied(Box<Applied>),
    /// Too much would be deleted: rolled back.
    MassDelete(Vec<MassDelete>),
}

impl Database {
    /// Applies envelopes, then whatever was held and can be opened now; all of it, or nothing if the
    /// guard objects.
    pub(super) fn try_page(
        &mut self,
        identity: &Identity,
        at: Option<&TrackedPosition<'_>>,
        envelopes: &[Vec<u8>],
        now_ms: u64,
        guard: &Guard<'_>,
    ) -> Result<Page, Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read inside, or another process's progress would be taken back.
        let mut inbox = inbox(&sql, cache, identity)?;
        let frozen = guard.frozen(&sql)?;
        let mut applied = Applied::default();
        let mut work = || {
            let bodies = receive(&sql, &mut inbox, &frozen, envelopes, now_ms, &mut applied)?;
            if !bodies.is_empty() {
                begin_anew(&sql)?;
            }
            store_heads(&sql, &inbox.heads)?;
            store_incarnations(&sql, &inbox.incarnations)?;
            let mut rows = Rows::new(&sql, cache)?;
            accept(&sql, &bodies)?;
            hear(&sql, &inbox, &bodies, now_ms)?;
            merge_bodies(&mut rows, identity.device_id(), bodies, now_ms, &mut applied)?;
            let found = guard.judge(&mut rows, &applied.events)?;
            if found.is_none()
                && let Some(at) = at
            {
                super::sync_state::store_position(&sql, at)?;
            }
            Ok(found)
        };
        let done = match work() {
            Ok(None) => {
                sql.commit().map_err(Error::from).map(|()| Page::Applied(Box::new(applied)))
            }
            Ok(Some(found)) => {
                sql.rollback().map_err(Error::from).map(|()| Page::MassDelete(found))
            }
            Err(error) => Err(error),
        };
        if !matches!(done, Ok(Page::Applied(_))) {
            cache.forget();
        }
        done
    }

    /// The last segment accepted of each other device.
    pub(crate) fn heads(&self) -> Result<Heads, Error> {
        heads(&self.connection)
    }

    /// How many segments wait for others before them, or for a roster entry.
    pub(crate) fn waiting_count(&self) -> Result<u64, Error> {
        // What waits behind a mass deletion waits for a person, not for the relay.
        let sql = "SELECT count(*) FROM held WHERE reason IN ('gap', 'roster')
             AND device NOT IN (SELECT device FROM held WHERE reason = 'mass_delete')";
        Ok(from_sql(self.connection.query_row(sql, [], |row| row.get(0))?))
    }

    /// How many segments are kept sealed.
    pub(crate) fn held_count(&self) -> Result<u64, Error> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM held", [], |row| row.get(0))?;
        Ok(from_sql(count))
    }
}

/// Merges the changes of opened segments into the records they touch.
fn merge_bodies(
    rows: &mut Rows<'_>,
    device: DeviceId,
    bodies: Vec<Body>,
    now_ms: u64,
    applied: &mut Applied,
) -> Result<(), Error> {
    let (next_own, mut clock) = rows.next_change(device)?;
    let mut changes = Vec::new();
    for body in bodies {
        clock.observe(body.stamp, now_ms);
        changes.extend(body.changes);
    }
    if changes.is_empty() {
        return Ok(());
    }
    rows.connection
        .execute("UPDATE local SET stamp = max(stamp, ?1)", [stamp_to_sql(clock.last())])?;
    let mut stored = load_touched(rows, &changes)?;
    let mut stamps: BTreeMap<RecordKey, Span> = BTreeMap::new();
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
        let (stamp, device) = (change.stamp, change.dot.device);
        if replica.apply_telling(change, &mut tell) {
            applied.changes += 1;
            for key in keys {
                let span =
                    stamps.entry(key).or_insert(Span { first: stamp, last: (stamp, Some(device)) });
                span.first = span.first.min(stamp);
                span.last = span.last.max((stamp, Some(device)));
            }
        }
    }
    let (records, context, dead) = replica.into_parts();
    store_context(rows.connection, &context_before, &context)?;
    store_dead(rows.connection, &dead_before, &dead)?;
    let touched = Touched { stored, stamps, overwritten };
    save_touched(rows, &touched, records, now_ms, applied)
}

/// When a record's new changes were made, and by whom the last; a checkpoint does not say it.
pub(super) struct Span {
    pub(super) first: Stamp,
    pub(super) last: (Stamp, Option<DeviceId>),
}

pub(super) type Stored = BTreeMap<RecordKey, Option<StoredRecord>>;

/// The records a page touches: as they were, when they were written, and what was overwritten.
pub(super) struct Touched {
    pub(super) stored: Stored,
    pub(super) stamps: BTreeMap<RecordKey, Span>,
    pub(super) overwritten: BTreeMap<RecordKey, Vec<Overwritten>>,
}

fn load_touched(rows: &mut Rows<'_>, changes: &[Change]) -> Result<Stored, Error> {
    let keys: BTreeSet<&RecordKey> =
        changes.iter().flat_map(|change| &change.records).map(|record| &record.key).collect();
    keys.into_iter().map(|key| Ok((key.clone(), rows.load(key)?))).collect()
}

pub(super) fn save_touched(
    rows: &mut Rows<'_>,
    Touched { stored, stamps, overwritten }: &Touched,
    mut records: BTreeMap<RecordKey, selkie_core::change::Registers>,
    now_ms: u64,
    applied: &mut Applied,
) -> Result<(), Error> {
    // Policies first: they decide how the others are shown.
    let (policies, others): (Vec<_>, Vec<_>) =
        stamps.iter().partition(|(key, _)| is_rules(key.collection()));
    for (key, span) in policies.into_iter().chain(others) {
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
            stamps: (span.first, span.last.0),
            by: span.last.1,
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
