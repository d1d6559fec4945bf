//! What relays hold back, and chains with two histories: found, shown with advice, and healed.

use selkie::transport::MemoryRelay;
use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryTransport, Transport, TransportError};
use selkie::{DeviceId, EventKind, FindingKind, SyncReport};
use selkie_wire::Envelope;
use selkie_wire::ids::RosterNumber;
use serde_json::json;

use crate::support::{Store, join, pair, relay};

/// A relay that holds one device's segments back.
struct Withholding {
    inner: MemoryTransport,
    of: DeviceId,
}

impl Transport for Withholding {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let mut response = self.inner.pull(request)?;
        response.envelopes.retain(|bytes| {
            Envelope::parse(bytes.to_vec()).is_ok_and(|segment| segment.header().device != self.of)
        });
        Ok(response)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.inner.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.inner.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.inner.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

fn sync_as(store: &Store, name: &str, relay: &MemoryRelay) -> SyncReport {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over(name, &mut transport, &mut |_| {}).unwrap()
}

fn sync(store: &Store, relay: &MemoryRelay) -> SyncReport {
    sync_as(store, "memory", relay)
}

fn put(store: &Store, id: &str) {
    store.vault.collection("notes").unwrap().put(id, &json!({"n": 1})).unwrap();
}

fn found(store: &Store) -> Vec<FindingKind> {
    store.vault.status().unwrap().findings.into_iter().map(|finding| finding.kind).collect()
}

/// Three devices of one vault, in step with a relay in memory.
fn three() -> (Store, Store, Store, MemoryRelay) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    let memory = MemoryRelay::new();
    for store in [&phone, &laptop, &tablet] {
        store.vault.sync(&http.url(), &mut |_| {}).unwrap();
        sync(store, &memory);
    }
    (phone, laptop, tablet, memory)
}

#[test]
fn segments_that_others_have_seen_and_the_relay_holds_back_are_told_of() {
    let (phone, laptop, tablet, relay) = three();
    put(&tablet, "t1");
    sync(&tablet, &relay);
    put(&tablet, "t2");
    sync(&tablet, &relay);
    sync(&laptop, &relay);
    put(&laptop, "l");
    sync(&laptop, &relay);
    let events = phone.vault.watch();
    let of = tablet.vault.device_id();
    let mut withholding = Withholding { inner: relay.connect(phone.vault.device_id()), of };
    for _ in 0..2 {
        phone.vault.sync_over("memory", &mut withholding, &mut |_| {}).unwrap();
        let said_by = laptop.vault.device_id();
        assert_eq!(found(&phone), [FindingKind::Withheld { device: of, up_to: 2, said_by }]);
    }
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let findings = || told.iter().filter(|event| event.kind == EventKind::Finding);
    assert_eq!(findings().count(), 1, "once, not at every run: {told:?}");
    assert_eq!(findings().next().unwrap().id, "withheld");
    assert!(phone.vault.status().unwrap().findings[0].kind.advice().contains("relay"));
    // Another relay has them: healed.
    let honest = MemoryRelay::new();
    sync_as(&tablet, "honest", &honest);
    sync_as(&phone, "honest", &honest);
    assert_eq!(found(&phone), []);
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.iter().any(|event| event.kind == EventKind::Finding), "{told:?}");
}

/// Put back in place, a store cannot notice what happened; nor can the second relay it meets.
#[test]
fn a_store_put_back_in_place_is_found_by_who_meets_both_histories() {
    let (phone, laptop, tablet, one) = three();
    put(&tablet, "t");
    sync(&tablet, &one);
    let (tablet, files) = tablet.saved();
    put(&tablet, "first");
    sync(&tablet, &one);
    let tablet = tablet.put_back(&files);
    put(&tablet, "second");
    let two = MemoryRelay::new();
    sync_as(&tablet, "two", &two);
    sync(&phone, &one);
    sync_as(&laptop, "two", &two);
    assert_eq!((found(&phone), found(&laptop)), (vec![], vec![]), "each has met one half only");
    // A relay that has the one half; the laptop says, sealed, that it has seen the other.
    put(&laptop, "l");
    sync(&laptop, &one);
    sync(&phone, &one);
    let device = tablet.vault.device_id();
    let expected = |said_by: &Store| FindingKind::Fork {
        device,
        number: 2,
        said_by: said_by.vault.device_id(),
    };
    assert_eq!(found(&phone), [expected(&laptop)]);
    assert_eq!(found(&laptop), [expected(&tablet)], "met in the segments themselves");
    assert_eq!(laptop.vault.status().unwrap().quarantined[0].device, device);
    // The device learns of it at the first relay, and sends what it wrote under a name of its own.
    sync(&tablet, &one);
    assert_ne!(tablet.vault.status().unwrap().chain, device);
    for store in [&phone, &tablet] {
        sync(store, &one);
        let notes = store.vault.collection("notes").unwrap();
        assert!(["first", "second", "l"].iter().all(|id| notes.get(id).unwrap().is_some()));
    }
    // It does not go away by itself.
    assert_eq!(found(&phone).len(), 1);
}

#[test]
fn a_relay_that_lost_what_it_had_is_told_of_until_it_is_filled_again() {
    let (phone, _laptop, _tablet, relay) = three();
    put(&phone, "p");
    sync(&phone, &relay);
    assert_eq!(found(&phone), []);
    relay.wipe();
    sync(&phone, &relay);
    let relay_name = || "memory".to_owned();
    assert_eq!(found(&phone), [FindingKind::Rollback { relay: relay_name() }]);
    sync(&phone, &relay);
    assert_eq!(found(&phone), []);
}

#[test]
fn a_relay_that_shows_an_older_state_is_told_of() {
    let (phone, laptop, _tablet, relay) = three();
    put(&laptop, "l1");
    sync(&laptop, &relay);
    sync(&phone, &relay);
    // A backup of the relay, from before the laptop's segment, under the same address.
    let older = MemoryRelay::new();
    sync_as(&phone, "elsewhere", &older);
    sync_as(&phone, "memory", &older);
    assert_eq!(found(&phone), [FindingKind::Rollback { relay: "memory".to_owned() }]);
    assert!(phone.vault.collection("notes").unwrap().get("l1").unwrap().is_some());
}

#[test]
fn the_age_of_what_was_last_heard_of_a_device_is_shown() {
    let (phone, laptop, _tablet, relay) = three();
    laptop.vault.set_clock(|| 1_900_000_000_000);
    put(&laptop, "l");
    sync(&laptop, &relay);
    sync(&phone, &relay);
    let devices = phone.vault.status().unwrap().devices;
    let heard = |of: &Store| {
        devices.iter().find(|device| device.id == of.vault.device_id()).unwrap().last_heard_ms
    };
    assert_eq!(heard(&laptop), Some(1_900_000_000_000));
    assert_eq!(heard(&phone), None);
}
