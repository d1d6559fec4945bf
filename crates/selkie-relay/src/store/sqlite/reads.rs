//! What is read; each function sees one snapshot.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX, ROSTER_PAGE_BYTES_MAX};
use selkie_wire::relay::Head;
use selkie_wire::{Cursor, DeviceId, Digest, MailboxId, RelayEpoch, SegmentNumber, VaultId};

use super::super::checkpoints::Chain;
use super::super::{Judged, PullPlan, Pulled, RosterPage};
use super::checkpoints;

/// A vault's row.
pub(super) struct VaultRow {
    pub(super) id: i64,
    pub(super) roster_last: RosterNumber,
    pub(super) cursor: u64,
    pub(super) used_bytes: u64,
    pub(super) log_bytes: u64,
}

/// SQLite's integers are signed; none of ours comes near their end.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number_at(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

pub(super) fn vault(connection: &Connection, vault: VaultId) -> rusqlite::Result<Option<VaultRow>> {
    connection
        .prepare_cached(
            "SELECT id, roster_last, cursor, used_bytes, log_bytes FROM vaults WHERE vault = ?1",
        )?
        .query_row(params![vault.as_bytes()], |row| {
            Ok(VaultRow {
                id: row.get(0)?,
                roster_last: RosterNumber(number_at(row, 1)?),
                cursor: number_at(row, 2)?,
                used_bytes: number_at(row, 3)?,
                log_bytes: number_at(row, 4)?,
            })
        })
        .optional()
}

/// The vault whose recovery words have this key.
pub(super) fn recovers(
    connection: &Connection,
    key: &[u8; 32],
) -> rusqlite::Result<Option<VaultId>> {
    connection
        .prepare_cached(
            "SELECT vault FROM vaults JOIN recoveries ON vault_id = vaults.id WHERE key = ?1",
        )?
        .query_row(params![key], |row| row.get(0).map(VaultId))
        .optional()
}

/// A device's row id and chain; none before its first segment.
pub(super) fn device(
    connection: &Connection,
    vault_id: i64,
    device: DeviceId,
) -> rusqlite::Result<Option<(i64, Chain)>> {
    connection
        .prepare_cached(
            "SELECT id, number, digest, base, base_digest FROM devices
             WHERE vault_id = ?1 AND device = ?2",
        )?
        .query_row(params![vault_id, device.as_bytes()], |row| {
            let head_at = |column: usize| {
                let number = SegmentNumber(number_at(row, column)?);
                let digest = row.get::<_, Option<[u8; 32]>>(column + 1)?.map(Digest);
                Ok::<_, rusqlite::Error>(Head { number, digest })
            };
            Ok((row.get(0)?, Chain { head: head_at(1)?, base: head_at(3)? }))
        })
        .optional()
}

pub(super) fn segment_digest(
    connection: &Connection,
    device_id: i64,
    number: SegmentNumber,
) -> rusqlite::Result<Option<Digest>> {
    connection
        .prepare_cached("SELECT digest FROM segments WHERE device_id = ?1 AND number = ?2")?
        .query_row(params![device_id, to_sql(number.0)], |row| row.get(0).map(Digest))
        .optional()
}

pub(super) fn roster(
    connection: &Connection,
    of: VaultId,
    from: RosterNumber,
) -> rusqlite::Result<Option<RosterPage>> {
    let snapshot = Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Deferred)?;
    let Some(row) = vault(&snapshot, of)? else { return Ok(None) };
    let mut statement = snapshot.prepare_cached(
        "SELECT bytes FROM roster_entries WHERE vault_id = ?1 AND number >= ?2 ORDER BY number",
    )?;
    let mut rows = statement.query(params![row.id, to_sql(from.0)])?;
    let mut page = RosterPage { entries: Vec::new(), last: row.roster_last };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let entry: Vec<u8> = row.get(0)?;
        bytes += entry.len();
        if bytes > ROSTER_PAGE_BYTES_MAX && !page.entries.is_empty() {
            break;
        }
        page.entries.push(entry);
    }
    Ok(Some(page))
}

