//! A filter as SQL with parameters.

use rusqlite::types::Value as SqlValue;
use selkie_core::record::{Component, Path};
use serde_json::Value;

use super::filter::{Expression, Field, Operator, Test};
use crate::{Error, ErrorKind};

/// Tests that one query may have, and joints between them; SQLite's own bound is a little higher.
const TESTS_MAX: usize = 900;
/// Values in all lists of one query.
const LISTED_MAX: usize = 10_000;

/// SQL text, and the values of its parameters in order.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Sql {
    pub(in crate::store) text: String,
    pub(in crate::store) parameters: Vec<SqlValue>,
}

impl Sql {
    pub(in crate::store) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(in crate::store) fn bind(&mut self, value: impl Into<SqlValue>) -> &mut Self {
        self.text.push('?');
        self.parameters.push(value.into());
        self
    }
}

/// Where the value of a field is found.
pub(in crate::store) enum Place<'a> {
    /// In the record's row, called `r`.
    Record(&'a Field),
    /// In a column of an index, which holds what [`index_value`] makes.
    Index(&'a str),
}

/// A field as what an index holds and an order compares: missing or nested first, then numbers, text,
/// null, false, true. Every value of another type is another value, so that `1` is not `true`.
pub(in crate::store) fn index_value(body: &str, path: &str) -> String {
    format!(
        "CASE json_type({body}, {path}) WHEN 'integer' THEN json_extract({body}, {path}) \
         WHEN 'text' THEN json_extract({body}, {path}) WHEN 'real' THEN json_extract({body}, {path}) \
         WHEN 'true' THEN x'01' WHEN 'false' THEN x'00' WHEN 'null' THEN x'' ELSE -1e999 END"
    )
}

/// A scalar as [`index_value`] has it.
pub(in crate::store) fn index_value_of(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Blob(Vec::new()),
        Value::Bool(bool) => SqlValue::Blob(vec![u8::from(*bool)]),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => SqlValue::Integer(integer),
            None => SqlValue::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => SqlValue::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => SqlValue::Real(f64::NEG_INFINITY),
    }
}

/// What an order compares of a field.
pub(super) fn push_order_value(sql: &mut Sql, place: &Place<'_>) {
    match place {
        Place::Index(column) => {
            sql.push(column);
        }
        Place::Record(Field::Path(path)) => {
            let path = json_path(path);
            let text = index_value("r.body", "?");
            for _ in 0..text.matches('?').count() {
                sql.parameters.push(path.clone().into());
            }
            sql.push(&text);
        }
        Place::Record(field) => {
            sql.push(column_of(field));
        }
    }
}

/// The record's own column of a field that is not in the document.
fn column_of(field: &Field) -> &'static str {
    match field {
        Field::CreatedAt => "r.created_at",
        Field::UpdatedAt => "r.updated_at",
        Field::Id | Field::Path(_) => "r.id",
    }
}

/// Adds a whole filter.
pub(in crate::store) fn push_filter(sql: &mut Sql, filter: &super::Filter) -> Result<(), Error> {
    check_size(core::slice::from_ref(&filter.0))?;
    push_condition(sql, &filter.0);
    Ok(())
}

