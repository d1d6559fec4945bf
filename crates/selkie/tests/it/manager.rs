//! The sync manager: every fault of the table in `docs/SYNC_STATES.md`, and the user's wishes. No test
//! waits for time to pass: the vault's clock is moved, and turns are taken by hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selkie::transport::relay::{
    PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryRelay, MemoryTransport, Transport, TransportError};
use selkie::{
    BlockReason, ErrorKind, Link, Network, SyncEvent, SyncManager, SyncPhase, SyncState, Vault,
};
use selkie_wire::ids::RosterNumber;
use serde_json::json;

use crate::support::{Store, pair, relay, store};

const NOON_MS: u64 = 1_800_000_000_000;
const MINUTE_MS: u64 = 60_000;

type Before = dyn FnMut() + Send;
type OnPull = dyn FnMut(&mut PullResponse) + Send;

/// What the relay does wrong; shared with the test.
#[derive(Clone, Default)]
struct Faults {
    /// For the next requests of any kind, one each.
    errors: Arc<Mutex<VecDeque<TransportError>>>,
    /// Outcome of every pushed envelope, while set.
    push: Arc<Mutex<Option<PushOutcome>>>,
    /// Largest push that is taken.
    push_bytes_max: Arc<Mutex<Option<usize>>>,
    on_pull: Arc<Mutex<Option<Box<OnPull>>>>,
    /// Called before each request.
    before: Arc<Mutex<Option<Box<Before>>>>,
    /// Bytes of each push.
    pushes: Arc<Mutex<Vec<usize>>>,
    pulls: Arc<AtomicU64>,
}

impl Faults {
    fn fail(&self, error: TransportError) {
        self.errors.lock().unwrap().push_back(error);
    }

