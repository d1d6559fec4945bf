//! The first sync, and when checkpoints are made.

use std::sync::atomic::Ordering;

use super::Vault;
use crate::Error;

impl Vault {
    /// Whether everything that the vault had when this device joined it has arrived once. True from the
    /// beginning on the device that made the vault. The store can be read and written before that; what
    /// is missing then may only not have arrived. The moment itself is told to watchers, as
    /// [`EventKind::InitialSyncCompleted`](crate::EventKind::InitialSyncCompleted).
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage).
    pub fn initial_sync_complete(&self) -> Result<bool, Error> {
        self.database().initial_sync_complete()
    }

    /// Sets how many bytes of log a relay must hold before this device makes a checkpoint of the vault
    /// in its place; a mebibyte unless set. Less costs more uploads, more costs room at the relay. Kept
    /// until the vault is closed.
    pub fn set_checkpoint_log_bytes_min(&self, bytes: u64) {
        self.inner.checkpoint_log_bytes_min.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn checkpoint_log_bytes_min(&self) -> u64 {
        self.inner.checkpoint_log_bytes_min.load(Ordering::Relaxed)
    }
}
