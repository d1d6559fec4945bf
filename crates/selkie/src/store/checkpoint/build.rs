//! Making a checkpoint: the store in one moment, as shards; those that did not change are not sealed
//! again.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};
use selkie_core::merge::Context;
use selkie_core::seal::SealError;
use selkie_core::seal::checkpoint::{
    CheckpointSeal, ChunkBody, ManifestSecrets, ShardRecord, seal_chunk, seal_manifest, shard_of,
    write_shard,
};
use selkie_wire::checkpoint::{ChunkName, Manifest};
use selkie_wire::{Covers, Digest, SegmentNumber};

use super::super::context::load_context;
use super::super::database::Database;
use super::super::identity::{Identity, damaged, from_sql};
use super::super::rows::Rows;
use super::state::{is_ahead, sealed_shards};
use super::{SealedShard, ShardIndex, all_shards, load_all_dead};
use crate::Error;
use crate::system::SystemRandom;

/// A checkpoint, ready to be sent.
pub(crate) struct Built {
    pub(crate) manifest: Manifest,
    /// The chunks that were sealed now.
    pub(crate) fresh: Vec<Vec<u8>>,
    pub(crate) shards: Vec<SealedShard>,
    /// The last own segment it covers.
    pub(crate) own_covered: SegmentNumber,
    pub(crate) records: u64,
}

impl Database {
    /// Makes a checkpoint of what is here; none if that is not a state others could take over now:
    /// changes wait to be sealed, segments wait for others, or another checkpoint is half applied.
    pub(crate) fn build_checkpoint(&mut self, identity: &Identity) -> Result<Option<Built>, Error> {
        let heads = self.heads()?;
        let Self { connection, cache, .. } = self;
        // One snapshot: context, heads and records must be of the same moment.
        let sql = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let waiting: bool = sql.query_row(
            "SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM resend)
             OR EXISTS (SELECT 1 FROM held WHERE reason IN ('gap', 'roster'))",
            [],
            |row| row.get(0),
        )?;
        if waiting || is_ahead(&sql)? {
            return Ok(None);
        }
        let rows = Rows::new(&sql, cache)?;
        let (next_own, clock) = rows.next_change(identity.device_id())?;
        let context = load_context(&sql, next_own)?;
        let mut covers: Covers = heads;
        let own_head = super::super::outbox::own_head(&sql)?;
        if let Some(digest) = own_head.digest {
            covers.insert(next_own.device, (own_head.number, digest));
        }
        let seal = CheckpointSeal {
            vault: identity.roster.vault(),
            device: &identity.device,
            roster: identity.roster.last(),
            epoch_key: identity.current_epoch_key()?,
        };
        let (shards, fresh, records) = seal_shards(&sql, &seal)?;
        let secrets = secrets(&sql, &context, clock.last(), &shards)?;
        let names = shards.iter().flat_map(|shard| shard.chunks.iter().copied()).collect();
        let manifest = seal_manifest(&seal, covers, names, &secrets, &mut SystemRandom)?;
        Ok(Some(Built { manifest, fresh, shards, own_covered: own_head.number, records }))
    }
}

fn secrets(
    sql: &Connection,
    context: &Context,
    stamp: selkie_core::clock::Stamp,
    shards: &[SealedShard],
) -> Result<ManifestSecrets, Error> {
    let dead = load_all_dead(sql)?;
    let parts = |shard: &SealedShard| {
        let parts = u16::try_from(shard.chunks.len()).map_err(|_| damaged())?;
        Ok((shard.shard, parts))
    };
    Ok(ManifestSecrets {
        stamp,
        contiguous: context.version_vector().clone(),
        beyond_gaps: context.cloud().collect(),
        dead: dead.iter().map(|(dot, key, path)| (dot, key.clone(), path.clone())).collect(),
        incarnations: super::super::incarnation::tokens(sql)?,
        shards: shards.iter().map(parts).collect::<Result<_, Error>>()?,
    })
}

/// Every shard that has records, in order; the chunks that had to be sealed; how many records there are.
type Sealed = (Vec<SealedShard>, Vec<Vec<u8>>, u64);

fn seal_shards(sql: &Connection, seal: &CheckpointSeal<'_>) -> Result<Sealed, Error> {
    let index = ShardIndex::read(sql, &shard_of(seal.epoch_key, seal.vault))?;
    let known: BTreeMap<u8, SealedShard> =
        sealed_shards(sql)?.into_iter().map(|shard| (shard.shard, shard)).collect();
    let key_id = seal.epoch_key.derive_key_id(seal.vault);
    let (mut shards, mut fresh, mut count) = (Vec::new(), Vec::new(), 0);
    for shard in all_shards() {
        let records = read_records(sql, index.of(shard))?;
        if records.is_empty() {
            continue;
        }
        count += records.len() as u64;
        let bytes = write_shard(&records);
        let digest = Digest::of(&bytes);
        let same = |known: &&SealedShard| (known.key_id, known.digest) == (key_id, digest);
        if let Some(known) = known.get(&shard).filter(same) {
            shards.push(known.clone());
            continue;
        }
        let chunks = seal_parts(seal, shard, &bytes, &mut fresh)?;
        shards.push(SealedShard { shard, key_id, digest, chunks });
    }
    Ok((shards, fresh, count))
}

fn seal_parts(
    seal: &CheckpointSeal<'_>,
    shard: u8,
    bytes: &[u8],
    fresh: &mut Vec<Vec<u8>>,
) -> Result<Vec<ChunkName>, Error> {
    let parts = ChunkBody::cut(shard, bytes).ok_or(SealError::TooLarge)?;
    let mut names = Vec::with_capacity(parts.len());
    for part in &parts {
        let envelope = seal_chunk(seal, part, &mut SystemRandom)?;
        let size_bytes = u32::try_from(envelope.bytes().len()).map_err(|_| damaged())?;
        names.push(ChunkName { digest: envelope.digest(), size_bytes });
        fresh.push(envelope.into_bytes());
    }
    Ok(names)
}

fn read_records(sql: &Connection, nums: &[i64]) -> Result<Vec<ShardRecord>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT c.name, r.id, r.body, r.state, r.created_at, r.updated_at
         FROM record r JOIN collection c ON c.num = r.collection WHERE r.num = ?1",
    )?;
    let read = |num: &i64| {
        statement.query_row([num], |row| {
            Ok(ShardRecord {
                collection: row.get(0)?,
                id: row.get(1)?,
                document: row.get(2)?,
                state: row.get(3)?,
                created_at_ms: from_sql(row.get(4)?),
                updated_at_ms: from_sql(row.get(5)?),
            })
        })
    };
    Ok(nums.iter().map(read).collect::<Result<_, _>>()?)
}
