//! Joining a checkpoint: some shards in one transaction, the context and the heads with the last ones.
//!
//! Cut off anywhere, what is joined stays joined, and the rest is joined later; the store is usable all
//! the while. Joined again, or from another checkpoint, nothing is lost and nothing comes back.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use selkie_core::change::ChangeNumber;
use selkie_core::clock::Stamp;
use selkie_core::merge::{Context, DeadOnArrival, Replica};
use selkie_core::record::RecordKey;
use selkie_core::seal::checkpoint::ShardKey;
use selkie_wire::limits::CHECKPOINT_SHARDS;
use selkie_wire::{DeviceId, Digest};

use super::super::apply::{Applied, Span, Touched, save_touched};
use super::super::context::{load_context, store_context, store_dead};
use super::super::database::Database;
use super::super::identity::{Identity, from_sql, to_sql};
use super::super::incarnation::store_incarnations;
use super::super::receive::{heads, store_heads};
use super::super::rows::{Rows, stamp_to_sql};
use super::state::{is_subset, load_ahead, note_accepted, store_ahead};
use super::{
    Incoming, OpenedShard, ShardIndex, all_shards, load_all_dead, malformed, names_of, registers_of,
};
use crate::watch::Event;
use crate::{Error, ErrorKind};

/// What joining some shards did.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) events: Vec<Event>,
    /// Records that the shards hold.
    pub(crate) records: u64,
    /// Whether the checkpoint is whole now.
    pub(crate) finished: bool,
}

impl Database {
    /// The shards of a checkpoint that are still to be joined. One that was begun before goes on;
    /// another one begins.
    pub(crate) fn begin_checkpoint(&mut self, incoming: &Incoming) -> Result<Vec<u8>, Error> {
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if current(&sql)? != Some(incoming.digest) {
            sql.execute("DELETE FROM checkpoint_shard", [])?;
            sql.execute(
                "INSERT OR REPLACE INTO checkpoint_incoming VALUES (1, ?1)",
                [incoming.digest.as_bytes()],
            )?;
            let mut ahead = load_ahead(&sql)?;
            ahead.join(&incoming.context());
            store_ahead(&sql, &ahead)?;
        }
        let done: BTreeSet<u8> = {
            let mut statement = sql.prepare_cached("SELECT shard FROM checkpoint_shard")?;
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        sql.commit()?;
        Ok(all_shards().filter(|shard| !done.contains(shard)).collect())
    }

    /// Which records of the store are in which shard.
    pub(crate) fn shard_index(&self, key: &ShardKey) -> Result<ShardIndex, Error> {
        ShardIndex::read(&self.connection, key)
    }

    /// Joins shards, in one transaction; with the last ones, everything else the checkpoint says.
    pub(crate) fn join_shards(
        &mut self,
        identity: &Identity,
        incoming: &Incoming,
        index: &ShardIndex,
        shards: Vec<OpenedShard>,
        now_ms: u64,
    ) -> Result<Joined, Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut work = || {
            if current(&sql)? != Some(incoming.digest) {
                return Err(Error::new(
                    ErrorKind::Busy,
                    "another process takes over another checkpoint; sync again",
                ));
            }
            let mut rows = Rows::new(&sql, cache)?;
            let (next_own, mut clock) = rows.next_change(identity.device_id())?;
            let context = load_context(&sql, next_own)?;
            let mut joined = join(&mut rows, &context, incoming, index, &shards, now_ms)?;
            let mut done =
                sql.prepare_cached("INSERT OR IGNORE INTO checkpoint_shard VALUES (?1)")?;
            for shard in &shards {
                done.execute([shard.shard])?;
            }
            let count: i64 =
                sql.query_row("SELECT count(*) FROM checkpoint_shard", [], |row| row.get(0))?;
            // Counted anew: segments that another process applied meanwhile began it anew.
            if from_sql(count) == CHECKPOINT_SHARDS as u64 {
                let chain = next_own.device;
                finish(&sql, chain, &context, incoming)?;
                clock.observe(incoming.secrets.stamp, now_ms);
                let stamp = stamp_to_sql(clock.last());
                sql.execute("UPDATE local SET stamp = max(stamp, ?1)", [stamp])?;
                let known = incoming.incarnations(&identity.roster);
                store_incarnations(&sql, &known)?;
                joined.finished = true;
            }
            Ok(joined)
        };
        match work().and_then(|joined| sql.commit().map(|()| joined).map_err(Error::from)) {
            Ok(joined) => Ok(joined),
            Err(error) => {
                cache.forget();
                Err(error)
            }
        }
    }
}

