//! Own changes on their way out: sealed into segments, and kept until others have them.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use selkie_core::seal::{
    ChangesOf, Expected, Heads, OpenError, SealContext, SegmentBody, open_segment, seal_segment,
};
use selkie_wire::limits::{PAGE_SEGMENTS_MAX, SEGMENT_BODY_BYTES_TARGET};
use selkie_wire::relay::Head;
use selkie_wire::{Digest, Envelope, IncarnationToken, SegmentNumber};

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
        let count: i64 = self.connection.query_row(
            "SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM resend)",
            [],
            |row| row.get(0),
        )?;
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

    /// Own envelopes after a number, in order, at most so many.
    pub(crate) fn own_segments(
        &self,
        after: SegmentNumber,
        count: u64,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bytes FROM segment WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let segments = statement.query_map([to_sql(after.0), to_sql(count)], |row| row.get(0))?;
        Ok(segments.collect::<Result<_, _>>()?)
    }

    /// The highest stamp that was sealed or applied.
    pub(crate) fn last_stamp(&self) -> Result<selkie_core::clock::Stamp, Error> {
        let stamp: i64 =
            self.connection.query_row("SELECT stamp FROM local", [], |row| row.get(0))?;
        Ok(super::rows::stamp_of(stamp))
    }

    /// Seals all that waits, a segment a transaction: interrupted, nothing is sealed twice, and no
    /// segment number ever names two byte strings that left the device.
    /// A segment is filled up to `fill_bytes`: a slow link gets smaller ones.
    pub(crate) fn seal_waiting(
        &mut self,
        identity: &Identity,
        fill_bytes: usize,
    ) -> Result<(), Error> {
        identity.check_version()?;
        let fill_bytes = fill_bytes.min(SEGMENT_BODY_BYTES_TARGET);
        let heads = self.heads()?;
        loop {
            let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if !seal_next(&sql, identity, &heads, fill_bytes)? {
                break;
            }
            sql.commit()?;
        }
        self.write_chain_file()
    }

    /// Own segments after a number, as many as go into one push of that size; at least one.
    pub(crate) fn outgoing(
        &self,
        after: SegmentNumber,
        bytes_max: usize,
    ) -> Result<Outgoing, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, bytes FROM segment WHERE number > ?1 ORDER BY number",
        )?;
        let mut rows = statement.query([to_sql(after.0)])?;
        let (mut outgoing, mut size_bytes) = (Outgoing::default(), 0);
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(1)?;
            size_bytes += bytes.len();
            let full = size_bytes > bytes_max || outgoing.numbers.len() == PAGE_SEGMENTS_MAX;
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

/// Takes what goes into one segment: consecutive changes of one chain. Returns the place of the last.
fn take(
    sql: &Connection,
    changes: &str,
    fill_bytes: usize,
    body: &mut SegmentBody,
) -> Result<Option<(i64, i64)>, Error> {
    let mut statement = sql.prepare_cached(changes)?;
    let mut rows = statement.query([])?;
    let (mut size_bytes, mut last, mut chain) = (0, None, None);
    while let Some(row) = rows.next()? {
        let (place, number, bytes): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let token: Option<[u8; 32]> = row.get(4)?;
        size_bytes += bytes.len();
        let follows =
            last.is_none_or(|(_, last)| number == last + 1) && *chain.get_or_insert(token) == token;
        if !follows || (size_bytes > fill_bytes && last.is_some()) {
            break;
        }
        if last.is_none() {
            body.first_change = from_sql(number);
        }
        last = Some((place, number));
        body.stamp = u64::from_ne_bytes(row.get::<_, i64>(2)?.to_ne_bytes());
        body.changes.push(bytes);
        body.changes_of = token
            .map_or(ChangesOf::Device, |token| ChangesOf::Incarnation(IncarnationToken(token)));
    }
    Ok(last)
}