    fn next(&self) -> Result<(), TransportError> {
        if let Some(before) = self.before.lock().unwrap().as_mut() {
            before();
        }
        self.errors.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

struct Faulty {
    inner: MemoryTransport,
    faults: Faults,
}

impl Transport for Faulty {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.faults.next()?;
        self.faults.pulls.fetch_add(1, Ordering::SeqCst);
        let mut response = self.inner.pull(request)?;
        if let Some(change) = self.faults.on_pull.lock().unwrap().as_mut() {
            change(&mut response);
        }
        Ok(response)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.faults.next()?;
        let size = request.envelopes.iter().map(|bytes| bytes.len()).sum();
        self.faults.pushes.lock().unwrap().push(size);
        if self.faults.push_bytes_max.lock().unwrap().is_some_and(|max| size > max) {
            return Err(TransportError::TooLarge);
        }
        if let Some(outcome) = *self.faults.push.lock().unwrap() {
            let mut response =
                self.inner.push(&PushRequest { envelopes: Vec::new(), ..*request })?;
            response.outcomes = vec![outcome; request.envelopes.len()];
            return Ok(response);
        }
        self.inner.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.faults.next()?;
        self.inner.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.faults.next()?;
        self.inner.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

/// A clock that the test moves; it ticks by itself, so that later writes are later.
#[derive(Clone)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn of(vault: &Vault) -> Self {
        let time = Self(Arc::new(AtomicU64::new(NOON_MS)));
        let clock = time.clone();
        vault.set_clock(move || clock.0.fetch_add(1, Ordering::SeqCst));
        time
    }
    fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
    fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

struct World {
    store: Store,
    manager: SyncManager,
    faults: Faults,
    time: Time,
}

impl World {
    fn over(store: Store, relay: &MemoryRelay) -> Self {
        let time = Time::of(&store.vault);
        let faults = Faults::default();
        let manager = manager(&store.vault, relay, &faults);
        Self { store, manager, faults, time }
    }

    fn put(&self, id: &str) {
        put(&self.store, id);
    }

    fn shown(&self) -> SyncState {
        self.manager.state().state
    }

    fn link(&self) -> Link {
        self.manager.state().link
    }

    /// Lets gathered writes and the next look come due.
    fn later(&self) {
        self.time.advance(2 * MINUTE_MS);
        self.manager.turn();
    }
}

fn manager(vault: &Vault, relay: &MemoryRelay, faults: &Faults) -> SyncManager {
    let (relay, faults, device) = (relay.clone(), faults.clone(), vault.device_id());
    let connect = move || {
        let (inner, faults) = (relay.connect(device), faults.clone());
        Ok(Box::new(Faulty { inner, faults }) as Box<dyn Transport + Send>)
    };
    SyncManager::over(vault, "memory", connect).unwrap()
}

fn put(store: &Store, id: &str) {
    store.vault.collection("notes").unwrap().put(id, &json!({ "id": id })).unwrap();
}

fn has(store: &Store, id: &str) -> bool {
    store.vault.collection("notes").unwrap().get(id).unwrap().is_some()
}

fn sync(store: &Store, relay: &MemoryRelay) {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
}

/// One device in step with its relay.
fn world() -> World {
    let world = World::over(store(), &MemoryRelay::new());
    world.put("first");
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
    world
}

/// A managed phone, and a laptop of the same vault that has written `n` segments the phone lacks.
fn beside(n: usize) -> (World, Store, MemoryRelay) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    let world = World::over(phone, &relay);
    world.manager.turn();
    for at in 0..n {
        put(&laptop, &format!("laptop-{at}"));
        sync(&laptop, &relay);
    }
    (world, laptop, relay)
}

#[test]
fn local_writes_are_gathered_and_sent() {
    let world = world();
    world.put("a");
    world.manager.turn();
    assert_eq!((world.shown(), world.link()), (SyncState::Syncing, Link::Idle), "it is gathered");
    world.put("b");
    world.time.advance(600);
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
    let last = world.manager.state().relay.unwrap();
    assert_eq!((last.changes_sent, last.error_code), (2, None));
    assert!(last.last_success_ms > Some(NOON_MS));
}

/// Two people gave one field two values, and are to choose.
fn with_a_conflict() -> (World, Store, MemoryRelay) {
    let (world, laptop, relay) = beside(0);
    let rules = selkie::CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    world.store.vault.set_policy("notes", rules).unwrap();
    world.put("n");
    world.later();
    sync(&laptop, &relay);
    for (store, value) in [(&world.store, 1), (&laptop, 2)] {
        store.vault.collection("notes").unwrap().patch("n", &json!({ "id": value })).unwrap();
    }
    sync(&laptop, &relay);
    world.later();
    (world, laptop, relay)
}

#[test]
fn a_conflict_is_shown_and_stops_nothing() {
    let (world, _laptop, _relay) = with_a_conflict();
    assert_eq!(world.shown(), SyncState::Conflict);
    assert_eq!(world.manager.state().relay.unwrap().conflicts_found, 1);
    world.put("other");
    world.later();
    assert_eq!(world.store.vault.status().unwrap().unsent_changes, 0);
    let open = world.store.vault.conflicts(None).unwrap().remove(0);
    let choice = selkie::Resolution::Side(open.conflict.shown);
    world.store.vault.resolve("notes", "n", &open.token, choice).unwrap();
    world.later();
    assert_eq!(world.shown(), SyncState::UpToDate);
}

#[test]
fn a_fault_that_passes_backs_off_and_ends_with_success() {
    for error in [
        TransportError::Unreachable("no answer in time".to_owned()),
        TransportError::Busy { retry_after_ms: None },
        TransportError::Garbage,
    ] {
        let world = world();
        let mut bound_ms = 1_000;
        for attempt in 1..=3 {
            world.faults.fail(error.clone());
            if attempt == 1 {
                world.time.advance(2 * MINUTE_MS);
            } else {
                world.time.set(world.manager.state().next_retry_ms.unwrap());
            }
            let before = world.time.0.load(Ordering::SeqCst);
            world.manager.turn();
            let Link::Backoff { until_ms, attempt: found } = world.link() else {
                panic!("{error:?}: {:?}", world.link())
            };
            assert_eq!(found, attempt);
            // The clock ticks with each look at it.
            assert!(until_ms <= before + bound_ms + 100, "{error:?} {attempt}");
            bound_ms *= 2;
            assert_eq!(world.shown(), SyncState::Error);
        }
        assert!(world.manager.state().relay.unwrap().error_code.is_some());
        world.time.set(world.manager.state().next_retry_ms.unwrap());
        world.manager.turn();
        assert_eq!((world.shown(), world.link()), (SyncState::UpToDate, Link::Idle));
    }
}

#[test]
fn retry_after_is_waited_for() {
    let world = world();
    world.faults.fail(TransportError::Busy { retry_after_ms: Some(30 * MINUTE_MS) });
    world.later();
    let until_ms = world.manager.state().next_retry_ms.unwrap();
    assert!(until_ms >= NOON_MS + 30 * MINUTE_MS);
    world.time.advance(20 * MINUTE_MS);
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::Error, "not before");
    world.time.set(until_ms);
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
}

