//! What is written; each function runs inside the writer's savepoint.

use rusqlite::{Connection, OptionalExtension as _, params};
use selkie_wire::relay::{Head, PushOutcome};
use selkie_wire::{Cursor, DeviceId, MailboxId};

use super::super::checkpoints::{Chain, bridged};
use super::super::{
    Judged, Message, MessageOutcome, Offer, PushPlan, Pushed, Room, RosterOutcome, RosterPlan,
    judge,
};
use super::checkpoints;
use super::reads::{self, VaultRow, to_sql};

pub(super) fn extend_roster(
    connection: &Connection,
    room: &Room,
    plan: &RosterPlan,
) -> rusqlite::Result<RosterOutcome> {
    let known = reads::vault(connection, plan.vault)?;
    if known.as_ref().map(|row| row.roster_last) != plan.after {
        return Ok(RosterOutcome::Moved);
    }
    let used_bytes = known.as_ref().map_or(0, |row| row.used_bytes)
        + plan.entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
    if used_bytes > room.vault_bytes_max {
        return Ok(RosterOutcome::Quota);
    }
    let first = plan.after.map_or(0, |after| after.0 + 1);
    let last = (first + plan.entries.len() as u64).saturating_sub(1);
    let vault_id = match known {
        Some(row) => row.id,
        None => {
            let vaults: i64 = connection
                .prepare_cached("SELECT count(*) FROM vaults")?
                .query_row([], |row| row.get(0))?;
            if vaults >= to_sql(room.vaults_max) {
                return Ok(RosterOutcome::VaultsFull);
            }
            connection.execute(
                "INSERT INTO vaults (vault, roster_last, cursor, used_bytes) VALUES (?1, 0, 0, 0)",
                params![plan.vault.as_bytes()],
            )?;
            connection.last_insert_rowid()
        }
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO roster_entries (vault_id, number, bytes) VALUES (?1, ?2, ?3)",
    )?;
    for (number, entry) in (first..).zip(&plan.entries) {
        insert.execute(params![vault_id, to_sql(number), entry])?;
    }
    connection.execute(
        "UPDATE vaults SET roster_last = ?2, used_bytes = ?3 WHERE id = ?1",
        params![vault_id, to_sql(last), to_sql(used_bytes)],
    )?;
    connection.execute("DELETE FROM recoveries WHERE vault_id = ?1", params![vault_id])?;
    if let Some(key) = plan.recovery {
        connection.execute(
            "INSERT OR REPLACE INTO recoveries (key, vault_id) VALUES (?1, ?2)",
            params![key, vault_id],
        )?;
    }
    Ok(RosterOutcome::Stored)
}

pub(super) fn push(
    connection: &Connection,
    room: &Room,
    plan: &PushPlan,
) -> rusqlite::Result<Judged<Pushed>> {
    let Some(mut vault) = reads::vault(connection, plan.member.vault)? else {
        return Ok(Judged::Moved);
    };
    if vault.roster_last != plan.member.roster {
        return Ok(Judged::Moved);
    }
    if plan.member.alone {
        checkpoints::settle_if_old(connection, &mut vault, plan.member, plan.now_ms)?;
    }
    let device = plan.chain;
    let known = reads::device(connection, vault.id, device)?;
    let (mut device_id, mut chain) =
        known.map_or((None, Chain::default()), |(id, chain)| (Some(id), chain));
    let (mut stored_any, mut manifests) = (false, None);
    let mut outcomes = Vec::with_capacity(plan.offers.len());
    for offer in plan.offers.iter() {
        let Some(offer) = offer else {
            outcomes.push(PushOutcome::Refused);
            continue;
        };
        let stored = match device_id {
            Some(_) if offer.number == chain.base.number => chain.base.digest,
            Some(id) if offer.number <= chain.head.number => {
                reads::segment_digest(connection, id, offer.number)?
            }
            _ => None,
        };
        if Some(offer.number) > chain.head.number.next() {
            let known = match manifests.take() {
                Some(known) => known,
                None => checkpoints::manifests(connection, vault.id)?,
            };
            chain = bridged(chain, device, offer, &known).unwrap_or(chain);
            manifests = Some(known);
        }
        let room_bytes = room.vault_bytes_max.saturating_sub(vault.used_bytes);
        let outcome = judge(&chain.head, &chain.base, plan.beginning, offer, stored, room_bytes);
        if outcome == PushOutcome::Stored {
            let id = match device_id {
                Some(id) => id,
                None => *device_id.insert(insert_device(connection, vault.id, device)?),
            };
            insert_segment(connection, &mut vault, id, offer)?;
            stored_any = true;
            chain.head = Head { number: offer.number, digest: Some(offer.digest) };
        }
        outcomes.push(outcome);
    }
    // A bridge counts once something stands on it.
    let Some(id) = device_id.filter(|_| stored_any) else {
        let head = known_head(connection, vault.id, device)?;
        return Ok(Judged::Done(Pushed { outcomes, head }));
    };
    set_chain(connection, id, &chain)?;
    set_sizes(connection, &vault)?;
    Ok(Judged::Done(Pushed { outcomes, head: chain.head }))
}

