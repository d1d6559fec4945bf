//! Who changed what, when, what lost and why; and the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selkie::transport::MemoryRelay;
use selkie::{CollectionPolicy, Decider, Resolution, SideContent};
use serde_json::{Value, json};

use crate::support::{Store, pair, relay, store};

fn ticking(store: &Store, start_ms: u64) -> Arc<AtomicU64> {
    let now_ms = Arc::new(AtomicU64::new(start_ms));
    let clock = Arc::clone(&now_ms);
    store.vault.set_clock(move || clock.fetch_add(1_000, Ordering::Relaxed));
    now_ms
}

fn get(store: &Store, id: &str) -> Option<Value> {
    let record = store.vault.collection("notes").unwrap().get(id).unwrap();
    record.map(|record| record.document)
}

#[test]
fn every_value_is_told_with_its_writer_and_its_end() {
    let store = store();
    ticking(&store, 1_000_000);
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({"a": 1, "b": 1})).unwrap();
    notes.patch("n", &json!({"a": 2})).unwrap();
    notes.patch("n", &json!({"b": null})).unwrap();
    notes.delete("n").unwrap();
    let history = store.vault.history("notes", "n").unwrap();
    let told: Vec<(String, SideContent, bool)> = history
        .iter()
        .map(|entry| (entry.path.to_string(), entry.content.clone(), entry.replaced_by.is_some()))
        .collect();
    let value = |n: i64| SideContent::Value(json!(n));
    for expected in [
        ("a".to_owned(), value(1), true),
        ("a".to_owned(), value(2), false),
        ("b".to_owned(), value(1), true),
        ("b".to_owned(), SideContent::Removed, false),
        (String::new(), SideContent::Deleted, false),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert!(history.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
    assert!(history.iter().all(|entry| !entry.lost && entry.decided_by == Decider::Write));
}

#[test]
fn what_lost_is_told_with_who_decided() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    let sync = |store: &Store| {
        let mut transport = relay.connect(store.vault.device_id());
        store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
    };
    let policy = CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    phone.vault.set_policy("notes", policy).unwrap();
    let notes = |store: &Store| store.vault.collection("notes").unwrap();
    notes(&phone).put("n", &json!({"a": 0})).unwrap();
    sync(&phone);
    sync(&laptop);
    notes(&phone).put("n", &json!({"a": 1})).unwrap();
    notes(&laptop).put("n", &json!({"a": 2})).unwrap();
    for store in [&phone, &laptop, &phone] {
        sync(store);
    }
    let open = phone.vault.conflicts(None).unwrap().remove(0);
    let side =
        open.conflict.sides.iter().position(|side| side.content == SideContent::Value(json!(1)));
    phone.vault.resolve("notes", "n", &open.token, Resolution::Side(side.unwrap())).unwrap();
    sync(&phone);
    sync(&laptop);
    let by_phone = phone.vault.history("notes", "n").unwrap();
    let told = |history: &[selkie::HistoryEntry]| {
        let tell = |entry: &selkie::HistoryEntry| (entry.device, entry.content.clone(), entry.lost);
        history.iter().map(tell).collect::<Vec<_>>()
    };
    let by_laptop = laptop.vault.history("notes", "n").unwrap();
    assert_eq!(told(&by_laptop), told(&by_phone), "the same on both devices");
    let lost: Vec<_> = by_phone.iter().filter(|entry| entry.lost).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].content, SideContent::Value(json!(2)));
    assert_eq!(
        (lost[0].device, &lost[0].replaced_why),
        (laptop.vault.device_id(), &Decider::Person)
    );
    let stands =
        by_phone.iter().filter(|entry| entry.replaced_by.is_none() && !entry.path.is_root());
    assert_eq!(stands.map(|entry| entry.decided_by.clone()).collect::<Vec<_>>(), [Decider::Person]);
}

#[test]
fn undo_takes_back_the_last_change_and_can_be_undone() {
    let store = store();
    ticking(&store, 1_000_000);
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({"a": 1, "b": {"c": 1}})).unwrap();
    notes.put("n", &json!({"a": 2, "b": 7, "d": [1]})).unwrap();
    let undo = || store.vault.undo("notes", "n").unwrap().map(|record| record.document);
    assert_eq!(undo(), Some(json!({"a": 1, "b": {"c": 1}})));
    assert_eq!(undo(), Some(json!({"a": 2, "b": 7, "d": [1]})));
    notes.delete("n").unwrap();
    assert_eq!(undo(), Some(json!({"a": 2, "b": 7, "d": [1]})));
    notes.put("new", &json!({"x": 1})).unwrap();
    assert_eq!(store.vault.undo("notes", "new").unwrap(), None, "it was not there before");
    assert_eq!(get(&store, "new"), None);
    assert!(store.vault.undo("notes", "never").is_err());
}

#[test]
fn restore_brings_back_what_was_there_at_a_time() {
    let store = store();
    let now_ms = ticking(&store, 1_000_000);
    let notes = store.vault.collection("notes").unwrap();
    let mut moments = Vec::new();
    for document in [json!({"v": 1}), json!({"v": 2, "w": 1}), json!({"w": 1}), json!({})] {
        notes.put("n", &document).unwrap();
        moments.push((now_ms.load(Ordering::Relaxed), document));
        now_ms.fetch_add(5_000, Ordering::Relaxed);
    }
    notes.delete("n").unwrap();
    for (at_ms, document) in moments.iter().rev() {
        let record = store.vault.restore("notes", "n", *at_ms).unwrap();
        assert_eq!(record.map(|record| record.document).as_ref(), Some(document), "at {at_ms}");
    }
    assert_eq!(store.vault.restore("notes", "n", 10).unwrap(), None, "before it was made");
    assert_eq!(get(&store, "n"), None);
}

#[test]
fn history_is_kept_for_a_time_only() {
    let store = store();
    let now_ms = ticking(&store, 1_000_000);
    let notes = store.vault.collection("notes").unwrap();
    for v in 0..5 {
        notes.put("n", &json!({ "v": v })).unwrap();
    }
    let values = || {
        store
            .vault
            .history("notes", "n")
            .unwrap()
            .iter()
            .filter(|entry| !entry.path.is_root())
            .count()
    };
    assert_eq!(values(), 5);
    now_ms.fetch_add(31 * 24 * 60 * 60 * 1000, Ordering::Relaxed);
    store.vault.attend().unwrap();
    assert_eq!(values(), 1, "what stands is always there");
    let forgotten = store.vault.restore("notes", "n", 1_002_000).unwrap_err();
    assert_eq!(forgotten.kind(), selkie::ErrorKind::NotFound);
}
