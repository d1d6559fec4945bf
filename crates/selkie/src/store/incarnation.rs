//! Incarnations: the chain this store writes, and those of others.
//!
//! A copy of a store, or one restored from a backup, must not give one change number to two changes.
//! It leaves its chain where it stands, begins another, and sends again, in the new chain and under
//! their own names, the changes of the old one that it still has: others that know them skip them.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use selkie_core::clock::Stamp;
use selkie_core::ports::RandomSource;
use selkie_core::seal::ChangesOf;
use selkie_wire::{DeviceId, Incarnation, IncarnationToken, Incarnations, Roster, SegmentNumber};

use super::chain_file::ChainState;
use super::database::Database;
use super::identity::{Identity, damaged, to_sql};
use super::outbox::each_own_segment;
use super::rows::stamp_to_sql;
use crate::Error;
use crate::system::SystemRandom;

impl Database {
    /// Begins a new chain if this store turns out to be a copy, or older than what it has sent.
    pub(crate) fn notice_copy(&mut self) -> Result<(), Error> {
        let Some(file) = &self.chain_file else { return Ok(()) };
        let own =
            ChainState { incarnation: incarnation(&self.connection)?, head: self.own_head()? };
        let agrees = match file.read() {
            Some(known) if known.incarnation == own.incarnation => {
                let sealed = self.own_digest(known.head.number)?;
                known.head.number <= own.head.number
                    && (sealed.is_none() || sealed == known.head.digest)
            }
            _ => false,
        };
        if agrees { Ok(()) } else { self.begin_incarnation() }
    }

    /// Begins a new chain; everything of the old one that is still here is to be sent again.
    pub(crate) fn begin_incarnation(&mut self) -> Result<(), Error> {
        let identity = self.identity()?;
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last = super::outbox::own_head(&sql)?.number;
        leave_chain(&sql, &identity, &Resend::All, last)?;
        enter_chain(&sql, &identity, new_token()?)?;
        sql.commit()?;
        self.cache.forget();
        self.write_chain_file()
    }

    /// Says in the chain file how far this store has sealed. Nothing sealed leaves before that.
    pub(crate) fn write_chain_file(&mut self) -> Result<(), Error> {
        // Under the writer's lock, so that no other process's later word is overwritten.
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(file) = &self.chain_file {
            let head = super::outbox::own_head(&sql)?;
            let state = ChainState { incarnation: incarnation(&sql)?, head };
            if file.read() != Some(state) {
                file.write(&state)?;
            }
        }
        Ok(sql.commit()?)
    }

    /// The id of the chain this store writes.
    pub(crate) fn chain(&self, device: DeviceId) -> Result<DeviceId, Error> {
        own_chain(&self.connection, device)
    }

    /// The further chains known of all devices.
    pub(crate) fn incarnations(&self, roster: &Roster) -> Result<Incarnations, Error> {
        incarnations(&self.connection, roster)
    }

    /// Learns chains that a package introduces.
    pub(crate) fn introduce(&self, chains: &Incarnations) -> Result<(), Error> {
        store_incarnations(&self.connection, chains)
    }

    /// The member that a chain is of.
    pub(crate) fn device_of(&self, chain: DeviceId) -> Result<DeviceId, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT member FROM incarnation WHERE chain = ?1")?;
        let member: Option<[u8; 16]> =
            statement.query_row([chain.as_bytes()], |row| row.get(0)).optional()?;
        Ok(member.map_or(chain, DeviceId))
    }

    /// Which chain this store writes; `None` for the one that has the device's own id.
    pub(crate) fn incarnation(&self) -> Result<Option<IncarnationToken>, Error> {
        incarnation(&self.connection)
    }
}

/// Which chain this store writes.
pub(super) fn incarnation(sql: &Connection) -> Result<Option<IncarnationToken>, Error> {
    let mut statement = sql.prepare_cached("SELECT incarnation FROM local")?;
    let token: Option<[u8; 32]> = statement.query_row([], |row| row.get(0))?;
    Ok(token.map(IncarnationToken))
}

/// The id of the chain this store writes.
pub(super) fn own_chain(sql: &Connection, device: DeviceId) -> Result<DeviceId, Error> {
    let mut statement = sql.prepare_cached("SELECT chain FROM local")?;
    let chain: Option<[u8; 16]> = statement.query_row([], |row| row.get(0))?;
    Ok(chain.map_or(device, DeviceId))
}

