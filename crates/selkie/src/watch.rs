//! Events for a UI: what changed, after it is durable.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use selkie_core::merge::POLICY_COLLECTION;
use selkie_core::record::RecordKey;

use crate::finding::Finding;

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created or changed.
    Put,
    /// It was deleted.
    Deleted,
    /// No record: something about the vault's devices or relays was found, or is healed. The id is its
    /// code; see [`Status::findings`](crate::Status::findings).
    Finding,
}

/// A record changed, here or on another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The record's collection; empty for a finding.
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
}

impl Event {
    /// What was found, and what is healed, since `before`.
    pub(crate) fn of_findings(before: &[Finding], now: &[Finding]) -> Vec<Self> {
        let found = now.iter().filter(|finding| !before.contains(finding));
        let healed = before.iter().filter(|finding| !now.contains(finding));
        let code = |finding: &Finding| finding.kind.code().to_owned();
        let event =
            |id| Self { collection: String::new(), id, kind: EventKind::Finding, remote: true };
        found.chain(healed).map(code).map(event).collect()
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
pub(crate) struct Watchers {
    events: Mutex<Vec<(Option<String>, Sender<Event>)>>,
    /// Those who only want to know that something of a collection changed.
    signals: Mutex<Vec<(String, SyncSender<()>)>>,
    /// Called after a local write; one that returns false is forgotten.
    on_write: Mutex<Vec<Box<OnWrite>>>,
}

type OnWrite = dyn Fn() -> bool + Send;

impl Watchers {
    /// Watches one collection, or all.
    pub(crate) fn watch(&self, collection: Option<&str>) -> Watch {
        let (sender, receiver) = channel();
        let mut watchers = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.push((collection.map(str::to_owned), sender));
        Watch(receiver)
    }

    /// A signal that stays set until it is taken: many changes become one.
    pub(crate) fn signal(&self, collection: &str) -> Receiver<()> {
        let (sender, receiver) = sync_channel(1);
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        signals.push((collection.to_owned(), sender));
        receiver
    }

    /// Calls `call` after each local write, until it returns false.
    pub(crate) fn on_write(&self, call: impl Fn() -> bool + Send + 'static) {
        self.on_write.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(call));
    }

    /// Tells everyone; forgets those who are gone. Selkie's own collections are nobody's business.
    pub(crate) fn tell(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        if events.iter().any(|event| !event.remote) {
            let mut told = self.on_write.lock().unwrap_or_else(PoisonError::into_inner);
            told.retain(|call| call());
        }
        let mut watchers = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|(collection, sender)| {
            events
                .iter()
                .filter(|event| !event.collection.starts_with('_'))
                .filter(|event| {
                    collection.as_ref().is_none_or(|wanted| *wanted == event.collection)
                })
                .all(|event| sender.send(event.clone()).is_ok())
        });
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        signals.retain(|(collection, sender)| {
            // A policy, named by its collection, may show records anew without writing them.
            let concerned = events.iter().any(|event| {
                event.collection == *collection
                    || (event.collection == POLICY_COLLECTION && event.id == *collection)
            });
            // A full channel says it already.
            !(concerned && matches!(sender.try_send(()), Err(TrySendError::Disconnected(()))))
        });
    }
}
