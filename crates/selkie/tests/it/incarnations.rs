//! Copies and backups of a store: each goes on in a chain of its own, and nothing is lost or doubled.

use std::fs;

use selkie::Schema;
use selkie::transport::MemoryRelay;
use serde_json::{Value, json};

use crate::support::{Store, copy_of, pair, relay, reopen, unlock};

fn put(store: &Store, id: &str, value: &Value) {
    store.vault.collection("notes").unwrap().put(id, value).unwrap();
}

fn get(store: &Store, id: &str) -> Option<Value> {
    store.vault.collection("notes").unwrap().get(id).unwrap().map(|record| record.document)
}

fn sync(store: &Store, relay: &MemoryRelay) {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
}

/// Rounds enough for everything to reach everyone.
fn settle(stores: &[&Store], relay: &MemoryRelay) {
    for _ in 0..3 {
        stores.iter().for_each(|store| sync(store, relay));
    }
    let digests: Vec<_> = stores.iter().map(|store| store.vault.digest().unwrap()).collect();
    assert!(digests.windows(2).all(|two| two[0] == two[1]), "{digests:?}");
    for store in stores {
        let status = store.vault.status().unwrap();
        assert_eq!((status.segments_held, status.unsent_changes), (0, 0));
    }
}

fn counting(store: &Store) {
    let counter = Schema::new().field("sum", selkie::FieldType::Counter).unwrap();
    let list = counter.field("list", selkie::FieldType::List).unwrap();
    store.vault.set_schema("notes", list).unwrap();
}

fn add(store: &Store, id: &str, more: i64) {
    let sum = get(store, id).and_then(|note| note["sum"].as_i64()).unwrap_or_default();
    let mut list = get(store, id).map_or(json!([]), |note| note["list"].clone());
    list.as_array_mut().unwrap().push(json!(more));
    put(store, id, &json!({"sum": sum + more, "list": list}));
}

/// Two devices in one vault whose field types add up, over a relay in memory.
fn scene() -> (Store, Store, MemoryRelay) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    counting(&phone);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    (phone, laptop, relay)
}

#[test]
fn a_copied_store_and_its_original_both_go_on() {
    let (phone, laptop, relay) = scene();
    put(&phone, "a", &json!({"n": 1}));
    sync(&phone, &relay);
    put(&phone, "waiting", &json!({"n": 2}));
    let copy = copy_of(&phone);
    put(&phone, "b", &json!({"n": 3}));
    sync(&phone, &relay);
    put(&copy, "c", &json!({"n": 4}));
    put(&copy, "waiting", &json!({"n": 2, "more": true}));
    settle(&[&copy, &laptop, &phone], &relay);
    for (id, note) in [("a", json!({"n": 1})), ("b", json!({"n": 3})), ("c", json!({"n": 4}))] {
        assert_eq!(get(&laptop, id), Some(note));
    }
    assert_eq!(get(&phone, "waiting"), Some(json!({"n": 2, "more": true})));
    assert_eq!(phone.vault.conflicts(None).unwrap(), []);
}

#[test]
fn a_restored_backup_sends_what_its_original_never_sent_and_adds_nothing_twice() {
    for original_sent in [false, true] {
        let (phone, laptop, relay) = scene();
        add(&phone, "sum", 1);
        sync(&phone, &relay);
        add(&phone, "sum", 10);
        let backup = copy_of(&phone);
        if original_sent {
            add(&phone, "sum", 100);
            sync(&phone, &relay);
        }
        drop(phone);
        add(&backup, "sum", 1000);
        settle(&[&backup, &laptop], &relay);
        let sum = if original_sent { 1111 } else { 1011 };
        let note = get(&laptop, "sum").unwrap();
        assert_eq!(note["sum"], json!(sum), "{note}");
        assert_eq!(note["list"].as_array().unwrap().len(), sum.to_string().matches('1').count());
    }
}

