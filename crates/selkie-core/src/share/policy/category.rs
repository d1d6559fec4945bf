//! What kind of data a share is, for the person who is asked.

/// The four kinds of Mozilla's data collection policy, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Category {
    /// About the device and the app: version, model, errors.
    Technical,
    /// What somebody did in the app: counts, durations, choices.
    Interaction,
    /// What somebody keeps in the app.
    StoredContent,
    /// Health, location, identity and the like.
    HighlySensitive,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Technical, Self::Interaction, Self::StoredContent, Self::HighlySensitive];

    /// As a policy writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Technical => "technical",
            Self::Interaction => "interaction",
            Self::StoredContent => "stored_content",
            Self::HighlySensitive => "highly_sensitive",
        }
    }

    /// The category of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }
}
