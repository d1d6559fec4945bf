//! The causal context in its tables: what has been applied, and what is dead on arrival.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use selkie_core::change::{Change, ChangeNumber, Dot};
use selkie_core::merge::{Context, DeadOnArrival};
use selkie_core::record::{Path, RecordKey};
use selkie_wire::{DeviceId, VersionVector};

use super::identity::{damaged, from_sql, to_sql};
use crate::Error;

/// What has been applied: the other devices' changes as stored, and all of this device's own, which
/// end before `next_own`. Without these, what others overwrite of them would be waited for, for ever.
pub(super) fn load_context(sql: &Connection, next_own: Dot) -> Result<Context, Error> {
    let dots = |query: &str| -> Result<Vec<(DeviceId, u64)>, Error> {
        let mut statement = sql.prepare_cached(query)?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)))?;
        rows.map(|row| row.map(|(device, number)| (DeviceId(device), from_sql(number))))
            .collect::<Result<_, _>>()
            .map_err(Error::from)
    };
    let mut contiguous: VersionVector =
        dots("SELECT device, number FROM seen")?.into_iter().collect();
    contiguous.advance(next_own.device, next_own.number.0.saturating_sub(1));
    let cloud = dots("SELECT device, number FROM seen_beyond_gap")?;
    let cloud =
        cloud.into_iter().map(|(device, number)| Dot { device, number: ChangeNumber(number) });
    Ok(Context::from_parts(contiguous, cloud))
}

pub(super) fn store_context(
    sql: &Connection,
    before: &Context,
    after: &Context,
) -> Result<(), Error> {
    let mut seen = sql.prepare_cached("INSERT OR REPLACE INTO seen VALUES (?1, ?2)")?;
    for (device, number) in after.version_vector().iter() {
        if before.version_vector().get(device) != number {
            seen.execute(params![device.as_bytes(), to_sql(number)])?;
        }
    }
    let (old, new): (BTreeSet<Dot>, BTreeSet<Dot>) =
        (before.cloud().collect(), after.cloud().collect());
    let mut remove =
        sql.prepare_cached("DELETE FROM seen_beyond_gap WHERE device = ?1 AND number = ?2")?;
    for dot in old.difference(&new) {
        remove.execute(params![dot.device.as_bytes(), to_sql(dot.number.0)])?;
    }
    let mut insert = sql.prepare_cached("INSERT INTO seen_beyond_gap VALUES (?1, ?2)")?;
    for dot in new.difference(&old) {
        insert.execute(params![dot.device.as_bytes(), to_sql(dot.number.0)])?;
    }
    Ok(())
}

/// The values dead on arrival that these changes would bring.
pub(super) fn load_dead(sql: &Connection, changes: &[Change]) -> Result<DeadOnArrival, Error> {
    let mut dead = DeadOnArrival::default();
    let any: bool =
        sql.query_row("SELECT EXISTS (SELECT 1 FROM dead_on_arrival)", [], |row| row.get(0))?;
    if !any {
        return Ok(dead);
    }
    let mut statement = sql.prepare_cached(
        "SELECT collection, id, path FROM dead_on_arrival WHERE device = ?1 AND number = ?2",
    )?;
    for Change { dot, .. } in changes {
        let mut rows = statement.query(params![dot.device.as_bytes(), to_sql(dot.number.0)])?;
        while let Some(row) = rows.next()? {
            let (collection, id): (String, String) = (row.get(0)?, row.get(1)?);
            let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
            let path = Path::from_bytes(&row.get::<_, Vec<u8>>(2)?).ok_or_else(damaged)?;
            dead.insert(*dot, key, path);
        }
    }
    Ok(dead)
}

pub(super) fn store_dead(
    sql: &Connection,
    before: &DeadOnArrival,
    after: &DeadOnArrival,
) -> Result<(), Error> {
    let gone: BTreeSet<Dot> = before.iter().map(|(dot, ..)| dot).collect();
    let mut remove =
        sql.prepare_cached("DELETE FROM dead_on_arrival WHERE device = ?1 AND number = ?2")?;
    for dot in gone {
        remove.execute(params![dot.device.as_bytes(), to_sql(dot.number.0)])?;
    }
    let mut insert =
        sql.prepare_cached("INSERT OR IGNORE INTO dead_on_arrival VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (dot, key, path) in after.iter() {
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
