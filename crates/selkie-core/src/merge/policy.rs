//! Which of several concurrent values an app sees, and which differences are put to a person.

use core::cmp::Ordering;
use core::fmt;
use std::collections::BTreeMap;

use selkie_wire::Digest;
use serde_json::{Map, Value, json};

use crate::change::{Class, EntryValue, Sibling};
use crate::record::{Document, Path, value};

/// The replicated system collection that holds policies: one record for each collection, by name.
pub const POLICY_COLLECTION: &str = "_policy";

/// A rule for concurrent values at one path. What is causally later always replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The newest by (stamp, device, number).
    #[default]
    Timestamp,
    /// The newest provisionally, and an open conflict until a person resolves it.
    UserChoice,
    /// The highest (`version`, hash): for policies themselves.
    HighestVersion,
    /// A policy of a later version of Selkie: shown by timestamp, nothing is written on its behalf.
    Unknown(String),
}

impl Policy {
    fn from_name(name: &str) -> Self {
        match name {
            "timestamp" => Self::Timestamp,
            "user_choice" => Self::UserChoice,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Its name, as in a policy document.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Timestamp => "timestamp",
            Self::UserChoice => "user_choice",
            Self::HighestVersion => "highest_version",
            Self::Unknown(name) => name,
        }
    }

    /// Picks the value shown, of siblings that are all different in dot.
    ///
    /// A machine's resolution never stands against a person's; otherwise the order is total, so the
    /// choice does not depend on the order of the siblings.
    pub(super) fn winner<'a>(&self, siblings: &'a [Sibling]) -> Option<&'a Sibling> {
        let decided = siblings.iter().any(|sibling| sibling.entry.class == Class::Human);
        siblings
            .iter()
            .filter(|sibling| !(decided && sibling.entry.class == Class::Auto))
            .max_by(|a, b| self.compare(a, b))
    }

    /// The total order whose greatest is shown.
    pub(super) fn compare(&self, a: &Sibling, b: &Sibling) -> Ordering {
        let by_time =
            |sibling: &Sibling| (sibling.entry.origin.unwrap_or(sibling.entry.stamp), sibling.dot);
        match self {
            Self::HighestVersion => {
                version_of(a).cmp(&version_of(b)).then_with(|| by_time(a).cmp(&by_time(b)))
            }
            Self::Timestamp | Self::UserChoice | Self::Unknown(_) => by_time(a).cmp(&by_time(b)),
        }
    }
}

fn version_of(sibling: &Sibling) -> (u64, Option<Digest>) {
    let EntryValue::Value(policy) = &sibling.entry.value else { return (0, None) };
    let version = policy.get(0).and_then(|policy| policy.get("version")).and_then(Value::as_u64);
    (version.unwrap_or(0), Some(Digest::of(&value::to_bytes(policy))))
}

/// What becomes of a record that one device deleted while another edited it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// The record stays.
    #[default]
    EditWins,
    /// The record goes.
    DeleteWins,
    /// Whichever came later by its stamp.
    Timestamp,
    /// As by `timestamp`, and an open conflict until a person decides.
    UserChoice,
}

impl OnDelete {
    const NAMES: [(&'static str, Self); 4] = [
        ("edit_wins", Self::EditWins),
        ("delete_wins", Self::DeleteWins),
        ("timestamp", Self::Timestamp),
        ("user_choice", Self::UserChoice),
    ];

    /// Reads its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, rule)| rule)
    }

    /// Its name, as in a policy document.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES
            .into_iter()
            .find(|(_, rule)| *rule == self)
            .map_or("edit_wins", |(name, _)| name)
    }
}