#[test]
fn another_network_tries_at_once_and_none_tries_nothing() {
    let world = world();
    world.faults.fail(TransportError::Busy { retry_after_ms: Some(30 * MINUTE_MS) });
    world.later();
    assert_eq!(world.shown(), SyncState::Error);
    world.manager.set_network(Network::Offline);
    assert_eq!(world.shown(), SyncState::Offline);
    world.put("offline");
    world.later();
    assert_eq!(world.store.vault.status().unwrap().unsent_changes, 1);
    world.manager.set_network(Network::Wifi);
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
    assert_eq!(world.manager.state().relay.unwrap().network, Network::Wifi);
    world.manager.set_network(Network::Offline);
    world.manager.sync_now();
    world.put("asked for");
    world.manager.turn();
    assert_eq!(world.store.vault.status().unwrap().unsent_changes, 0, "the user knows better");
}

#[test]
fn a_device_that_is_not_let_in_waits_for_other_credentials() {
    let world = world();
    // Unknown, then published, and unknown still.
    let refuse = world.faults.errors.clone();
    *world.faults.before.lock().unwrap() =
        Some(Box::new(move || refuse.lock().unwrap().push_back(TransportError::Unknown)));
    world.later();
    assert_eq!(world.link(), Link::Blocked(BlockReason::Credentials));
    let pulls = world.faults.pulls.load(Ordering::SeqCst);
    world.put("waits");
    world.later();
    assert_eq!(world.faults.pulls.load(Ordering::SeqCst), pulls, "it is not tried again by itself");
    *world.faults.before.lock().unwrap() = None;
    world.faults.errors.lock().unwrap().clear();
    world.manager.credentials_changed();
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
}

#[test]
fn a_relay_without_room_still_gives_and_drops_nothing() {
    let (world, laptop, relay) = beside(2);
    world.put("waits");
    world.put("waits too");
    *world.faults.push.lock().unwrap() = Some(PushOutcome::Quota);
    world.later();
    assert!(has(&world.store, "laptop-1"), "pull goes on");
    assert_eq!((world.link(), world.shown()), (Link::Full, SyncState::Error));
    assert!(world.store.vault.status().unwrap().notices.iter().any(|f| f.code == "relay_full"));
    let pushes = world.faults.pushes.lock().unwrap().len();
    world.put("more");
    world.later();
    assert_eq!(world.faults.pushes.lock().unwrap().len(), pushes, "writes do not knock again");
    put(&laptop, "later");
    sync(&laptop, &relay);
    world.manager.signalled();
    world.manager.turn();
    assert!(has(&world.store, "later"));
    *world.faults.push.lock().unwrap() = None;
    world.manager.room_signalled();
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
    sync(&laptop, &relay);
    assert!(["waits", "waits too", "more"].iter().all(|id| has(&laptop, id)));
}

#[test]
fn room_is_looked_for_with_a_single_segment() {
    let world = world();
    *world.faults.push.lock().unwrap() = Some(PushOutcome::Quota);
    for n in 0..4 {
        world.put(&format!("{n}"));
        world.time.advance(20 * MINUTE_MS);
        world.manager.turn();
    }
    let pushes = world.faults.pushes.lock().unwrap().clone();
    assert!(pushes.len() >= 3, "{pushes:?}");
    let one = pushes[1];
    assert!(pushes[1..].iter().all(|size| *size == one), "{pushes:?}");
    *world.faults.push.lock().unwrap() = None;
    world.time.advance(20 * MINUTE_MS);
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate, "and then all is sent");
}

#[test]
fn a_fork_that_a_relay_claims_and_does_not_show_is_a_fault_of_the_relay() {
    let world = world();
    *world.faults.on_pull.lock().unwrap() = Some(Box::new(|page| page.head.number.0 = 99));
    world.later();
    let link = world.link();
    assert!(matches!(link, Link::Backoff { .. }), "a fork that shows heals by itself: {link:?}");
}

#[test]
fn a_segment_the_relay_refuses_is_parked_and_pulling_goes_on() {
    let (world, laptop, relay) = beside(1);
    world.put("refused");
    *world.faults.push.lock().unwrap() = Some(PushOutcome::Refused);
    world.later();
    assert!(has(&world.store, "laptop-0"));
    let last = world.manager.state().relay.unwrap();
    assert!(last.parked.is_some() && last.error_code.is_none());
    assert!(world.store.vault.status().unwrap().notices.iter().any(|f| f.code == "parked"));
    *world.faults.push.lock().unwrap() = None;
    world.later();
    assert_eq!(world.manager.state().relay.unwrap().parked, None);
    sync(&laptop, &relay);
    assert!(has(&laptop, "refused"), "nothing was dropped");
}

