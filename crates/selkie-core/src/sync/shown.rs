//! What a screen shows of sync: five words.

use core::fmt;

use super::state::Link;

/// What a screen shows: where sync stands, in one of five words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// Nothing is exchanged now: no network, paused, closed, or never done.
    Offline,
    /// A run is under way, or about to begin.
    Syncing,
    /// All is exchanged; conflicts wait for a person.
    Conflict,
    /// All is exchanged.
    UpToDate,
    /// Something went wrong; it is tried again, or must be mended.
    Error,
}

/// What beside the link decides what a screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Conflicts that wait for a person.
    pub open_conflicts: u64,
    /// Changes made here that no relay is known to have.
    pub unsent_changes: u64,
    /// Whether a driver is at work that will send them.
    pub driven: bool,
}

impl Link {
    /// What a screen shows.
    #[must_use]
    pub fn shown(self, facts: Facts) -> SyncState {
        match self {
            Self::Offline | Self::Paused | Self::Suspended { .. } => SyncState::Offline,
            Self::Running { .. } => SyncState::Syncing,
            Self::Backoff { .. } | Self::Blocked(_) => SyncState::Error,
            Self::Full if facts.unsent_changes > 0 => SyncState::Error,
            Self::Idle | Self::Full if facts.open_conflicts > 0 => SyncState::Conflict,
            Self::Idle | Self::Full if facts.unsent_changes == 0 => SyncState::UpToDate,
            Self::Idle | Self::Full if facts.driven => SyncState::Syncing,
            Self::Idle | Self::Full => SyncState::Offline,
        }
    }
}

impl SyncState {
    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Syncing => "syncing",
            Self::Conflict => "conflict",
            Self::UpToDate => "up_to_date",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
