//! Fields whose values no two records may share. A write here that would double one is refused; what
//! two devices did apart is kept, and listed.

use rusqlite::{OptionalExtension, params};
use selkie_core::merge::View;
use selkie_core::record::{Document, Path, RecordKey, value};
use selkie_wire::Digest;
use serde_json::Value;

use super::database::Database;
use super::identity::damaged;
use super::rows::Rows;
use crate::status::UniqueClash;
use crate::{Error, ErrorKind};

impl Rows<'_> {
    /// Keeps the index of unique values in step with a record.
    pub(super) fn save_unique_keys(
        &mut self,
        key: &RecordKey,
        num: i64,
        shown: &View,
    ) -> Result<(), Error> {
        let schema = self.schema(key.collection())?;
        if schema.unique.is_empty() {
            return Ok(());
        }
        let Some(collection) = self.collection_num(key.collection())? else {
            return Err(damaged());
        };
        self.connection.execute("DELETE FROM unique_key WHERE record = ?1", [num])?;
        for path in &schema.unique {
            let Some(digest) = digest_at(shown.document.as_ref(), path) else { continue };
            self.connection.execute(
                "INSERT INTO unique_key VALUES (?1, ?2, ?3, ?4)",
                params![collection, path.as_bytes(), digest.as_bytes(), num],
            )?;
        }
        Ok(())
    }

    /// Refuses a record whose unique values another one has. Asked once all of a transaction's writes
    /// are done, so that they may exchange values, and may not double one among themselves. A value
    /// that the record had `before` stays: what two devices doubled apart does not block other edits.
    pub(super) fn check_unique(
        &mut self,
        key: &RecordKey,
        before: Option<&Document>,
    ) -> Result<(), Error> {
        let schema = self.schema(key.collection())?;
        if schema.unique.is_empty() {
            return Ok(());
        }
        let Some(collection) = self.collection_num(key.collection())? else { return Ok(()) };
        let Some(stored) = self.load(key)? else { return Ok(()) };
        let Some(document) = &stored.document else { return Ok(()) };
        for path in &schema.unique {
            let Some(digest) = digest_at(Some(document), path) else { continue };
            if digest_at(before, path) == Some(digest) {
                continue;
            }
            let mut statement = self.connection.prepare_cached(
                "SELECT r.id FROM unique_key u JOIN record r ON r.num = u.record
                 WHERE u.collection = ?1 AND u.path = ?2 AND u.digest = ?3 AND r.id <> ?4",
            )?;
            let other: Option<String> = statement
                .query_row(
                    params![collection, path.as_bytes(), digest.as_bytes(), key.id()],
                    |row| row.get(0),
                )
                .optional()?;
            if other.is_some() {
                let message =
                    format!("another record has this value of {path}, which must be unique");
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        Ok(())
    }

    /// Builds the index anew, after the schema has changed.
    pub(super) fn index_unique_keys(&mut self, collection: &str) -> Result<(), Error> {
        let Some(num) = self.collection_num(collection)? else { return Ok(()) };
        self.connection.execute("DELETE FROM unique_key WHERE collection = ?1", [num])?;
        if self.schema(collection)?.unique.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = {
            let mut statement = self
                .connection
                .prepare("SELECT id FROM record WHERE collection = ?1 AND body IS NOT NULL")?;
            statement.query_map([num], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for id in ids {
            let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
            let Some(stored) = self.load(&key)? else { continue };
            let shown = View { document: stored.document.clone(), conflicts: Vec::new() };
            self.save_unique_keys(&key, stored.num(), &shown)?;
        }
        Ok(())
    }
}

fn digest_at(document: Option<&Document>, path: &Path) -> Option<Digest> {
    match document?.value_at(path)? {
        Value::Null => None,
        value => Some(Digest::of(&value::to_bytes(value))),
    }
}

impl Database {
    /// The unique values that several records have.
    pub(crate) fn unique_clashes(&mut self) -> Result<Vec<UniqueClash>, Error> {
        let groups: Vec<(String, Vec<u8>, Vec<u8>)> = {
            let mut statement = self.connection.prepare_cached(
                "SELECT c.name, u.path, u.digest FROM unique_key u JOIN collection c ON c.num = u.collection
                 GROUP BY u.collection, u.path, u.digest HAVING count(*) > 1 ORDER BY c.name, u.path",
            )?;
            let groups =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            groups.collect::<Result<_, _>>()?
        };
        let mut clashes = Vec::with_capacity(groups.len());
        for (collection, path, digest) in groups {
            let ids: Vec<String> = {
                let mut statement = self.connection.prepare_cached(
                    "SELECT r.id FROM unique_key u JOIN record r ON r.num = u.record
                     JOIN collection c ON c.num = u.collection
                     WHERE c.name = ?1 AND u.path = ?2 AND u.digest = ?3 ORDER BY r.id",
                )?;
                let ids =
                    statement.query_map(params![collection, path, digest], |row| row.get(0))?;
                ids.collect::<Result<_, _>>()?
            };
            let path = Path::from_bytes(&path).ok_or_else(damaged)?;
            let first = ids.first().ok_or_else(damaged)?;
            let record = self.read_record(&collection, first)?.ok_or_else(damaged)?;
            let document = Document::from_value(record.document)?;
            let value = document.value_at(&path).cloned().unwrap_or_default();
            clashes.push(UniqueClash { collection, path, value, ids });
        }
        Ok(clashes)
    }
}
