//! Events for a UI: what changed, after it is durable.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use selkie_core::record::RecordKey;

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created or changed.
    Put,
    /// It was deleted.
    Deleted,
    /// No record: everything that the vault had when this device joined it has arrived. Collection and
    /// id are empty; only who watches all collections is told.
    InitialSyncCompleted,
}

/// A record changed, here or on another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The record's collection.
    pub collection: String,
    /// The record's id.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// Whether it arrived by sync.
    pub remote: bool,
}

impl Event {
    pub(crate) fn new(key: &RecordKey, kind: EventKind, remote: bool) -> Self {
        Self { collection: key.collection().to_owned(), id: key.id().to_owned(), kind, remote }
    }

    pub(crate) fn initial_sync_completed() -> Self {
        let kind = EventKind::InitialSyncCompleted;
        Self { collection: String::new(), id: String::new(), kind, remote: true }
    }
}

/// A stream of events, from the moment it was made; an iterator that waits for the next one and ends
/// when the vault is closed.
#[derive(Debug)]
pub struct Watch(Receiver<Event>);

impl Watch {
    /// The next event that is there already.
    #[must_use]
    pub fn try_next(&self) -> Option<Event> {
        self.0.try_recv().ok()
    }

    /// Waits for the next event, at most this long.
    #[must_use]
    pub fn next_within(&self, timeout: Duration) -> Option<Event> {
        self.0.recv_timeout(timeout).ok()
    }
}

impl Iterator for Watch {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.recv().ok()
    }
}

/// Everyone who watches a vault.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<(Option<String>, Sender<Event>)>>);

impl Watchers {
    /// Watches one collection, or all.
    pub(crate) fn watch(&self, collection: Option<&str>) -> Watch {
        let (sender, receiver) = channel();
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.push((collection.map(str::to_owned), sender));
        Watch(receiver)
    }

    /// Tells everyone; forgets those who are gone. Selkie's own collections are nobody's business.
    pub(crate) fn tell(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|(collection, sender)| {
            events
                .iter()
                .filter(|event| !event.collection.starts_with('_'))
                .filter(|event| {
                    collection.as_ref().is_none_or(|wanted| *wanted == event.collection)
                })
                .all(|event| sender.send(event.clone()).is_ok())
        });
    }
}
