//! Records as rows: the document as JSON text, and who wrote what of it packed beside it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use selkie_core::change::{ChangeNumber, Dot, Registers};
use selkie_core::clock::{Clock, Stamp};
use selkie_core::merge::{
    CollectionPolicy, Overwritten, POLICY_COLLECTION, SCHEMA_COLLECTION, View, pack, pack_new,
    unpack, view,
};
use selkie_core::record::{Document, RecordKey, Schema};
use selkie_wire::DeviceId;

use super::attention::{PREFERENCE_COLLECTION, counting_answers};
use super::identity::{damaged, from_sql, to_sql};
use crate::Error;

/// What is remembered of the database between transactions; forgotten when another process writes.
#[derive(Default)]
pub(crate) struct Cache {
    data_version: i64,
    collections: HashMap<String, i64>,
    policies: HashMap<String, Arc<CollectionPolicy>>,
    schemas: HashMap<String, Arc<Schema>>,
    writers: HashMap<DeviceId, i64>,
    pub(super) local_only: HashMap<String, bool>,
    /// What the app has told of itself, so it is not forgotten with the rest.
    pub(super) app_versions: HashMap<String, u64>,
}

impl Cache {
    pub(super) fn forget(&mut self) {
        self.collections.clear();
        self.writers.clear();
        self.local_only.clear();
        self.forget_rules();
    }

    pub(super) fn forget_rules(&mut self) {
        self.policies.clear();
        self.schemas.clear();
    }
}

/// The rows of one transaction (or of a moment, for reads).
pub(super) struct Rows<'c> {
    pub(super) connection: &'c Connection,
    pub(super) cache: &'c mut Cache,
}

/// A record as it stands in the store.
pub(crate) struct StoredRecord {
    num: i64,
    pub(crate) registers: Registers,
    pub(crate) document: Option<Document>,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
    /// Who wrote it last; unknown of what an older version stored.
    pub(crate) updated_by: Option<DeviceId>,
    pub(crate) contested: bool,
}

impl StoredRecord {
    pub(super) fn num(&self) -> i64 {
        self.num
    }
}

/// A record to be written back.
pub(super) struct Changed<'a> {
    pub(super) key: &'a RecordKey,
    pub(super) stored: Option<&'a StoredRecord>,
    pub(super) registers: &'a Registers,
    /// The oldest and newest stamp of what was applied to it now.
    pub(super) stamps: (Stamp, Stamp),
    /// Whose the newest is.
    pub(super) by: Option<DeviceId>,
    /// What was overwritten now.
    pub(super) overwritten: &'a [&'a Overwritten],
}

impl<'c> Rows<'c> {
    pub(super) fn new(connection: &'c Connection, cache: &'c mut Cache) -> Result<Self, Error> {
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let version: i64 = statement.query_row([], |row| row.get(0))?;
        if version != cache.data_version {
            cache.forget();
            cache.data_version = version;
        }
        Ok(Self { connection, cache })
    }

    /// The name of the next change of this device, and its clock.
    pub(super) fn next_change(&self, device: DeviceId) -> Result<(Dot, Clock), Error> {
        let mut local =
            self.connection.prepare_cached("SELECT changes_sealed, stamp, chain FROM local")?;
        let (sealed, stamp, chain): (i64, i64, Option<[u8; 16]>) =
            local.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut log = self
            .connection
            .prepare_cached("SELECT number, stamp FROM log ORDER BY number DESC LIMIT 1")?;
        let logged = log.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (number, logged_stamp): (i64, i64) = logged.unwrap_or((sealed, stamp));
        let next = from_sql(number).checked_add(1).ok_or_else(damaged)?;
        let dot = Dot { device: chain.map_or(device, DeviceId), number: ChangeNumber(next) };
        Ok((dot, Clock::new(stamp_of(stamp).max(stamp_of(logged_stamp)))))
    }

    pub(super) fn collection_num(&mut self, name: &str) -> Result<Option<i64>, Error> {
        if let Some(num) = self.cache.collections.get(name) {
            return Ok(Some(*num));
        }
        let mut statement =
            self.connection.prepare_cached("SELECT num FROM collection WHERE name = ?1")?;
        let num = statement.query_row([name], |row| row.get(0)).optional()?;
        if let Some(num) = num {
            self.cache.collections.insert(name.to_owned(), num);
        }
        Ok(num)
    }

    pub(super) fn collection_num_or_new(&mut self, name: &str) -> Result<i64, Error> {
        if let Some(num) = self.collection_num(name)? {
            return Ok(num);
        }
        self.connection.execute("INSERT INTO collection (name) VALUES (?1)", [name])?;
        self.collection_num(name)?.ok_or_else(damaged)
    }

