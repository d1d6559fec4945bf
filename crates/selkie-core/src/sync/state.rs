//! Where sync with one relay stands, as a state machine: what happened in, the next state out.
//!
//! The table of all transitions is `docs/SYNC_STATES.md`; a test walks every pair and compares.

use core::fmt;

/// First delay of a backoff; doubled with each failure.
pub const BACKOFF_MS_BASE: u64 = 1_000;
/// Longest delay that a backoff draws from.
pub const BACKOFF_MS_MAX: u64 = 15 * 60 * 1_000;
/// Longest `Retry-After` that is honoured: a relay may ask for patience, not for ever.
pub const RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1_000;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Bringing the roster in step.
    Hello,
    /// Sending what is new here.
    Push,
    /// Receiving what is new elsewhere.
    Pull,
    /// Compacting what the relay holds.
    Checkpoint,
}

/// Why runs do not begin by themselves any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockReason {
    /// The relay does not let this device in.
    Credentials,
    /// This store and the relay disagree about this device's own history.
    Fork,
    /// The disk is full.
    DiskFull,
    /// The store is damaged, or cannot be read or written.
    Damaged,
    /// Something that is needed was written by a newer version.
    TooNew,
}

/// Where sync with one relay stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// The app says that there is no network.
    #[default]
    Offline,
    /// Nothing to do.
    Idle,
    /// As idle, but the relay has no more room for this vault: receiving goes on, sending waits.
    Full,
    /// A run is under way.
    Running {
        /// What it is doing.
        phase: Phase,
        /// Failures in a row before it.
        attempt: u32,
    },
    /// The last run failed; another is tried later.
    Backoff {
        /// When, in milliseconds since 1970 (UTC).
        until_ms: u64,
        /// Failures in a row.
        attempt: u32,
    },
    /// Something must be mended first.
    Blocked(BlockReason),
    /// The user wants no sync for now.
    Paused,
    /// The store is closed.
    Suspended {
        /// The user wants no sync after it either.
        paused: bool,
    },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The app says that there is a network, or another one.
    NetworkUp,
    /// The app says that there is none.
    NetworkDown,
    /// A record was written here.
    Wrote,
    /// It is time to look, or to try again.
    Timer,
    /// The relay says that it has something new.
    Signalled,
    /// The user wants a sync now.
    SyncNow,
    /// The user wants no sync for now.
    Pause,
    /// The user wants sync again, or the store is open again.
    Resume,
    /// The store is to be closed.
    Suspend,
    /// This device may be let in again.
    CredentialsChanged,
    /// The relay may have room again.
    RoomSignalled,
    /// Somebody began a run.
    Started,
    /// The run has come to a phase.
    Phase(Phase),
    /// The run has sent or received something.
    Progress,
    /// The run is complete.
    Finished,
    /// The run is complete, but the relay had no room for all of it.
    FinishedFull,
    /// The run stopped where it was told to.
    Cut,
    /// The run failed, and may succeed later.
    Failed {
        /// The time, in milliseconds since 1970 (UTC).
        now_ms: u64,
        /// How long the relay asks to wait.
        retry_after_ms: Option<u64>,
        /// Any number, drawn anew each time: it spreads devices that failed together.
        random: u64,
    },
    /// The run failed, and will until something is mended.
    FailedFor(BlockReason),
}

/// What the driver does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Begin a run.
    Start,
    /// Stop the run before its next request.
    Cut,
    /// Close the store.
    Close,
}

impl Link {
    /// A run that just begins.
    const BEGUN: Self = Self::Running { phase: Phase::Hello, attempt: 0 };

    /// The state after `event`, and what to do about it.
    ///
    /// ```
    /// use selkie_core::sync::{Effect, Link, LinkEvent};
    /// let (link, effect) = Link::Idle.next(LinkEvent::Wrote);
    /// assert!(matches!(link, Link::Running { .. }) && effect == Effect::Start);
    /// assert_eq!(Link::Paused.next(LinkEvent::Wrote), (Link::Paused, Effect::None));
    /// ```
    #[must_use]
    pub fn next(self, event: LinkEvent) -> (Self, Effect) {
        use LinkEvent as E;
        if let Self::Suspended { paused } = self {
            return match event {
                // Coming back to the foreground does not end a pause.
                E::Resume if paused => (Self::Paused, Effect::None),
                E::Resume => (Self::BEGUN, Effect::Start),
                E::Pause => (Self::Suspended { paused: true }, Effect::None),
                E::Finished | E::FinishedFull | E::Cut | E::Failed { .. } | E::FailedFor(_) => {
                    (self, Effect::Close)
                }
                _ => (self, Effect::None),
            };
        }
        match event {
            E::Suspend => {
                let paused = self == Self::Paused;
                (Self::Suspended { paused }, self.end_of_run(Effect::Close))
            }
            E::Pause => (Self::Paused, self.end_of_run(Effect::None)),
            E::Started => (self.begun(), Effect::None),
            E::SyncNow if !self.is_running() => (self.begun(), Effect::Start),
            E::NetworkUp | E::NetworkDown => self.network(event == E::NetworkUp),
            E::Wrote if self == Self::Idle => (Self::BEGUN, Effect::Start),
            E::Signalled if self.rests() => (Self::BEGUN, Effect::Start),
            E::Timer if self.rests() || matches!(self, Self::Backoff { .. }) => {
                (self.begun(), Effect::Start)
            }
            E::Resume if self == Self::Paused => (Self::BEGUN, Effect::Start),
            E::CredentialsChanged if self == Self::Blocked(BlockReason::Credentials) => {
                (Self::BEGUN, Effect::Start)
            }
            E::RoomSignalled if self == Self::Full => (Self::BEGUN, Effect::Start),
            _ => (self.of_run(event), Effect::None),
        }
    }