/// The policy of one collection: a default, exceptions by path, and a rule for deletes.
///
/// ```
/// use selkie_core::merge::{CollectionPolicy, Policy};
/// use selkie_core::record::Path;
/// let policy = CollectionPolicy::with_default(Policy::UserChoice);
/// let again = CollectionPolicy::from_document(&policy.to_document());
/// assert_eq!(again.at(&Path::root().child("title")), &Policy::UserChoice);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionPolicy {
    /// Grows with each edit of the policy.
    pub version: u64,
    /// For paths without an exception.
    pub default: Policy,
    /// Exceptions: the longest prefix of a path counts.
    pub paths: BTreeMap<Path, Policy>,
    /// For deletes against edits.
    pub on_delete: OnDelete,
}

/// Why a policy cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// This version has no policy of that name.
    UnknownPolicy(String),
    /// This version has no such rule for deletes.
    UnknownOnDelete(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPolicy(name) => {
                write!(f, "there is no policy {name:?}; choose timestamp or user_choice")
            }
            Self::UnknownOnDelete(name) => write!(
                f,
                "there is no delete rule {name:?}; choose edit_wins, delete_wins, timestamp or user_choice"
            ),
        }
    }
}

impl core::error::Error for PolicyError {}

/// The one field of a policy record; its value is written whole, so versions never blend.
const FIELD: &str = "policy";

impl CollectionPolicy {
    /// One policy for all paths.
    #[must_use]
    pub fn with_default(default: Policy) -> Self {
        Self { default, ..Self::default() }
    }

    /// The policy by which records of [`POLICY_COLLECTION`] themselves are shown.
    #[must_use]
    pub fn of_policies() -> Self {
        Self::with_default(Policy::HighestVersion)
    }

    /// Parses names as a person types them.
    ///
    /// # Errors
    /// [`PolicyError`] with the names there are.
    pub fn from_names(policy: &str, on_delete: &str) -> Result<Self, PolicyError> {
        let default = Policy::from_name(policy);
        if let Policy::Unknown(name) = default {
            return Err(PolicyError::UnknownPolicy(name));
        }
        let on_delete = OnDelete::from_name(on_delete)
            .ok_or_else(|| PolicyError::UnknownOnDelete(on_delete.to_owned()))?;
        Ok(Self { default, on_delete, ..Self::default() })
    }

    /// The policy at a path.
    #[must_use]
    pub fn at(&self, path: &Path) -> &Policy {
        let covering = self.paths.iter().filter(|(prefix, _)| path.starts_with(prefix));
        covering
            .max_by_key(|(prefix, _)| prefix.as_bytes().len())
            .map_or(&self.default, |(_, policy)| policy)
    }

    /// The document kept in [`POLICY_COLLECTION`].
    #[must_use]
    pub fn to_document(&self) -> Document {
        let paths: Map<String, Value> = self
            .paths
            .iter()
            .map(|(path, policy)| (path.to_string(), policy.name().into()))
            .collect();
        let policy = json!({
            "version": self.version,
            "default": self.default.name(),
            "on_delete": self.on_delete.name(),
            "paths": paths,
        });
        Document::from_checked_map(Map::from_iter([(FIELD.to_owned(), Value::Array(vec![policy]))]))
    }

    /// Reads a policy document, of this or a later version: what it does not know is taken as
    /// [`Policy::Unknown`] or as the default, so that an old app still shows something everywhere.
    #[must_use]
    pub fn from_document(document: &Document) -> Self {
        let Some(policy) = document.as_map().get(FIELD).and_then(|list| list.get(0)) else {
            return Self::default();
        };
        let text = |name: &str| policy.get(name).and_then(Value::as_str);
        let paths = policy.get("paths").and_then(Value::as_object).into_iter().flatten();
        Self {
            version: policy.get("version").and_then(Value::as_u64).unwrap_or(0),
            default: text("default").map_or(Policy::Timestamp, Policy::from_name),
            paths: paths
                .filter_map(|(path, name)| {
                    Some((Path::parse(path)?, Policy::from_name(name.as_str()?)))
                })
                .collect(),
            on_delete: text("on_delete").and_then(OnDelete::from_name).unwrap_or_default(),
        }
    }
}
