//! What a filter says: tests of fields, joined by and, or, not.

use std::fmt;
use std::str::FromStr;

use selkie_core::record::{Component, Path};
use serde_json::Value;

use crate::{Error, ErrorKind};

/// A condition on records.
///
/// Read from text with [`parse`](Self::parse), or built:
///
/// ```
/// use selkie::Filter;
/// use serde_json::json;
/// let typed = Filter::parse("address.city = Oslo AND (age < 30 OR NOT member)")?;
/// let built = Filter::equal("address.city", json!("Oslo"))?
///     .and(Filter::less("age", json!(30))?.or(Filter::exists("member")?.not()));
/// assert_eq!(typed, built);
/// assert_eq!(typed.to_string(), "address.city = \"Oslo\" AND (age < 30 OR NOT member)");
///
/// let error = Filter::parse("age < 30 AND = 3").unwrap_err();
/// assert!(error.to_string().contains("at character 14"), "{error}");
/// # Ok::<(), selkie::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(pub(super) Expression);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Test(Field, Test),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
}

/// What is tested, ordered by, or counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    /// A field of the document.
    Path(Path),
    /// The record's id.
    Id,
    /// When it was first written, in milliseconds.
    CreatedAt,
    /// When it was last written, in milliseconds.
    UpdatedAt,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Exists,
    Prefix(String),
    Compare(Operator, Value),
    In(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Longer signs first, so that `<=` is not read as `<`.
    pub(super) const SIGNS: [(&'static str, Self); 6] = [
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    pub(super) fn sign(self) -> &'static str {
        let known = Self::SIGNS.into_iter().find(|(_, operator)| *operator == self);
        known.map_or("=", |(sign, _)| sign)
    }

    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Field {
    const SPECIAL: [(&'static str, Self); 3] =
        [("@id", Self::Id), ("@created_at", Self::CreatedAt), ("@updated_at", Self::UpdatedAt)];

    /// Reads a dotted path, or `@id`, `@created_at`, `@updated_at`; a key that is called so is written
    /// in quotes.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some((_, field)) = Self::SPECIAL.into_iter().find(|(name, _)| *name == text) {
            return Ok(field);
        }
        let path = Path::parse(text).ok_or("there is no field of that name")?;
        // SQLite's JSON paths cannot say these.
        let odd =
            |component| matches!(component, Component::Key(key) if key.contains(['"', '\\', '\0']));
        if path.components().any(odd) {
            return Err("a field with a quote or backslash in its name cannot be queried");
        }
        Ok(Self::Path(path))
    }
}

/// A field from an app's call.
pub(crate) fn field(text: &str) -> Result<Field, Error> {
    Field::parse(text).map_err(|why| {
        Error::new(ErrorKind::InvalidInput, format!("{why}; write one like: address.city"))
    })
}

impl Filter {
    /// The field is there, whatever its value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field; so for all the others.
    pub fn exists(path: &str) -> Result<Self, Error> {
        Ok(Self(Expression::Test(field(path)?, Test::Exists)))
    }

    /// The field has this value: text, a number, `true`, `false` or `null`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn equal(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::Equal, value)
    }

    /// The field has another value, or is not there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn not_equal(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::NotEqual, value)
    }

    /// The field is a number below this number, or text before this text (by its bytes).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn less(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::Less, value)
    }

    /// As [`less`](Self::less), or equal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn less_or_equal(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::LessOrEqual, value)
    }

    /// The field is a number above this number, or text after this text (by its bytes).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn greater(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::Greater, value)
    }

    /// As [`greater`](Self::greater), or equal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn greater_or_equal(path: &str, value: Value) -> Result<Self, Error> {
        Self::compare(path, Operator::GreaterOrEqual, value)
    }

    /// The field is text that begins so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn prefix(path: &str, beginning: &str) -> Result<Self, Error> {
        Ok(Self(Expression::Test(field(path)?, Test::Prefix(beginning.to_owned()))))
    }

    /// The field has one of these values.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`].
    pub fn any_of(path: &str, values: impl IntoIterator<Item = Value>) -> Result<Self, Error> {
        let values: Vec<Value> = values.into_iter().collect();
        if !values.iter().all(is_scalar) {
            return Err(Error::new(ErrorKind::InvalidInput, NOT_COMPARABLE));
        }
        Ok(Self(Expression::Test(field(path)?, Test::In(values))))
    }

    fn compare(path: &str, operator: Operator, value: Value) -> Result<Self, Error> {
        check_operand(operator, &value).map_err(|why| Error::new(ErrorKind::InvalidInput, why))?;
        Ok(Self(Expression::Test(field(path)?, Test::Compare(operator, value))))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(match self.0 {
            Expression::All(mut all) => {
                all.push(other.0);
                Expression::All(all)
            }
            one => Expression::All(vec![one, other.0]),
        })
    }

    /// One of them holds, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(match self.0 {
            Expression::Any(mut any) => {
                any.push(other.0);
                Expression::Any(any)
            }
            one => Expression::Any(vec![one, other.0]),
        })
    }

    /// It does not hold.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "it stands beside `and` and `or`")]
    pub fn not(self) -> Self {
        Self(Expression::Not(Box::new(self.0)))
    }

    /// Reads a filter as people type it. A test is `field = value`, with `=`, `!=`, `<`, `<=`, `>`,
    /// `>=`, or `~` for "begins with"; `field IN (a, b)`; or `field` alone for "is there". `AND`, `OR`,
    /// `NOT` (in capitals) and parentheses join them. A value is JSON, or else text. A missing field is
    /// unequal to everything, and meets no other comparison; numbers are compared with numbers and text
    /// with text. `@id`, `@created_at` and `@updated_at` are the record's own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], with the character at which it is no filter any more.
    pub fn parse(text: &str) -> Result<Self, Error> {
        super::parse::parse(text).map(Self)
    }
}

pub(super) const NOT_COMPARABLE: &str =
    "a filter compares with text, a number, true, false or null";

pub(super) fn check_operand(operator: Operator, value: &Value) -> Result<(), &'static str> {
    let ordered = value.is_number() || value.is_string();
    match is_scalar(value) && (ordered || !operator.is_ordered()) {
        true => Ok(()),
        false => Err(NOT_COMPARABLE),
    }
}

pub(super) fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (at, part) in parts.iter().enumerate() {
                let joint = if at > 0 { word } else { "" };
                match part {
                    Self::All(_) | Self::Any(_) => write!(f, "{joint}({part})")?,
                    _ => write!(f, "{joint}{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Test(field, test) => write!(f, "{field}{test}"),
            Self::All(parts) => joined(f, parts, " AND "),
            Self::Any(parts) => joined(f, parts, " OR "),
            Self::Not(part) => match **part {
                Self::All(_) | Self::Any(_) => write!(f, "NOT ({part})"),
                _ => write!(f, "NOT {part}"),
            },
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Path(path) = self {
            let text = path.to_string();
            let special = Self::SPECIAL.iter().any(|(name, _)| *name == text);
            return if special { write!(f, "\"{text}\"") } else { f.write_str(&text) };
        }
        let special = Self::SPECIAL.iter().find(|(_, field)| field == self);
        f.write_str(special.map_or("", |(name, _)| name))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => Ok(()),
            Self::Prefix(prefix) => write!(f, " ~ {}", Value::from(prefix.as_str())),
            Self::Compare(operator, value) => write!(f, " {} {value}", operator.sign()),
            Self::In(values) => {
                f.write_str(" IN (")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}
