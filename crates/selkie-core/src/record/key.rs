//! Which record is meant: a collection and an id.

use core::fmt;

use crate::limits::{COLLECTION_BYTES_MAX, RECORD_ID_BYTES_MAX};

/// Names one record of a vault.
///
/// ```
/// use selkie_core::record::RecordKey;
/// let key = RecordKey::new("notes", "groceries")?;
/// assert_eq!(key.to_string(), "notes/groceries");
/// assert!(RecordKey::new("", "groceries").is_err());
/// # Ok::<(), selkie_core::record::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    collection: String,
    id: String,
}

/// Why a name cannot be a collection or a record id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Empty, longer than [`COLLECTION_BYTES_MAX`], or with control characters.
    Collection,
    /// Empty, longer than [`RECORD_ID_BYTES_MAX`], or with control characters.
    RecordId,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, bytes_max) = match self {
            Self::Collection => ("a collection name", COLLECTION_BYTES_MAX),
            Self::RecordId => ("a record id", RECORD_ID_BYTES_MAX),
        };
        write!(f, "{what} has 1 to {bytes_max} bytes and no control characters")
    }
}

impl core::error::Error for KeyError {}

impl RecordKey {
    /// Checks both names.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(collection: impl Into<String>, id: impl Into<String>) -> Result<Self, KeyError> {
        let (collection, id) = (collection.into(), id.into());
        if !Self::is_name(&collection, COLLECTION_BYTES_MAX) {
            return Err(KeyError::Collection);
        }
        if !Self::is_name(&id, RECORD_ID_BYTES_MAX) {
            return Err(KeyError::RecordId);
        }
        Ok(Self { collection, id })
    }

    /// A key of Selkie's own making.
    pub(crate) fn fixed(collection: &'static str, id: &'static str) -> Self {
        Self { collection: collection.to_owned(), id: id.to_owned() }
    }

    /// Whether a collection may have this name.
    #[must_use]
    pub fn is_collection_name(name: &str) -> bool {
        Self::is_name(name, COLLECTION_BYTES_MAX)
    }

    fn is_name(name: &str, bytes_max: usize) -> bool {
        !name.is_empty() && name.len() <= bytes_max && !name.chars().any(char::is_control)
    }

    /// The collection's name.
    #[must_use]
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// The record's id, unique within its collection.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.id)
    }
}
