//! Who this device is: its secrets, the vault's roster, the epoch keys; all inside the encrypted file.

use rusqlite::{OptionalExtension, params};
use selkie_core::keys::{DeviceSecrets, EpochKey, StoreId};
use selkie_wire::ids::RosterNumber;
use selkie_wire::{DeviceId, FORMAT_VERSION, Roster, RosterError, SegmentNumber, VaultId};

use super::database::Database;
use crate::{Error, ErrorKind};

/// What a store begins with.
pub(crate) struct NewIdentity<'a> {
    pub(crate) device: &'a DeviceSecrets,
    pub(crate) roster: &'a Roster,
    pub(crate) roster_entries: &'a [Vec<u8>],
    pub(crate) epoch_keys: &'a [(u32, EpochKey)],
}

/// What a device needs to seal, open and prove itself.
pub(crate) struct Identity {
    pub(crate) device: DeviceSecrets,
    pub(crate) roster: Roster,
    /// Oldest first.
    pub(crate) epoch_keys: Vec<EpochKey>,
}

impl Identity {
    pub(crate) fn device_id(&self) -> DeviceId {
        self.device.device_id()
    }

    /// Refuses to go on in a vault that asks for a newer format than this app writes.
    pub(crate) fn check_version(&self) -> Result<(), Error> {
        let (asked, own) = (self.roster.min_version(), FORMAT_VERSION);
        if asked <= own {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooNew,
            format!(
                "the vault asks for format {asked}, this app writes {own}: update the app. What is \
                 written meanwhile stays here and is sent then"
            ),
        ))
    }

    /// The key that new segments are sealed under.
    pub(crate) fn current_epoch_key(&self) -> Result<&EpochKey, Error> {
        let wanted = self.roster.rotations().last().map(|rotation| rotation.key_id);
        let vault = self.roster.vault();
        let found = self.epoch_keys.iter().find(|key| Some(key.derive_key_id(vault)) == wanted);
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::Storage,
                "the key of the vault's current epoch is not on this device",
            )
        })
    }
}

impl Database {
    pub(crate) fn store_id(&self) -> Result<StoreId, Error> {
        let bytes: Vec<u8> = self
            .connection
            .query_row("SELECT store_id FROM local", [], |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        bytes.try_into().map(StoreId).map_err(|_| damaged())
    }

    pub(crate) fn insert_identity(
        &mut self,
        store_id: StoreId,
        new: &NewIdentity<'_>,
    ) -> Result<(), Error> {
        let device = new.device.device_id();
        let added = new.roster.member(device).ok_or_else(damaged)?.added;
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT INTO local (one, store_id, vault, device_secrets, device_added, changes_sealed,
             stamp, tended_at) VALUES (1, ?1, ?2, x'', ?3, 0, 0, 0)",
            params![store_id.0, new.roster.vault().as_bytes(), added.as_bytes()],
        )?;
        // In a row that is never written again: each rewriting would leave a copy in memory.
        transaction
            .execute("INSERT INTO device_key VALUES (1, ?1)", [&new.device.to_bytes()[..]])?;
        for (number, entry) in new.roster_entries.iter().enumerate() {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            transaction
                .execute("INSERT INTO roster_entry VALUES (?1, ?2)", params![number, entry])?;
        }
        for (epoch, key) in new.epoch_keys {
            transaction
                .execute("INSERT INTO epoch_key VALUES (?1, ?2)", params![epoch, key.expose()])?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        let (vault, secrets): (Vec<u8>, zeroize::Zeroizing<Vec<u8>>) = self.connection.query_row(
            "SELECT vault, secrets FROM local JOIN device_key USING (one)",
            [],
            |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?.into())),
        )?;
        let roster =
            Roster::from_entries(self.roster_entries(RosterNumber(0))?).map_err(|_| damaged())?;
        if VaultId::from_slice(&vault) != Some(roster.vault()) {
            return Err(damaged());
        }
        let mut statement = self.connection.prepare("SELECT key FROM epoch_key ORDER BY epoch")?;
        let keys = statement.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
        let epoch_keys =
            keys.map(|key| Ok(EpochKey::from_bytes(key?))).collect::<Result<_, Error>>()?;
        Ok(Identity { device: DeviceSecrets::from_bytes(&secrets)?, roster, epoch_keys })
    }

    /// Roster entries as stored, from a number on.
    pub(crate) fn roster_entries(&self, from: RosterNumber) -> Result<Vec<Vec<u8>>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM roster_entry WHERE number >= ?1 ORDER BY number")?;
        let from = i64::try_from(from.0).unwrap_or(i64::MAX);
        let entries = statement.query_map([from], |row| row.get(0))?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Stores entries that were applied to a roster, and the epoch keys this device can open now.
    pub(crate) fn append_roster(
        &mut self,
        roster: &Roster,
        entries: &[Vec<u8>],
    ) -> Result<(), Error> {
        let device = self.identity()?.device;
        let keys = selkie_core::keys::roster::epoch_keys(roster, &device)
            .map_err(|error| Error::new(ErrorKind::Relay, error.to_string()))?;
        let first = roster.last().0 + 1 - entries.len() as u64;
        let transaction = self.connection.transaction()?;
        for (number, entry) in (first..).zip(entries) {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            // Another run may have stored the same entry meanwhile; a different one contradicts it.
            let stored = transaction.execute(
                "INSERT INTO roster_entry VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE
                 SET bytes = excluded.bytes WHERE bytes = excluded.bytes",
                params![number, entry],
            )?;
            if stored == 0 {
                return Err(RosterError::Fork.into());
            }
        }
        for (epoch, key) in &keys {
            transaction.execute(
                "INSERT OR IGNORE INTO epoch_key VALUES (?1, ?2)",
                params![epoch, key.expose()],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// SQLite integers are signed; Selkie's numbers are not, and stay far below the sign.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number in a column.
pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The segment number in a column.
pub(super) fn segment_number(number: i64) -> SegmentNumber {
    SegmentNumber(from_sql(number))
}

/// The content of the store contradicts itself.
pub(super) fn damaged() -> Error {
    Error::new(
        ErrorKind::Storage,
        "the store's content is damaged; restore it from a backup or sync it anew",
    )
}
