//! Stories that schedules of the simulator once found: a relay that went back in time, and what was held.

use selkie::transport::MemoryRelay;
use selkie_wire::Envelope;
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