fn known_head(connection: &Connection, vault: i64, device: DeviceId) -> rusqlite::Result<Head> {
    Ok(reads::device(connection, vault, device)?.map_or(Head::default(), |(_, chain)| chain.head))
}

pub(super) fn insert_device(
    connection: &Connection,
    vault_id: i64,
    device: DeviceId,
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO devices (vault_id, device, number) VALUES (?1, ?2, 0)")?
        .insert(params![vault_id, device.as_bytes()])
}

/// Takes the next cursor inside the write: a number handed out before the commit could become
/// visible after a later one, and a reader in between would skip it for ever.
fn insert_segment(
    connection: &Connection,
    vault: &mut VaultRow,
    device_id: i64,
    offer: &Offer,
) -> rusqlite::Result<()> {
    vault.cursor = Cursor(vault.cursor).after(offer.digest).0;
    vault.used_bytes += offer.bytes.len() as u64;
    vault.log_bytes += offer.bytes.len() as u64;
    connection
        .prepare_cached(
            "INSERT INTO segments (vault_id, cursor, device_id, number, digest, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            vault.id,
            to_sql(vault.cursor),
            device_id,
            to_sql(offer.number.0),
            offer.digest.as_bytes(),
            offer.bytes
        ])?;
    Ok(())
}

pub(super) fn set_chain(
    connection: &Connection,
    device_id: i64,
    Chain { head, base }: &Chain,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE devices SET number = ?2, digest = ?3, base = ?4, base_digest = ?5
             WHERE id = ?1",
        )?
        .execute(params![
            device_id,
            to_sql(head.number.0),
            head.digest.map(|digest| digest.0),
            to_sql(base.number.0),
            base.digest.map(|digest| digest.0)
        ])?;
    Ok(())
}

pub(super) fn set_sizes(connection: &Connection, vault: &VaultRow) -> rusqlite::Result<()> {
    let (cursor, used, log) = (vault.cursor, vault.used_bytes, vault.log_bytes);
    connection
        .prepare_cached(
            "UPDATE vaults SET cursor = ?2, used_bytes = ?3, log_bytes = ?4 WHERE id = ?1",
        )?
        .execute(params![vault.id, to_sql(cursor), to_sql(used), to_sql(log)])?;
    Ok(())
}

pub(super) fn put_message(
    connection: &Connection,
    room: &Room,
    message: &Message,
) -> rusqlite::Result<MessageOutcome> {
    connection
        .prepare_cached("DELETE FROM messages WHERE expires_ms <= ?1")?
        .execute(params![to_sql(message.now_ms)])?;
    let place = params![message.mailbox.as_bytes(), message.slot];
    let waiting: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM messages WHERE mailbox = ?1 AND slot = ?2")?
        .query_row(place, |row| row.get(0))
        .optional()?;
    if let Some(waiting) = waiting {
        let same = waiting == message.bytes;
        return Ok(if same { MessageOutcome::Duplicate } else { MessageOutcome::Taken });
    }
    let messages: i64 = connection
        .prepare_cached("SELECT count(*) FROM messages")?
        .query_row([], |row| row.get(0))?;
    if messages >= to_sql(room.mailbox_messages_max) {
        return Ok(MessageOutcome::Full);
    }
    connection
        .prepare_cached(
            "INSERT INTO messages (mailbox, slot, expires_ms, bytes) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            message.mailbox.as_bytes(),
            message.slot,
            to_sql(message.expires_ms),
            message.bytes
        ])?;
    Ok(MessageOutcome::Stored)
}

pub(super) fn remove_mailbox(
    connection: &Connection,
    _: &Room,
    mailbox: &MailboxId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM messages WHERE mailbox = ?1")?
        .execute(params![mailbox.as_bytes()])?;
    Ok(())
}
