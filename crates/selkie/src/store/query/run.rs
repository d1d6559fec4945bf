//! Queries, asked.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params, params_from_iter};
use selkie_wire::DeviceId;

use super::aggregate::{self, Aggregation, Group};
use super::condition::{Place, Sql, check_size, push_condition, push_order_value, push_test};
use super::filter::Field;
use super::page::{Cursor, Direction, Query, QueryPage};
use super::plan::{Explanation, Plan, column, indexes_of, plan};
use crate::collection::{Page, Record};
use crate::status::CollectionInfo;
use crate::store::database::Database;
use crate::store::identity::{damaged, from_sql, to_sql};
use crate::{Error, ErrorKind};

/// The columns that [`record_of`] reads, of the row called `r`.
pub(in crate::store) const COLUMNS: &str = "r.id, r.body, r.created_at, r.updated_at, \
    CASE WHEN r.contested <> 0 THEN (SELECT count(*) FROM conflict WHERE record = r.num) ELSE 0 END, \
    (SELECT device FROM writer WHERE num = r.updated_by)";
const COLUMN_COUNT: usize = 6;

/// A record from [`COLUMNS`].
pub(in crate::store) fn record_of(row: &rusqlite::Row<'_>) -> Result<Record, Error> {
    let body = row.get_ref(1)?;
    let body = body.as_str().map_err(|_| damaged())?;
    let updated_by: Option<[u8; 16]> = row.get(5)?;
    Ok(Record {
        id: row.get(0)?,
        document: serde_json::from_str(body)
            .map_err(|_| Error::new(ErrorKind::Storage, "a record's document cannot be read"))?,
        created_at_ms: from_sql(row.get(2)?),
        updated_at_ms: from_sql(row.get(3)?),
        updated_by: updated_by.map(DeviceId),
        conflicts: row.get(4)?,
    })
}

/// The record under an id. One statement: this is what apps call most.
pub(crate) fn read_record(
    sql: &Connection,
    collection: &str,
    id: &str,
) -> Result<Option<Record>, Error> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record r WHERE collection = (SELECT num FROM collection WHERE name = ?1)
         AND id = ?2 AND body IS NOT NULL"
    ))?;
    let mut rows = statement.query(params![collection, id])?;
    rows.next()?.map(record_of).transpose()
}

/// Records in order of id.
pub(crate) fn list_records(
    sql: &Connection,
    collection: &str,
    page: &Page,
) -> Result<Vec<Record>, Error> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record r WHERE collection = (SELECT num FROM collection WHERE name = ?1)
         AND id > ?2 AND body IS NOT NULL ORDER BY id LIMIT ?3"
    ))?;
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.limit.map_or(-1, to_sql);
    let mut rows = statement.query(params![collection, after, limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record_of(row)?);
    }
    Ok(records)
}

/// What a query finds, up to its limit, and where the rest begins.
pub(crate) fn query_page(
    sql: &Connection,
    collection: &str,
    query: &Query,
) -> Result<QueryPage, Error> {
    let indexes = indexes_of(sql, collection)?;
    let plan = plan(&indexes, query);
    // One more than asked says whether there is more.
    let limit = query.limit.map(|limit| to_sql(limit).saturating_add(1));
    let Sql { text, parameters } = select(&plan, collection, query, limit)?;
    let mut statement = sql.prepare_cached(&text)?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    let (mut records, mut last) = (Vec::new(), None);
    let mut next = None;
    while let Some(row) = rows.next()? {
        if query.limit.is_some_and(|limit| records.len() as u64 >= limit) {
            next = last.map(|values| Cursor { values });
            break;
        }
        let record = record_of(row)?;
        if query.limit.is_some_and(|limit| records.len() as u64 + 1 == limit) {
            let keys = COLUMN_COUNT..COLUMN_COUNT + query.order.len();
            let mut values: Vec<SqlValue> = keys.map(|at| row.get(at)).collect::<Result<_, _>>()?;
            values.push(SqlValue::Text(record.id.clone()));
            last = Some(values);
        }
        records.push(record);
    }
    Ok(QueryPage { records, next })
}

