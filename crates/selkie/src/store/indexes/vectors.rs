//! Nearest vectors, and vectors that the app gives.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params, params_from_iter};

use super::definition::{Definition, Metric, VectorIndex, VectorSource};
use super::the_one;
use crate::collection::Record;
use crate::store::database::Database;
use crate::store::identity::to_sql;
use crate::store::query::{COLUMNS, Filter, Sql, push_filter, record_of};
use crate::{Error, ErrorKind};

/// Neighbours of one question; `sqlite-vec` allows no more.
const NEIGHBOURS_MAX: u64 = 4_096;
const NO_INDEX: &str = "the collection has no vector index; declare one with ensure_vectors";

/// What to find the nearest of, how many, and among which.
///
/// ```
/// # use selkie::{Filter, Similar, Unlock, Vault, VectorIndex};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let notes = vault.collection("notes")?;
/// notes.ensure_vectors(&VectorIndex::of_field("embedding", 2)?)?;
/// for (id, embedding) in [("east", [1.0, 0.0]), ("north", [0.0, 1.0]), ("north-east", [1.0, 1.0])] {
///     notes.put(id, &json!({ "embedding": embedding }))?;
/// }
/// vault.finish_indexes()?;
/// let nearest = notes.similar(&Similar::to(&[0.9, 0.1], 2))?;
/// assert_eq!(nearest.iter().map(|near| near.record.id.as_str()).collect::<Vec<_>>(), ["east", "north-east"]);
/// let others = notes.similar(&Similar::to_record("east", 1))?;
/// assert_eq!(others[0].record.id, "north-east");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Similar {
    pub(super) wanted: Wanted,
    pub(super) count: u64,
    pub(super) filter: Option<Filter>,
}

/// A vector, or a record whose vector is meant.
#[derive(Clone, PartialEq)]
pub(crate) enum Wanted {
    Vector(Vec<f32>),
    Record(String),
}

impl core::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Vector(vector) => write!(f, "Vector(<{} numbers>)", vector.len()),
            Self::Record(id) => write!(f, "Record({id:?})"),
        }
    }
}

impl Similar {
    /// The `count` records whose vectors are nearest to this one; at most 4096.
    #[must_use]
    pub fn to(vector: &[f32], count: u64) -> Self {
        Self { wanted: Wanted::Vector(vector.to_vec()), count, filter: None }
    }

    /// The `count` records nearest to this one; it is not among them.
    #[must_use]
    pub fn to_record(id: &str, count: u64) -> Self {
        Self { wanted: Wanted::Record(id.to_owned()), count, filter: None }
    }

    /// Only among records that meet this filter. It is asked first, so that `count` are found if there
    /// are so many.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }
}

/// A record near to what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// The record.
    pub record: Record,
    /// How far it is, by the index's metric.
    pub distance: f64,
}

/// The nearest records, nearest first.
pub(crate) fn similar(
    sql: &Connection,
    collection: &str,
    similar: &Similar,
) -> Result<Vec<Neighbour>, Error> {
    let (num, index) = index_of(sql, collection)?;
    if similar.count > NEIGHBOURS_MAX {
        let message = format!("at most {NEIGHBOURS_MAX} neighbours are found at once");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let (vector, itself) = match &similar.wanted {
        Wanted::Vector(vector) => (bytes_of(vector, &index)?, None),
        Wanted::Record(id) => {
            let (record, vector) = vector_of(sql, collection, num, id)?;
            (vector, Some(record))
        }
    };
    let count = similar.count.saturating_add(u64::from(itself.is_some())).min(NEIGHBOURS_MAX);
    let mut asked = Sql::default();
    asked
        .push("SELECT ")
        .push(COLUMNS)
        .push(", v.distance, r.num FROM (SELECT record, distance FROM vector_");
    asked.push(&num.to_string()).push(" WHERE embedding MATCH ").bind(vector);
    asked.push(" AND k = ").bind(to_sql(count));
    if let Some(filter) = &similar.filter {
        asked.push(" AND record IN (SELECT r.num FROM record r WHERE r.collection = ");
        asked.push("(SELECT num FROM collection WHERE name = ").bind(collection.to_owned());
        asked.push(") AND r.body IS NOT NULL AND ");
        push_filter(&mut asked, filter)?;
        asked.push(")");
    }
    asked.push(") v JOIN record r ON r.num = v.record ORDER BY v.distance, r.id");
    let mut statement = sql.prepare_cached(&asked.text)?;
    let mut rows = statement.query(params_from_iter(asked.parameters))?;
    let mut neighbours = Vec::new();
    while let Some(row) = rows.next()? {
        if neighbours.len() as u64 == similar.count {
            break;
        }
        if Some(row.get::<_, i64>(7)?) != itself {
            neighbours.push(Neighbour { record: record_of(row)?, distance: row.get(6)? });
        }
    }
    Ok(neighbours)
}

fn index_of(sql: &Connection, collection: &str) -> Result<(i64, VectorIndex), Error> {
    match the_one(sql, collection, "vectors", NO_INDEX)? {
        (num, Definition::Vectors(index)) => Ok((num, index)),
        _ => Err(Error::new(ErrorKind::NotFound, NO_INDEX)),
    }
}

fn record_num(sql: &Connection, collection: &str, id: &str) -> Result<i64, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT num FROM record WHERE collection = (SELECT num FROM collection WHERE name = ?1)
         AND id = ?2 AND body IS NOT NULL",
    )?;
    let num = statement.query_row(params![collection, id], |row| row.get(0)).optional()?;
    num.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no record {id}")))
}