/// Refuses filters that are too long for one statement, before anything is made of them.
pub(super) fn check_size(filters: &[Expression]) -> Result<(), Error> {
    let (mut tests, mut listed) = (0, 0);
    let mut left: Vec<&Expression> = filters.iter().collect();
    while let Some(expression) = left.pop() {
        tests += 1;
        match expression {
            Expression::Test(_, Test::In(values)) => listed += values.len(),
            Expression::Test(..) => {}
            Expression::All(parts) | Expression::Any(parts) => left.extend(parts),
            Expression::Not(part) => left.push(part),
        }
        if tests > TESTS_MAX || listed > LISTED_MAX {
            let message =
                format!("a query has at most {TESTS_MAX} tests, and {LISTED_MAX} values in lists");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

/// Adds a condition.
pub(super) fn push_condition(sql: &mut Sql, expression: &Expression) {
    match expression {
        Expression::Test(field, test) => push_test(sql, &Place::Record(field), test),
        Expression::All(parts) => push_joined(sql, parts, " AND "),
        Expression::Any(parts) => push_joined(sql, parts, " OR "),
        Expression::Not(part) => {
            sql.push("(");
            push_condition(sql, part);
            sql.push(") IS NOT TRUE");
        }
    }
}

fn push_joined(sql: &mut Sql, parts: &[Expression], word: &str) {
    sql.push("(");
    for (at, part) in parts.iter().enumerate() {
        sql.push(if at > 0 { word } else { "" });
        push_condition(sql, part);
    }
    sql.push(if parts.is_empty() { "TRUE)" } else { ")" });
}

/// Adds one test of one field.
pub(super) fn push_test(sql: &mut Sql, place: &Place<'_>, test: &Test) {
    match place {
        Place::Index(column) => push_index_test(sql, column, test),
        Place::Record(Field::Path(path)) => push_path_test(sql, &json_path(path), test),
        Place::Record(field) => push_own_test(sql, field, test),
    }
}

fn push_path_test(sql: &mut Sql, path: &str, test: &Test) {
    match test {
        Test::Exists => {
            sql.push("json_type(r.body, ").bind(path.to_owned()).push(") IS NOT NULL");
        }
        Test::Prefix(prefix) => {
            // The value first, its type only where the value fits: that is one look less at most rows.
            sql.push("(substr(json_extract(r.body, ").bind(path.to_owned()).push("), 1, length(");
            sql.bind(prefix.clone()).push(")) = ").bind(prefix.clone());
            sql.push(" AND json_type(r.body, ").bind(path.to_owned()).push(") = 'text')");
        }
        Test::Compare(Operator::NotEqual, value) => {
            push_comparison(sql, path, Operator::Equal, value);
            sql.push(" IS NOT TRUE");
        }
        Test::Compare(operator, value) => push_comparison(sql, path, *operator, value),
        Test::In(values) => push_any_of(sql, path, values),
    }
}

/// One of several values: numbers, text and all else apart, since types are never mixed.
fn push_any_of(sql: &mut Sql, path: &str, values: &[Value]) {
    sql.push("(FALSE");
    for (is_kind, types) in [
        (Value::is_number as fn(&Value) -> bool, "('integer', 'real')"),
        (Value::is_string, "('text')"),
    ] {
        let mut of_kind = values.iter().filter(|value| is_kind(value)).peekable();
        if of_kind.peek().is_some() {
            sql.push(" OR (json_extract(r.body, ").bind(path.to_owned());
            push_list(sql, ")", of_kind.map(index_value_of));
            sql.push(" AND json_type(r.body, ").bind(path.to_owned());
            sql.push(") IN ").push(types).push(")");
        }
    }
    for value in [Value::Null, Value::Bool(false), Value::Bool(true)] {
        if values.contains(&value) {
            sql.push(" OR ");
            push_comparison(sql, path, Operator::Equal, &value);
        }
    }
    sql.push(")");
}

fn push_comparison(sql: &mut Sql, path: &str, operator: Operator, value: &Value) {
    let types = match value {
        Value::Number(_) => "('integer', 'real')",
        Value::String(_) => "('text')",
        Value::Bool(true) => return push_type(sql, path, "'true'"),
        Value::Bool(false) => return push_type(sql, path, "'false'"),
        _ => return push_type(sql, path, "'null'"),
    };
    sql.push("(json_extract(r.body, ").bind(path.to_owned()).push(") ").push(operator.sign());
    sql.push(" ").bind(index_value_of(value));
    sql.push(" AND json_type(r.body, ").bind(path.to_owned()).push(") IN ").push(types).push(")");
}

fn push_type(sql: &mut Sql, path: &str, name: &str) {
    sql.push("(json_type(r.body, ").bind(path.to_owned()).push(") = ").push(name).push(")");
}

/// A test of the record's id or times. They are always there; an id is text, a time a number.
fn push_own_test(sql: &mut Sql, field: &Field, test: &Test) {
    let column = column_of(field);
    let operand = |value: &Value| match (field, value) {
        (Field::Id, Value::Number(number)) => Some(SqlValue::Text(number.to_string())),
        (Field::Id, Value::String(text)) => Some(SqlValue::Text(text.clone())),
        (Field::CreatedAt | Field::UpdatedAt, Value::Number(_)) => Some(index_value_of(value)),
        _ => None,
    };
    match test {
        Test::Exists => {
            sql.push("TRUE");
        }
        Test::Prefix(prefix) if *field == Field::Id => {
            push_range(sql, column, prefix);
        }
        Test::Prefix(_) => {
            sql.push("FALSE");
        }
        Test::Compare(operator, value) => match operand(value) {
            Some(value) => {
                sql.push(column).push(" ").push(operator.sign()).push(" ").bind(value);
            }
            None => {
                sql.push(if *operator == Operator::NotEqual { "TRUE" } else { "FALSE" });
            }
        },
        Test::In(values) => {
            push_list(sql, column, values.iter().filter_map(operand));
        }
    }
}

/// Whether an index answers a test.
pub(super) fn index_answers(test: &Test) -> bool {
    !matches!(test, Test::Exists | Test::Compare(Operator::NotEqual, _))
}

fn push_index_test(sql: &mut Sql, column: &str, test: &Test) {
    match test {
        Test::Prefix(prefix) => push_range(sql, column, prefix),
        Test::In(values) => push_list(sql, column, values.iter().map(index_value_of)),
        Test::Compare(operator, value) => {
            sql.push(column).push(" ").push(operator.sign()).push(" ").bind(index_value_of(value));
            // Up to where its type ends; otherwise 'abc' > 5 would hold.
            let bound = match (operator, value) {
                (Operator::Less | Operator::LessOrEqual, Value::Number(_)) => " > -1e999",
                (Operator::Less | Operator::LessOrEqual, Value::String(_)) => " >= ''",
                (Operator::Greater | Operator::GreaterOrEqual, Value::Number(_)) => " < ''",
                (Operator::Greater | Operator::GreaterOrEqual, Value::String(_)) => " < x''",
                _ => return,
            };
            sql.push(" AND ").push(column).push(bound);
        }
        Test::Exists => {
            sql.push("TRUE");
        }
    }
}

fn push_list(sql: &mut Sql, column: &str, values: impl Iterator<Item = SqlValue>) {
    sql.push(column).push(" IN (");
    for (at, value) in values.enumerate() {
        sql.push(if at > 0 { ", " } else { "" }).bind(value);
    }
    sql.push(")");
}

/// Text that begins so, as a range.
fn push_range(sql: &mut Sql, column: &str, prefix: &str) {
    sql.push("(").push(column).push(" >= ").bind(prefix.to_owned());
    sql.push(" AND ").push(column).push(" < ");
    match after_prefix(prefix) {
        Some(end) => sql.bind(end),
        None => sql.push("x''"),
    };
    sql.push(")");
}

/// The least text above all that begin with `prefix`, if there is one.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// A path as SQLite's JSON functions take it. [`Field`] has no keys that this cannot say.
pub(in crate::store) fn json_path(path: &Path) -> String {
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

/// A path as a literal of SQL text, for what takes no parameters: the definitions of indexes.
pub(in crate::store) fn literal_path(path: &Path) -> String {
    format!("'{}'", json_path(path).replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn no_value_and_no_path_becomes_sql_text() {
        let nasty = "x'); DROP TABLE record; --";
        let filter = super::super::Filter::equal(nasty, Value::from(nasty)).unwrap();
        let mut sql = Sql::default();
        push_condition(&mut sql, &filter.0);
        assert!(!sql.text.contains("DROP"), "{}", sql.text);
        assert_eq!(sql.text.matches('?').count(), sql.parameters.len());
        let literal = literal_path(&Path::root().child("a'b"));
        assert_eq!(literal, "'$.\"a''b\"'");
    }
}
