//! What is remembered of checkpoints: how far one is applied, which shards were sealed, what a relay has.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use selkie_core::change::{ChangeNumber, Dot};
use selkie_core::merge::Context;
use selkie_core::record::{Path, RecordKey};
use selkie_wire::checkpoint::ChunkName;
use selkie_wire::{Covers, DeviceId, Digest, KeyId, RelayEpoch, SegmentNumber, cbor};

use super::super::context::load_context;
use super::super::database::Database;
use super::super::identity::{damaged, from_sql, segment_number, to_sql};
use super::super::incarnation::own_chain;
use crate::Error;

/// What is remembered of a relay's checkpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelayCheckpoint {
    pub(crate) epoch: Option<RelayEpoch>,
    /// The settled one that was dealt with.
    pub(crate) settled: Option<Digest>,
    /// The candidate that was dealt with.
    pub(crate) candidate: Option<Digest>,
    /// What the settled one covered.
    pub(crate) covers: Covers,
}

/// A shard as it was sealed last, by this device or by another.
#[derive(Clone, Debug)]
pub(crate) struct SealedShard {
    pub(crate) shard: u8,
    pub(crate) key_id: KeyId,
    /// Of the shard's bytes before they were sealed.
    pub(crate) digest: Digest,
    pub(crate) chunks: Vec<ChunkName>,
}

impl Database {
    pub(crate) fn relay_checkpoint(&self, url: &str) -> Result<RelayCheckpoint, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT epoch, settled, candidate, covers FROM relay_checkpoint WHERE url = ?1",
        )?;
        let known = statement.query_row([url], |row| {
            let digest =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<_>>(column)?.map(Digest));
            let covers: Option<Vec<u8>> = row.get(3)?;
            Ok(RelayCheckpoint {
                epoch: row.get::<_, Option<_>>(0)?.map(RelayEpoch),
                settled: digest(1)?,
                candidate: digest(2)?,
                covers: covers.and_then(|bytes| cbor::decode(&bytes).ok()).unwrap_or_default(),
            })
        });
        Ok(known.optional()?.unwrap_or_default())
    }

    pub(crate) fn store_relay_checkpoint(
        &self,
        url: &str,
        known: &RelayCheckpoint,
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT OR REPLACE INTO relay_checkpoint VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                url,
                known.epoch.map(|epoch| epoch.0),
                known.settled.map(|digest| digest.0),
                known.candidate.map(|digest| digest.0),
                cbor::encode(&known.covers)
            ],
        )?;
        Ok(())
    }

    /// The first own segment whose bytes are still here; the next number if there is none.
    pub(crate) fn retained_from(&self) -> Result<SegmentNumber, Error> {
        let first: Option<i64> = self.connection.query_row(
            "SELECT min(number) FROM segment WHERE length(bytes) > 0",
            [],
            |row| row.get(0),
        )?;
        match first {
            Some(first) => Ok(segment_number(first)),
            None => self.own_head()?.number.next().ok_or_else(damaged),
        }
    }

    /// Lets go of what a co-signed checkpoint covers: own segments' bytes, which another device has
    /// (author and co-signer are two), and the record of which segments of others were accepted.
    pub(crate) fn release_covered(&mut self, own: DeviceId, covers: &Covers) -> Result<(), Error> {
        let sql = self.connection.transaction()?;
        let own = own_chain(&sql, own)?;
        for (device, (number, digest)) in covers {
            if *device == own {
                // Only if it is this very chain that it covers.
                sql.execute(
                    "UPDATE segment SET bytes = x'' WHERE number <= ?1 AND length(bytes) > 0
                     AND EXISTS (SELECT 1 FROM segment WHERE number = ?1 AND digest = ?2)",
                    params![to_sql(number.0), digest.as_bytes()],
                )?;
            } else {
                sql.execute(
                    "DELETE FROM accepted_segment WHERE device = ?1 AND number < ?2",
                    params![device.as_bytes(), to_sql(number.0)],
                )?;
            }
        }
        sql.commit()?;
        Ok(())
    }

    /// Remembers sealed shards, so that they need not be sealed and sent again while nothing changes.
    pub(crate) fn remember_sealed(&mut self, shards: &[SealedShard]) -> Result<(), Error> {
        let sql = self.connection.transaction()?;
        for shard in shards {
            let size = |name: &ChunkName| name.size_bytes.to_le_bytes();
            let chunks: Vec<u8> = shard
                .chunks
                .iter()
                .flat_map(|name| name.digest.0.into_iter().chain(size(name)))
                .collect();
            sql.execute(
                "INSERT OR REPLACE INTO shard_sealed VALUES (?1, ?2, ?3, ?4)",
                params![shard.shard, shard.key_id.as_bytes(), shard.digest.as_bytes(), chunks],
            )?;
        }
        sql.commit()?;
        Ok(())
    }

    /// Forgets sealed shards whose chunks are not where they were thought to be.
    pub(crate) fn forget_sealed(&mut self, missing: &BTreeSet<Digest>) -> Result<(), Error> {
        for shard in sealed_shards(&self.connection)? {
            if shard.chunks.iter().any(|name| missing.contains(&name.digest)) {
                self.connection
                    .execute("DELETE FROM shard_sealed WHERE shard = ?1", [shard.shard])?;
            }
        }
        Ok(())
    }

    /// Whether a checkpoint is partly applied: records hold dots that are not in the context.
    pub(crate) fn is_ahead(&self) -> Result<bool, Error> {
        is_ahead(&self.connection)
    }

    /// When the first sync was complete.
    pub(crate) fn initial_sync_complete(&self) -> Result<bool, Error> {
        let done: bool =
            self.connection
                .query_row("SELECT EXISTS (SELECT 1 FROM initial_sync)", [], |row| row.get(0))?;
        if done {
            return Ok(true);
        }
        // Who made the vault has nothing to wait for: its Add entry follows genesis.
        let first: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT bytes FROM roster_entry WHERE number = 1", [], |row| row.get(0))
            .optional()?;
        let added: [u8; 32] =
            self.connection.query_row("SELECT device_added FROM local", [], |row| row.get(0))?;
        Ok(first.is_some_and(|entry| Digest::of(&entry) == Digest(added)))
    }

    /// Notes that all there is has arrived once; whether that is news.
    pub(crate) fn complete_initial_sync(&self, now_ms: u64) -> Result<bool, Error> {
        let news = !self.initial_sync_complete()?;
        self.connection
            .execute("INSERT OR IGNORE INTO initial_sync VALUES (1, ?1)", [to_sql(now_ms)])?;
        Ok(news)
    }
}