fn vector_of(
    sql: &Connection,
    collection: &str,
    num: i64,
    id: &str,
) -> Result<(i64, Vec<u8>), Error> {
    let record = record_num(sql, collection, id)?;
    let mut statement =
        sql.prepare_cached(&format!("SELECT embedding FROM vector_{num} WHERE record = ?1"))?;
    let vector = statement.query_row([record], |row| row.get(0)).optional()?;
    let vector = vector.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("the record {id} has no vector in the index"))
    })?;
    Ok((record, vector))
}

/// A checked vector, as `sqlite-vec` takes it: 32-bit floats, little endian.
fn bytes_of(vector: &[f32], index: &VectorIndex) -> Result<Vec<u8>, Error> {
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
    if vector.len() != index.dimensions {
        let (given, wanted) = (vector.len(), index.dimensions);
        return refuse(format!("the vector has {given} numbers, the index holds {wanted}"));
    }
    if !vector.iter().all(|number| number.is_finite()) {
        return refuse("a vector's numbers are finite".to_owned());
    }
    if index.metric == Metric::Cosine && vector.iter().all(|number| *number == 0.0) {
        return refuse("a vector of zeros has no direction to compare".to_owned());
    }
    Ok(vector.iter().flat_map(|number| number.to_le_bytes()).collect())
}

/// The ids of records that the app has given no vector for, or whose vector no longer fits.
pub(crate) fn without_vector(
    sql: &Connection,
    collection: &str,
    limit: u64,
) -> Result<Vec<String>, Error> {
    let (num, _) = index_of(sql, collection)?;
    let mut statement = sql.prepare_cached(&format!(
        "SELECT id FROM record WHERE collection = (SELECT num FROM collection WHERE name = ?1)
         AND body IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM vector_{num}_rowids v WHERE v.rowid = record.num)
         ORDER BY id LIMIT ?2"
    ))?;
    let ids = statement.query_map(params![collection, to_sql(limit)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

impl Database {
    /// Keeps vectors that the app gives. All of them, or none.
    pub(crate) fn give_vectors(
        &mut self,
        collection: &str,
        vectors: &[(&str, &[f32])],
    ) -> Result<(), Error> {
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (num, index) = index_of(&sql, collection)?;
        if !matches!(index.source, VectorSource::Given(_)) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the index takes its vectors from a field; write them there",
            ));
        }
        {
            let mut remove =
                sql.prepare_cached(&format!("DELETE FROM vector_{num} WHERE record = ?1"))?;
            let mut insert = sql.prepare_cached(&format!(
                "INSERT INTO vector_{num} (record, embedding) VALUES (?1, ?2)"
            ))?;
            for (id, vector) in vectors {
                let record = record_num(&sql, collection, id)?;
                let bytes = bytes_of(vector, &index)?;
                remove.execute([record])?;
                insert.execute(params![record, bytes])?;
            }
        }
        sql.commit()?;
        Ok(())
    }
}
