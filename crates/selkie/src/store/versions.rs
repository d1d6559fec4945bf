//! Versions of a collection's schema: an app appends, and an older app loses nothing.

use std::collections::BTreeMap;

use selkie_core::record::{Document, FieldType, Path, RecordKey, Schema};
use selkie_wire::DeviceId;

use super::database::Database;
use super::rows::Rows;
use crate::watch::Event;
use crate::{Error, ErrorKind};

/// The versions of a collection's schema that an app knows, each with the fields that it adds. Versions
/// are only ever appended: a field keeps its type, and none is taken out.
///
/// ```
/// # use selkie::{FieldType, SchemaVersions, Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let versions = SchemaVersions::new()
///     .version(&[("title", FieldType::Value), ("tags", FieldType::Set)])?
///     .version(&[("stars", FieldType::Counter)])?;
/// let agreed = vault.collection("notes")?.use_schema(&versions)?;
/// assert_eq!((agreed.app, agreed.store), (2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaVersions(Vec<BTreeMap<Path, FieldType>>);

/// What an app and a store agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaAgreement {
    /// The app's last version.
    pub app: u64,
    /// The store's, now. Greater if a newer app has written it: what that app added is kept.
    pub store: u64,
}

impl SchemaVersions {
    /// No version yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a version with the fields that it adds; the first is version 1.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field, or a field that an earlier version has.
    pub fn version(mut self, fields: &[(&str, FieldType)]) -> Result<Self, Error> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        let mut added = BTreeMap::new();
        for (text, field_type) in fields {
            let Some(path) = Path::parse(text) else {
                return refuse(format!("{text:?} is no field; write one like: address.city"));
            };
            if self.0.iter().any(|version| version.contains_key(&path)) {
                return refuse(format!("the field {text:?} is in an earlier version already"));
            }
            added.insert(path, *field_type);
        }
        self.0.push(added);
        Ok(self)
    }

    fn last(&self) -> u64 {
        self.0.len() as u64
    }

    /// A schema with what the versions above its own add.
    fn appended_to(&self, mut schema: Schema) -> Result<Schema, Error> {
        let known = schema.app_version();
        for (version, fields) in (1..).zip(&self.0) {
            for (path, field_type) in fields {
                let since = schema.since.get(path).copied();
                let same_type = schema.type_at(path) == *field_type;
                if version <= known {
                    if since != Some(version) || !same_type {
                        return Err(changed(version));
                    }
                    continue;
                }
                if schema.fields.contains_key(path) && !same_type {
                    return Err(changed(version));
                }
                schema.since.insert(path.clone(), version);
                if *field_type != FieldType::Value {
                    schema.fields.insert(path.clone(), *field_type);
                }
            }
        }
        Ok(schema)
    }
}

fn changed(version: u64) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("version {version} has other fields in the store; append a version instead"),
    )
}

impl Database {
    /// Brings the store's schema up to the app's version, or remembers that the app is the older one.
    pub(crate) fn use_schema(
        &mut self,
        device: DeviceId,
        collection: &str,
        versions: &SchemaVersions,
        now_ms: u64,
    ) -> Result<(SchemaAgreement, Vec<Event>), Error> {
        let before = self.schema(collection)?;
        let wanted = versions.appended_to(before.clone())?;
        let mut events = Vec::new();
        let store = wanted.app_version();
        if wanted != before {
            events = self.set_schema(device, collection, wanted, now_ms)?;
        }
        self.cache.app_versions.insert(collection.to_owned(), versions.last());
        Ok((SchemaAgreement { app: versions.last(), store }, events))
    }
}

impl Rows<'_> {
    /// Whether the app has said which version of a collection's schema it knows.
    pub(super) fn knows_app_version(&self, collection: &str) -> bool {
        self.cache.app_versions.contains_key(collection)
    }

    /// Fills in the fields that a newer app has added and this one does not know: that they are
    /// missing in what it puts does not mean that somebody removed them.
    pub(super) fn keep_later_fields(
        &mut self,
        key: &RecordKey,
        shown: Option<&Document>,
        wanted: Document,
    ) -> Result<Document, Error> {
        let Some(app) = self.cache.app_versions.get(key.collection()).copied() else {
            return Ok(wanted);
        };
        let Some(shown) = shown else { return Ok(wanted) };
        let schema = self.schema(key.collection())?;
        let mut kept = wanted.clone();
        for (path, _) in schema.since.iter().filter(|(_, version)| **version > app) {
            if let (None, Some(value)) = (wanted.value_at(path), shown.value_at(path)) {
                kept.set(path, value.clone());
            }
        }
        // Two documents within bounds can exceed them together.
        if kept == wanted { Ok(wanted) } else { Ok(Document::from_value(kept.into_value())?) }
    }
}
