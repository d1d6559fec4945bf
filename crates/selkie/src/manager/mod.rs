//! The sync manager: keeps a vault in step with a relay by itself, and tells a screen how it stands.
//!
//! In: what the app knows (network, user's wishes), local writes, a relay's hints. Out: runs of sync at
//! the right moments, a state, a stream of events. What never happens here: a rule of its own (the core's
//! state machine decides), a clock but the vault's, a lock on the store while the network is waited for.

mod events;
mod listen;
mod turn;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use selkie_core::sync::{Effect, Link, LinkEvent};
use selkie_wire::relay::WaitRequest;

use events::Subscribers;
pub use events::{SyncEvent, SyncEvents, SyncStatus};

use crate::engine::SyncProgress;
use crate::status::Network;
use crate::transport::{Transport, TransportError};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// Makes a way to the relay.
type Connect = dyn Fn() -> Result<Box<dyn Transport + Send>, TransportError> + Send + Sync;

/// Keeps a vault in step with one relay: syncs after local writes, when the relay has something new, and
/// now and then; backs off when it fails; tells how it stands. See `docs/SYNC_STATES.md`.
///
/// [`start`](Self::start) does all of it on a thread of its own. An app whose system hands out the time
/// in the background calls [`turn`](Self::turn) instead.
///
/// ```
/// use selkie::transport::{MemoryRelay, Transport};
/// use selkie::{SyncManager, SyncState, Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let vault = Vault::create(&path, Unlock::Passphrase("seals sleep under water"))?.vault;
/// vault.collection("notes")?.put("milk", &serde_json::json!({"title": "Milk"}))?;
///
/// let (relay, device) = (MemoryRelay::new(), vault.device_id());
/// let manager = SyncManager::over(&vault, "memory", move || {
///     Ok(Box::new(relay.connect(device)) as Box<dyn Transport + Send>)
/// })?;
/// assert_eq!(manager.state().state, SyncState::Syncing, "something waits to be sent");
/// manager.turn(); // what `start` does over and over
/// assert_eq!(manager.state().state, SyncState::UpToDate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SyncManager {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    vault: Vault,
    url: String,
    connect: Box<Connect>,
    core: Mutex<Core>,
    woken: Condvar,
    /// Raised when a run begins or is cut: a run that finds another number than its own stops.
    generation: AtomicU64,
    /// Held while a turn is done; the connection is kept from run to run.
    turn: Mutex<Option<Box<dyn Transport + Send>>>,
    subscribers: Subscribers,
}

struct Core {
    link: Link,
    /// A run is to begin; what the link was before it.
    start: Option<Link>,
    network: Network,
    /// Since when a local write waits to be sent.
    written_ms: Option<u64>,
    /// When to look at the relay next, if nothing else happens.
    look_ms: u64,
    /// When conflicts are next looked at for what a machine may answer.
    attend_ms: u64,
    progress: Option<SyncProgress>,
    /// The connection is of a network that may be gone.
    reconnect: bool,
    /// What the listener waits for, when it may wait.
    listen: Option<WaitRequest>,
    /// Whether the relay tells when it has something new.
    listens: bool,
    /// The run under way began because the relay said that it has something new.
    signalled: bool,
    initial_sync: bool,
    poked: bool,
    /// Raised by start and stop: a thread of an earlier number ends.
    life: u64,
}

impl fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncManager")
            .field("vault", &self.shared.vault.id())
            .field("link", &self.shared.core().link)
            .finish_non_exhaustive()
    }
}

impl SyncManager {
    /// A manager for a vault and the address of a relay or a folder; it does nothing before [`start`](Self::start) or
    /// [`turn`](Self::turn).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an address that is none; [`ErrorKind::Storage`].
    pub fn new(vault: &Vault, address: &str) -> Result<Self, Error> {
        let (weak, base) = (vault.downgrade(), address.to_owned());
        // Fails early for an address that can never work.
        vault.transport(address)?;
        Self::over(vault, address, move || {
            let closed = || TransportError::Unreachable("the vault is closed".to_owned());
            let vault = weak.upgrade().ok_or_else(closed)?;
            vault.transport(&base).map_err(|_| closed())
        })
    }

