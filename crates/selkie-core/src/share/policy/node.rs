//! A policy's text as a tree that knows its lines, whether it was written by a person or is canonical.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::problem::PolicyProblem;

/// A value and the line it stands on (0: not from a text).
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Kind {
    Table(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A value that no policy has, such as a date.
    Other,
}

impl Node {
    /// Reads TOML. A key's value has the line of the key, so that a fault is shown where it was typed.
    pub(crate) fn from_toml(text: &str) -> Result<Self, Vec<PolicyProblem>> {
        let lines = Lines::of(text);
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.of_byte(span.start));
            vec![PolicyProblem::new(line, format!("not TOML: {}", error.message()))]
        })?;
        let kind = table_kind(table.get_ref(), &lines);
        Ok(Self { line: 1, kind })
    }

    /// The tree of a JSON value, which has no lines.
    pub(crate) fn from_json(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Other,
            Value::Bool(bool) => Kind::Bool(*bool),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Kind::Integer(integer),
                (None, Some(float)) => Kind::Float(float),
                (None, None) => Kind::Other,
            },
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => Kind::Array(items.iter().map(Self::from_json).collect()),
            Value::Object(map) => Kind::Table(
                map.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect(),
            ),
        };
        Self { line: 0, kind }
    }

    /// The word for it in a fault.
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Table(_) => "a table",
            Kind::Array(_) => "an array",
            Kind::Text(_) => "a text",
            Kind::Integer(_) => "an integer",
            Kind::Float(_) => "a number",
            Kind::Bool(_) => "true or false",
            Kind::Other => "a date or another value",
        }
    }

    /// An integer or a finite float.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self.kind {
            Kind::Integer(integer) => Some(integer as f64),
            Kind::Float(float) => Some(float).filter(|float| float.is_finite()),
            _ => None,
        }
    }

    /// A text, a boolean or a number, as JSON.
    pub(crate) fn as_scalar(&self) -> Option<Value> {
        match &self.kind {
            Kind::Text(text) => Some(Value::from(text.as_str())),
            Kind::Bool(bool) => Some(Value::from(*bool)),
            Kind::Integer(integer) => Some(Value::from(*integer)),
            Kind::Float(float) => serde_json::Number::from_f64(*float).map(Value::Number),
            Kind::Table(_) | Kind::Array(_) | Kind::Other => None,
        }
    }
}

fn table_kind(table: &DeTable<'_>, lines: &Lines) -> Kind {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    Kind::Table(
        entries
            .into_iter()
            .map(|(key, value)| {
                let line = lines.of_byte(key.span().start);
                (key.get_ref().to_string(), Node { line, kind: kind(value.get_ref(), lines) })
            })
            .collect(),
    )
}

fn kind(value: &DeValue<'_>, lines: &Lines) -> Kind {
    match value {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Boolean(bool) => Kind::Bool(*bool),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Kind::Other, Kind::Integer),
        DeValue::Float(float) => float.as_str().parse().map_or(Kind::Other, Kind::Float),
        DeValue::Datetime(_) => Kind::Other,
        DeValue::Array(items) => Kind::Array(
            items
                .iter()
                .map(|item| Node {
                    line: lines.of_byte(item.span().start),
                    kind: kind(item.get_ref(), lines),
                })
                .collect(),
        ),
        DeValue::Table(table) => table_kind(table, lines),
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect(),
        )
    }

    fn of_byte(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}