#[test]
fn a_push_that_is_too_large_is_halved_in_the_same_run() {
    let world = world();
    let text: String =
        (0..30_000u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    for n in 0..6 {
        let long = json!({ "text": &text[n..] });
        world.store.vault.collection("notes").unwrap().put(&format!("{n}"), &long).unwrap();
        // One segment each.
        *world.faults.push.lock().unwrap() = Some(PushOutcome::Quota);
        world.time.advance(20 * MINUTE_MS);
        world.manager.turn();
    }
    *world.faults.push.lock().unwrap() = None;
    let one = *world.faults.pushes.lock().unwrap().last().unwrap();
    *world.faults.push_bytes_max.lock().unwrap() = Some(one * 2);
    world.manager.room_signalled();
    world.manager.turn();
    assert_eq!(world.shown(), SyncState::UpToDate);
    // A single one that is too large is parked, and everything else goes on.
    world.store.vault.collection("notes").unwrap().put("large", &json!({ "text": text })).unwrap();
    *world.faults.push_bytes_max.lock().unwrap() = Some(100);
    world.later();
    assert!(world.manager.state().relay.unwrap().parked.is_some());
    *world.faults.push_bytes_max.lock().unwrap() = None;
    world.later();
    assert_eq!(world.shown(), SyncState::UpToDate);
}

#[test]
fn a_bad_segment_holds_up_its_own_device_only() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = crate::support::join(&phone, &http.url());
    let relay = MemoryRelay::new();
    let world = World::over(phone, &relay);
    world.manager.turn();
    for (at, store) in [&laptop, &laptop, &tablet].into_iter().enumerate() {
        put(store, &format!("{at}"));
        sync(store, &relay);
    }
    // The laptop's first segment arrives damaged.
    *world.faults.on_pull.lock().unwrap() = Some(Box::new(|page| {
        if page.envelopes.len() == 3 {
            page.envelopes[0][200] ^= 1;
        }
    }));
    world.later();
    assert_eq!(world.link(), Link::Idle);
    let here = ["0", "1", "2"].map(|id| has(&world.store, id));
    assert_eq!(here, [false, false, true]);
    let status = world.store.vault.status().unwrap();
    assert_eq!(status.held[0].device, laptop.vault.device_id());
    assert!(status.notices.iter().any(|found| found.code == "held_gap"), "{status:?}");
    *world.faults.on_pull.lock().unwrap() = None;
    world.later();
    assert!(["0", "1"].iter().all(|id| has(&world.store, id)), "and an honest answer heals");
}

#[test]
fn pause_survives_a_restart_and_the_user_may_still_sync() {
    let relay = MemoryRelay::new();
    let world = World::over(store(), &relay);
    world.manager.turn();
    world.manager.pause();
    world.put("paused");
    world.later();
    assert_eq!(world.shown(), SyncState::Offline);
    let again = manager(&world.store.vault, &relay, &Faults::default());
    assert_eq!(again.state().link, Link::Paused);
    again.turn();
    assert_eq!(world.store.vault.unsent_count().unwrap(), 1);
    again.resume().unwrap();
    again.turn();
    assert_eq!(world.store.vault.unsent_count().unwrap(), 0);
}

#[test]
fn a_run_is_cut_between_requests_and_the_next_goes_on_from_there() {
    let (world, _laptop, _relay) = beside(3);
    let world = Arc::new(world);
    let pulls = || world.faults.pulls.load(Ordering::SeqCst);
    let before = pulls();
    // The user pauses while the first pull is under way.
    let weak = Arc::downgrade(&world);
    *world.faults.before.lock().unwrap() = Some(Box::new(move || {
        if let Some(world) = weak.upgrade() {
            world.manager.pause();
        }
    }));
    world.later();
    assert_eq!(world.link(), Link::Paused);
    assert_eq!(pulls(), before + 1, "nothing more is asked");
    assert!(!has(&world.store, "laptop-0"), "and nothing is applied");
    *world.faults.before.lock().unwrap() = None;
    world.manager.resume().unwrap();
    world.manager.turn();
    assert!(has(&world.store, "laptop-2"));
}

