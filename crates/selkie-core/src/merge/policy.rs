//! Which of several concurrent values an app sees, and which differences are put to a person.

use core::cmp::Ordering;
use core::fmt;
use std::collections::BTreeMap;

use selkie_wire::{DeviceId, Digest};
use serde_json::{Map, Value, json};

use crate::change::{Class, EntryValue, Sibling};
use crate::record::{Document, Path, value};

/// The replicated system collection that holds policies: one record for each collection, by name.
pub const POLICY_COLLECTION: &str = "_policy";
/// The replicated system collection that holds schemas: one record for each collection, by name.
pub const SCHEMA_COLLECTION: &str = "_schema";

/// A rule for concurrent values at one path. What is causally later always replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The newest by (stamp, device, number).
    #[default]
    Timestamp,
    /// The highest priority, then the newest; see [`PriorityFrom`].
    Priority,
    /// Arrays are united, the winner's order first; everything else as by `timestamp`. (Objects are
    /// merged field by field under every policy.)
    Merge,
    /// The newest provisionally, and an open conflict until a person resolves it.
    UserChoice,
    /// As `user_choice`, and the app's callback of this name is asked first. It writes a machine's
    /// resolution; it never takes part in showing, so it need not be deterministic.
    Custom(String),
    /// The highest (`version`, hash): for policies and schemas themselves.
    HighestVersion,
    /// A policy of a later version of Selkie: shown by timestamp, nothing is written on its behalf.
    Unknown(String),
}

/// Where a writer takes the priority from that it stamps into its operations. Stamped once, it never
/// changes, whatever becomes of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PriorityFrom {
    /// From the call that writes; 0 where it says none.
    #[default]
    Call,
    /// From an integer field of the record as written.
    Field(Path),
    /// From the device that writes; 0 for devices not named.
    Device(BTreeMap<DeviceId, i32>),
}

const CUSTOM: &str = "custom:";

