//! Own changes that no relay or folder is known to have, for an app that shows them.

use rusqlite::params;
use selkie_core::change::{Change, ChangeNumber, Dot, EntryValue, RecordChange};
use selkie_wire::{DeviceId, Envelope};

use super::database::Database;
use super::identity::{Identity, damaged, from_sql};
use super::outbox::open_own;
use crate::Error;
use crate::status::UnsentChange;
use crate::watch::EventKind;

impl Database {
    /// The oldest changes that were not sent, at most `limit` of them: sealed ones, then those in the log.
    pub(crate) fn unsent_changes(
        &self,
        identity: &Identity,
        limit: usize,
    ) -> Result<Vec<UnsentChange>, Error> {
        let mut unsent = Vec::new();
        let mut segments = self.connection.prepare_cached(
            "SELECT bytes FROM segment
             WHERE number > (SELECT coalesce(max(acknowledged), 0) FROM relay) ORDER BY number",
        )?;
        let mut rows = segments.query([])?;
        while let Some(row) = rows.next()? {
            if unsent.len() >= limit {
                break;
            }
            for (number, bytes) in self.open_own(row.get(0)?, identity)? {
                list(identity.device_id(), number, &bytes, &mut unsent)?;
            }
        }
        let mut log = self.connection.prepare_cached(
            "SELECT number, bytes FROM (
                 SELECT 0 AS part, num AS place, number, bytes FROM resend
                 UNION ALL SELECT 1, number, number, bytes FROM log
             ) ORDER BY part, place LIMIT ?1",
        )?;
        let left = limit.saturating_sub(unsent.len());
        let mut rows = log.query(params![i64::try_from(left).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(1)?;
            list(identity.device_id(), from_sql(row.get(0)?), &bytes, &mut unsent)?;
        }
        unsent.truncate(limit);
        Ok(unsent)
    }

    /// The changes of an own segment, by number.
    fn open_own(&self, bytes: Vec<u8>, identity: &Identity) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let envelope = Envelope::parse(bytes).map_err(|_| damaged())?;
        let body = open_own(&self.connection, identity, &envelope)?.unwrap_or_default();
        Ok((body.first_change..).zip(body.changes).collect())
    }
}

/// One entry for each record that a change writes.
fn list(
    device: DeviceId,
    number: u64,
    bytes: &[u8],
    unsent: &mut Vec<UnsentChange>,
) -> Result<(), Error> {
    let change = Change::from_bytes(Dot { device, number: ChangeNumber(number) }, bytes)?;
    let entry = |record: &RecordChange| UnsentChange {
        collection: record.key.collection().to_owned(),
        id: record.key.id().to_owned(),
        kind: if deletes(record) { EventKind::Deleted } else { EventKind::Put },
        at_ms: change.stamp.unix_ms(),
        change: number,
    };
    unsent.extend(change.records.iter().map(entry));
    Ok(())
}

fn deletes(record: &RecordChange) -> bool {
    record.operations.iter().any(|operation| {
        operation.written.as_ref().is_some_and(|written| written.value == EntryValue::Dead)
    })
}
