//! Own changes on their way out: sealed into segments, and kept until others have them.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use selkie_core::seal::{Heads, SealContext, SegmentBody, seal_segment};
use selkie_wire::limits::{PAGE_SEGMENTS_MAX, PUSH_BYTES_MAX, SEGMENT_BODY_BYTES_TARGET};
use selkie_wire::relay::Head;
use selkie_wire::{Digest, SegmentNumber};

use super::database::Database;
use super::identity::{Identity, damaged, from_sql, segment_number, to_sql};
use crate::Error;
use crate::system::SystemRandom;

/// Own segments to push, in order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) numbers: Vec<SegmentNumber>,
    pub(crate) envelopes: Vec<Vec<u8>>,
}

impl Database {
    /// How many changes wait to be sealed.
    pub(crate) fn unsealed_count(&self) -> Result<u64, Error> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM log", [], |row| row.get(0))?;
        Ok(from_sql(count))
    }

    /// How many changes no relay is known to have.
    pub(crate) fn unsent_count(&self) -> Result<u64, Error> {
        let sealed: i64 = self.connection.query_row(
            "SELECT coalesce(sum(changes), 0) FROM segment
             WHERE number > (SELECT coalesce(max(acknowledged), 0) FROM relay)",
            [],
            |row| row.get(0),
        )?;
        Ok(self.unsealed_count()?.saturating_add(from_sql(sealed)))
    }

    /// How many changes are in an own segment.
    pub(crate) fn changes_in(&self, number: SegmentNumber) -> Result<u64, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT changes FROM segment WHERE number = ?1")?;
        let changes = statement.query_row([to_sql(number.0)], |row| row.get(0)).optional()?;
        Ok(changes.map_or(0, from_sql))
    }

    /// This device's last sealed segment.
    pub(crate) fn own_head(&self) -> Result<Head, Error> {
        own_head(&self.connection)
    }

    /// The digest of an own segment.
    pub(crate) fn own_digest(&self, number: SegmentNumber) -> Result<Option<Digest>, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT digest FROM segment WHERE number = ?1")?;
        let digest: Option<[u8; 32]> =
            statement.query_row([to_sql(number.0)], |row| row.get(0)).optional()?;
        Ok(digest.map(Digest))
    }

    /// Seals all that waits, a segment a transaction: interrupted, nothing is sealed twice, and no
    /// segment number ever names two byte strings that left the device.
    pub(crate) fn seal_waiting(&mut self, identity: &Identity) -> Result<(), Error> {
        let heads = self.heads()?;
        loop {
            let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if !seal_next(&sql, identity, &heads)? {
                return Ok(());
            }
            sql.commit()?;
        }
    }

    /// Own segments after a number, as many as go into one push.
    pub(crate) fn outgoing(&self, after: SegmentNumber) -> Result<Outgoing, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, bytes FROM segment WHERE number > ?1 AND length(bytes) > 0
             ORDER BY number",
        )?;
        let mut rows = statement.query([to_sql(after.0)])?;
        let (mut outgoing, mut size_bytes) = (Outgoing::default(), 0);
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(1)?;
            size_bytes += bytes.len();
            let full = size_bytes > PUSH_BYTES_MAX || outgoing.numbers.len() == PAGE_SEGMENTS_MAX;
            if full && !outgoing.numbers.is_empty() {
                break;
            }
            outgoing.numbers.push(segment_number(row.get(0)?));
            outgoing.envelopes.push(bytes);
        }
        Ok(outgoing)
    }
}

pub(super) fn own_head(sql: &Connection) -> Result<Head, Error> {
    let mut statement =
        sql.prepare_cached("SELECT number, digest FROM segment ORDER BY number DESC LIMIT 1")?;
    let head = statement
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))
        .optional()?;
    Ok(head.map_or_else(Head::default, |(number, digest)| Head {
        number: segment_number(number),
        digest: Some(Digest(digest)),
    }))
}

/// Seals the first changes of the log into the next segment, if there are any.
fn seal_next(sql: &Connection, identity: &Identity, heads: &Heads) -> Result<bool, Error> {
    let mut body = SegmentBody { heads: heads.clone(), ..SegmentBody::default() };
    let mut size_bytes = 0;
    let mut last = 0;
    {
        let mut statement =
            sql.prepare_cached("SELECT number, stamp, bytes FROM log ORDER BY number")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(2)?;
            size_bytes += bytes.len();
            if size_bytes > SEGMENT_BODY_BYTES_TARGET && !body.changes.is_empty() {
                break;
            }
            last = row.get::<_, i64>(0)?;
            if body.changes.is_empty() {
                body.first_change = from_sql(last);
            }
            body.stamp = u64::from_ne_bytes(row.get::<_, i64>(1)?.to_ne_bytes());
            body.changes.push(bytes);
        }
    }
    if body.changes.is_empty() {
        return Ok(false);
    }
    let head = own_head(sql)?;
    let number = head.number.next().ok_or_else(damaged)?;
    let previous = match head.digest {
        Some(digest) => digest,
        None => added(sql)?,
    };
    let context = SealContext {
        vault: identity.roster.vault(),
        device: &identity.device,
        number,
        previous,
        roster: identity.roster.last(),
        epoch_key: identity.current_epoch_key()?,
        compress: true,
    };
    let envelope = seal_segment(&context, &body, &mut SystemRandom)?;
    sql.execute(
        "INSERT INTO segment VALUES (?1, ?2, ?3, ?4)",
        params![
            to_sql(number.0),
            envelope.digest().as_bytes(),
            to_sql(body.changes.len() as u64),
            envelope.bytes()
        ],
    )?;
    sql.execute("DELETE FROM log WHERE number <= ?1", [last])?;
    let stamp = i64::from_ne_bytes(body.stamp.to_ne_bytes());
    sql.execute(
        "UPDATE local SET changes_sealed = ?1, stamp = max(stamp, ?2)",
        params![last, stamp],
    )?;
    Ok(true)
}

fn added(sql: &Connection) -> Result<Digest, Error> {
    let bytes: [u8; 32] = sql.query_row("SELECT device_added FROM local", [], |row| row.get(0))?;
    Ok(Digest(bytes))
}
