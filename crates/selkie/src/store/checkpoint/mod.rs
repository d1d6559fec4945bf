//! Checkpoints in the store: the state as shards of records.
//!
//! In: shards of another device's checkpoint, already opened. Out: the store's own shards, sealed; the
//! store joined with a checkpoint, page by page; a verdict whether a checkpoint is what is here. What
//! never happens here: a network, or a context that says more than the records hold: while a checkpoint
//! is partly applied, only the records of its dots are here, and the dots themselves come last.

mod apply;
mod build;
mod state;
mod verify;

use std::collections::BTreeMap;

use rusqlite::Connection;
use selkie_core::change::{ChangeNumber, Dot, Registers};
use selkie_core::merge::{Context, DeadOnArrival, unpack};
use selkie_core::record::{Document, Path, RecordKey};
use selkie_core::seal::checkpoint::{ManifestSecrets, ShardKey, ShardRecord};
use selkie_wire::checkpoint::{ChunkName, Manifest};
use selkie_wire::limits::CHECKPOINT_SHARDS;
use selkie_wire::{DeviceId, Digest, Incarnation, IncarnationToken, Incarnations, Roster};

pub(crate) use build::Built;
pub(crate) use state::SealedShard;
pub(super) use state::{begin_anew, note_accepted, note_dead};

use super::identity::{damaged, from_sql};
use crate::Error;

/// A checkpoint whose manifest was opened and believed.
pub(crate) struct Incoming {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) secrets: ManifestSecrets,
    pub(crate) shard_key: ShardKey,
}

impl Incoming {
    /// What it holds.
    pub(crate) fn context(&self) -> Context {
        let contiguous = self.secrets.contiguous.clone();
        Context::from_parts(contiguous, self.secrets.beyond_gaps.iter().copied())
    }

    /// The further chains of devices that it tells of.
    fn incarnations(&self, roster: &Roster) -> Incarnations {
        let mut known = Incarnations::default();
        for (member, token) in &self.secrets.incarnations {
            let token = IncarnationToken(*token);
            known.insert(roster, Incarnation { member: *member, token });
        }
        known
    }

    fn dead(&self) -> DeadOnArrival {
        let mut dead = DeadOnArrival::default();
        for (dot, key, path) in &self.secrets.dead {
            dead.insert(*dot, key.clone(), path.clone());
        }
        dead
    }

    /// The chunks of each shard; none for a shard without records.
    pub(crate) fn chunks_by_shard(&self) -> BTreeMap<u8, Vec<ChunkName>> {
        let mut names = self.manifest.body().chunks.iter().copied();
        let shards = self.secrets.shards.iter();
        shards
            .map(|(shard, parts)| (*shard, names.by_ref().take((*parts).into()).collect()))
            .collect()
    }
}

/// A shard of a checkpoint, opened.
pub(crate) struct OpenedShard {
    pub(crate) shard: u8,
    pub(crate) records: Vec<ShardRecord>,
}

/// A checkpoint whose content contradicts its context, or no app writes.
pub(crate) fn malformed() -> Error {
    Error::new(
        crate::ErrorKind::Relay,
        "a checkpoint holds what no app writes; nothing of it was taken over",
    )
}

/// The registers of a shard's record, all of whose dots are in the checkpoint's context.
fn registers_of(record: &ShardRecord, context: &Context) -> Result<(RecordKey, Registers), Error> {
    let key = RecordKey::new(record.collection.as_str(), record.id.as_str())?;
    let document = match &record.document {
        Some(text) => Some(Document::from_stored_json(text).map_err(|_| malformed())?),
        None => None,
    };
    let registers = unpack(&record.state, document.as_ref()).map_err(|_| malformed())?;
    let inside = |sibling: &selkie_core::change::Sibling| context.contains(sibling.dot);
    if registers.is_empty() || !registers.iter().all(|(_, siblings)| siblings.iter().all(inside)) {
        return Err(malformed());
    }
    Ok((key, registers))
}

/// The row numbers of the store's records that may leave it, by shard, each in order of collection and id.
#[derive(Default)]
pub(crate) struct ShardIndex(BTreeMap<u8, Vec<i64>>);

impl ShardIndex {
    fn read(sql: &Connection, key: &ShardKey) -> Result<Self, Error> {
        let mut statement = sql.prepare_cached(
            "SELECT r.num, c.name, r.id FROM record r JOIN collection c ON c.num = r.collection
             WHERE c.local_only = 0 ORDER BY c.name, r.id",
        )?;
        let mut index = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let collection = row.get_ref(1)?.as_str().map_err(|_| damaged())?;
            let id = row.get_ref(2)?.as_str().map_err(|_| damaged())?;
            index.0.entry(key.of(collection, id)).or_default().push(row.get(0)?);
        }
        Ok(index)
    }

    fn of(&self, shard: u8) -> &[i64] {
        self.0.get(&shard).map_or(&[], Vec::as_slice)
    }
}

/// The names of records that are still there.
fn names_of(sql: &Connection, nums: &[i64]) -> Result<Vec<RecordKey>, Error> {
    use rusqlite::OptionalExtension as _;
    let mut statement = sql.prepare_cached(
        "SELECT c.name, r.id FROM record r JOIN collection c ON c.num = r.collection
         WHERE r.num = ?1",
    )?;
    let mut keys = Vec::with_capacity(nums.len());
    for num in nums {
        let name: Option<(String, String)> =
            statement.query_row([num], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((collection, id)) = name {
            keys.push(RecordKey::new(collection, id).map_err(|_| damaged())?);
        }
    }
    Ok(keys)
}

/// Everything dead on arrival.
fn load_all_dead(sql: &Connection) -> Result<DeadOnArrival, Error> {
    let mut dead = DeadOnArrival::default();
    let mut statement =
        sql.prepare_cached("SELECT device, number, collection, id, path FROM dead_on_arrival")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number = ChangeNumber(from_sql(row.get(1)?));
        let dot = Dot { device: DeviceId(row.get(0)?), number };
        let (collection, id): (String, String) = (row.get(2)?, row.get(3)?);
        let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
        let path = Path::from_bytes(&row.get::<_, Vec<u8>>(4)?).ok_or_else(damaged)?;
        dead.insert(dot, key, path);
    }
    Ok(dead)
}

/// All shards there are.
fn all_shards() -> impl Iterator<Item = u8> {
    (0..CHECKPOINT_SHARDS).filter_map(|shard| u8::try_from(shard).ok())
}
