//! Filters over JSON paths, run inside the encrypted database.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value as SqlValue;
use rusqlite::{params, params_from_iter};
use selkie_core::record::{Component, Path};
use serde_json::Value;

use super::conflicts::record_of;
use super::database::Database;
use super::identity::{from_sql, to_sql};
use super::rows::Rows;
use crate::collection::{Page, Record};
use crate::status::CollectionInfo;
use crate::{Error, ErrorKind};

/// Filters that a query may have.
const FILTERS_MAX: usize = 64;

/// A condition on one field.
///
/// ```
/// use selkie::Filter;
/// let filter = Filter::parse("address.city = \"Oslo\"")?;
/// assert_eq!(filter.to_string(), "address.city = \"Oslo\"");
/// assert!(Filter::parse("= 3").is_err());
/// # Ok::<(), selkie::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    path: Path,
    comparison: Comparison,
}

#[derive(Clone, Debug, PartialEq)]
enum Comparison {
    Exists,
    Prefix(String),
    Compare(Operator, Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Longer signs first, so that `<=` is not read as `<`.
    const SIGNS: [(&'static str, Self); 6] = [
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn sign(self) -> &'static str {
        Self::SIGNS
            .into_iter()
            .find(|(_, operator)| *operator == self)
            .map_or("=", |(sign, _)| sign)
    }
}

/// Which records to find: those that meet every filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    filters: Vec<Filter>,
    limit: Option<u64>,
}

impl Query {
    /// All records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those that also meet this filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl Filter {
    /// Reads a filter as people type it: `field = value`, with `=`, `!=`, `<`, `<=`, `>`, `>=`, or
    /// `~` for "begins with"; or `field` alone for "is there". The value is JSON, or else text. A
    /// missing field is unequal to everything, and meets no other comparison; numbers are compared
    /// with numbers and text with text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("{why}; write a filter like: title = Milk"))
        };
        let end = field_end(text);
        let (field, rest) = text.split_at_checked(end).ok_or_else(|| bad("not a filter"))?;
        let path = Path::parse(field.trim()).ok_or_else(|| bad("the filter names no field"))?;
        let quote = |component| matches!(component, Component::Key(key) if key.contains('"'));
        if path.components().any(quote) {
            return Err(bad("a field with a quote in its name cannot be queried"));
        }
        let rest = rest.trim();
        if rest.is_empty() {
            return Ok(Self { path, comparison: Comparison::Exists });
        }
        if let Some(prefix) = rest.strip_prefix('~') {
            let Value::String(prefix) = parse_value(prefix.trim()) else {
                return Err(bad("only text has a beginning"));
            };
            return Ok(Self { path, comparison: Comparison::Prefix(prefix) });
        }
        let (operator, value) = Operator::SIGNS
            .into_iter()
            .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?.trim())))
            .ok_or_else(|| bad("the filter has no comparison"))?;
        let value = parse_value(value);
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if value.is_object()
            || value.is_array()
            || (ordered && !value.is_number() && !value.is_string())
        {
            return Err(bad("the filter compares with text, a number, true, false or null"));
        }
        Ok(Self { path, comparison: Comparison::Compare(operator, value) })
    }

    /// The condition in SQL over `body`, and its parameters.
    fn to_sql(&self) -> (String, Vec<SqlValue>) {
        let path = SqlValue::Text(json_path(&self.path));
        match &self.comparison {
            Comparison::Exists => ("json_type(body, ?) IS NOT NULL".to_owned(), vec![path]),
            Comparison::Prefix(prefix) => (
                "(json_type(body, ?) = 'text' AND substr(json_extract(body, ?), 1, length(?)) = ?)"
                    .to_owned(),
                vec![path.clone(), path, prefix.clone().into(), prefix.clone().into()],
            ),
            Comparison::Compare(operator, value) => compare(*operator, value, path),
        }
    }
}

