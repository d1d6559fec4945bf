//! Indexes that an app declares: over fields, for words, for vectors. Local to this store.
//!
//! In: a definition. Out: tables inside the encrypted file that triggers on `record` keep in step, in
//! the transaction of every write, whoever makes it; filled with what is there already bit by bit, so
//! that no write waits long. What never happens here: an index that is used before it is complete, or
//! a value of a record anywhere but in the file.
//!
//! `definition` says what there is, `tables` makes SQL of it, this file declares, fills and drops,
//! `search` and `vectors` ask.

mod definition;
mod search;
mod tables;
mod vectors;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub(crate) use definition::Definition;
pub use definition::{IndexInfo, IndexKind, Metric, SearchIndex, Tokenizer, VectorIndex};
pub(crate) use search::search;
pub use search::{Search, SearchHit};
pub use vectors::{Neighbour, Similar};
pub(crate) use vectors::{similar, without_vector};

use super::database::Database;
use super::identity::damaged;
use super::rows::Rows;
use crate::{Error, ErrorKind};

/// Records put into an index in one transaction; a write waits no longer than that takes.
const FILL_RECORDS: i64 = 500;
/// Indexes that one collection may have; each makes its writes slower.
const INDEXES_MAX: i64 = 32;

impl Database {
    /// Declares an index, if it is not there already. Of those for words and for vectors a collection
    /// has one each: another definition takes its place. Whether there is something to fill.
    pub(crate) fn declare_index(
        &mut self,
        collection: &str,
        definition: &Definition,
    ) -> Result<bool, Error> {
        let known = find(&self.connection, collection, definition)?;
        if let Some((_, complete)) = known {
            return Ok(!complete);
        }
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let declared = declare_in(&sql, cache, collection, definition);
        match declared.and_then(|()| sql.commit().map_err(Error::from)) {
            Ok(()) => Ok(true),
            Err(error) => {
                cache.forget();
                Err(error)
            }
        }
    }

    /// Fills the first index that is not complete a little further. Whether there is more to do.
    pub(crate) fn fill_some(&mut self) -> Result<bool, Error> {
        let unfinished = "SELECT num, collection, kind, definition, filled_to FROM declared_index
            WHERE filled_to IS NOT NULL ORDER BY num LIMIT 1";
        let waiting = |sql: &Connection| -> Result<_, Error> {
            let mut statement = sql.prepare_cached(unfinished)?;
            let mut rows = statement.query([])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let (kind, definition): (String, String) = (row.get(2)?, row.get(3)?);
            let definition = Definition::read(&kind, &definition).ok_or_else(damaged)?;
            let (num, collection, from): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(4)?);
            Ok(Some((num, collection, definition, from)))
        };
        if waiting(&self.connection)?.is_none() {
            return Ok(false);
        }
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have gone on meanwhile.
        let Some((num, collection, definition, from)) = waiting(&sql)? else { return Ok(false) };
        let to: Option<i64> = sql.query_row(
            "SELECT max(num) FROM (SELECT num FROM record WHERE num > ?1 ORDER BY num LIMIT ?2)",
            params![from, FILL_RECORDS],
            |row| row.get(0),
        )?;
        if let (Some(to), Some(fill)) = (to, tables::fill(num, collection, &definition)) {
            sql.execute(&fill, params![from, to])?;
            sql.execute("UPDATE declared_index SET filled_to = ?2 WHERE num = ?1", [num, to])?;
        } else {
            sql.execute("UPDATE declared_index SET filled_to = NULL WHERE num = ?1", [num])?;
        }
        sql.commit()?;
        Ok(true)
    }

    /// Drops an index; whether it was there.
    pub(crate) fn drop_index(
        &mut self,
        collection: &str,
        definition: &Definition,
    ) -> Result<bool, Error> {
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((num, _)) = find(&sql, collection, definition)? else { return Ok(false) };
        drop_in(&sql, num, definition)?;
        sql.commit()?;
        Ok(true)
    }

    /// Drops the index of a kind that a collection has one of; whether there was one.
    pub(crate) fn drop_the_one(&mut self, collection: &str, kind: &str) -> Result<bool, Error> {
        let Some(num) = ({
            let Self { connection, cache, .. } = self;
            Rows::new(connection, cache)?.collection_num(collection)?
        }) else {
            return Ok(false);
        };
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = of_kind(&sql, num, kind)?;
        for (num, definition) in &known {
            drop_in(&sql, *num, definition)?;
        }
        sql.commit()?;
        Ok(!known.is_empty())
    }
}