    /// A manager over transports of the app's own. `connect` is called for a new one whenever the last
    /// one failed; `name` is what the relay is remembered under.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn over(
        vault: &Vault,
        name: &str,
        connect: impl Fn() -> Result<Box<dyn Transport + Send>, TransportError> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let link = vault.database().link(name)?.after_restart();
        let core = Core {
            link,
            start: None,
            network: Network::Unknown,
            written_ms: None,
            look_ms: 0,
            attend_ms: 0,
            progress: None,
            reconnect: false,
            listen: None,
            listens: false,
            signalled: false,
            initial_sync: vault.initial_sync_complete()?,
            poked: false,
            life: 0,
        };
        let shared = Arc::new(Shared {
            vault: vault.clone(),
            url: name.to_owned(),
            connect: Box::new(connect),
            core: Mutex::new(core),
            woken: Condvar::new(),
            generation: AtomicU64::new(0),
            turn: Mutex::new(None),
            subscribers: Subscribers::default(),
        });
        let weak = Arc::downgrade(&shared);
        vault.on_local_write(move || weak.upgrade().is_some_and(|shared| shared.wrote()));
        Ok(Self { shared, thread: Mutex::new(None) })
    }

    /// Begins to sync in the background; nothing if it does already.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system gives no thread.
    pub fn start(&self) -> Result<(), Error> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Ok(());
        }
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|_| {
                Error::new(ErrorKind::Internal, "the system gives no thread to sync in")
            })
        };
        let life = self.shared.next_life();
        let driven = Arc::clone(&self.shared);
        let heard: Weak<Shared> = Arc::downgrade(&self.shared);
        *thread = Some(spawn("selkie-sync", Box::new(move || driven.drive(life)))?);
        // Its end is nobody's affair: it may still be waiting for an answer of the relay.
        let _detached = spawn("selkie-listen", Box::new(move || listen::listen(&heard, life)))?;
        Ok(())
    }

    /// Ends syncing in the background, after the request under way; what was stored stays. Dropping the
    /// manager does the same, and does not wait.
    pub fn stop(&self) {
        self.shared.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = thread.join();
        }
    }

    /// Does what is due now, and returns when there is something to do next (in milliseconds since 1970,
    /// by the vault's clock); `None` if only an event can tell. For apps without a thread to spare.
    pub fn turn(&self) -> Option<u64> {
        self.shared.do_turn()
    }

    /// How sync stands.
    #[must_use]
    pub fn state(&self) -> SyncStatus {
        self.shared.status()
    }

    /// Events from now on. A subscriber that does not read misses some once a thousand wait; the state
    /// is always told by [`state`](Self::state).
    #[must_use]
    pub fn subscribe(&self) -> SyncEvents {
        self.shared.subscribers.subscribe()
    }

    /// The user wants a sync now: in spite of a backoff, a pause, or a network that is said to be absent.
    pub fn sync_now(&self) {
        self.shared.feed(LinkEvent::SyncNow);
    }

    /// The user wants no sync for now; a run under way stops before its next request. Survives a restart.
    pub fn pause(&self) {
        self.shared.feed(LinkEvent::Pause);
    }

    /// The app is back in the foreground, and the store is opened again; or the user wants sync again. A
    /// pause outlasts the background: it is ended by another call.
    ///
    /// # Errors
    /// As [`Vault::resume`].
    pub fn resume(&self) -> Result<(), Error> {
        self.shared.vault.resume()?;
        self.shared.feed(LinkEvent::Resume);
        Ok(())
    }

    /// The app goes to the background: closes the store ([`Vault::suspend`]), for all handles of the
    /// vault. A run under way is cut: what it has applied stays, and the next one goes on from there. When
    /// this returns no file is open, though a request may still be waiting for its answer.
    ///
    /// # Errors
    /// As [`Vault::suspend`].
    pub fn suspend(&self) -> Result<(), Error> {
        self.shared.feed(LinkEvent::Suspend);
        self.shared.vault.suspend()
    }

    /// The app says what carries the network now.
    pub fn set_network(&self, network: Network) {
        let mut core = self.shared.core();
        let before = std::mem::replace(&mut core.network, network);
        core.reconnect |= before != network;
        drop(core);
        match network {
            Network::Offline => self.shared.feed(LinkEvent::NetworkDown),
            _ if before != network => self.shared.feed(LinkEvent::NetworkUp),
            _ => {}
        }
    }

    /// The relay has something new: a push message said so.
    pub fn signalled(&self) {
        self.shared.feed(LinkEvent::Signalled);
    }

    /// The relay may let this device in again.
    pub fn credentials_changed(&self) {
        self.shared.core().reconnect = true;
        self.shared.feed(LinkEvent::CredentialsChanged);
    }

    /// The relay may have room again.
    pub fn room_signalled(&self) {
        self.shared.feed(LinkEvent::RoomSignalled);
    }

    /// Waits until all that the other devices had sent is here; whether it is. Only useful while a
    /// thread syncs ([`start`](Self::start)).
    #[must_use]
    pub fn wait_for_initial_sync(&self, timeout: Duration) -> bool {
        let core = self.shared.core();
        let waited = self.shared.woken.wait_timeout_while(core, timeout, |core| !core.initial_sync);
        waited.map_or_else(
            |poisoned| poisoned.into_inner().0.initial_sync,
            |(core, _)| core.initial_sync,
        )
    }
}

