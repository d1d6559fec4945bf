//! A payload as it will leave, and what was left out of it; only this room builds one.

use core::fmt;

use super::policy::{Category, Epsilon};

/// What a policy made of one record: the exact bytes that may be sent to one destination.
///
/// There is no public constructor: whoever holds one knows that a policy was applied. Made by
/// [`SharePolicy::prepare`](super::SharePolicy::prepare).
pub struct Prepared {
    pub(super) dataset: String,
    pub(super) purpose: String,
    pub(super) destination: String,
    pub(super) policy_hash: [u8; 32],
    pub(super) categories: Vec<Category>,
    pub(super) payload: Vec<u8>,
    pub(super) dropped: Dropped,
    pub(super) epsilon_spent: Epsilon,
}

impl Prepared {
    /// Which data this is of: the policy's `from`.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// What the destination may use it for.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The id of the one destination it may go to.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The hash of the policy that made it.
    #[must_use]
    pub fn policy_hash(&self) -> [u8; 32] {
        self.policy_hash
    }

    /// What kinds of data the policy says are in it, ascending.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The bytes: a JSON object in the canonical form of RFC 8785. What is shown is what is sent.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How much was left out.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// What this payload takes from the grant's lifetime budget of noise; zero without `noise` rules.
    #[must_use]
    pub fn epsilon_spent(&self) -> Epsilon {
        self.epsilon_spent
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("dataset", &self.dataset)
            .field("purpose", &self.purpose)
            .field("destination", &self.destination)
            .field("payload", &format_args!("<{} bytes>", self.payload.len()))
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// How many values a policy left out of one record, by reason. Numbers only: a name may be personal
/// data itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Values at paths that no rule names.
    pub unlisted: u64,
    /// Entries of a map whose key the rule does not list.
    pub map_keys: u64,
    /// Values of a type that the rule is not made for, such as a text where numbers are binned.
    pub unknown_type: u64,
    /// Values that `allow` does not list, where there is no `else`.
    pub not_allowed: u64,
    /// Values that a `drop` rule names.
    pub by_rule: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.unlisted + self.map_keys + self.unknown_type + self.not_allowed + self.by_rule
    }
}

/// Why nothing was prepared; nothing may be sent then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// The record is not a JSON object.
    NotAnObject,
    /// The record is nested deeper than a document may be.
    TooLarge,
    /// No rule of the policy found anything to send.
    NothingLeft,
    /// The payload is longer than the policy's `size_bytes_max`.
    PayloadTooLong {
        /// Its length.
        size_bytes: usize,
        /// The policy's limit.
        size_bytes_max: usize,
    },
    /// The grant's lifetime budget of noise does not suffice for this record.
    BudgetSpent {
        /// What this record takes.
        needed: Epsilon,
        /// What is left.
        left: Epsilon,
    },
    /// The system gave no randomness.
    Random,
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("only a JSON object can be shared"),
            Self::TooLarge => f.write_str("the record is larger or deeper than a document may be"),
            Self::NothingLeft => {
                f.write_str("the policy leaves nothing of this record: add rules for its fields")
            }
            Self::PayloadTooLong { size_bytes, size_bytes_max } => write!(
                f,
                "the payload has {size_bytes} bytes, and the policy allows {size_bytes_max}: \
                 share fewer fields or raise size_bytes_max, which needs new consent"
            ),
            Self::BudgetSpent { needed, left } => write!(
                f,
                "this record takes ε {needed} and ε {left} is left of the lifetime budget: \
                 nothing more is sent under this consent"
            ),
            Self::Random => f.write_str("no random bytes are to be had from the system"),
        }
    }
}

impl core::error::Error for PrepareError {}