impl Policy {
    /// Reads its name; one that this version does not know becomes [`Policy::Unknown`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "timestamp" => Self::Timestamp,
            "priority" => Self::Priority,
            "merge" => Self::Merge,
            "user_choice" => Self::UserChoice,
            other => match other.strip_prefix(CUSTOM) {
                Some(name) if !name.is_empty() => Self::Custom(name.to_owned()),
                _ => Self::Unknown(other.to_owned()),
            },
        }
    }

    /// Its name, as in a policy document.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Timestamp => "timestamp".to_owned(),
            Self::Priority => "priority".to_owned(),
            Self::Merge => "merge".to_owned(),
            Self::UserChoice => "user_choice".to_owned(),
            Self::Custom(name) => format!("{CUSTOM}{name}"),
            Self::HighestVersion => "highest_version".to_owned(),
            Self::Unknown(name) => name.clone(),
        }
    }

    /// Whether concurrent values stay open until someone decides.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::UserChoice | Self::Custom(_))
    }

    /// Picks the value shown, of siblings that are all different in dot.
    ///
    /// A machine's resolution never stands against a person's; otherwise the order is total, so the
    /// choice does not depend on the order of the siblings.
    pub(super) fn winner<'a>(&self, siblings: &'a [Sibling]) -> Option<&'a Sibling> {
        self.greatest(siblings.iter())
    }

    /// As [`winner`](Self::winner), of siblings from several places.
    pub(super) fn greatest<'a>(
        &self,
        siblings: impl Iterator<Item = &'a Sibling> + Clone,
    ) -> Option<&'a Sibling> {
        let decided = siblings.clone().any(|sibling| sibling.entry.class == Class::Human);
        siblings
            .filter(|sibling| !(decided && sibling.entry.class == Class::Auto))
            .max_by(|a, b| self.compare(a, b))
    }

    /// The total order whose greatest is shown.
    pub(super) fn compare(&self, a: &Sibling, b: &Sibling) -> Ordering {
        let by_time =
            |sibling: &Sibling| (sibling.entry.origin.unwrap_or(sibling.entry.stamp), sibling.dot);
        match self {
            Self::Priority => (a.entry.priority, by_time(a)).cmp(&(b.entry.priority, by_time(b))),
            Self::HighestVersion => {
                version_of(a).cmp(&version_of(b)).then_with(|| by_time(a).cmp(&by_time(b)))
            }
            _ => by_time(a).cmp(&by_time(b)),
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
    /// The record stays, and an open conflict with it, until a person decides.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionPolicy {
    /// Grows with each edit of the policy.
    pub version: u64,
    /// For paths without an exception.
    pub default: Policy,
    /// Exceptions: the longest prefix of a path counts.
    pub paths: BTreeMap<Path, Policy>,
    /// For deletes against edits.
    pub on_delete: OnDelete,
    /// For the `priority` policy.
    pub priority_from: PriorityFrom,
    /// How long an open conflict waits for a person before the value shown is made the answer, in
    /// milliseconds.
    pub deadline_ms: u64,
    /// How long overwritten values are kept for a record's history, in milliseconds.
    pub history_ms: u64,
    /// Whether conflicts are answered at once where a person has answered alike often enough.
    pub learned: bool,
    /// How long after its last change a record is deleted; `None`: never.
    pub expire_after_ms: Option<u64>,
}

/// A day: the longest a conflict stays open unless the policy says otherwise.
pub const DEADLINE_MS: u64 = 24 * 60 * 60 * 1000;
/// How long overwritten values are kept unless the policy says otherwise: thirty days.
pub const HISTORY_MS: u64 = 30 * DEADLINE_MS;

impl Default for CollectionPolicy {
    fn default() -> Self {
        Self {
            version: 0,
            default: Policy::default(),
            paths: BTreeMap::new(),
            on_delete: OnDelete::default(),
            priority_from: PriorityFrom::default(),
            deadline_ms: DEADLINE_MS,
            history_ms: HISTORY_MS,
            learned: false,
            expire_after_ms: None,
        }
    }
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
                write!(
                    f,
                    "there is no policy {name:?}; choose timestamp, priority, merge, user_choice or custom:NAME"
                )
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
        let priority_from = match &self.priority_from {
            PriorityFrom::Call => json!("call"),
            PriorityFrom::Field(path) => json!({"field": path.to_string()}),
            PriorityFrom::Device(ranks) => {
                let ranks: Map<String, Value> = ranks
                    .iter()
                    .map(|(device, rank)| (device.to_string(), (*rank).into()))
                    .collect();
                json!({ "device": ranks })
            }
        };
        let mut policy = json!({
            "version": self.version,
            "default": self.default.name(),
            "on_delete": self.on_delete.name(),
            "paths": paths,
            "priority_from": priority_from,
            "deadline_ms": self.deadline_ms,
            "history_ms": self.history_ms,
            "learned": self.learned,
        });
        if let (Some(after), Some(map)) = (self.expire_after_ms, policy.as_object_mut()) {
            map.insert("expire_after_ms".to_owned(), after.into());
        }
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
            priority_from: policy.get("priority_from").map(priority_from).unwrap_or_default(),
            deadline_ms: policy.get("deadline_ms").and_then(Value::as_u64).unwrap_or(DEADLINE_MS),
            history_ms: policy.get("history_ms").and_then(Value::as_u64).unwrap_or(HISTORY_MS),
            learned: policy.get("learned").and_then(Value::as_bool).unwrap_or(false),
            expire_after_ms: policy.get("expire_after_ms").and_then(Value::as_u64),
        }
    }

    /// The priority that a device stamps into what it writes to a document, unless the call says.
    #[must_use]
    pub fn priority_of(&self, document: Option<&Document>, device: DeviceId) -> i32 {
        match &self.priority_from {
            PriorityFrom::Call => 0,
            PriorityFrom::Device(ranks) => ranks.get(&device).copied().unwrap_or(0),
            PriorityFrom::Field(path) => {
                let value = document.and_then(|document| document.value_at(path));
                let value = value.and_then(Value::as_i64).unwrap_or(0);
                i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
            }
        }
    }
}

fn priority_from(value: &Value) -> PriorityFrom {
    if let Some(path) = value.get("field").and_then(Value::as_str).and_then(Path::parse) {
        return PriorityFrom::Field(path);
    }
    let ranks = value.get("device").and_then(Value::as_object);
    ranks.map_or(PriorityFrom::Call, |ranks| {
        let rank = |(device, rank): (&String, &Value)| {
            Some((DeviceId::from_hex(device)?, i32::try_from(rank.as_i64()?).ok()?))
        };
        PriorityFrom::Device(ranks.iter().filter_map(rank).collect())
    })
}