fn select(
    plan: &Plan<'_>,
    collection: &str,
    query: &Query,
    limit: Option<i64>,
) -> Result<Sql, Error> {
    let mut sql = Sql::default();
    sql.push("SELECT ").push(COLUMNS);
    for (field, _) in &query.order {
        sql.push(", ");
        push_place(&mut sql, plan, field);
    }
    push_from(&mut sql, plan, collection, query)?;
    sql.push(" ORDER BY ");
    for (field, direction) in &query.order {
        push_place(&mut sql, plan, field);
        sql.push(if *direction == Direction::Descending { " DESC, " } else { ", " });
    }
    // `+`: the order of ids is no reason to walk through the whole collection by them.
    sql.push(if plan.index.is_some() { "+r.id" } else { "r.id" });
    if let Some(limit) = limit {
        sql.push(" LIMIT ").bind(limit);
    }
    Ok(sql)
}

fn push_place(sql: &mut Sql, plan: &Plan<'_>, field: &Field) {
    match plan.column(field) {
        Some(column) => push_order_value(sql, &Place::Index(&column)),
        None => push_order_value(sql, &Place::Record(field)),
    }
}

/// `FROM … WHERE …`: what is common to finding, counting and summing.
fn push_from(sql: &mut Sql, plan: &Plan<'_>, collection: &str, query: &Query) -> Result<(), Error> {
    check_size(&query.filters)?;
    match plan.table() {
        // CROSS JOIN: the index first, whatever SQLite thinks.
        Some(table) => {
            sql.push(" FROM ")
                .push(&table)
                .push(" x CROSS JOIN record r ON r.num = x.record WHERE ");
            for (at, test) in &plan.tests {
                push_test(sql, &Place::Index(&column(*at)), test);
                sql.push(" AND ");
            }
        }
        None => {
            sql.push(
                " FROM record r WHERE r.collection = (SELECT num FROM collection WHERE name = ",
            );
            sql.bind(collection.to_owned()).push(") AND ");
        }
    }
    sql.push("r.body IS NOT NULL");
    for filter in &query.filters {
        if !plan.answers(filter) {
            sql.push(" AND ");
            push_condition(sql, filter);
        }
    }
    if let Some(cursor) = &query.after {
        push_after(sql, plan, query, cursor)?;
    }
    Ok(())
}

/// Only what comes after a place in the order.
fn push_after(sql: &mut Sql, plan: &Plan<'_>, query: &Query, cursor: &Cursor) -> Result<(), Error> {
    let Some((id, values)) = cursor.values.split_last() else { return Ok(()) };
    if values.len() != query.order.len() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the cursor is of a query with another order",
        ));
    }
    sql.push(" AND (");
    for (equal, (field, direction)) in query.order.iter().enumerate() {
        push_equal(sql, plan, query, values.get(..equal).unwrap_or_default());
        push_place(sql, plan, field);
        sql.push(if *direction == Direction::Descending { " < " } else { " > " });
        sql.bind(values.get(equal).cloned().unwrap_or(SqlValue::Null)).push(" OR ");
    }
    push_equal(sql, plan, query, values);
    sql.push("r.id > ").bind(id.clone()).push(")");
    // Said once more for the first field alone, so that an index begins there.
    if let (Some((field, direction)), Some(value)) = (query.order.first(), values.first()) {
        sql.push(" AND ");
        push_place(sql, plan, field);
        sql.push(if *direction == Direction::Descending { " <= " } else { " >= " });
        sql.bind(value.clone());
    }
    Ok(())
}

fn push_equal(sql: &mut Sql, plan: &Plan<'_>, query: &Query, values: &[SqlValue]) {
    for ((field, _), value) in query.order.iter().zip(values) {
        push_place(sql, plan, field);
        sql.push(" = ").bind(value.clone()).push(" AND ");
    }
}