    pub(super) fn load(&mut self, key: &RecordKey) -> Result<Option<StoredRecord>, Error> {
        let Some(collection) = self.collection_num(key.collection())? else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT num, body, state, created_at, updated_at, contested,
             (SELECT device FROM writer WHERE num = updated_by) FROM record
             WHERE collection = ?1 AND id = ?2",
        )?;
        let mut rows = statement.query(params![collection, key.id()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let document = match row.get_ref(1)?.as_str_or_null().map_err(|_| damaged())? {
            Some(body) => Some(Document::from_stored_json(body).map_err(|_| damaged())?),
            None => None,
        };
        let state = row.get_ref(2)?.as_blob().map_err(|_| damaged())?;
        Ok(Some(StoredRecord {
            num: row.get(0)?,
            registers: unpack(state, document.as_ref())?,
            document,
            created_at_ms: from_sql(row.get(3)?),
            updated_at_ms: from_sql(row.get(4)?),
            contested: row.get(5)?,
            updated_by: row.get::<_, Option<[u8; 16]>>(6)?.map(DeviceId),
        }))
    }

    pub(super) fn policy(&mut self, collection: &str) -> Result<Arc<CollectionPolicy>, Error> {
        if is_rules(collection) {
            return Ok(Arc::new(CollectionPolicy::of_policies()));
        }
        if let Some(policy) = self.cache.policies.get(collection) {
            return Ok(Arc::clone(policy));
        }
        let policy = self.rules(POLICY_COLLECTION, collection)?;
        let policy = policy.as_ref().map(CollectionPolicy::from_document);
        let policy = Arc::new(policy.unwrap_or_default());
        self.cache.policies.insert(collection.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }

    pub(super) fn schema(&mut self, collection: &str) -> Result<Arc<Schema>, Error> {
        if is_rules(collection) {
            return Ok(Arc::default());
        }
        if collection == PREFERENCE_COLLECTION {
            return Ok(Arc::new(counting_answers()));
        }
        if let Some(schema) = self.cache.schemas.get(collection) {
            return Ok(Arc::clone(schema));
        }
        let schema = self.rules(SCHEMA_COLLECTION, collection)?;
        let schema = Arc::new(schema.as_ref().map(Schema::from_document).unwrap_or_default());
        self.cache.schemas.insert(collection.to_owned(), Arc::clone(&schema));
        Ok(schema)
    }

    /// What a system collection says of a collection.
    fn rules(&mut self, system: &str, collection: &str) -> Result<Option<Document>, Error> {
        let Ok(key) = RecordKey::new(system, collection) else { return Ok(None) };
        Ok(self.load(&key)?.and_then(|stored| stored.document))
    }

    pub(super) fn view(&mut self, key: &RecordKey, registers: &Registers) -> Result<View, Error> {
        let policy = self.policy(key.collection())?;
        Ok(view(registers, &policy))
    }

    /// Writes a record back as `shown`, and keeps the list of open conflicts in step.
    pub(super) fn save(
        &mut self,
        changed: &Changed<'_>,
        shown: &View,
        now_ms: u64,
    ) -> Result<(), Error> {
        let Changed { key, stored, registers, stamps: (first, last), by, overwritten } = *changed;
        if registers.is_empty() {
            return match stored {
                Some(stored) => self.remove(stored.num),
                None => Ok(()),
            };
        }
        let body = shown.document.as_ref().map(Document::to_json);
        let state = pack(registers, shown.document.as_ref());
        let contested = registers.is_contested();
        let (created, updated) = (first.unix_ms(), last.unix_ms());
        let num = match stored {
            Some(stored) => {
                let created = created.min(stored.created_at_ms);
                // The same of any order in which changes arrive.
                let (_, by) = (updated, by).max((stored.updated_at_ms, stored.updated_by));
                let by = self.writer_num(by)?;
                let updated = updated.max(stored.updated_at_ms);
                let mut statement = self.connection.prepare_cached(
                    "UPDATE record SET body = ?2, state = ?3, created_at = ?4, updated_at = ?5,
                     contested = ?6, updated_by = ?7 WHERE num = ?1",
                )?;
                let (created, updated) = (to_sql(created), to_sql(updated));
                statement
                    .execute(params![stored.num, body, state, created, updated, contested, by])?;
                stored.num
            }
            None => {
                let content = (body.as_deref(), state.as_slice());
                self.insert(key, content, (created, updated, by), contested)?
            }
        };
        if contested || stored.is_some_and(|stored| stored.contested) {
            self.save_conflicts(num, shown, now_ms)?;
        }
        self.remember(num, overwritten)?;
        self.save_unique_keys(key, num, shown)?;
        if is_rules(key.collection()) {
            self.cache.forget_rules();
        }
        Ok(())
    }

    /// Writes a record that the store has never had, as one ordinary change of this device makes it in
    /// a collection without a schema.
    pub(super) fn insert_new(
        &mut self,
        key: &RecordKey,
        document: &str,
        (dot, stamp): (Dot, Stamp),
    ) -> Result<(), Error> {
        let state = pack_new(dot, stamp, document == "{}");
        let now_ms = stamp.unix_ms();
        let times = (now_ms, now_ms, Some(dot.device));
        self.insert(key, (Some(document), &state), times, false)?;
        Ok(())
    }

    fn insert(
        &mut self,
        key: &RecordKey,
        (body, state): (Option<&str>, &[u8]),
        (created, updated, by): (u64, u64, Option<DeviceId>),
        contested: bool,
    ) -> Result<i64, Error> {
        let by = self.writer_num(by)?;
        let collection = self.collection_num_or_new(key.collection())?;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO record
             (collection, id, body, state, created_at, updated_at, contested, updated_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let (created, updated) = (to_sql(created), to_sql(updated));
        statement.execute(params![
            collection,
            key.id(),
            body,
            state,
            created,
            updated,
            contested,
            by
        ])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// The row number of a device in `writer`.
    fn writer_num(&mut self, device: Option<DeviceId>) -> Result<Option<i64>, Error> {
        let Some(device) = device else { return Ok(None) };
        if let Some(num) = self.cache.writers.get(&device) {
            return Ok(Some(*num));
        }
        let mut insert =
            self.connection.prepare_cached("INSERT OR IGNORE INTO writer (device) VALUES (?1)")?;
        insert.execute([device.as_bytes()])?;
        let mut select =
            self.connection.prepare_cached("SELECT num FROM writer WHERE device = ?1")?;
        let num = select.query_row([device.as_bytes()], |row| row.get(0))?;
        self.cache.writers.insert(device, num);
        Ok(Some(num))
    }

    /// Removes what is left of a record of which nothing is left.
    fn remove(&mut self, num: i64) -> Result<(), Error> {
        for table in ["conflict", "past", "unique_key"] {
            self.connection.execute(&format!("DELETE FROM {table} WHERE record = ?1"), [num])?;
        }
        self.connection.execute("DELETE FROM record WHERE num = ?1", [num])?;
        Ok(())
    }

    fn save_conflicts(&mut self, num: i64, shown: &View, now_ms: u64) -> Result<(), Error> {
        let mut known =
            self.connection.prepare_cached("SELECT path FROM conflict WHERE record = ?1")?;
        let known: Vec<Vec<u8>> =
            known.query_map([num], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let open: Vec<&[u8]> =
            shown.conflicts.iter().map(|conflict| conflict.path.as_bytes()).collect();
        for path in known.iter().filter(|path| !open.contains(&path.as_slice())) {
            self.connection.execute(
                "DELETE FROM conflict WHERE record = ?1 AND path = ?2",
                params![num, path],
            )?;
        }
        for path in open {
            self.connection.execute(
                "INSERT OR IGNORE INTO conflict VALUES (?1, ?2, ?3)",
                params![num, path, to_sql(now_ms)],
            )?;
        }
        Ok(())
    }

    /// Shows the records of a collection anew that its policy has a say in: the contested ones.
    pub(super) fn show_anew(
        &mut self,
        collection: &str,
        now_ms: u64,
    ) -> Result<Vec<RecordKey>, Error> {
        let Some(num) = self.collection_num(collection)? else { return Ok(Vec::new()) };
        let mut statement = self
            .connection
            .prepare_cached("SELECT id FROM record WHERE collection = ?1 AND contested <> 0")?;
        let ids: Vec<String> =
            statement.query_map([num], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
            let Some(stored) = self.load(&key)? else { continue };
            let shown = self.view(&key, &stored.registers)?;
            let unchanged = (
                Stamp::from_unix_ms(stored.created_at_ms),
                Stamp::from_unix_ms(stored.updated_at_ms),
            );
            let registers = &stored.registers;
            let changed = Changed {
                key: &key,
                stored: Some(&stored),
                registers,
                stamps: unchanged,
                by: None,
                overwritten: &[],
            };
            self.save(&changed, &shown, now_ms)?;
            keys.push(key);
        }
        Ok(keys)
    }
}

/// Whether the records of a collection are rules for other collections.
pub(super) fn is_rules(collection: &str) -> bool {
    collection == POLICY_COLLECTION || collection == SCHEMA_COLLECTION
}

pub(super) fn stamp_of(column: i64) -> Stamp {
    // Stamps use all 64 bits in principle; the column holds them as they are.
    Stamp(u64::from_ne_bytes(column.to_ne_bytes()))
}

/// A stamp as a column.
pub(super) fn stamp_to_sql(stamp: Stamp) -> i64 {
    i64::from_ne_bytes(stamp.0.to_ne_bytes())
}
