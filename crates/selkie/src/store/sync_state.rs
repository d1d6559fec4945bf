//! What is remembered of each relay between runs.

use rusqlite::{Connection, OptionalExtension, params};
use selkie_core::sync::Position;
use selkie_wire::{Cursor, RelayEpoch, SegmentNumber};

use super::apply::TrackedPosition;
use super::database::Database;
use super::identity::{from_sql, segment_number, to_sql};
use crate::Error;
use crate::status::LastSync;

/// How often a relay's list is read from its beginning while something of it is missing.
const READ_ANEW_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;

/// Where sync with one relay stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RelayState {
    pub(crate) position: Position,
    pub(crate) acknowledged: SegmentNumber,
}

impl Database {
    pub(crate) fn relay_state(&self, url: &str) -> Result<RelayState, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT epoch, cursor, acknowledged FROM relay WHERE url = ?1")?;
        let state = statement
            .query_row([url], |row| {
                let position = Position {
                    epoch: row.get::<_, Option<[u8; 16]>>(0)?.map(RelayEpoch),
                    cursor: Cursor(from_sql(row.get(1)?)),
                };
                Ok(RelayState { position, acknowledged: segment_number(row.get(2)?) })
            })
            .optional()?;
        Ok(state.unwrap_or_default())
    }

    pub(crate) fn store_acknowledged(
        &self,
        url: &str,
        acknowledged: SegmentNumber,
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO relay (url, cursor, acknowledged) VALUES (?1, 0, ?2)
             ON CONFLICT (url) DO UPDATE SET acknowledged = ?2",
            params![url, to_sql(acknowledged.0)],
        )?;
        Ok(())
    }

    /// After a run: if something was missing or damaged, the relay's list is read from its beginning
    /// at the next run, and then once a day until it is whole. Only a run that read it from there can
    /// say that nothing is missing: another one has not looked.
    pub(crate) fn note_wholeness(
        &self,
        url: &str,
        whole: bool,
        from_beginning: bool,
        now_ms: u64,
    ) -> Result<(), Error> {
        if whole && from_beginning {
            self.connection
                .execute("UPDATE relay SET read_anew_at = NULL WHERE url = ?1", [url])?;
            return Ok(());
        }
        let long_ago = now_ms.saturating_sub(READ_ANEW_INTERVAL_MS);
        self.connection.execute(
            "UPDATE relay SET cursor = 0, read_anew_at = ?2
             WHERE url = ?1 AND coalesce(read_anew_at, 0) <= ?3
               AND (read_anew_at IS NOT NULL OR NOT ?4)",
            params![url, to_sql(now_ms), to_sql(long_ago), whole],
        )?;
        Ok(())
    }

    pub(crate) fn store_last_sync(
        &self,
        url: &str,
        at_ms: u64,
        outcome: &str,
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO relay (url, cursor, acknowledged, last_sync_at, last_sync_outcome)
             VALUES (?1, 0, 0, ?2, ?3) ON CONFLICT (url) DO UPDATE
             SET last_sync_at = ?2, last_sync_outcome = ?3",
            params![url, to_sql(at_ms), outcome],
        )?;
        Ok(())
    }

    /// The newest run with any relay.
    pub(crate) fn last_sync(&self) -> Result<Option<LastSync>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT url, last_sync_at, last_sync_outcome FROM relay
             WHERE last_sync_at IS NOT NULL ORDER BY last_sync_at DESC LIMIT 1",
        )?;
        let last = statement.query_row([], |row| {
            Ok(LastSync { url: row.get(0)?, at_ms: from_sql(row.get(1)?), outcome: row.get(2)? })
        });
        Ok(last.optional()?)
    }
}

pub(super) fn store_position(sql: &Connection, at: &TrackedPosition<'_>) -> Result<(), Error> {
    let mut statement = sql.prepare_cached(
        "INSERT INTO relay (url, epoch, cursor, acknowledged) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (url) DO UPDATE SET epoch = ?2, cursor = ?3",
    )?;
    let epoch = at.position.epoch.map(|epoch| epoch.0);
    statement.execute(params![at.url, epoch, to_sql(at.position.cursor.0)])?;
    Ok(())
}
