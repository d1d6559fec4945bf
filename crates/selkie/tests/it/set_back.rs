//! Stories that schedules of the simulator once found: a relay that went back in time.

use selkie::transport::MemoryRelay;
use serde_json::json;

use crate::support::{Store, pair, relay};

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
