//! Collections that stay on this device: their changes have no number in the log, so that no segment
//! can hold them.

use rusqlite::{OptionalExtension, TransactionBehavior, params};
use selkie_core::change::{ChangeNumber, Dot};
use selkie_wire::DeviceId;

use super::database::Database;
use super::identity::{damaged, from_sql};
use super::rows::Rows;
use crate::{Error, ErrorKind};

/// Numbers of changes that stay here begin here; a device never comes so far with the others.
pub(super) const FIRST_LOCAL: u64 = 1 << 62;

impl Rows<'_> {
    /// Whether a collection stays on this device.
    pub(super) fn is_local_only(&mut self, collection: &str) -> Result<bool, Error> {
        if let Some(known) = self.cache.local_only.get(collection) {
            return Ok(*known);
        }
        let mut statement =
            self.connection.prepare_cached("SELECT local_only FROM collection WHERE name = ?1")?;
        let local: Option<bool> = statement.query_row([collection], |row| row.get(0)).optional()?;
        let local = local.unwrap_or(false);
        self.cache.local_only.insert(collection.to_owned(), local);
        Ok(local)
    }

    /// The name of the next change that stays here.
    pub(super) fn next_local_dot(&self, device: DeviceId) -> Result<Dot, Error> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE local_change SET number = number + 1 RETURNING number")?;
        let number: i64 = statement.query_row([], |row| row.get(0))?;
        let number = FIRST_LOCAL.checked_add(from_sql(number)).ok_or_else(damaged)?;
        Ok(Dot { device, number: ChangeNumber(number) })
    }
}

impl Database {
    /// Lets a collection stay on this device. It must be empty: what was synced once cannot be called
    /// back, and what a segment holds would be missing here.
    pub(crate) fn keep_local(&mut self, collection: &str) -> Result<(), Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rows = Rows::new(&sql, cache)?;
        if rows.is_local_only(collection)? {
            return Ok(());
        }
        let num = rows.collection_num_or_new(collection)?;
        let used: bool = sql.query_row(
            "SELECT EXISTS (SELECT 1 FROM record WHERE collection = ?1)",
            [num],
            |row| row.get(0),
        )?;
        if used {
            cache.forget();
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the collection has records that sync already; keep_local comes before the first write",
            ));
        }
        sql.execute("UPDATE collection SET local_only = 1 WHERE num = ?1", params![num])?;
        cache.forget();
        sql.commit()?;
        Ok(())
    }

    /// Whether a collection stays on this device.
    pub(crate) fn is_local_only(&mut self, collection: &str) -> Result<bool, Error> {
        let Self { connection, cache, .. } = self;
        Rows::new(connection, cache)?.is_local_only(collection)
    }
}