fn current(sql: &Connection) -> Result<Option<Digest>, Error> {
    let mut statement = sql.prepare_cached("SELECT digest FROM checkpoint_incoming")?;
    let digest: Option<[u8; 32]> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(digest.map(Digest))
}

fn join(
    rows: &mut Rows<'_>,
    context: &Context,
    incoming: &Incoming,
    index: &ShardIndex,
    shards: &[OpenedShard],
    now_ms: u64,
) -> Result<Joined, Error> {
    let theirs_context = incoming.context();
    let (mut theirs, mut times) = (BTreeMap::new(), BTreeMap::new());
    let mut keys: BTreeSet<RecordKey> = BTreeSet::new();
    for shard in shards {
        keys.extend(names_of(rows.connection, index.of(shard.shard))?);
        for record in &shard.records {
            let (key, registers) = registers_of(record, &theirs_context)?;
            let span = (record.created_at_ms, record.updated_at_ms);
            times.insert(key.clone(), span);
            keys.insert(key.clone());
            theirs.insert(key, registers);
        }
    }
    let mut stored = BTreeMap::new();
    let mut mine = BTreeMap::new();
    for key in &keys {
        let record = rows.load(key)?;
        if let Some(record) = &record {
            mine.insert(key.clone(), record.registers.clone());
        }
        stored.insert(key.clone(), record);
    }
    let mut replica =
        Replica::from_parts(mine.clone(), context.clone(), load_all_dead(rows.connection)?);
    replica.join(Replica::from_parts(theirs, theirs_context, incoming.dead()));
    let (records, _, _) = replica.into_parts();
    let mut stamps = BTreeMap::new();
    for key in keys {
        let before = stored.get(&key).and_then(Option::as_ref);
        let span = before.map(|record| (record.created_at_ms, record.updated_at_ms));
        let (created, updated) = match (span, times.get(&key)) {
            (Some(mine), Some(theirs)) => (mine.0.min(theirs.0), mine.1.max(theirs.1)),
            (Some(span), None) | (None, Some(&span)) => span,
            (None, None) => continue,
        };
        if mine.get(&key) != records.get(&key) || span != Some((created, updated)) {
            let by = before.and_then(|record| record.updated_by);
            let by = by.filter(|_| span.is_some_and(|span| span.1 == updated));
            let last = (Stamp::from_unix_ms(updated), by);
            stamps.insert(key, Span { first: Stamp::from_unix_ms(created), last });
        }
    }
    let mut applied = Applied::default();
    let touched = Touched { stored, stamps, overwritten: BTreeMap::new() };
    save_touched(rows, &touched, records, now_ms, &mut applied)?;
    let count = shards.iter().map(|shard| shard.records.len() as u64).sum();
    Ok(Joined { events: applied.events, records: count, finished: false })
}

/// All shards are joined: now the dots count, and with them that what is absent was overwritten.
fn finish(
    sql: &Connection,
    own: DeviceId,
    before: &Context,
    incoming: &Incoming,
) -> Result<(), Error> {
    let theirs = incoming.context();
    if theirs.contiguous(own) > before.contiguous(own) {
        return Err(malformed());
    }
    let mut context = before.clone();
    context.join(&theirs);
    store_context(sql, before, &context)?;
    let dead_before = load_all_dead(sql)?;
    let mut dead = DeadOnArrival::default();
    let theirs_dead = incoming.dead();
    for (dot, key, path) in dead_before.iter().chain(theirs_dead.iter()) {
        if !context.contains(dot) {
            dead.insert(dot, key.clone(), path.clone());
        }
    }
    store_dead(sql, &dead_before, &dead)?;
    let mut heads = heads(sql)?;
    for (device, (number, digest)) in &incoming.manifest.body().covers {
        let known = heads.get(device).map(|(number, _)| *number);
        if *device == own || known >= Some(*number) {
            continue;
        }
        heads.insert(*device, (*number, *digest));
        let last: ChangeNumber = context.contiguous(*device);
        note_accepted(sql, *device, (*number, *digest), Some(last))?;
        sql.execute(
            "DELETE FROM held WHERE device = ?1 AND number <= ?2 AND reason <> 'quarantine'",
            params![device.as_bytes(), to_sql(number.0)],
        )?;
    }
    store_heads(sql, &heads)?;
    sql.execute("DELETE FROM checkpoint_incoming", [])?;
    sql.execute("DELETE FROM checkpoint_shard", [])?;
    // A checkpoint that was given up half-way may have brought more than this one says.
    if is_subset(&load_ahead(sql)?, &context) {
        sql.execute("DELETE FROM ahead", [])?;
    }
    Ok(())
}
