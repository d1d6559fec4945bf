//! The vault's reads: on connections of their own, so that they wait for no write.

use std::sync::TryLockError;

use rusqlite::Connection;

use super::Vault;
use crate::Error;

impl Vault {
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
