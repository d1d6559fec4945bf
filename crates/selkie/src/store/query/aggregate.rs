//! Counts, sums, least, greatest and average of a field, over all records found or by groups.

use rusqlite::types::Value as SqlValue;
use serde_json::Value;

use super::condition::{Sql, json_path};
use super::filter::{Field, field};
use crate::{Error, ErrorKind};

/// Figures of one aggregation.
const FIGURES_MAX: usize = 32;

/// What to make of the records that a query finds.
///
/// ```
/// # use selkie::{Aggregation, Query, Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let birds = vault.collection("birds")?;
/// for (id, species, mass) in [("a", "Gentoo", 5000), ("b", "Gentoo", 5400), ("c", "Adelie", 3700)] {
///     birds.put(id, &json!({"species": species, "mass": mass}))?;
/// }
/// let by_species = Aggregation::new().count().average("mass")?.group_by("species")?;
/// let groups = birds.aggregate(&Query::new(), &by_species)?;
/// assert_eq!((&groups[1].key, &groups[1].figures), (&Some(json!("Gentoo")), &vec![json!(2), json!(5200)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregation {
    figures: Vec<Figure>,
    group: Option<Field>,
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    Count,
    Sum(Field),
    Average(Field),
    Least(Field),
    Greatest(Field),
}

/// The figures of the records that have one value in common, or of all records.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The value in common; `None` for records without the field, and where nothing is grouped.
    pub key: Option<Value>,
    /// The figures, in the order they were asked for. `null`: no record had what it takes.
    pub figures: Vec<Value>,
}

impl Aggregation {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records.
    #[must_use]
    pub fn count(mut self) -> Self {
        self.figures.push(Figure::Count);
        self
    }

    /// The sum of a field's numbers; 0 if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field; so for all the others.
    pub fn sum(self, path: &str) -> Result<Self, Error> {
        self.with(Figure::Sum(field(path)?))
    }

    /// The average of a field's numbers.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn average(self, path: &str) -> Result<Self, Error> {
        self.with(Figure::Average(field(path)?))
    }

    /// The least number of a field, or its first text if it has no numbers.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn least(self, path: &str) -> Result<Self, Error> {
        self.with(Figure::Least(field(path)?))
    }

    /// The last text of a field, or its greatest number if it has no text.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn greatest(self, path: &str) -> Result<Self, Error> {
        self.with(Figure::Greatest(field(path)?))
    }

    /// For each value of this field apart, in the order of their JSON text.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn group_by(mut self, path: &str) -> Result<Self, Error> {
        self.group = Some(field(path)?);
        Ok(self)
    }

    pub(super) fn is_grouped(&self) -> bool {
        self.group.is_some()
    }

    fn with(mut self, figure: Figure) -> Result<Self, Error> {
        self.figures.push(figure);
        if self.figures.len() > FIGURES_MAX {
            let message = format!("at most {FIGURES_MAX} figures are made at once");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(self)
    }
}

/// `SELECT` the group's key as JSON, then each figure.
pub(super) fn columns(aggregation: &Aggregation) -> Sql {
    let mut sql = Sql::default();
    sql.push("SELECT ");
    match &aggregation.group {
        Some(Field::Path(path)) => {
            sql.push("r.body -> ").bind(json_path(path));
        }
        Some(Field::Id) => {
            sql.push("json_quote(r.id)");
        }
        Some(Field::CreatedAt) => {
            sql.push("r.created_at");
        }
        Some(Field::UpdatedAt) => {
            sql.push("r.updated_at");
        }
        None => {
            sql.push("NULL");
        }
    }
    for figure in &aggregation.figures {
        sql.push(", ");
        match figure {
            Figure::Count => {
                sql.push("count(*)");
            }
            // `sum` of integers would fail beyond 64 bits.
            Figure::Sum(field) => push_figure(&mut sql, "total", field, "'integer', 'real'"),
            Figure::Average(field) => push_figure(&mut sql, "avg", field, "'integer', 'real'"),
            Figure::Least(field) => {
                push_figure(&mut sql, "min", field, "'integer', 'real', 'text'")
            }
            Figure::Greatest(field) => {
                push_figure(&mut sql, "max", field, "'integer', 'real', 'text'")
            }
        }
    }
    sql
}

fn push_figure(sql: &mut Sql, function: &str, field: &Field, types: &str) {
    sql.push(function).push("(");
    match field {
        Field::Path(path) => {
            let path = json_path(path);
            sql.push("CASE WHEN json_type(r.body, ").bind(path.clone()).push(") IN (").push(types);
            sql.push(") THEN json_extract(r.body, ").bind(path).push(") END");
        }
        Field::Id => {
            sql.push("r.id");
        }
        Field::CreatedAt => {
            sql.push("r.created_at");
        }
        Field::UpdatedAt => {
            sql.push("r.updated_at");
        }
    }
    sql.push(")");
}

pub(super) fn group_of(row: &rusqlite::Row<'_>, aggregation: &Aggregation) -> Result<Group, Error> {
    let key = match row.get::<_, SqlValue>(0)? {
        SqlValue::Text(json) => serde_json::from_str(&json).ok(),
        SqlValue::Integer(number) => Some(number.into()),
        _ => None,
    };
    let figures = (1..=aggregation.figures.len()).map(|at| Ok(figure_of(row.get(at)?)));
    Ok(Group { key, figures: figures.collect::<Result<_, Error>>()? })
}

/// Whole numbers are integers, whichever way they were computed.
fn figure_of(value: SqlValue) -> Value {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    match value {
        SqlValue::Integer(number) => number.into(),
        SqlValue::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => {
            (number as i64).into()
        }
        SqlValue::Real(number) => number.into(),
        SqlValue::Text(text) => text.into(),
        SqlValue::Null | SqlValue::Blob(_) => Value::Null,
    }
}
