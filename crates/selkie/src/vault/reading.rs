//! The vault's reads: on connections of their own, so that they wait for no write.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, TryLockError, Weak};

use rusqlite::Connection;
use serde_json::Value;

use super::{Inner, Vault};
use crate::Error;
#[cfg(doc)]
use crate::ErrorKind;
use crate::store::{SchemaAgreement, SchemaVersions, SqlRows, select};

/// A vault that may be closed meanwhile.
pub(crate) struct WeakVault(Weak<Inner>);

impl WeakVault {
    pub(crate) fn upgrade(&self) -> Option<Vault> {
        self.0.upgrade().map(|inner| Vault { inner })
    }
}

impl Vault {
    pub(crate) fn downgrade(&self) -> WeakVault {
        WeakVault(Arc::downgrade(&self.inner))
    }

    /// Says, once, that something of a collection has changed since it was last asked.
    pub(crate) fn signal_of(&self, collection: &str) -> Receiver<()> {
        self.inner.watchers.signal(collection)
    }

    pub(crate) fn use_schema(
        &self,
        collection: &str,
        versions: &SchemaVersions,
    ) -> Result<SchemaAgreement, Error> {
        let (device, now_ms) = (self.inner.device, self.now_ms());
        let (agreement, events) =
            self.database().use_schema(device, collection, versions, now_ms)?;
        self.tell(&events);
        Ok(agreement)
    }

    /// Runs one `SELECT` of SQL over read-only views: `records`, with the columns collection, id,
    /// document (JSON text), created_at, updated_at (milliseconds), updated_by, conflicts, local_only;
    /// and `v_NAME` for each collection. `?` stands for the parameters. Nothing else can be read, and
    /// nothing written; it ends after ten seconds, and has at most 100 000 rows.
    ///
    /// ```
    /// # use selkie::{Unlock, Vault};
    /// # use serde_json::json;
    /// # let directory = tempfile::tempdir()?;
    /// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
    /// let birds = vault.collection("birds")?;
    /// birds.put("a", &json!({"species": "Gentoo", "mass": 5000}))?;
    /// birds.put("b", &json!({"species": "Gentoo", "mass": 5400}))?;
    /// let answer = vault.sql(
    ///     "SELECT document ->> 'species' AS species, avg(document ->> 'mass') AS mass
    ///      FROM v_birds WHERE document ->> 'mass' > ? GROUP BY species",
    ///     &[json!(4000)],
    /// )?;
    /// assert_eq!((answer.columns, answer.rows), (
    ///     vec!["species".to_owned(), "mass".to_owned()],
    ///     vec![vec![json!("Gentoo"), json!(5200.0)]],
    /// ));
    /// assert!(vault.sql("SELECT * FROM local", &[]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no `SELECT` over the views, takes too long or answers too
    /// much; [`ErrorKind::Storage`].
    pub fn sql(&self, statement: &str, parameters: &[Value]) -> Result<SqlRows, Error> {
        select(&self.inner.readers, statement, parameters)
    }

    /// Reads from the last committed state, whatever is being written meanwhile.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.inner.readers.read(work)
    }

    /// As [`read`](Self::read), for what takes microseconds: on the writing connection if nobody uses
    /// it, whose cache has what was just written.
    pub(crate) fn read_quickly<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.inner.database.try_lock() {
            Ok(database) => work(database.connection()),
            Err(TryLockError::Poisoned(database)) => work(database.into_inner().connection()),
            Err(TryLockError::WouldBlock) => self.read(work),
        }
    }
}
