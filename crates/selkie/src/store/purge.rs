//! No tombstone is kept for ever: what was deleted long ago is cleared away by an ordinary change, so
//! that every device comes to the same, even one that wakes up later with an edit.

use rusqlite::params;
use selkie_core::change::{Operation, Registers};
use selkie_core::record::RecordKey;
use selkie_wire::DeviceId;

use super::database::Database;
use super::identity::{damaged, from_sql, to_sql};
use crate::Error;

/// How long a deleted record's values are kept, hidden: three times the thirty days a device may be
/// away.
pub(super) const DELETED_KEPT_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// Records cleared away in one change.
const PURGE_RECORDS_MAX: i64 = 500;

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
    /// arrived is not named by the change, and so survives it.
    fn purge_deleted(&mut self, device: DeviceId, now_ms: u64) -> Result<(), Error> {
        let before = now_ms.saturating_sub(DELETED_KEPT_MS);
        let keys: Vec<(String, String)> = {
            let mut statement = self.connection.prepare_cached(
                "SELECT c.name, r.id FROM record r JOIN collection c ON c.num = r.collection
                 WHERE r.body IS NULL AND r.contested = 0 AND r.updated_at < ?1 LIMIT ?2",
            )?;
            let keys = statement.query_map(params![to_sql(before), PURGE_RECORDS_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            keys.collect::<Result<_, _>>()?
        };
        if keys.is_empty() {
            return Ok(());
        }
        // Nobody saw these records any more, so there is nothing to tell.
        let ((), _) = self.write(device, now_ms, |transaction| {
            for (collection, id) in keys {
                let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
                transaction.resolve(&key, |stored, _| Ok(clear(&stored.registers)))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Overwrites everything that is there by nothing.
fn clear(registers: &Registers) -> Vec<Operation> {
    registers
        .iter()
        .map(|(path, siblings)| Operation {
            path: path.clone(),
            overwrites: siblings.iter().map(|sibling| sibling.dot).collect(),
            written: None,
        })
        .collect()
}