fn declare_in(
    sql: &Connection,
    cache: &mut super::rows::Cache,
    collection: &str,
    definition: &Definition,
) -> Result<(), Error> {
    let collection_num = Rows::new(sql, cache)?.collection_num_or_new(collection)?;
    let others: i64 = sql.query_row(
        "SELECT count(*) FROM declared_index WHERE collection = ?1",
        [collection_num],
        |row| row.get(0),
    )?;
    if others >= INDEXES_MAX {
        let message = format!("a collection has at most {INDEXES_MAX} indexes; drop one first");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    if definition.is_only_one() {
        for (num, old) in of_kind(sql, collection_num, definition.kind())? {
            drop_in(sql, num, &old)?;
        }
    }
    sql.execute(
        "INSERT INTO declared_index (collection, kind, definition, filled_to) VALUES (?1, ?2, ?3, 0)",
        params![collection_num, definition.kind(), definition.to_json()],
    )?;
    let num = sql.last_insert_rowid();
    sql.execute_batch(&tables::create(num, collection_num, definition))?;
    Ok(())
}

fn drop_in(sql: &Connection, num: i64, definition: &Definition) -> Result<(), Error> {
    sql.execute_batch(&tables::drop(num, definition))?;
    sql.execute("DELETE FROM declared_index WHERE num = ?1", [num])?;
    Ok(())
}

/// An index and whether it is complete.
fn find(
    sql: &Connection,
    collection: &str,
    definition: &Definition,
) -> Result<Option<(i64, bool)>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT i.num, i.filled_to IS NULL FROM declared_index i
         JOIN collection c ON c.num = i.collection
         WHERE c.name = ?1 AND i.kind = ?2 AND i.definition = ?3",
    )?;
    let place = params![collection, definition.kind(), definition.to_json()];
    Ok(statement.query_row(place, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn of_kind(sql: &Connection, collection: i64, kind: &str) -> Result<Vec<(i64, Definition)>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT num, definition FROM declared_index WHERE collection = ?1 AND kind = ?2",
    )?;
    let mut rows = statement.query(params![collection, kind])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let definition: String = row.get(1)?;
        found.push((row.get(0)?, Definition::read(kind, &definition).ok_or_else(damaged)?));
    }
    Ok(found)
}

/// The one index of a kind that a collection has.
fn the_one(
    sql: &Connection,
    collection: &str,
    kind: &str,
    missing: &str,
) -> Result<(i64, Definition), Error> {
    let mut statement = sql.prepare_cached(
        "SELECT i.num, i.definition, i.filled_to IS NULL FROM declared_index i
         JOIN collection c ON c.num = i.collection WHERE c.name = ?1 AND i.kind = ?2",
    )?;
    let mut rows = statement.query(params![collection, kind])?;
    let Some(row) = rows.next()? else {
        return Err(Error::new(ErrorKind::NotFound, missing));
    };
    let definition: String = row.get(1)?;
    if !row.get::<_, bool>(2)? {
        return Err(Error::new(
            ErrorKind::Busy,
            "the index is still being built; try again shortly, or call finish_indexes",
        ));
    }
    Ok((row.get(0)?, Definition::read(kind, &definition).ok_or_else(damaged)?))
}

/// Whether some index is not complete.
pub(crate) fn any_unfinished(sql: &Connection) -> Result<bool, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM declared_index WHERE filled_to IS NOT NULL)",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The indexes of a collection, or all, as they were declared.
pub(crate) fn list(sql: &Connection, collection: Option<&str>) -> Result<Vec<IndexInfo>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT c.name, i.kind, i.definition, i.filled_to IS NULL FROM declared_index i
         JOIN collection c ON c.num = i.collection
         WHERE ?1 IS NULL OR c.name = ?1 ORDER BY c.name, i.num",
    )?;
    let mut rows = statement.query([collection])?;
    let mut indexes = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, definition): (String, String) = (row.get(1)?, row.get(2)?);
        let definition = Definition::read(&kind, &definition).ok_or_else(damaged)?;
        indexes.push(definition.info(row.get(0)?, row.get(3)?));
    }
    Ok(indexes)
}
