//! No tombstone is kept for ever: what was deleted long ago is cleared away by an ordinary change, so
//! that every device comes to the same, even one that wakes up later with an edit.

use rusqlite::params;
use selkie_core::change::{Operation, Registers, Sibling};
use selkie_core::record::{Path, RecordKey};
use selkie_wire::DeviceId;

use super::database::Database;
use super::identity::{damaged, from_sql, to_sql};
use crate::Error;

/// How long a deleted record's values are kept, hidden: three times the thirty days a device may be
/// away.
pub(super) const DELETED_KEPT_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// Records cleared away in one change.
const PURGE_RECORDS_MAX: i64 = 500;
/// Bytes of paths and dots that go into one change, far below what a change may have.
const PURGE_CHANGE_BYTES: usize = 512 * 1024;
/// Changes that clear away, in one day.
const PURGE_CHANGES_MAX: usize = 200;

/// How often a store is looked through for what has become old.
const TEND_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;

impl Database {
    /// Once a day: clears away what was deleted long ago, and forgets old history.
    pub(crate) fn tend(&mut self, device: DeviceId, now_ms: u64) -> Result<(), Error> {
        let last: i64 =
            self.connection.query_row("SELECT tended_at FROM local", [], |row| row.get(0))?;
        // A clock that was set back must not put it off for ever.
        if now_ms.abs_diff(from_sql(last)) < TEND_INTERVAL_MS {
            return Ok(());
        }
        self.purge_deleted(device, now_ms)?;
        self.forget_history(now_ms)?;
        self.connection.execute("UPDATE local SET tended_at = ?1", [to_sql(now_ms)])?;
        Ok(())
    }

    /// Clears away records that were deleted long ago. What others wrote meanwhile and has not
    /// arrived is not named by the changes, and so survives them.
    fn purge_deleted(&mut self, device: DeviceId, now_ms: u64) -> Result<(), Error> {
        for _ in 0..PURGE_CHANGES_MAX {
            if !self.purge_some(device, now_ms)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Clears away as much as goes into one change well; whether there may be more.
    fn purge_some(&mut self, device: DeviceId, now_ms: u64) -> Result<bool, Error> {
        let before = now_ms.saturating_sub(DELETED_KEPT_MS);
        let keys: Vec<(String, String)> = {
            let mut statement = self.connection.prepare_cached(
                "SELECT c.name, r.id FROM record r JOIN collection c ON c.num = r.collection
                 WHERE r.body IS NULL AND r.updated_at < ?1 LIMIT ?2",
            )?;
            let keys = statement.query_map(params![to_sql(before), PURGE_RECORDS_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            keys.collect::<Result<_, _>>()?
        };
        if keys.is_empty() {
            return Ok(false);
        }
        // Nobody saw these records any more, so there is nothing to tell.
        let (cleared, _) = self.write(device, now_ms, |transaction| {
            let mut room_bytes = PURGE_CHANGE_BYTES;
            let mut cleared = false;
            for (collection, id) in keys {
                if room_bytes == 0 {
                    break;
                }
                let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
                transaction.resolve(&key, |stored, shown| {
                    // What waits for a person's decision is not cleared away under their hands.
                    if !shown.conflicts.is_empty() {
                        return Ok(Vec::new());
                    }
                    cleared = true;
                    Ok(clear(&stored.registers, &mut room_bytes))
                })?;
            }
            Ok(cleared)
        })?;
        Ok(cleared)
    }
}

/// Overwrites what is there by nothing, as far as there is room; that it was deleted goes last.
/// A record is only cut in two if it does not fit a change by itself.
fn clear(registers: &Registers, room_bytes: &mut usize) -> Vec<Operation> {
    let mut operations = Vec::new();
    let size = |path: &Path, siblings: &[Sibling]| path.as_bytes().len() + 64 * siblings.len();
    let whole: usize = registers.iter().map(|(path, siblings)| size(path, siblings)).sum();
    if whole > *room_bytes && *room_bytes < PURGE_CHANGE_BYTES {
        *room_bytes = 0;
        return operations;
    }
    let root_last = registers.iter().filter(|(path, _)| !path.is_root());
    for (path, siblings) in root_last.chain(registers.iter().filter(|(path, _)| path.is_root())) {
        let size_bytes = size(path, siblings);
        if *room_bytes < size_bytes {
            *room_bytes = 0;
            break;
        }
        *room_bytes -= size_bytes;
        operations.push(Operation {
            path: path.clone(),
            overwrites: siblings.iter().map(|sibling| sibling.dot).collect(),
            written: None,
        });
    }
    operations.sort_by(|one, other| one.path.cmp(&other.path));
    operations
}
