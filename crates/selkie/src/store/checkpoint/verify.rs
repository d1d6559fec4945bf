//! Whether another device's checkpoint is what is here: joined to the store it must change nothing.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use selkie_core::change::{ChangeNumber, Dot, Registers};
use selkie_core::merge::{Context, Replica};
use selkie_core::record::Path;
use selkie_wire::{DeviceId, Digest, SegmentNumber};

use super::super::context::load_context;
use super::super::database::Database;
use super::super::identity::{from_sql, to_sql};
use super::super::incarnation::own_chain;
use super::super::rows::{Rows, StoredRecord};
use super::state::{is_ahead, is_subset};
use super::{Incoming, OpenedShard, ShardIndex, load_all_dead, names_of, registers_of};
use crate::Error;

impl Database {
    /// Whether this device has all that a checkpoint says it holds, so that it can judge it; and
    /// whether the segments it covers are ones whose changes it holds.
    pub(crate) fn can_judge(&mut self, own: DeviceId, incoming: &Incoming) -> Result<bool, Error> {
        let Self { connection, cache, .. } = self;
        if is_ahead(connection)? {
            return Ok(false);
        }
        let (next_own, _) = Rows::new(connection, cache)?.next_change(own)?;
        let mine = load_context(connection, next_own)?;
        Ok(is_subset(&incoming.context(), &mine))
    }

    /// Whether a checkpoint claims changes of this device that it has never made.
    pub(crate) fn makes_up_own(
        &mut self,
        own: DeviceId,
        incoming: &Incoming,
    ) -> Result<bool, Error> {
        let Self { connection, cache, .. } = self;
        let (next_own, _) = Rows::new(connection, cache)?.next_change(own)?;
        let context = incoming.context();
        let made_up = |dot: Dot| dot.device == next_own.device && dot.number >= next_own.number;
        Ok(context.contiguous(next_own.device) >= next_own.number || context.cloud().any(made_up))
    }

    /// Whether every segment that a checkpoint covers is one that was accepted here, and brought
    /// nothing that the checkpoint does not hold: else its pruning would lose changes. `None` if this
    /// device cannot say, because it took a segment over with a later checkpoint.
    pub(crate) fn covers_what_it_holds(
        &self,
        own: DeviceId,
        incoming: &Incoming,
    ) -> Result<Option<bool>, Error> {
        let context = incoming.context();
        let own = own_chain(&self.connection, own)?;
        for (device, (number, digest)) in &incoming.manifest.body().covers {
            let accepted = if *device == own {
                own_segment(&self.connection, *number)?
            } else {
                accepted_segment(&self.connection, *device, *number)?
            };
            let Some((known, last)) = accepted else { return Ok(None) };
            if known != *digest || last > context.contiguous(*device) {
                return Ok(Some(false));
            }
        }
        Ok(Some(true))
    }

    /// Whether these shards, joined to the store, would change nothing: nothing added, nothing
    /// removed, no value other than it is here, and nothing that a change it holds has overwritten.
    pub(crate) fn is_what_is_here(
        &mut self,
        own: DeviceId,
        incoming: &Incoming,
        index: &ShardIndex,
        shards: &[OpenedShard],
    ) -> Result<bool, Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction()?;
        let mut rows = Rows::new(&sql, cache)?;
        let (next_own, _) = rows.next_change(own)?;
        let context = load_context(&sql, next_own)?;
        let theirs_context = incoming.context();
        let mut theirs = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for shard in shards {
            keys.extend(names_of(&sql, index.of(shard.shard))?);
            for record in &shard.records {
                let Ok((key, registers)) = registers_of(record, &theirs_context) else {
                    return Ok(false);
                };
                theirs.insert(key, registers);
            }
        }
        keys.extend(theirs.keys().cloned());
        let mut mine = BTreeMap::new();
        for key in keys {
            let stored = rows.load(&key)?;
            if let Some(theirs) = theirs.get(&key)
                && !tells_the_same(&sql, stored.as_ref(), theirs, &theirs_context)?
            {
                return Ok(false);
            }
            if let Some(stored) = stored {
                mine.insert(key, stored.registers);
            }
        }
        let mut replica = Replica::from_parts(mine.clone(), context, load_all_dead(&sql)?);
        replica.join(Replica::from_parts(theirs, theirs_context, incoming.dead()));
        Ok(*replica.records() == mine)
    }
}

/// A join keeps the store's own value where both name the same change, and passes over what the store
/// has overwritten: so these two are asked apart.
fn tells_the_same(
    sql: &Connection,
    stored: Option<&StoredRecord>,
    theirs: &Registers,
    context: &Context,
) -> Result<bool, Error> {
    for (path, siblings) in theirs.iter() {
        for sibling in siblings {
            let mine = stored.map_or(&[][..], |stored| stored.registers.at(path));
            match mine.iter().find(|mine| mine.dot == sibling.dot) {
                Some(mine) if mine.entry != sibling.entry => return Ok(false),
                Some(_) => {}
                None => {
                    let by = overwritten_by(sql, stored, path, sibling.dot)?;
                    if by.is_some_and(|by| context.contains(by)) {
                        return Ok(false);
                    }
                }
            }
        }
    }
    Ok(true)
}

/// The change that overwrote a value, as far as history goes back.
fn overwritten_by(
    sql: &Connection,
    stored: Option<&StoredRecord>,
    path: &Path,
    dot: Dot,
) -> Result<Option<Dot>, Error> {
    let Some(stored) = stored else { return Ok(None) };
    let mut statement = sql.prepare_cached(
        "SELECT by_device, by_number FROM past
         WHERE record = ?1 AND path = ?2 AND device = ?3 AND number = ?4",
    )?;
    let place = params![stored.num(), path.as_bytes(), dot.device.as_bytes(), to_sql(dot.number.0)];
    let by = statement.query_row(place, |row| {
        let number = ChangeNumber(from_sql(row.get(1)?));
        Ok(Dot { device: DeviceId(row.get(0)?), number })
    });
    Ok(by.optional()?)
}

fn accepted_segment(
    sql: &Connection,
    device: DeviceId,
    number: SegmentNumber,
) -> Result<Option<(Digest, ChangeNumber)>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT digest, last_change FROM accepted_segment WHERE device = ?1 AND number = ?2",
    )?;
    let found = statement.query_row(params![device.as_bytes(), to_sql(number.0)], |row| {
        Ok((Digest(row.get(0)?), ChangeNumber(from_sql(row.get(1)?))))
    });
    Ok(found.optional()?)
}

fn own_segment(
    sql: &Connection,
    number: SegmentNumber,
) -> Result<Option<(Digest, ChangeNumber)>, Error> {
    let mut statement = sql.prepare_cached(
        // Counted from the end: the first segments of a chain may hold changes of an earlier one.
        "SELECT digest, (SELECT max(0, changes_sealed - coalesce((SELECT sum(changes)
             FROM segment WHERE number > ?1), 0)) FROM local)
         FROM segment WHERE number = ?1",
    )?;
    let found = statement.query_row([to_sql(number.0)], |row| {
        Ok((Digest(row.get(0)?), ChangeNumber(from_sql(row.get(1)?))))
    });
    Ok(found.optional()?)
}