    /// What the run itself tells; from a run that is not ours any more it changes nothing.
    fn of_run(self, event: LinkEvent) -> Self {
        let Self::Running { attempt, .. } = self else { return self };
        match event {
            LinkEvent::Phase(phase) => Self::Running { phase, attempt },
            LinkEvent::Finished | LinkEvent::Cut => Self::Idle,
            LinkEvent::FinishedFull => Self::Full,
            LinkEvent::Failed { now_ms, retry_after_ms, random } => {
                let asked_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
                let delay_ms = backoff_ms(attempt, random).max(asked_ms);
                Self::Backoff {
                    until_ms: now_ms.saturating_add(delay_ms),
                    attempt: attempt.saturating_add(1),
                }
            }
            LinkEvent::FailedFor(reason) => Self::Blocked(reason),
            _ => self,
        }
    }

    fn network(self, up: bool) -> (Self, Effect) {
        match (self, up) {
            (Self::Offline | Self::Backoff { .. }, true) => (Self::BEGUN, Effect::Start),
            // Another network may do better: failures on the old one say nothing of it.
            (Self::Running { phase, .. }, true) => {
                (Self::Running { phase, attempt: 0 }, Effect::None)
            }
            (Self::Running { .. }, false) => (Self::Offline, Effect::Cut),
            (Self::Idle | Self::Full | Self::Backoff { .. }, false) => {
                (Self::Offline, Effect::None)
            }
            _ => (self, Effect::None),
        }
    }

    /// A run that just begins, after the failures so far.
    fn begun(self) -> Self {
        match self {
            Self::Running { attempt, .. } | Self::Backoff { attempt, .. } => {
                Self::Running { phase: Phase::Hello, attempt }
            }
            _ => Self::BEGUN,
        }
    }

    fn end_of_run(self, otherwise: Effect) -> Effect {
        if self.is_running() { Effect::Cut } else { otherwise }
    }

    fn is_running(self) -> bool {
        matches!(self, Self::Running { .. })
    }

    fn rests(self) -> bool {
        matches!(self, Self::Idle | Self::Full)
    }

    /// What is left of it when the app starts anew. A run that was interrupted begins anew, at Hello;
    /// the network is what the app says; a full disk is looked at again.
    #[must_use]
    pub fn after_restart(self) -> Self {
        match self {
            Self::Running { .. }
            | Self::Offline
            | Self::Suspended { paused: false }
            | Self::Blocked(BlockReason::DiskFull) => Self::Idle,
            Self::Suspended { paused: true } => Self::Paused,
            Self::Idle | Self::Full | Self::Backoff { .. } | Self::Blocked(_) | Self::Paused => {
                self
            }
        }
    }

    /// When the next run is tried, if that is decided; in milliseconds since 1970 (UTC).
    #[must_use]
    pub fn next_retry_ms(self) -> Option<u64> {
        if let Self::Backoff { until_ms, .. } = self { Some(until_ms) } else { None }
    }

    /// A short name for storage and output; what it carries is not part of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Full => "full",
            Self::Running { .. } => "running",
            Self::Backoff { .. } => "backoff",
            Self::Blocked(_) => "blocked",
            Self::Paused => "paused",
            Self::Suspended { .. } => "suspended",
        }
    }
}

/// A delay by full jitter: anything from nothing to a bound that doubles with each failure.
///
/// ```
/// use selkie_core::sync::backoff_ms;
/// assert_eq!(backoff_ms(3, u64::MAX), 8_000);
/// assert_eq!(backoff_ms(30, u64::MAX), 15 * 60 * 1_000);
/// assert_eq!(backoff_ms(3, 0), 0);
/// ```
#[must_use]
pub fn backoff_ms(attempt: u32, random: u64) -> u64 {
    let bound_ms = BACKOFF_MS_BASE.saturating_mul(1 << attempt.min(20)).min(BACKOFF_MS_MAX);
    // The high bits of the product: the same share of the bound as `random` is of all numbers.
    let share = (u128::from(random) * (u128::from(bound_ms) + 1)) >> 64;
    u64::try_from(share).unwrap_or(bound_ms)
}

impl Phase {
    /// A short name for storage and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl BlockReason {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Credentials, Self::Fork, Self::DiskFull, Self::Damaged, Self::TooNew];

    /// A short name for storage and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Fork => "fork",
            Self::DiskFull => "disk_full",
            Self::Damaged => "damaged",
            Self::TooNew => "too_new",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// What to do about it, for people.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Credentials => {
                "the relay does not let this device in: check the address, and that the device was \
                 not removed from the vault"
            }
            Self::Fork => {
                "two administrators changed the vault's members apart from each other; one of the two \
                 sides has to join again"
            }
            Self::DiskFull => "free some space, then sync again; nothing was lost",
            Self::Damaged => {
                "the store cannot be read or written: restore it from a backup, or pair this device \
                 anew"
            }
            Self::TooNew => "update the app; what is newer waits, sealed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
