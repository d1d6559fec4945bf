//! The policy language: what of a dataset may go to whom, for what, and in which form.
//!
//! In: TOML that a person wrote, or the canonical bytes of a policy. Out: a [`SharePolicy`] with its hash, or every
//! fault with its line. What never happens here: a default that lets something out; a policy that is half understood.

mod category;
mod epsilon;
mod problem;

pub use category::Category;
pub use epsilon::Epsilon;
pub use problem::{PolicyProblem, PolicyProblems};

/// What of one dataset may go to one destination for one purpose: what no rule names stays.
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
    hash: [u8; 32],
}

impl SharePolicy {
    /// Reads a text with exactly one `[share.name]`.
    ///
    /// # Errors
    /// Every fault, with its line.
    pub fn parse(text: &str) -> Result<Self, PolicyProblems> {
        let _ = text;
        Err(PolicyProblems(vec![PolicyProblem::new(1, "no policy can be read yet")]))
    }

    /// Reads the bytes of [`to_canonical`](Self::to_canonical).
    ///
    /// # Errors
    /// If they are not the canonical form of a policy.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, PolicyProblems> {
        let _ = bytes;
        Err(PolicyProblems(vec![PolicyProblem::new(0, "no policy can be read yet")]))
    }

    /// The canonical form: equal for policies that say the same, whatever their layout and order.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        Vec::new()
    }

    /// SHA-256 of the canonical form, under a label: what a consent is bound to.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Whether it is certain that this policy reveals nothing that `older` does not; then a consent to
    /// `older` covers it. `false` also where it merely cannot be shown.
    #[must_use]
    pub fn is_narrowing_of(&self, older: &Self) -> bool {
        self == older
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
}
