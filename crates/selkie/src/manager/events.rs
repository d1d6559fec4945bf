//! What a screen is told.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use selkie_core::sync::{Facts, Link, SyncState};

use super::Shared;
use crate::engine::{SyncProgress, SyncReport};
use crate::status::{Network, RelayStatus};

/// Events that wait for a subscriber at most.
const EVENTS_MAX: usize = 1_024;

/// How sync with a relay stands, and what a screen may show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// In one of five words.
    pub state: SyncState,
    /// In full, with phase or reason.
    pub link: Link,
    /// The network, as the app said.
    pub network: Network,
    /// Conflicts that wait for a person.
    pub open_conflicts: u64,
    /// Changes made here that no relay is known to have.
    pub unsent_changes: u64,
    /// How far the run under way has come.
    pub progress: Option<SyncProgress>,
    /// When a failed run is tried again, in milliseconds since 1970 (UTC).
    pub next_retry_ms: Option<u64>,
    /// What the last run did; none before the first.
    pub relay: Option<RelayStatus>,
}

/// Something that happened in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncEvent {
    /// The state has changed.
    State(Box<SyncStatus>),
    /// The run under way has come further.
    Progress(SyncProgress),
    /// A run is complete.
    Finished(Box<SyncReport>),
    /// A run failed.
    Failed {
        /// The error's code.
        code: &'static str,
        /// What to do, for people.
        message: String,
        /// When it is tried again by itself, in milliseconds since 1970 (UTC).
        next_retry_ms: Option<u64>,
    },
}

/// A stream of events, from the moment it was made; an iterator that waits for the next one and ends with
/// the manager.
#[derive(Debug)]
pub struct SyncEvents(Receiver<SyncEvent>);

impl SyncEvents {
    /// The next event that is there already.
    #[must_use]
    pub fn try_next(&self) -> Option<SyncEvent> {
        self.0.try_recv().ok()
    }

    /// Waits for the next event, at most this long.
    #[must_use]
    pub fn next_within(&self, timeout: Duration) -> Option<SyncEvent> {
        self.0.recv_timeout(timeout).ok()
    }
}

impl Iterator for SyncEvents {
    type Item = SyncEvent;

    fn next(&mut self) -> Option<SyncEvent> {
        self.0.recv().ok()
    }
}

/// Everyone who is told.
#[derive(Default)]
pub(super) struct Subscribers(Mutex<Vec<SyncSender<SyncEvent>>>);

impl Subscribers {
    pub(super) fn subscribe(&self) -> SyncEvents {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        SyncEvents(receiver)
    }

    /// Tells everyone who has room; forgets those who are gone.
    pub(super) fn tell(&self, event: &SyncEvent) {
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|sender| {
            !matches!(sender.try_send(event.clone()), Err(TrySendError::Disconnected(_)))
        });
    }
}

impl Shared {
    /// How sync stands now.
    pub(super) fn status(&self) -> SyncStatus {
        let core = self.core();
        let (link, network, progress) = (core.link, core.network, core.progress);
        drop(core);
        let database = self.vault.database();
        // While the store is closed the counts are not known.
        let facts = Facts {
            open_conflicts: database.conflict_count().unwrap_or_default(),
            unsent_changes: database.unsent_count().unwrap_or_default(),
            driven: true,
        };
        let relays = database.relays().unwrap_or_default();
        drop(database);
        SyncStatus {
            state: link.shown(facts),
            link,
            network,
            open_conflicts: facts.open_conflicts,
            unsent_changes: facts.unsent_changes,
            progress,
            next_retry_ms: link.next_retry_ms(),
            relay: relays.into_iter().find(|relay| relay.url == self.url),
        }
    }
}