fn compare(operator: Operator, value: &Value, path: SqlValue) -> (String, Vec<SqlValue>) {
    let sign = match operator {
        Operator::NotEqual => "=",
        other => other.sign(),
    };
    let (sql, parameters) = match value {
        Value::Null => ("json_type(body, ?) = 'null'".to_owned(), vec![path]),
        Value::Bool(bool) => (format!("json_type(body, ?) = '{bool}'"), vec![path]),
        Value::Number(number) => {
            let number = match number.as_i64() {
                Some(integer) => SqlValue::Integer(integer),
                None => SqlValue::Real(number.as_f64().unwrap_or(f64::NAN)),
            };
            let sql = format!(
                "(json_type(body, ?) IN ('integer', 'real') AND json_extract(body, ?) {sign} ?)"
            );
            (sql, vec![path.clone(), path, number])
        }
        other => {
            let text = SqlValue::Text(other.as_str().unwrap_or_default().to_owned());
            let sql = format!("(json_type(body, ?) = 'text' AND json_extract(body, ?) {sign} ?)");
            (sql, vec![path.clone(), path, text])
        }
    };
    match operator {
        Operator::NotEqual => (format!("({sql}) IS NOT TRUE"), parameters),
        _ => (sql, parameters),
    }
}

/// Where the field's name ends: at the first sign outside quotes.
fn field_end(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '=' | '!' | '<' | '>' | '~' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn parse_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn json_path(path: &Path) -> String {
    let mut text = "$".to_owned();
    for component in path.components() {
        if let Component::Key(key) = component {
            text.push_str(".\"");
            text.push_str(key);
            text.push('"');
        }
    }
    text
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.comparison {
            Comparison::Exists => write!(f, "{}", self.path),
            Comparison::Prefix(prefix) => {
                write!(f, "{} ~ {}", self.path, Value::from(prefix.as_str()))
            }
            Comparison::Compare(operator, value) => {
                write!(f, "{} {} {value}", self.path, operator.sign())
            }
        }
    }
}

/// The columns that [`record_of`] reads.
const COLUMNS: &str = "id, body, created_at, updated_at, CASE WHEN contested <> 0 \
    THEN (SELECT count(*) FROM conflict WHERE record = num) ELSE 0 END";

impl Database {
    pub(crate) fn list_records(
        &mut self,
        collection: &str,
        page: &Page,
    ) -> Result<Vec<Record>, Error> {
        let Some(num) = self.collection(collection)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM record WHERE collection = ?1 AND id > ?2 AND body IS NOT NULL
             ORDER BY id LIMIT ?3"
        ))?;
        let after = page.after.as_deref().unwrap_or_default();
        let mut rows = statement.query(params![num, after, limit_of(page.limit)])?;
        collect(&mut rows)
    }

    pub(crate) fn query_records(
        &mut self,
        collection: &str,
        query: &Query,
    ) -> Result<Vec<Record>, Error> {
        if query.filters.len() > FILTERS_MAX {
            let message = format!("a query has at most {FILTERS_MAX} filters");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let Some(num) = self.collection(collection)? else { return Ok(Vec::new()) };
        let mut sql =
            format!("SELECT {COLUMNS} FROM record WHERE collection = ? AND body IS NOT NULL");
        let mut parameters = vec![SqlValue::Integer(num)];
        for filter in &query.filters {
            let (condition, values) = filter.to_sql();
            sql.push_str(" AND ");
            sql.push_str(&condition);
            parameters.extend(values);
        }
        sql.push_str(" ORDER BY id LIMIT ?");
        parameters.push(SqlValue::Integer(limit_of(query.limit)));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        collect(&mut rows)
    }

    pub(crate) fn count_records(&mut self, collection: &str) -> Result<u64, Error> {
        let Some(num) = self.collection(collection)? else { return Ok(0) };
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FROM record WHERE collection = ?1 AND body IS NOT NULL",
        )?;
        Ok(from_sql(statement.query_row([num], |row| row.get(0))?))
    }

    /// The collections that have records; Selkie's own are left out.
    pub(crate) fn collections(&mut self) -> Result<Vec<CollectionInfo>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT c.name, count(*) FROM collection c JOIN record r ON r.collection = c.num
             WHERE r.body IS NOT NULL AND substr(c.name, 1, 1) <> '_' GROUP BY c.num ORDER BY c.name",
        )?;
        let collections = statement.query_map([], |row| {
            Ok(CollectionInfo { name: row.get(0)?, records: from_sql(row.get(1)?) })
        })?;
        Ok(collections.collect::<Result<_, _>>()?)
    }

    fn collection(&mut self, name: &str) -> Result<Option<i64>, Error> {
        let Self { connection, cache, .. } = self;
        Rows::new(connection, cache)?.collection_num(name)
    }
}

fn limit_of(limit: Option<u64>) -> i64 {
    limit.map_or(-1, to_sql)
}

fn collect(rows: &mut rusqlite::Rows<'_>) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record_of(row)?);
    }
    Ok(records)
}
