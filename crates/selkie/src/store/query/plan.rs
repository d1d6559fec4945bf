//! Which declared index a query takes. The choice is ours and the same on every device: SQLite's own
//! rests on what `ANALYZE` last saw, and without that it takes the primary key for everything.

use rusqlite::Connection;
use selkie_core::record::Path;
use serde_json::Value;

use super::condition::index_answers;
use super::filter::{Expression, Field, Operator, Test};
use super::page::Query;
use crate::Error;

/// A declared index over fields that is complete: the table `index_NUM`, with columns v0, v1, … and
/// `record`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct FieldIndex {
    pub(in crate::store) num: i64,
    pub(in crate::store) paths: Vec<Path>,
}

/// How a query is answered.
///
/// ```
/// # use selkie::{Filter, Query, Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let notes = vault.collection("notes")?;
/// let query = Query::new().filter(Filter::parse("title = Milk")?);
/// assert_eq!(notes.explain(&query)?.index, None);
/// notes.ensure_index(&["title"])?;
/// vault.finish_indexes()?;
/// assert_eq!(notes.explain(&query)?.index.as_deref(), Some("title"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The fields of the index that is used; `None`: every record of the collection is looked at.
    pub index: Option<String>,
    /// SQLite's own plan, a step a line. Names tables, never a value.
    pub steps: Vec<String>,
}

/// Tests that are put to an index; more would only deepen the statement.
const INDEX_TESTS_MAX: usize = 32;

/// The index taken: the tests it answers, by its columns.
pub(super) struct Plan<'q> {
    pub(super) index: Option<FieldIndex>,
    pub(super) tests: Vec<(usize, &'q Test)>,
}

impl Plan<'_> {
    /// The column of a field, if the index has it.
    pub(super) fn column(&self, field: &Field) -> Option<String> {
        let Field::Path(path) = field else { return None };
        let at = self.index.as_ref()?.paths.iter().position(|known| known == path)?;
        Some(column(at))
    }

    /// Whether every record that its tests let through meets this filter.
    pub(super) fn answers(&self, filter: &Expression) -> bool {
        match filter {
            Expression::Test(Field::Path(_), test) => {
                self.tests.iter().any(|(_, known)| core::ptr::eq(*known, test))
            }
            Expression::Test(..) => false,
            Expression::All(parts) => parts.iter().all(|part| self.answers(part)),
            Expression::Any(_) | Expression::Not(_) => false,
        }
    }

    pub(super) fn table(&self) -> Option<String> {
        self.index.as_ref().map(|index| format!("index_{}", index.num))
    }
}

pub(super) fn column(at: usize) -> String {
    format!("x.v{at}")
}

/// Picks the index that narrows most: most fields that are given exactly, then a range, then an order
/// that needs no sorting.
pub(super) fn plan<'q>(indexes: &[FieldIndex], query: &'q Query) -> Plan<'q> {
    let mut tests = Vec::new();
    query.filters.iter().for_each(|filter| certain(filter, &mut tests));
    let best = indexes
        .iter()
        .map(|index| (score(index, &tests, query), index))
        .filter(|(score, _)| *score > (0, 0, false))
        .max_by_key(|(score, index)| (*score, core::cmp::Reverse(index.num)));
    let Some((_, index)) = best else { return Plan { index: None, tests: Vec::new() } };
    let place = |path: &Path| index.paths.iter().position(|known| known == path);
    let tests = tests.into_iter().filter_map(|(path, test)| Some((place(path)?, test)));
    let tests = tests.take(INDEX_TESTS_MAX).collect();
    Plan { index: Some(index.clone()), tests }
}

/// The tests that every record found must meet.
fn certain<'q>(filter: &'q Expression, tests: &mut Vec<(&'q Path, &'q Test)>) {
    match filter {
        Expression::Test(Field::Path(path), test) if index_answers(test) => {
            tests.push((path, test))
        }
        Expression::All(parts) => parts.iter().for_each(|part| certain(part, tests)),
        _ => {}
    }
}

fn score(index: &FieldIndex, tests: &[(&Path, &Test)], query: &Query) -> (usize, usize, bool) {
    let is_exact = |test: &Test| matches!(test, Test::Compare(Operator::Equal, _) | Test::In(_));
    let tested = |path: &Path, exactly: bool| {
        tests.iter().any(|(at, test)| *at == path && (!exactly || is_exact(test)))
    };
    let exact = index.paths.iter().take_while(|path| tested(path, true)).count();
    let range = index.paths.get(exact).is_some_and(|path| tested(path, false));
    let ordered = match (query.order.first(), index.paths.get(exact)) {
        // Without a limit all is read anyway, and to sort is cheaper than to jump.
        (Some((Field::Path(path), _)), Some(next)) => {
            path == next && (query.limit.is_some() || exact > 0)
        }
        _ => false,
    };
    (exact, usize::from(range), ordered)
}

/// The complete indexes over fields of a collection.
pub(super) fn indexes_of(sql: &Connection, collection: &str) -> Result<Vec<FieldIndex>, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT i.num, i.definition FROM declared_index i JOIN collection c ON c.num = i.collection
         WHERE c.name = ?1 AND i.kind = 'fields' AND i.filled_to IS NULL",
    )?;
    let mut rows = statement.query([collection])?;
    let mut indexes = Vec::new();
    while let Some(row) = rows.next()? {
        let definition: Value =
            serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default()).unwrap_or_default();
        let paths = definition.get("fields").and_then(Value::as_array).into_iter().flatten();
        let paths = paths.filter_map(|path| Path::parse(path.as_str()?)).collect();
        indexes.push(FieldIndex { num: row.get(0)?, paths });
    }
    Ok(indexes)
}
