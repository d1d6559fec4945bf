//! Which records, in which order, and which part of them.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use super::filter::{Expression, Field, Filter, field};
use crate::collection::Record;
use crate::{Error, ErrorKind};

/// Fields that an order may have.
const ORDER_MAX: usize = 8;

/// Which records to find: those that meet every filter; in which order, and how many.
///
/// ```
/// # use selkie::{Filter, Query, Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let birds = vault.collection("birds")?;
/// for (id, mass) in [("a", 4100), ("b", 5400), ("c", 3900)] {
///     birds.put(id, &json!({"mass": mass}))?;
/// }
/// let heaviest = Query::new().filter(Filter::parse("mass > 3000")?).descending("mass")?.limit(2);
/// let page = birds.page(&heaviest)?;
/// assert_eq!(page.records.iter().map(|record| record.id.as_str()).collect::<String>(), "ba");
/// let rest = birds.page(&heaviest.after(page.next.unwrap()))?;
/// assert_eq!((rest.records[0].id.as_str(), rest.next), ("c", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub(super) filters: Vec<Expression>,
    pub(super) order: Vec<(Field, Direction)>,
    pub(super) limit: Option<u64>,
    pub(super) after: Option<Cursor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// A part of what a query finds.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryPage {
    /// The records, in the query's order.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

/// The place after a record in the order of a query. It stays good while records come and go; it
/// holds the values that the order compares, so treat it like the records themselves.
///
/// ```
/// # use selkie::{Cursor, ErrorKind};
/// let error = "not a cursor".parse::<Cursor>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// ```
#[derive(Clone, PartialEq)]
pub struct Cursor {
    /// A value for each field of the order, then the id.
    pub(super) values: Vec<SqlValue>,
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
        self.filters.push(filter.0);
        self
    }

    /// In order of this field, smallest first, after the orders named before. Records without the field
    /// come first, then numbers, text (by its bytes), null, false, true; alike ones in order of id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field, or more than eight of them.
    pub fn ascending(self, path: &str) -> Result<Self, Error> {
        self.ordered(path, Direction::Ascending)
    }

    /// As [`ascending`](Self::ascending), the other way round.
    ///
    /// # Errors
    /// As [`ascending`](Self::ascending).
    pub fn descending(self, path: &str) -> Result<Self, Error> {
        self.ordered(path, Direction::Descending)
    }

    fn ordered(mut self, path: &str, direction: Direction) -> Result<Self, Error> {
        self.order.push((field(path)?, direction));
        if self.order.len() > ORDER_MAX {
            let message = format!("an order has at most {ORDER_MAX} fields");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(self)
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only those after a place that an earlier page of the same query ended at.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor(<{} values>)", self.values.len())
    }
}

/// Hexadecimal digits, to be handed out and read again.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<Value> = self.values.iter().map(to_json).collect();
        Value::from(values).to_string().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).map(|values| Self { values }).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "this is no cursor; take it from the page before")
        })
    }
}

fn read(text: &str) -> Option<Vec<SqlValue>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.map(byte).collect::<Option<_>>()?;
    let values: Vec<Value> = serde_json::from_slice(&bytes).ok()?;
    values.iter().map(from_json).collect()
}

fn to_json(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(number) => json!({ "i": number }),
        SqlValue::Real(number) if number.is_finite() => json!({ "r": number }),
        SqlValue::Real(_) => json!({"m": 0}),
        SqlValue::Text(text) => json!({ "t": text }),
        SqlValue::Blob(bytes) => json!({ "b": bytes.first() }),
    }
}

fn from_json(value: &Value) -> Option<SqlValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "i" => SqlValue::Integer(value.as_i64()?),
        "r" => SqlValue::Real(value.as_f64()?),
        "m" => SqlValue::Real(f64::NEG_INFINITY),
        "t" => SqlValue::Text(value.as_str()?.to_owned()),
        "b" if value.is_null() => SqlValue::Blob(Vec::new()),
        "b" => SqlValue::Blob(vec![u8::try_from(value.as_u64()?).ok()?]),
        _ => return None,
    })
}
