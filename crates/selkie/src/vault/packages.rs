//! Sync by packages, and what was not sent yet.

use super::Vault;
use crate::Error;
use crate::engine::{PackageReport, SyncPackage, SyncPoint, SyncProgress};
use crate::status::UnsentChange;

impl Vault {
    /// Packs what other devices lack, sealed, to be carried by mail, on a stick or any other way: what is
    /// new here since a point, or all that this device wrote if there is none. A point is what an earlier
    /// package ended with ([`SyncPackage::point`]) or what the other device has
    /// ([`sync_point`](Self::sync_point)).
    ///
    /// ```
    /// use selkie::{Unlock, Vault};
    /// # let directory = tempfile::tempdir()?;
    /// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
    /// vault.collection("notes")?.put("n", &serde_json::json!({"title": "Milk"}))?;
    /// let package = vault.prepare_sync_package(None)?;
    /// // … and on another device of the vault:
    /// let report = vault.apply_sync_package(&package.bytes, &mut |_| {})?;
    /// assert!(report.conflicts.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage), [`ErrorKind::DiskFull`](crate::ErrorKind::DiskFull).
    pub fn prepare_sync_package(&self, since: Option<&SyncPoint>) -> Result<SyncPackage, Error> {
        crate::engine::make_package(self, since)
    }

    /// Applies a package of another device. It may come late, twice, or after later ones: what has a gap
    /// before it waits. Nothing happens if the bytes are no whole package of this vault.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for what is no package, is damaged or
    /// another vault's; [`ErrorKind::TooNew`](crate::ErrorKind::TooNew);
    /// [`ErrorKind::Fork`](crate::ErrorKind::Fork) if it shows that this store was restored from a backup;
    /// [`ErrorKind::Relay`](crate::ErrorKind::Relay) for a roster that contradicts this one.
    pub fn apply_sync_package(
        &self,
        bytes: &[u8],
        progress: &mut dyn FnMut(SyncProgress),
    ) -> Result<PackageReport, Error> {
        crate::engine::apply_package(self, bytes, progress)
    }

    /// What this device has, for another to pack only what it lacks.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage).
    pub fn sync_point(&self) -> Result<SyncPoint, Error> {
        let database = self.database();
        let own = (self.device_id(), database.own_head()?.number.0);
        let others = database.heads()?.into_iter().map(|(device, (number, _))| (device, number.0));
        Ok(others.chain([own]).collect())
    }

    /// The oldest changes made here that no relay or folder is known to have, at most `limit` of them, one
    /// entry for each record that a change wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage).
    pub fn unsent_changes(&self, limit: usize) -> Result<Vec<UnsentChange>, Error> {
        let database = self.database();
        let identity = database.identity()?;
        database.unsent_changes(&identity, limit)
    }
}