/// The further chains known of all devices.
pub(super) fn incarnations(sql: &Connection, roster: &Roster) -> Result<Incarnations, Error> {
    let mut statement = sql.prepare_cached("SELECT member, token FROM incarnation")?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 32]>(1)?)))?;
    let mut known = Incarnations::default();
    for row in rows {
        let (member, token) = row?;
        known.insert(
            roster,
            Incarnation { member: DeviceId(member), token: IncarnationToken(token) },
        );
    }
    Ok(known)
}

/// Keeps the chains that were learned.
pub(super) fn store_incarnations(sql: &Connection, known: &Incarnations) -> Result<(), Error> {
    let mut statement =
        sql.prepare_cached("INSERT OR IGNORE INTO incarnation VALUES (?1, ?2, ?3)")?;
    for (chain, Incarnation { member, token }) in known.iter() {
        statement.execute(params![chain.as_bytes(), member.as_bytes(), token.as_bytes()])?;
    }
    Ok(())
}

/// A token that nobody can guess.
pub(super) fn new_token() -> Result<IncarnationToken, Error> {
    let random: &mut dyn RandomSource = &mut SystemRandom;
    Ok(IncarnationToken(random.draw()?))
}

/// Which changes of the chain that is left are to be sent again.
pub(super) enum Resend {
    /// All that are here.
    All,
    /// Those before this number; the rest has got new names.
    Before(u64),
}

/// Makes of the chain written so far one like any other's: known up to its segment `last`, to be gone
/// on with by whoever still writes it.
pub(super) fn leave_chain(
    sql: &Connection,
    identity: &Identity,
    which: &Resend,
    last: SegmentNumber,
) -> Result<(), Error> {
    let end = match which {
        Resend::All => u64::MAX,
        Resend::Before(number) => *number,
    };
    let chain = own_chain(sql, identity.device_id())?;
    let token = incarnation(sql)?.map(|token| token.0);
    let mut resend = sql.prepare_cached(
        "INSERT INTO resend (incarnation, number, stamp, bytes) VALUES (?1, ?2, ?3, ?4)",
    )?;
    each_own_segment(sql, identity, |_, body| {
        // What an incarnation sent again for an earlier one is to be sent again once more.
        let of = match body.changes_of {
            ChangesOf::Sender => token,
            ChangesOf::Device => None,
            ChangesOf::Incarnation(token) => Some(token.0),
        };
        let stamp = stamp_to_sql(Stamp(body.stamp));
        let own = body.changes_of == ChangesOf::Sender;
        let numbered = (body.first_change..).zip(body.changes);
        for (number, bytes) in numbered.filter(|(number, _)| !own || *number < end) {
            resend.execute(params![of, to_sql(number), stamp, bytes])?;
        }
        Ok(())
    })?;
    sql.execute(
        "INSERT INTO resend (incarnation, number, stamp, bytes)
         SELECT ?1, number, stamp, bytes FROM log WHERE number < ?2 ORDER BY number",
        params![token, to_sql(end)],
    )?;
    let changes: Option<i64> =
        sql.query_row("SELECT max(number) FROM log", [], |row| row.get(0)).optional()?.flatten();
    let sealed: i64 = sql.query_row("SELECT changes_sealed FROM local", [], |row| row.get(0))?;
    let changes = changes.unwrap_or(sealed).min(to_sql(end.saturating_sub(1)));
    if changes > 0 {
        let place = params![chain.as_bytes(), changes];
        sql.execute("INSERT OR REPLACE INTO seen VALUES (?1, ?2)", place)?;
    }
    sql.execute(
        "INSERT OR REPLACE INTO head SELECT ?1, number, digest FROM segment WHERE number = ?2",
        params![chain.as_bytes(), to_sql(last.0)],
    )?;
    sql.execute_batch(
        "UPDATE local SET stamp = max(stamp, coalesce((SELECT max(stamp) FROM log), stamp));
         DELETE FROM log; DELETE FROM segment;
         UPDATE relay SET cursor = 0, acknowledged = 0;",
    )?;
    Ok(())
}

/// Begins a chain.
pub(super) fn enter_chain(
    sql: &Connection,
    identity: &Identity,
    token: IncarnationToken,
) -> Result<(), Error> {
    let chain = identity.device.incarnation_id(token);
    let member = identity.device_id();
    let place = params![chain.as_bytes(), member.as_bytes(), token.as_bytes()];
    sql.execute("INSERT INTO incarnation VALUES (?1, ?2, ?3)", place)?;
    let changed = sql.execute(
        "UPDATE local SET incarnation = ?1, chain = ?2, changes_sealed = 0",
        params![token.as_bytes(), chain.as_bytes()],
    )?;
    if changed == 1 { Ok(()) } else { Err(damaged()) }
}