#[test]
fn a_suspended_vault_holds_no_file_even_in_the_middle_of_a_run() {
    let (world, _laptop, _relay) = beside(3);
    let world = Arc::new(world);
    let log = world.store.directory.path().join("store.db-wal");
    assert!(log.exists());
    let weak = Arc::downgrade(&world);
    *world.faults.before.lock().unwrap() = Some(Box::new(move || {
        if let Some(world) = weak.upgrade() {
            world.manager.suspend().unwrap();
        }
    }));
    world.later();
    assert!(!log.exists(), "the database is closed, and complete by itself");
    assert_eq!(
        (world.link(), world.shown()),
        (Link::Suspended { paused: false }, SyncState::Offline)
    );
    let refused = world.store.vault.collection("notes").unwrap().count().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Suspended);
    assert_eq!(world.manager.turn(), None, "nothing comes due");
    *world.faults.before.lock().unwrap() = None;
    world.manager.resume().unwrap();
    world.manager.turn();
    assert!(has(&world.store, "laptop-2"));
    assert_eq!(world.shown(), SyncState::UpToDate);
}

#[test]
fn a_pause_outlasts_the_background() {
    let world = world();
    world.manager.pause();
    world.put("paused");
    world.manager.suspend().unwrap();
    world.manager.resume().unwrap();
    world.later();
    assert_eq!((world.link(), world.store.vault.unsent_count().unwrap()), (Link::Paused, 1));
    world.manager.resume().unwrap();
    world.manager.turn();
    assert_eq!(world.store.vault.unsent_count().unwrap(), 0);
}

#[test]
fn events_tell_of_phases_progress_and_the_end() {
    let (world, _laptop, _relay) = beside(2);
    world.put("a");
    let events = world.manager.subscribe();
    world.later();
    let events: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let phases: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            SyncEvent::Progress(progress) => Some(progress.phase),
            _ => None,
        })
        .collect();
    assert_eq!(phases, [SyncPhase::Hello, SyncPhase::Push, SyncPhase::Pull]);
    assert!(events.iter().any(|event| matches!(event, SyncEvent::Progress(p) if p.changes == 3
        && p.changes_to_send == 1 && p.bytes > 0)));
    let Some(SyncEvent::Finished(report)) = events.last() else { panic!("{events:?}") };
    assert_eq!((report.changes_sent, report.changes_received), (1, 2));
    world.faults.fail(TransportError::Garbage);
    let events = world.manager.subscribe();
    world.later();
    let failed = std::iter::from_fn(|| events.try_next()).last();
    let Some(SyncEvent::Failed { code: "relay", next_retry_ms: Some(_), .. }) = failed else {
        panic!("{failed:?}")
    };
}

#[test]
fn a_conflict_is_settled_at_its_deadline_without_a_network() {
    let (world, _laptop, _relay) = with_a_conflict();
    assert_eq!(world.manager.state().open_conflicts, 1);
    world.manager.set_network(Network::Offline);
    world.time.advance(24 * 60 * MINUTE_MS);
    world.manager.turn();
    assert_eq!(world.manager.state().open_conflicts, 0);
}

#[test]
fn in_the_background_a_first_sync_is_waited_for_and_hints_are_heard() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    put(&phone, "before");
    phone.vault.sync(&http.url(), &mut |_| {}).unwrap();
    assert!(!laptop.vault.initial_sync_complete().unwrap());
    let manager = SyncManager::new(&laptop.vault, &http.url()).unwrap();
    assert!(!manager.wait_for_initial_sync(Duration::ZERO));
    let arrivals = laptop.vault.watch();
    manager.start().unwrap();
    assert!(manager.wait_for_initial_sync(Duration::from_secs(60)));
    assert!(has(&laptop, "before"));
    // From here on only the relay's hint brings the next one before a minute is over.
    put(&phone, "after");
    phone.vault.sync(&http.url(), &mut |_| {}).unwrap();
    let next = || arrivals.next_within(Duration::from_secs(60)).expect("it arrives by itself");
    while next().id != "after" {}
    manager.stop();
    assert_eq!(manager.state().link, Link::Idle);
}

#[test]
fn an_address_that_can_never_work_is_refused_at_once() {
    let store = store();
    for url in ["relay.example", "http://relay.example", "ftp://x"] {
        let refused = SyncManager::new(&store.vault, url).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{url}");
    }
}