/// How many records meet the filters; order, limit and cursor do not matter.
pub(crate) fn count_matching(
    sql: &Connection,
    collection: &str,
    query: &Query,
) -> Result<u64, Error> {
    let query = Query { filters: query.filters.clone(), ..Query::default() };
    let indexes = indexes_of(sql, collection)?;
    let plan = plan(&indexes, &query);
    let mut counting = Sql::default();
    counting.push("SELECT count(*)");
    push_from(&mut counting, &plan, collection, &query)?;
    let mut statement = sql.prepare_cached(&counting.text)?;
    let count = statement.query_row(params_from_iter(counting.parameters), |row| row.get(0))?;
    Ok(from_sql(count))
}

/// How many records a collection has.
pub(crate) fn count_all(sql: &Connection, collection: &str) -> Result<u64, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT count(*) FROM record
         WHERE collection = (SELECT num FROM collection WHERE name = ?1) AND body IS NOT NULL",
    )?;
    Ok(from_sql(statement.query_row([collection], |row| row.get(0))?))
}

/// Counts and sums over what the filters find.
pub(crate) fn aggregate(
    sql: &Connection,
    collection: &str,
    query: &Query,
    aggregation: &Aggregation,
) -> Result<Vec<Group>, Error> {
    let query = Query { filters: query.filters.clone(), ..Query::default() };
    let indexes = indexes_of(sql, collection)?;
    let plan = plan(&indexes, &query);
    let mut counting = aggregate::columns(aggregation);
    push_from(&mut counting, &plan, collection, &query)?;
    if aggregation.is_grouped() {
        counting.push(" GROUP BY 1 ORDER BY 1");
    }
    let mut statement = sql.prepare_cached(&counting.text)?;
    let mut rows = statement.query(params_from_iter(counting.parameters))?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        groups.push(aggregate::group_of(row, aggregation)?);
    }
    Ok(groups)
}

/// How a query would be answered.
pub(crate) fn explain(
    sql: &Connection,
    collection: &str,
    query: &Query,
) -> Result<Explanation, Error> {
    let indexes = indexes_of(sql, collection)?;
    let plan = plan(&indexes, query);
    let Sql { text, parameters } = select(&plan, collection, query, query.limit.map(to_sql))?;
    let mut statement = sql.prepare(&format!("EXPLAIN QUERY PLAN {text}"))?;
    let steps = statement.query_map(params_from_iter(parameters), |row| row.get("detail"))?;
    let steps = steps.collect::<Result<_, _>>()?;
    let fields = |paths: &[selkie_core::record::Path]| {
        paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    Ok(Explanation { index: plan.index.as_ref().map(|index| fields(&index.paths)), steps })
}

/// The collections that have records; Selkie's own are left out.
pub(crate) fn collections(sql: &Connection) -> Result<Vec<CollectionInfo>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT c.name, count(*) FROM collection c JOIN record r ON r.collection = c.num
         WHERE r.body IS NOT NULL AND substr(c.name, 1, 1) <> '_' GROUP BY c.num ORDER BY c.name",
    )?;
    let collections = statement.query_map([], |row| {
        Ok(CollectionInfo { name: row.get(0)?, records: from_sql(row.get(1)?) })
    })?;
    Ok(collections.collect::<Result<_, _>>()?)
}

impl Database {
    pub(crate) fn list_records(
        &mut self,
        collection: &str,
        page: &Page,
    ) -> Result<Vec<Record>, Error> {
        list_records(&self.connection, collection, page)
    }

    pub(crate) fn read_record(
        &mut self,
        collection: &str,
        id: &str,
    ) -> Result<Option<Record>, Error> {
        read_record(&self.connection, collection, id)
    }

    pub(crate) fn collections(&mut self) -> Result<Vec<CollectionInfo>, Error> {
        collections(&self.connection)
    }
}
