//! Envelopes on their way in: opened in order, or kept sealed until they can be.

use rusqlite::{Connection, params};
use selkie_core::change::{Change, ChangeNumber};
use selkie_core::clock::Stamp;
use selkie_core::seal::Heads;
use selkie_core::sync::{HoldReason, Inbox, Verdict};
use selkie_wire::{DeviceId, Digest, SegmentNumber};

use super::apply::Applied;
use super::checkpoint::note_accepted;
use super::deletion_guard::{self, Frozen};
use super::findings::{Heard, note_second_history};
use super::identity::{Identity, segment_number, to_sql};
use super::incarnation::incarnations;
use super::rows::{Cache, Rows};
use crate::Error;

/// Segments kept sealed at most; beyond them the oldest gaps are refilled from the relay later.
const HELD_SEGMENTS_MAX: i64 = 10_000;
/// Bytes of them at most.
const HELD_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// A segment opened in its turn.
pub(super) struct Body {
    /// The chain it is of.
    pub(super) device: DeviceId,
    pub(super) number: SegmentNumber,
    digest: Digest,
    pub(super) stamp: Stamp,
    /// What its sender had seen of others.
    heads: Heads,
    pub(super) changes: Vec<Change>,
}

impl Body {
    /// What was opened last of a chain.
    fn of(
        inbox: &Inbox<'_>,
        device: DeviceId,
        (stamp, heads): (Stamp, Heads),
        changes: Vec<Change>,
    ) -> Self {
        let none = (SegmentNumber(0), Digest([0; 32]));
        let (number, digest) = inbox.heads.get(&device).copied().unwrap_or(none);
        Self { device, number, digest, stamp, heads, changes }
    }
}

/// The last segment accepted of each other chain.
pub(super) fn heads(sql: &Connection) -> Result<Heads, Error> {
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

/// What judges envelopes, as the store stands.
pub(super) fn inbox<'a>(
    sql: &Connection,
    cache: &mut Cache,
    identity: &'a Identity,
) -> Result<Inbox<'a>, Error> {
    let (next_own, _) = Rows::new(sql, cache)?.next_change(identity.device_id())?;
    Ok(Inbox {
        roster: &identity.roster,
        incarnations: incarnations(sql, &identity.roster)?,
        own: next_own.device,
        own_changes: ChangeNumber(next_own.number.0.saturating_sub(1)),
        epoch_keys: &identity.epoch_keys,
        heads: heads(sql)?,
    })
}

/// Opens what can be opened, as a page does; for a transaction that is rolled back.
pub(super) fn open_envelopes(
    sql: &Connection,
    cache: &mut Cache,
    identity: &Identity,
    envelopes: &[Vec<u8>],
    frozen: &Frozen,
    now_ms: u64,
) -> Result<Vec<Body>, Error> {
    receive(
        sql,
        &mut inbox(sql, cache, identity)?,
        frozen,
        envelopes,
        now_ms,
        &mut Applied::default(),
    )
}

/// Opens what can be opened, in order; keeps the rest.
pub(super) fn receive(
    sql: &Connection,
    inbox: &mut Inbox<'_>,
    frozen: &Frozen,
    envelopes: &[Vec<u8>],
    now_ms: u64,
    applied: &mut Applied,
) -> Result<Vec<Body>, Error> {
    let mut bodies = Vec::new();
    for bytes in envelopes {
        match deletion_guard::receive(inbox, frozen, bytes.clone()) {
            Verdict::Opened { device, stamp, heads, changes } => {
                bodies.push(Body::of(inbox, device, (stamp, heads), changes));
                open_held(sql, inbox, frozen, device, now_ms, &mut bodies)?;
            }
            Verdict::Duplicate => applied.duplicates += 1,
            Verdict::Refused(_) => applied.refused += 1,
            Verdict::Held { device, number, digest, reason, bytes } => {
                if reason.is_second_history() {
                    note_second_history(sql, device, number, now_ms)?;
                }
                let kept = hold(sql, (device, number, digest), reason, &bytes, now_ms)?;
                applied.held += u64::from(kept);
                // What is not kept must be fetched again.
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
        open_held(sql, inbox, frozen, DeviceId(device), now_ms, &mut bodies)?;
        forget_passed(sql, inbox, DeviceId(device))?;
    }
    applied.segments = bodies.len() as u64;
    Ok(bodies)
}

/// The last segment opened of a chain.
fn head_of(inbox: &Inbox<'_>, device: DeviceId) -> SegmentNumber {
    inbox.heads.get(&device).map_or(SegmentNumber(0), |(number, _)| *number)
}

/// Notes the segments that opened, for whoever covers them by a checkpoint.
pub(super) fn accept(sql: &Connection, bodies: &[Body]) -> Result<(), Error> {
    for body in bodies {
        let own = body.changes.last().filter(|change| change.dot.device == body.device);
        let last = own.map(|change| change.dot.number);
        note_accepted(sql, body.device, (body.number, body.digest), last)?;
    }
    Ok(())
}

/// Holds what the opened segments say of others against what was seen here.
pub(super) fn hear(
    sql: &Connection,
    inbox: &Inbox<'_>,
    bodies: &[Body],
    now_ms: u64,
) -> Result<(), Error> {
    let mut heard = Heard::default();
    for body in bodies {
        let (head, said) = ((body.number, body.digest), (body.stamp, body.heads.clone()));
        heard.hear(sql, body.device, head, said)?;
    }
    heard.settle(sql, (inbox.own, &inbox.heads), now_ms)
}

/// Opens the held segments of a device that follow its head now.
fn open_held(
    sql: &Connection,
    inbox: &mut Inbox<'_>,
    frozen: &Frozen,
    device: DeviceId,
    now_ms: u64,
    bodies: &mut Vec<Body>,
) -> Result<(), Error> {
    loop {
        let Some(next) = head_of(inbox, device).next() else { return Ok(()) };
        let candidates: Vec<Vec<u8>> = {
            let mut statement =
                sql.prepare_cached("SELECT bytes FROM held WHERE device = ?1 AND number = ?2")?;
            let place = params![device.as_bytes(), to_sql(next.0)];
            statement.query_map(place, |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let mut opened = false;
        for bytes in candidates {
            match deletion_guard::receive(inbox, frozen, bytes) {
                Verdict::Opened { stamp, heads, changes, .. } => {
                    bodies.push(Body::of(inbox, device, (stamp, heads), changes));
                    opened = true;
                    break;
                }
                Verdict::Held { digest, reason: HoldReason::MassDelete, bytes, .. } => {
                    let place = (device, next, digest);
                    hold(sql, place, HoldReason::MassDelete, &bytes, now_ms)?;
                }
                _ => {}
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
    let head = head_of(inbox, device);
    sql.prepare_cached(
        "DELETE FROM held WHERE device = ?1 AND number <= ?2 AND reason <> 'quarantine'",
    )?
    .execute(params![device.as_bytes(), to_sql(head.0)])?;
    Ok(())
}

/// Keeps a segment sealed, unless too much is kept already; whether it is kept.
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

/// Keeps how far each chain was read.
pub(super) fn store_heads(sql: &Connection, heads: &Heads) -> Result<(), Error> {
    let mut statement = sql.prepare_cached("INSERT OR REPLACE INTO head VALUES (?1, ?2, ?3)")?;
    for (device, (number, digest)) in heads {
        statement.execute(params![device.as_bytes(), to_sql(number.0), digest.as_bytes()])?;
    }
    Ok(())
}