/// What no look at the files can tell: a whole directory put back as it was, in place. The relay shows
/// it, and what was written since gets new names.
#[test]
fn a_store_put_back_in_place_heals_at_the_relay() {
    for (before, after) in [(0, 1), (1, 0), (2, 3)] {
        let (mut phone, laptop, relay) = scene();
        add(&phone, "sum", 1);
        sync(&phone, &relay);
        for _ in 0..before {
            add(&phone, "sum", 10);
        }
        let (store, files) = phone.saved();
        phone = store;
        add(&phone, "sum", 100);
        put(&phone, "other", &json!({"n": 1}));
        sync(&phone, &relay);
        let phone = phone.put_back(&files);
        for _ in 0..after {
            add(&phone, "sum", 1000);
        }
        put(&phone, "mine", &json!({"n": 2}));
        settle(&[&phone, &laptop], &relay);
        let sum = 1 + 10 * before + 100 + 1000 * after;
        let note = get(&laptop, "sum").unwrap();
        assert_eq!(note["sum"], json!(sum), "before {before}, after {after}: {note}");
        assert_eq!(get(&laptop, "other"), Some(json!({"n": 1})));
        assert_eq!(get(&laptop, "mine"), Some(json!({"n": 2})));
    }
}

#[test]
fn a_database_that_went_back_alone_is_noticed_when_it_is_opened() {
    let (phone, laptop, relay) = scene();
    add(&phone, "sum", 1);
    let phone = reopen(phone);
    let path = phone.path();
    let old = fs::read(&path).unwrap();
    add(&phone, "sum", 10);
    sync(&phone, &relay);
    let chain = phone.vault.status().unwrap().chain;
    let phone = phone.replaced(|| {
        for suffix in ["-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let _absent = fs::remove_file(name);
        }
        fs::write(&path, &old).unwrap();
    });
    assert_ne!(phone.vault.status().unwrap().chain, chain);
    add(&phone, "sum", 100);
    settle(&[&phone, &laptop], &relay);
    assert_eq!(get(&laptop, "sum").unwrap()["sum"], json!(111));
}

#[test]
fn a_store_that_only_moved_keeps_its_chain() {
    let (phone, _, relay) = scene();
    add(&phone, "sum", 1);
    sync(&phone, &relay);
    let chain = phone.vault.status().unwrap().chain;
    let phone = reopen(phone);
    assert_eq!(phone.vault.status().unwrap().chain, chain);
    let (path, unlock) = (phone.path(), unlock(&phone));
    let Store { vault, directory, .. } = phone;
    drop(vault);
    let moved = directory.path().join("moved.db");
    for suffix in ["", ".keys", ".chain"] {
        let at = |path: &std::path::Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            name
        };
        fs::rename(at(&path), at(&moved)).unwrap();
    }
    let vault = selkie::Vault::open(&moved, unlock).unwrap();
    assert_eq!(vault.status().unwrap().chain, chain);
}

#[test]
fn copies_of_copies_go_on_too() {
    let (phone, laptop, relay) = scene();
    add(&phone, "sum", 1);
    let first = copy_of(&phone);
    add(&first, "sum", 10);
    let second = copy_of(&first);
    add(&second, "sum", 100);
    let third = copy_of(&second);
    add(&third, "sum", 1000);
    // The copies in between are gone before they ever synced.
    drop((first, second));
    settle(&[&third, &laptop, &phone], &relay);
    assert_eq!(get(&phone, "sum").unwrap()["sum"], json!(1111));
    let devices = laptop.vault.status().unwrap().devices;
    assert_eq!(devices.len(), 2, "copies are the same device");
}

/// A relay that only says so changes nothing.
#[test]
fn a_relay_that_claims_a_fork_and_shows_none_is_not_believed() {
    let (phone, _, relay) = scene();
    let chain = phone.vault.status().unwrap().chain;
    let mut liar = crate::support::Liar::new(relay.connect(phone.vault.device_id()));
    put(&phone, "a", &json!({"n": 1}));
    let error = phone.vault.sync_over("liar", &mut liar, &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), selkie::ErrorKind::Relay);
    assert_eq!(phone.vault.status().unwrap().chain, chain);
}