pub(super) fn pull(
    connection: &Connection,
    plan: &PullPlan,
    epoch: RelayEpoch,
) -> rusqlite::Result<Judged<Pulled>> {
    let snapshot = Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Deferred)?;
    let Some(row) = vault(&snapshot, plan.member.vault)? else { return Ok(Judged::Moved) };
    if row.roster_last != plan.member.roster {
        return Ok(Judged::Moved);
    }
    let known = plan.epoch == Some(epoch) && is_place(&snapshot, &row, plan.cursor)?;
    let start = if known { plan.cursor.0 } else { 0 };
    let (device_id, chain) = device(&snapshot, row.id, plan.chain)?.unwrap_or_default();
    let mut page = Pulled {
        envelopes: Vec::new(),
        cursor: Cursor(row.cursor),
        more: false,
        head: chain.head,
        checkpoints: checkpoints::summary(&snapshot, &row)?,
    };
    let mut statement = snapshot.prepare_cached(
        "SELECT cursor, length(bytes), bytes FROM segments
         WHERE vault_id = ?1 AND cursor > ?2 AND device_id <> ?3 ORDER BY cursor",
    )?;
    // Row ids begin at 1, so 0 stands for a device without segments.
    let mut rows = statement.query(params![row.id, to_sql(start), device_id])?;
    let (mut bytes, mut last) = (0, start);
    while let Some(row) = rows.next()? {
        bytes += usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX);
        let full = bytes > PAGE_BYTES_MAX || page.envelopes.len() == PAGE_SEGMENTS_MAX;
        if full && !page.envelopes.is_empty() {
            (page.cursor, page.more) = (Cursor(last), true);
            break;
        }
        last = number_at(row, 0)?;
        page.envelopes.push(row.get(2)?);
    }
    Ok(Judged::Done(page))
}

/// Whether a cursor was given out for this very list: none of another list is found in it.
fn is_place(connection: &Connection, row: &VaultRow, cursor: Cursor) -> rusqlite::Result<bool> {
    if cursor.0 == row.cursor {
        return Ok(true);
    }
    connection
        .prepare_cached("SELECT 1 FROM segments WHERE vault_id = ?1 AND cursor = ?2")?
        .exists(params![row.id, to_sql(cursor.0)])
}

pub(super) fn has_news(
    connection: &Connection,
    plan: &PullPlan,
    epoch: RelayEpoch,
) -> rusqlite::Result<Judged<bool>> {
    let snapshot = Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Deferred)?;
    let Some(row) = vault(&snapshot, plan.member.vault)? else { return Ok(Judged::Moved) };
    if row.roster_last != plan.member.roster {
        return Ok(Judged::Moved);
    }
    let known = plan.epoch == Some(epoch)
        && (plan.cursor == Cursor(0) || is_place(&snapshot, &row, plan.cursor)?);
    if !known {
        return Ok(Judged::Done(true));
    }
    let device_id = device(&snapshot, row.id, plan.chain)?.map_or(0, |(id, _)| id);
    let mut statement = snapshot.prepare_cached(
        "SELECT 1 FROM segments WHERE vault_id = ?1 AND cursor > ?2 AND device_id <> ?3 LIMIT 1",
    )?;
    statement.exists(params![row.id, to_sql(plan.cursor.0), device_id]).map(Judged::Done)
}

pub(super) fn message(
    connection: &Connection,
    mailbox: MailboxId,
    slot: u8,
    now_ms: u64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT bytes FROM messages WHERE mailbox = ?1 AND slot = ?2 AND expires_ms > ?3",
        )?
        .query_row(params![mailbox.as_bytes(), slot, to_sql(now_ms)], |row| row.get(0))
        .optional()
}