/// Seals the first changes that wait into the next segment, if there are any: what an earlier chain
/// had before what this one has.
fn seal_next(
    sql: &Connection,
    identity: &Identity,
    heads: &Heads,
    fill_bytes: usize,
) -> Result<bool, Error> {
    let mut body = SegmentBody { heads: heads.clone(), ..SegmentBody::default() };
    let again = take(
        sql,
        "SELECT num, number, stamp, bytes, incarnation FROM resend ORDER BY num",
        fill_bytes,
        &mut body,
    )?;
    let own = match again {
        Some(_) => None,
        None => take(
            sql,
            "SELECT number, number, stamp, bytes, NULL FROM log ORDER BY number",
            fill_bytes,
            &mut body,
        )?,
    };
    if again.is_none() {
        body.changes_of = ChangesOf::Sender;
    }
    if body.changes.is_empty() {
        return Ok(false);
    }
    let envelope = seal_body(sql, identity, &body)?;
    sql.execute(
        "INSERT INTO segment VALUES (?1, ?2, ?3, ?4)",
        params![
            to_sql(envelope.header().number.0),
            envelope.digest().as_bytes(),
            to_sql(body.changes.len() as u64),
            envelope.bytes()
        ],
    )?;
    if let Some((place, _)) = again {
        sql.execute("DELETE FROM resend WHERE num <= ?1", [place])?;
    }
    if let Some((last, _)) = own {
        sql.execute("DELETE FROM log WHERE number <= ?1", [last])?;
        let stamp = i64::from_ne_bytes(body.stamp.to_ne_bytes());
        sql.execute(
            "UPDATE local SET changes_sealed = ?1, stamp = max(stamp, ?2)",
            params![last, stamp],
        )?;
    }
    Ok(true)
}

/// Seals a body as the next segment of this store's chain.
fn seal_body(sql: &Connection, identity: &Identity, body: &SegmentBody) -> Result<Envelope, Error> {
    let head = own_head(sql)?;
    let number = head.number.next().ok_or_else(damaged)?;
    let incarnation = super::incarnation::incarnation(sql)?;
    let previous = match (head.digest, incarnation) {
        (Some(digest), _) => digest,
        (None, Some(token)) => Digest(token.0),
        (None, None) => added(sql)?,
    };
    let context = SealContext {
        vault: identity.roster.vault(),
        device: &identity.device,
        incarnation,
        number,
        previous,
        roster: identity.roster.last(),
        epoch_key: identity.current_epoch_key()?,
        compress: true,
    };
    Ok(seal_segment(&context, body, &mut SystemRandom)?)
}

/// Opens the own segments that are kept, in order.
pub(super) fn each_own_segment(
    sql: &Connection,
    identity: &Identity,
    mut each: impl FnMut(SegmentNumber, SegmentBody) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = sql.prepare_cached("SELECT bytes FROM segment ORDER BY number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let envelope = Envelope::parse(row.get(0)?).map_err(|_| damaged())?;
        if let Some(body) = open_own(sql, identity, &envelope)? {
            each(envelope.header().number, body)?;
        }
    }
    Ok(())
}

/// Opens a segment of an own chain, wherever it stands in it; none if it counts for nobody any more.
pub(super) fn open_own(
    sql: &Connection,
    identity: &Identity,
    envelope: &Envelope,
) -> Result<Option<SegmentBody>, Error> {
    let known = super::incarnation::incarnations(sql, &identity.roster)?;
    let vault = identity.roster.vault();
    let header = envelope.header();
    let expected = Expected { number: header.number, previous: header.previous };
    let find = |wanted| identity.epoch_keys.iter().find(|key| key.derive_key_id(vault) == wanted);
    match open_segment(envelope, &identity.roster, &known, expected, find) {
        Ok(body) => Ok(Some(body)),
        Err(OpenError::Revoked) => Ok(None),
        Err(_) => Err(damaged()),
    }
}

fn added(sql: &Connection) -> Result<Digest, Error> {
    let bytes: [u8; 32] = sql.query_row("SELECT device_added FROM local", [], |row| row.get(0))?;
    Ok(Digest(bytes))
}
