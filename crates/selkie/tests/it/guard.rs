//! The mass-delete guard: nobody's records vanish because one device went wrong.

use selkie::transport::MemoryRelay;
use selkie::{ErrorKind, Status, SyncReport};
use serde_json::json;

use crate::support::{Store, join, pair, relay};

fn sync(store: &Store, relay: &MemoryRelay) -> SyncReport {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap()
}

fn put(store: &Store, collection: &str, ids: std::ops::Range<u32>) {
    store
        .vault
        .transaction(|tx| {
            let records = tx.collection(collection)?;
            ids.into_iter()
                .try_for_each(|n| records.put(&format!("{n:03}"), &json!({ "n": n })).map(drop))
        })
        .unwrap();
}

fn delete(store: &Store, collection: &str, ids: std::ops::Range<u32>) {
    store
        .vault
        .transaction(|tx| {
            let records = tx.collection(collection)?;
            ids.into_iter().try_for_each(|n| records.delete(&format!("{n:03}")).map(drop))
        })
        .unwrap();
}

fn count(store: &Store, collection: &str) -> u64 {
    store.vault.collection(collection).unwrap().count().unwrap()
}

fn status(store: &Store) -> Status {
    store.vault.status().unwrap()
}

/// Two devices that hold the same `records` notes; both have synced with the relay before.
fn two(records: u32) -> (Store, Store, MemoryRelay) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&phone, "notes", 0..records);
    for store in [&phone, &laptop, &laptop] {
        sync(store, &relay);
    }
    assert_eq!(count(&laptop, "notes"), u64::from(records));
    (phone, laptop, relay)
}

#[test]
fn a_sync_that_would_delete_most_of_a_collection_waits_for_a_person() {
    let (phone, laptop, relay) = two(60);
    delete(&phone, "notes", 0..40);
    put(&phone, "other", 0..1);
    sync(&phone, &relay);
    let before = laptop.vault.digest().unwrap();
    for _ in 0..2 {
        sync(&laptop, &relay);
        assert_eq!(laptop.vault.digest().unwrap(), before, "nothing of it is applied");
        let status = status(&laptop);
        let [held] = &status.held_deletions[..] else { panic!("{status:?}") };
        assert_eq!((held.device, held.collection.as_str()), (phone.vault.device_id(), "notes"));
        assert_eq!((held.deletions, held.records), (40, 60));
        assert_eq!(status.held[0].reason, "mass_delete");
        assert!(status.notices.iter().any(|found| found.code == "held_mass_delete"));
    }
    // What the device sends later waits behind it.
    put(&phone, "later", 0..1);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    assert_eq!(count(&laptop, "later"), 0);
    assert!(laptop.vault.confirm_deletions().unwrap() >= 3);
    assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap());
    let status = status(&laptop);
    assert_eq!((status.segments_held, status.held_deletions.len()), (0, 0));
    assert_eq!(laptop.vault.confirm_deletions().unwrap(), 0, "there is nothing left to agree to");
}

#[test]
fn many_small_segments_that_delete_much_together_are_held_too() {
    let (phone, laptop, relay) = two(60);
    for n in 0..60 {
        delete(&phone, "notes", n..n + 1);
        sync(&phone, &relay);
        // Every few of them arrive in a run of their own.
        if n % 7 == 0 {
            sync(&laptop, &relay);
        }
    }
    sync(&laptop, &relay);
    let left = count(&laptop, "notes");
    assert!(left >= 30, "at most half may go without asking: {left}");
    assert_eq!(status(&laptop).held_deletions.len(), 1);
    laptop.vault.confirm_deletions().unwrap();
    assert_eq!(count(&laptop, "notes"), 0);
}

#[test]
fn other_devices_go_on_while_one_waits() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    let relay = MemoryRelay::new();
    put(&phone, "notes", 0..60);
    for store in [&phone, &laptop, &tablet, &laptop] {
        sync(store, &relay);
    }
    delete(&phone, "notes", 0..60);
    put(&tablet, "tablet", 0..3);
    delete(&tablet, "notes", 0..1);
    for store in [&phone, &tablet, &laptop] {
        sync(store, &relay);
    }
    assert_eq!((count(&laptop, "notes"), count(&laptop, "tablet")), (59, 3));
    let held = status(&laptop).held_deletions;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].device, phone.vault.device_id());
}

#[test]
fn what_is_little_what_a_run_itself_brought_and_what_is_allowed_is_not_held() {
    // Few records: a person sees what is missing.
    let (phone, laptop, relay) = two(15);
    delete(&phone, "notes", 0..15);
    // Written and deleted within one run: nobody here ever saw it.
    put(&phone, "passing", 0..100);
    delete(&phone, "passing", 0..100);
    for store in [&phone, &laptop] {
        sync(store, &relay);
    }
    assert_eq!((count(&laptop, "notes"), status(&laptop).segments_held), (0, 0));
    // Half is allowed, and more if the person says so.
    let (phone, laptop, relay) = two(60);
    delete(&phone, "notes", 0..30);
    for store in [&phone, &laptop] {
        sync(store, &relay);
    }
    assert_eq!((count(&laptop, "notes"), status(&laptop).segments_held), (30, 0));
    laptop.vault.set_mass_delete_percent(100).unwrap();
    delete(&phone, "notes", 30..60);
    for store in [&phone, &laptop] {
        sync(store, &relay);
    }
    assert_eq!((count(&laptop, "notes"), status(&laptop).segments_held), (0, 0));
    let refused = laptop.vault.set_mass_delete_percent(101).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_new_device_reads_a_history_full_of_deletes() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    // More than a page, so that the deletes come later than what they delete.
    let text = "x".repeat(40_000);
    for n in 0..60 {
        let long = json!({ "n": n, "text": format!("{text}{n}") });
        phone.vault.collection("notes").unwrap().put(&format!("{n:03}"), &long).unwrap();
        sync(&phone, &relay);
    }
    delete(&phone, "notes", 0..60);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    assert_eq!((count(&laptop, "notes"), status(&laptop).segments_held), (0, 0));
}

#[test]
fn records_put_back_by_the_device_that_deleted_are_there_after_agreeing() {
    let (phone, laptop, relay) = two(40);
    delete(&phone, "notes", 0..40);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    assert_eq!(count(&laptop, "notes"), 40);
    put(&phone, "notes", 0..40);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    laptop.vault.confirm_deletions().unwrap();
    assert_eq!(count(&laptop, "notes"), 40);
    assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap());
}

#[test]
fn a_store_reopened_still_waits() {
    let (phone, laptop, relay) = two(40);
    delete(&phone, "notes", 0..40);
    sync(&phone, &relay);
    sync(&laptop, &relay);
    let path = laptop.path();
    let unlock = crate::support::unlock(&laptop);
    let Store { vault, directory: _kept, .. } = laptop;
    drop(vault);
    let vault = selkie::Vault::open(&path, unlock).unwrap();
    let mut transport = relay.connect(vault.device_id());
    vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
    assert_eq!(vault.collection("notes").unwrap().count().unwrap(), 40);
    vault.confirm_deletions().unwrap();
    assert_eq!(vault.collection("notes").unwrap().count().unwrap(), 0);
}
