//! Records that a policy lets expire: deleted by an ordinary change, so that an edit made elsewhere
//! meanwhile still counts.

use rusqlite::params;
use selkie_wire::DeviceId;

use super::database::Database;
use super::identity::to_sql;
use super::rows::Rows;
use crate::Error;
use crate::watch::Event;

/// Records deleted in one change.
const RECORDS_MAX: i64 = 500;
/// Changes of one run.
const CHANGES_MAX: usize = 200;
/// Whoever wrote a record last deletes it; others only if that device has not come round to it.
const OTHERS_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

impl Database {
    /// Deletes what has expired; how many records.
    pub(crate) fn expire(
        &mut self,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<(u64, Vec<Event>), Error> {
        let (mut deleted, mut events) = (0, Vec::new());
        for (num, name, after_ms) in self.expiring()? {
            for _ in 0..CHANGES_MAX {
                let ids = self.expired(num, device, now_ms.saturating_sub(after_ms))?;
                if ids.is_empty() {
                    break;
                }
                let (count, told) = self.write(device, now_ms, |transaction| {
                    let records = transaction.system_collection(&name);
                    ids.iter().try_fold(0, |sum, id| Ok(sum + u64::from(records.delete(id)?)))
                })?;
                events.extend(told);
                deleted += count;
                if count == 0 {
                    break;
                }
            }
        }
        Ok((deleted, events))
    }

    /// The collections whose records expire, and after how long.
    fn expiring(&mut self) -> Result<Vec<(i64, String, u64)>, Error> {
        let Self { connection, cache, .. } = self;
        let collections: Vec<(i64, String)> = {
            let mut statement = connection.prepare_cached(
                "SELECT num, name FROM collection WHERE substr(name, 1, 1) <> '_'",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut rows = Rows::new(connection, cache)?;
        let mut expiring = Vec::new();
        for (num, name) in collections {
            if let Some(after_ms) = rows.policy(&name)?.expire_after_ms {
                expiring.push((num, name, after_ms));
            }
        }
        Ok(expiring)
    }

    /// Ids of what was last written before a time. What waits for a person's decision does not expire
    /// under their hands.
    fn expired(
        &self,
        collection: i64,
        device: DeviceId,
        before_ms: u64,
    ) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM record WHERE collection = ?1 AND body IS NOT NULL AND updated_at < CASE
                 WHEN updated_by IS (SELECT num FROM writer WHERE device = ?2) THEN ?3 ELSE ?4 END
             AND NOT EXISTS (SELECT 1 FROM conflict WHERE record = num) ORDER BY id LIMIT ?5",
        )?;
        let (own, others) = (before_ms, before_ms.saturating_sub(OTHERS_WAIT_MS));
        let place =
            params![collection, device.as_bytes(), to_sql(own), to_sql(others), RECORDS_MAX];
        let ids = statement.query_map(place, |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }
}
