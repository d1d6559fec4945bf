//! Collections: named sets of JSON documents.

use selkie_wire::DeviceId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::store::query;
use crate::store::{
    Aggregation, Explanation, Group, Query, QueryPage, SchemaAgreement, SchemaVersions,
};
use crate::vault::Vault;
use crate::{Error, ErrorKind, Watch};

/// A stored document, with its times.
///
/// ```
/// # use selkie::{Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
/// struct Note {
///     title: String,
/// }
/// let note = Note { title: "Milk".into() };
/// let record = vault.collection("notes")?.insert(&note)?;
/// assert_eq!(record.parse::<Note>()?, note);
/// assert!(record.created_at_ms <= record.updated_at_ms);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Unique within its collection.
    pub id: String,
    /// The document: always a JSON object.
    pub document: Value,
    /// When it was first written on any device, in milliseconds since 1970 (UTC).
    pub created_at_ms: u64,
    /// When it was last written on any device, in milliseconds since 1970 (UTC).
    pub updated_at_ms: u64,
    /// The device that last wrote it; `None` only for what an older version of Selkie stored.
    pub updated_by: Option<DeviceId>,
    /// How many of its conflicts wait for a person.
    pub conflicts: u32,
}

impl Record {
    /// The document as a type of the app's.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the document has another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_value(self.document.clone()).map_err(|_| {
            Error::new(ErrorKind::InvalidInput, "the document does not have the expected shape")
        })
    }
}

/// Which part of a list to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many records; all of them if `None`.
    pub limit: Option<u64>,
    /// Only ids after this one, in byte order.
    pub after: Option<String>,
}

/// A named set of records of a vault. Cheap to make and to clone; it need not exist before the
/// first write.
#[derive(Clone, Debug)]
pub struct Collection {
    vault: Vault,
    name: String,
}

impl Collection {
    pub(crate) fn new(vault: Vault, name: &str) -> Self {
        Self { vault, name: name.to_owned() }
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stores a document under an id, in place of what is there. Only fields that differ are
    /// written, so edits of other fields on other devices survive it. Durable when it returns.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a document that is no object, has more than 16 levels, is
    /// longer than 2 MiB, or has integers beyond ±(2^53 − 1); [`ErrorKind::DiskFull`],
    /// [`ErrorKind::Busy`], [`ErrorKind::Storage`].
    pub fn put(&self, id: &str, document: &impl Serialize) -> Result<Record, Error> {
        self.vault.transaction(|transaction| transaction.collection(&self.name)?.put(id, document))
    }

    /// Stores a document under a new, time-ordered id (UUIDv7, RFC 9562).
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn insert(&self, document: &impl Serialize) -> Result<Record, Error> {
        self.vault.transaction(|transaction| transaction.collection(&self.name)?.insert(document))
    }

    /// The record under an id; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn get(&self, id: &str) -> Result<Option<Record>, Error> {
        self.vault.read_quickly(|sql| query::read_record(sql, &self.name, id))
    }

    /// Applies a JSON merge patch (RFC 7396): `null` removes a field, objects are patched field by
    /// field, everything else replaces.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or as [`put`](Self::put).
    pub fn patch(&self, id: &str, patch: &Value) -> Result<Record, Error> {
        self.vault.transaction(|transaction| transaction.collection(&self.name)?.patch(id, patch))
    }

    /// Deletes a record; whether there was one.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&self, id: &str) -> Result<bool, Error> {
        self.vault.transaction(|transaction| transaction.collection(&self.name)?.delete(id))
    }

    /// Records in order of id.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn list(&self, page: &Page) -> Result<Vec<Record>, Error> {
        self.vault.read(|sql| query::list_records(sql, &self.name, page))
    }

    /// Records that match a query, in its order.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a query with too many tests, [`ErrorKind::Storage`].
    pub fn query(&self, query: &Query) -> Result<Vec<Record>, Error> {
        Ok(self.page(query)?.records)
    }

    /// As [`query`](Self::query), and where the next page begins.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`ErrorKind::InvalidInput`] for another query's cursor.
    pub fn page(&self, query: &Query) -> Result<QueryPage, Error> {
        self.vault.read(|sql| query::query_page(sql, &self.name, query))
    }

    /// How many records match a query's filters; its limit and cursor do not matter.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn count_matching(&self, query: &Query) -> Result<u64, Error> {
        self.vault.read(|sql| query::count_matching(sql, &self.name, query))
    }

    /// Counts, sums and the like over the records that match a query's filters. One group, unless they
    /// are grouped.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn aggregate(&self, query: &Query, aggregation: &Aggregation) -> Result<Vec<Group>, Error> {
        self.vault.read(|sql| query::aggregate(sql, &self.name, query, aggregation))
    }

    /// How a query would be answered: by which index, if by any.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn explain(&self, query: &Query) -> Result<Explanation, Error> {
        self.vault.read(|sql| query::explain(sql, &self.name, query))
    }

    /// How many records there are.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn count(&self) -> Result<u64, Error> {
        self.vault.read(|sql| query::count_all(sql, &self.name))
    }

    /// Says which versions of the collection's schema this app knows; called each time it starts. A
    /// store with an older schema is brought up to the app's. In one with a newer schema, written by a
    /// newer app, [`put`](Self::put) leaves the fields alone that this app does not know of.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a version that the store knows has other fields there; as
    /// [`put`](Self::put).
    pub fn use_schema(&self, versions: &SchemaVersions) -> Result<SchemaAgreement, Error> {
        self.vault.use_schema(&self.name, versions)
    }

    /// Keeps this collection on this device: it is encrypted like all others and never synced. An app
    /// calls this each time it starts, before the collection's first write. What another device syncs
    /// under the same name still arrives.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it has records that sync already.
    pub fn keep_local(&self) -> Result<(), Error> {
        self.vault.database().keep_local(&self.name)
    }

    /// Whether this collection stays on this device.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn is_local(&self) -> Result<bool, Error> {
        self.vault.database().is_local_only(&self.name)
    }

    /// Events of this collection from now on; see [`Vault::watch`].
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.vault.watch_collection(Some(&self.name))
    }
}

/// A time-ordered id: neighbours in time are neighbours on disk, which decides the speed of writes.
pub(crate) fn new_record_id() -> Result<String, Error> {
    use selkie_core::ports::RandomSource;
    let random: [u8; 10] = crate::system::SystemRandom.array()?;
    let now_ms = crate::system::now_ms();
    let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid();
    Ok(id.hyphenated().to_string())
}