impl Drop for SyncManager {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the state machine what happened, and does what it says.
    fn feed(&self, event: LinkEvent) {
        let mut core = self.core();
        let before = core.link;
        let (link, effect) = before.next(event);
        core.link = link;
        match effect {
            Effect::Start => {
                self.generation.fetch_add(1, Ordering::SeqCst);
                core.start = Some(before);
                core.signalled = event == LinkEvent::Signalled;
            }
            Effect::Cut => {
                self.generation.fetch_add(1, Ordering::SeqCst);
                core.start = None;
            }
            Effect::None | Effect::Close => {}
        }
        if !matches!(link, Link::Running { .. }) {
            (core.start, core.progress) = (None, None);
        }
        core.poked = true;
        let network = core.network;
        drop(core);
        if effect == Effect::Close {
            // Closed already, most of the time; a run that ended late may have kept it open.
            let _told_by_suspend = self.vault.suspend();
        } else if std::mem::discriminant(&before) != std::mem::discriminant(&link) || before != link
        {
            self.remember(before, link, network);
        }
        self.woken.notify_all();
    }

    /// Stores the link and tells subscribers, unless only the phase of a run has changed.
    fn remember(&self, before: Link, link: Link, network: Network) {
        let both_run = matches!((before, link), (Link::Running { .. }, Link::Running { .. }));
        if !both_run {
            // A store that cannot be written tells so in the run itself.
            let _best_effort = self.vault.database().store_link(&self.url, link, network);
        }
        self.subscribers.tell(&SyncEvent::State(Box::new(self.status())));
    }

    /// A local write; whether anybody still listens for them.
    fn wrote(&self) -> bool {
        let now_ms = self.vault.now_ms();
        let mut core = self.core();
        core.written_ms.get_or_insert(now_ms);
        core.poked = true;
        drop(core);
        self.woken.notify_all();
        true
    }

    fn next_life(&self) -> u64 {
        let mut core = self.core();
        core.life += 1;
        core.life
    }

    fn stop(&self) {
        self.next_life();
        if matches!(self.core().link, Link::Running { .. }) {
            self.generation.fetch_add(1, Ordering::SeqCst);
            self.feed(LinkEvent::Cut);
        }
        self.woken.notify_all();
    }
}

#[cfg(test)]
mod tests;
