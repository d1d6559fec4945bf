//! The policy language: what of a dataset may go to whom, for what, and in which form.
//!
//! In: TOML that a person wrote, or the canonical bytes of a policy. Out: a [`SharePolicy`] with its
//! hash, or every fault with its line. What never happens here: a default that lets something out; a
//! policy that is half understood.

mod category;
mod epsilon;
mod narrowing;
mod node;
mod path;
mod problem;
mod read;
mod reader;
mod rule;
mod warnings;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::record::value;

pub use category::Category;
pub use epsilon::Epsilon;
pub(crate) use node::{Kind, Node};
pub use path::RulePath;
pub use problem::{PolicyProblem, PolicyProblems};
pub(crate) use reader::Reader;
pub use rule::RuleView;
pub(crate) use rule::{Rule, Tree};

const HASH_LABEL: &[u8] = b"selkie/1/share-policy\0";
/// Version of the canonical form.
const VERSION: i64 = 1;

/// What of one dataset may go to one destination for one purpose: what no rule names stays.
///
/// ```
/// use selkie_core::share::SharePolicy;
/// let policy = SharePolicy::parse(r#"
///     [share.usage_stats]
///     from = "usage"
///     purpose = "improve_model"
///     destination = "model-lab"
///     categories = ["technical"]
///     size_bytes_max = 4096
///     expires_days = 30
///
///     [[share.usage_stats.field]]
///     path = "model.size"
///     keep = true
///     allow = ["small", "large"]
///     else = "other"
/// "#)?;
/// assert_eq!(policy.destination(), "model-lab");
/// assert_eq!(SharePolicy::from_canonical(&policy.to_canonical())?.hash(), policy.hash());
///
/// let faults = SharePolicy::parse("[share.x]\nfrm = \"usage\"").unwrap_err();
/// assert!(faults.to_string().contains("line 2: [share.x] does not know `frm` (did you mean `from`?)"));
/// # Ok::<(), selkie_core::share::PolicyProblems>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SharePolicy {
    name: String,
    dataset: String,
    purpose: String,
    destination: String,
    categories: Vec<Category>,
    size_bytes_max: usize,
    expires_days: u32,
    epsilon_lifetime: Epsilon,
    /// Ascending by path.
    rules: Vec<Rule>,
    tree: Tree,
    hash: [u8; 32],
}

impl SharePolicy {
    /// Reads a text with exactly one `[share.name]`.
    ///
    /// # Errors
    /// Every fault, with its line.
    pub fn parse(text: &str) -> Result<Self, PolicyProblems> {
        let mut policies = Self::parse_all(text)?;
        match (policies.pop(), policies.len()) {
            (Some(policy), 0) => Ok(policy),
            (_, others) => Err(PolicyProblems(vec![PolicyProblem::new(
                1,
                format!("one policy is wanted here, and the text has {}", others + 1),
            )])),
        }
    }

    /// Reads a text with one or more `[share.name]`, ascending by name.
    ///
    /// # Errors
    /// Every fault, with its line.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, PolicyProblems> {
        read::file(text)
    }

    /// Reads the bytes of [`to_canonical`](Self::to_canonical).
    ///
    /// # Errors
    /// If they are not the canonical form of a policy.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, PolicyProblems> {
        read::canonical(bytes)
    }

    /// The canonical form: equal for policies that say the same, whatever their layout and order.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        value::to_bytes(&self.to_value())
    }

    /// The canonical form as JSON, for people and other programs.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let categories: Vec<_> = self.categories.iter().map(|category| category.name()).collect();
        let mut value = json!({
            "version": VERSION,
            "name": self.name,
            "from": self.dataset,
            "purpose": self.purpose,
            "destination": self.destination,
            "categories": categories,
            "size_bytes_max": self.size_bytes_max,
            "expires_days": self.expires_days,
            "field": self.rules.iter().map(Rule::to_value).collect::<Value>(),
        });
        if let (true, Some(map)) = (self.epsilon_lifetime > Epsilon::ZERO, value.as_object_mut()) {
            map.insert("epsilon_lifetime".to_owned(), self.epsilon_lifetime.to_json());
        }
        value
    }

    /// SHA-256 of a label and the canonical form: what a consent is bound to.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Whether it is certain that this policy reveals nothing that `older` does not; then a consent to
    /// `older` covers it. `false` also where it merely cannot be shown.
    ///
    /// Certain means: same dataset, purpose and destination, no more categories, no longer payload, no
    /// longer consent, no larger budget; and each rule sends a function of what the older rule for the
    /// same path sends.
    #[must_use]
    pub fn is_narrowing_of(&self, older: &Self) -> bool {
        narrowing::is_narrowing(self, older)
    }

    /// What is allowed and should be thought over once more, by path.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warnings::of(self)
    }

    /// The rules, ascending by path.
    pub fn rules(&self) -> impl Iterator<Item = RuleView<'_>> {
        self.rules.iter().map(RuleView::of)
    }

    /// The name after `share.`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dataset: `from`.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// What the destination may use it for.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The id of the destination.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// What kinds of data are in it, ascending.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The longest payload.
    #[must_use]
    pub fn size_bytes_max(&self) -> usize {
        self.size_bytes_max
    }

    /// How long a consent to it lasts.
    #[must_use]
    pub fn expires_days(&self) -> u32 {
        self.expires_days
    }

    /// How much ε all payloads of one grant may take together; zero without `noise` rules.
    #[must_use]
    pub fn epsilon_lifetime(&self) -> Epsilon {
        self.epsilon_lifetime
    }

    /// The policy with some of its rules only; for looking at a sample.
    pub(crate) fn with_rules(&self, keep: impl Fn(usize, &str) -> bool) -> Self {
        let mut part = self.clone();
        part.rules.clear();
        part.tree = Tree::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if keep(index, RuleView::of(rule).kind) {
                let _free_as_before = part.tree.insert(rule);
                part.rules.push(rule.clone());
            }
        }
        part.with_hash()
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    fn with_hash(mut self) -> Self {
        let mut hash = Sha256::new();
        hash.update(HASH_LABEL);
        hash.update(self.to_canonical());
        self.hash = hash.finalize().into();
        self
    }
}

#[cfg(test)]
mod tests;
