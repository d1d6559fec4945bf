//! What a collection says of its fields: which are sets, counters, lists, or written as one value.

use core::fmt;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::leaves::leaf_values_but;
use super::{Document, Path};

/// How concurrent writes of one field come together. Granularity lives in the data, so every version
/// reads every type, whatever its own schema says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldType {
    /// One value; objects field by field. What every undeclared field is.
    #[default]
    Value,
    /// An object that is written whole: an address is never half mine and half yours.
    Atomic,
    /// An array without order or doubles; what one device adds stays, whatever others remove.
    Set,
    /// An integer to which every device adds; no addition is lost.
    Counter,
    /// An array in order; elements are inserted, changed, moved and removed one by one.
    List,
}

impl FieldType {
    const NAMES: [(&'static str, Self); 5] = [
        ("value", Self::Value),
        ("atomic", Self::Atomic),
        ("set", Self::Set),
        ("counter", Self::Counter),
        ("list", Self::List),
    ];

    /// Reads its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    }

    /// Its name, as in a schema document.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, kind)| *kind == self).map_or("value", |(name, _)| name)
    }
}

/// The schema of one collection; without one, every field is a [`FieldType::Value`].
///
/// ```
/// use selkie_core::record::{FieldType, Path, Schema};
/// let schema = Schema::new()
///     .field("tags", FieldType::Set)?
///     .field("address", FieldType::Atomic)?;
/// assert_eq!(schema.type_at(&Path::root().child("tags")), FieldType::Set);
/// assert_eq!(Schema::from_document(&schema.to_document()), schema);
/// # Ok::<(), selkie_core::record::SchemaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Grows with each edit of the schema.
    pub version: u64,
    /// Fields that are no plain values.
    pub fields: BTreeMap<Path, FieldType>,
    /// Fields whose values no two records may share.
    pub unique: Vec<Path>,
    /// A JSON Schema that documents written here must meet; what other devices write is never
    /// refused.
    pub validation: Option<Value>,
    /// The version of the app's schema that added a field, where the app counts them.
    pub since: BTreeMap<Path, u64>,
}

/// Why a schema cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// Not a field's path.
    Path(String),
    /// This version has no such type.
    Type(String),
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{path:?} is no field; write one like: address.city"),
            Self::Type(name) => write!(
                f,
                "there is no field type {name:?}; choose value, atomic, set, counter or list"
            ),
        }
    }
}

impl core::error::Error for SchemaError {}

/// The one field of a schema record; its value is written whole, so versions never blend.
const FIELD: &str = "schema";

impl Schema {
    /// A schema that says nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a field.
    ///
    /// # Errors
    /// [`SchemaError::Path`].
    pub fn field(mut self, path: &str, field_type: FieldType) -> Result<Self, SchemaError> {
        let path = Path::parse(path).ok_or_else(|| SchemaError::Path(path.to_owned()))?;
        self.fields.insert(path, field_type);
        Ok(self)
    }

    /// Declares that no two records may share this field's value.
    ///
    /// # Errors
    /// [`SchemaError::Path`].
    pub fn unique(mut self, path: &str) -> Result<Self, SchemaError> {
        let path = Path::parse(path).ok_or_else(|| SchemaError::Path(path.to_owned()))?;
        self.unique.push(path);
        Ok(self)
    }

    /// The last version of the app's schema that it knows; 0 if the app counts none.
    #[must_use]
    pub fn app_version(&self) -> u64 {
        self.since.values().copied().max().unwrap_or(0)
    }

    /// The type of the field at a path.
    #[must_use]
    pub fn type_at(&self, path: &Path) -> FieldType {
        self.fields.get(path).copied().unwrap_or_default()
    }

    /// The leaves of a document in order of path: as without a schema, but an atomic object is one
    /// leaf. Every other object among them is empty.
    pub(crate) fn leaf_values<'v>(&self, map: &'v Map<String, Value>) -> Vec<(Path, &'v Value)> {
        leaf_values_but(map, &|path| self.type_at(path) == FieldType::Atomic)
    }

    /// The document kept in the system collection of schemas.
    #[must_use]
    pub fn to_document(&self) -> Document {
        let fields: Map<String, Value> = self
            .fields
            .iter()
            .map(|(path, field_type)| (path.to_string(), field_type.name().into()))
            .collect();
        let unique: Vec<Value> = self.unique.iter().map(|path| path.to_string().into()).collect();
        let mut schema = json!({"version": self.version, "fields": fields, "unique": unique});
        if let (false, Some(map)) = (self.since.is_empty(), schema.as_object_mut()) {
            let since =
                self.since.iter().map(|(path, version)| (path.to_string(), (*version).into()));
            map.insert("since".to_owned(), Value::Object(since.collect()));
        }
        if let (Some(validation), Some(map)) = (&self.validation, schema.as_object_mut()) {
            map.insert("validation".to_owned(), validation.clone());
        }
        Document::from_checked_map(Map::from_iter([(FIELD.to_owned(), Value::Array(vec![schema]))]))
    }

    /// Reads a schema document of this or a later version; what it does not know is a plain value.
    #[must_use]
    pub fn from_document(document: &Document) -> Self {
        let Some(schema) = document.as_map().get(FIELD).and_then(|list| list.get(0)) else {
            return Self::default();
        };
        let fields = schema.get("fields").and_then(Value::as_object).into_iter().flatten();
        let unique = schema.get("unique").and_then(Value::as_array).into_iter().flatten();
        Self {
            version: schema.get("version").and_then(Value::as_u64).unwrap_or(0),
            fields: fields
                .filter_map(|(path, name)| {
                    Some((Path::parse(path)?, FieldType::from_name(name.as_str()?)?))
                })
                .collect(),
            unique: unique.filter_map(|path| Path::parse(path.as_str()?)).collect(),
            validation: schema.get("validation").cloned(),
            since: schema
                .get("since")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(path, version)| Some((Path::parse(path)?, version.as_u64()?)))
                .collect(),
        }
    }
}