pub(super) fn sealed_shards(sql: &Connection) -> Result<Vec<SealedShard>, Error> {
    let mut statement =
        sql.prepare_cached("SELECT shard, key_id, digest, chunks FROM shard_sealed")?;
    let shards = statement.query_map([], |row| {
        let chunks: Vec<u8> = row.get(3)?;
        let name = |bytes: &[u8]| {
            let (digest, size) = bytes.split_first_chunk::<32>()?;
            let size_bytes = u32::from_le_bytes(size.try_into().ok()?);
            Some(ChunkName { digest: Digest(*digest), size_bytes })
        };
        Ok(SealedShard {
            shard: row.get(0)?,
            key_id: KeyId(row.get(1)?),
            digest: Digest(row.get(2)?),
            chunks: chunks.chunks(36).filter_map(name).collect(),
        })
    })?;
    Ok(shards.collect::<Result<_, _>>()?)
}

pub(super) fn is_ahead(sql: &Connection) -> Result<bool, Error> {
    let mut statement = sql.prepare_cached("SELECT EXISTS (SELECT 1 FROM ahead)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The contexts of all checkpoints that were partly applied.
pub(super) fn load_ahead(sql: &Connection) -> Result<Context, Error> {
    let mut statement = sql.prepare_cached("SELECT device, number, single FROM ahead")?;
    let rows = statement.query_map([], |row| {
        Ok((DeviceId(row.get(0)?), from_sql(row.get(1)?), row.get::<_, bool>(2)?))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let pairs = |wanted: bool| {
        rows.iter()
            .filter(move |(.., single)| *single == wanted)
            .map(|(device, n, _)| (*device, *n))
    };
    let single = pairs(true).map(|(device, n)| Dot { device, number: ChangeNumber(n) });
    Ok(Context::from_parts(pairs(false).collect(), single))
}

pub(super) fn store_ahead(sql: &Connection, ahead: &Context) -> Result<(), Error> {
    sql.execute("DELETE FROM ahead", [])?;
    let mut insert = sql.prepare_cached("INSERT INTO ahead VALUES (?1, ?2, ?3)")?;
    for (device, number) in ahead.version_vector().iter() {
        insert.execute(params![device.as_bytes(), to_sql(number), false])?;
    }
    for dot in ahead.cloud() {
        insert.execute(params![dot.device.as_bytes(), to_sql(dot.number.0), true])?;
    }
    Ok(())
}

/// Whether every dot of one context is in another.
pub(super) fn is_subset(one: &Context, of: &Context) -> bool {
    one.version_vector().iter().all(|(device, number)| of.version_vector().get(device) >= number)
        && one.cloud().all(|dot| of.contains(dot))
}

/// A write of this device overwrites values that a checkpoint half applied has brought before their
/// dots: they are dead on arrival, or another checkpoint could bring them back.
pub(in crate::store) fn note_dead(
    sql: &Connection,
    key: &RecordKey,
    own: Dot,
    overwritten: &[(Path, Dot)],
) -> Result<(), Error> {
    if overwritten.is_empty() || !is_ahead(sql)? {
        return Ok(());
    }
    let context = load_context(sql, own)?;
    let mut insert =
        sql.prepare_cached("INSERT OR IGNORE INTO dead_on_arrival VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (path, dot) in overwritten.iter().filter(|(_, dot)| !context.contains(*dot)) {
        insert.execute(params![
            dot.device.as_bytes(),
            to_sql(dot.number.0),
            key.collection(),
            key.id(),
            path.as_bytes()
        ])?;
    }
    Ok(())
}

/// Segments arrived in between: what was joined of a checkpoint must be joined again, or its context
/// would claim to have overwritten what they brought.
pub(in crate::store) fn begin_anew(sql: &Connection) -> Result<(), Error> {
    sql.execute("DELETE FROM checkpoint_shard", [])?;
    Ok(())
}

/// Notes an accepted segment, and the last change it brought.
pub(in crate::store) fn note_accepted(
    sql: &Connection,
    device: DeviceId,
    (number, digest): (SegmentNumber, Digest),
    last_change: Option<ChangeNumber>,
) -> Result<(), Error> {
    let mut insert = sql.prepare_cached(
        "INSERT OR REPLACE INTO accepted_segment VALUES (?1, ?2, ?3, coalesce(?4,
         (SELECT max(last_change) FROM accepted_segment WHERE device = ?1), 0))",
    )?;
    insert.execute(params![
        device.as_bytes(),
        to_sql(number.0),
        digest.as_bytes(),
        last_change.map(|number| to_sql(number.0))
    ])?;
    Ok(())
}
