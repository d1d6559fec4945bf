//! Stories that schedules of the simulator once found: a relay that went back in time, and what was held.

use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryRelay, MemoryTransport, Transport, TransportError};
use selkie_wire::Envelope;
use selkie_wire::ids::RosterNumber;
use serde_json::json;

use crate::support::{Store, pair, raw_database, relay, reopen};

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

#[test]
fn a_relay_set_back_with_its_epoch_hides_nothing_behind_an_old_cursor() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    sync(&phone, &relay);
    sync(&laptop, &relay);
    let backup = relay.backup();
    put(&laptop, "lost");
    sync(&laptop, &relay);
    sync(&laptop, &relay);
    relay.set_back(&backup);
    // Takes the place that the laptop has read to.
    put(&phone, "in its place");
    sync(&phone, &relay);
    sync(&laptop, &relay);
    sync(&phone, &relay);
    assert!(has(&laptop, "in its place"));
    assert!(has(&phone, "lost"));
    assert_eq!(phone.vault.digest().unwrap(), laptop.vault.digest().unwrap());
}

#[test]
fn what_was_held_and_comes_again_in_its_order_is_not_held_any_more() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&phone, "a");
    sync(&phone, &relay);
    let stored = relay.stored_bytes();
    let held = stored.into_iter().filter_map(|bytes| Envelope::parse(bytes).ok()).next().unwrap();
    let laptop = reopen(laptop);
    raw_database(&laptop.path())
        .execute(
            "INSERT INTO held VALUES (?1, ?2, ?3, 'roster', 0, ?4)",
            (
                held.header().device.as_bytes(),
                held.header().number.0 as i64,
                held.digest().as_bytes(),
                held.bytes(),
            ),
        )
        .unwrap();
    assert_eq!(laptop.vault.status().unwrap().segments_held, 1);
    sync(&laptop, &relay);
    assert!(has(&laptop, "a"));
    assert_eq!(laptop.vault.status().unwrap().segments_held, 0);
}

/// Leaves the first envelopes of a page out.
struct Withholding(MemoryTransport, usize);

impl Transport for Withholding {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let mut page = self.0.pull(request)?;
        page.envelopes.drain(..self.1.min(page.envelopes.len()));
        Ok(page)
    }

    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.0.push(request)
    }

    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.0.roster(from)
    }

    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.0.publish_roster(entries)
    }

    fn traffic_bytes(&self) -> (u64, u64) {
        self.0.traffic_bytes()
    }
}

#[test]
fn what_there_was_no_room_to_hold_is_read_again() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    for id in ["a", "b"] {
        put(&phone, id);
        sync(&phone, &relay);
    }
    let laptop = reopen(laptop);
    fill_held(&laptop);
    let mut withholding = Withholding(relay.connect(laptop.vault.device_id()), 1);
    laptop.vault.sync_over("memory", &mut withholding, &mut |_| {}).unwrap();
    sync(&laptop, &relay);
    assert!(has(&laptop, "a") && has(&laptop, "b"));
}

#[test]
fn what_is_missing_is_not_forgotten_by_runs_that_did_not_look_for_it() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    for id in ["a", "b"] {
        put(&phone, id);
        sync(&phone, &relay);
    }
    let laptop = reopen(laptop);
    fill_held(&laptop);
    // Once, and when it reads all again at once; then a run that finds nothing new.
    for _ in 0..2 {
        let mut withholding = Withholding(relay.connect(laptop.vault.device_id()), 1);
        laptop.vault.sync_over("memory", &mut withholding, &mut |_| {}).unwrap();
    }
    sync(&laptop, &relay);
    assert!(!has(&laptop, "a"));
    let tomorrow = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let tomorrow = tomorrow.as_millis() as u64 + 25 * 60 * 60 * 1000;
    laptop.vault.set_clock(move || tomorrow);
    sync(&laptop, &relay);
    sync(&laptop, &relay);
    assert!(has(&laptop, "a") && has(&laptop, "b"));
}

/// Leaves no room to hold anything more.
fn fill_held(store: &Store) {
    raw_database(&store.path())
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO held SELECT zeroblob(16), i, zeroblob(32), 'quarantine', 0, x'00' FROM n",
        )
        .unwrap();
}
