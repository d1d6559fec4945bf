//! Two and more devices, one relay: everything arrives, once, whatever is interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryRelay, Transport, TransportError};
use selkie::{CollectionPolicy, ErrorKind, Resolution, SideContent, SyncReport, Vault};
use selkie_relay::{Background, Config};
use selkie_wire::ids::RosterNumber;
use serde_json::{Value, json};

use crate::support::{Store, join, pair, relay};

fn sync(store: &Store, url: &str) -> SyncReport {
    store.vault.sync(url, &mut |_| {}).unwrap()
}

fn sync_memory(store: &Store, relay: &MemoryRelay) -> SyncReport {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap()
}

fn put(store: &Store, id: &str, document: &Value) {
    store.vault.collection("notes").unwrap().put(id, document).unwrap();
}

fn get(store: &Store, id: &str) -> Option<Value> {
    let record = store.vault.collection("notes").unwrap().get(id).unwrap();
    record.map(|record| record.document)
}

fn assert_equal(stores: &[&Store]) {
    let digests: Vec<_> = stores.iter().map(|store| store.vault.digest().unwrap()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn what_is_written_offline_on_both_sides_arrives_on_both() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "n", &json!({"a": 1, "b": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    put(&phone, "n", &json!({"a": 2, "b": 1}));
    put(&laptop, "n", &json!({"a": 1, "b": 2}));
    put(&laptop, "m", &json!({"c": 3}));
    laptop.vault.collection("notes").unwrap().delete("m").unwrap();
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
    }
    assert_equal(&[&phone, &laptop]);
    assert_eq!(get(&phone, "n"), Some(json!({"a": 2, "b": 2})));
    assert_eq!(get(&phone, "m"), None);
}

#[test]
fn nothing_new_is_one_round_and_few_bytes() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "n", &json!({"a": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    let mut transport = MemoryRelay::new().connect(laptop.vault.device_id());
    laptop.vault.sync_over("other", &mut transport, &mut |_| {}).unwrap();
    let report = laptop.vault.sync_over("other", &mut transport, &mut |_| {}).unwrap();
    assert_eq!(report.rounds, 1);
    let report = sync(&laptop, &relay.url());
    assert_eq!((report.rounds, report.segments_sent, report.segments_received), (1, 0, 0));
    assert!(report.bytes_sent + report.bytes_received < 1024, "{report:?}");
}

#[test]
fn only_what_changed_travels() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let text = "x".repeat(50_000);
    put(&phone, "n", &json!({"long": text, "short": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    phone.vault.collection("notes").unwrap().patch("n", &json!({"short": 2})).unwrap();
    let report = sync(&phone, &relay.url());
    assert!(report.bytes_sent < 2_000, "{report:?}");
    sync(&laptop, &relay.url());
    assert_equal(&[&phone, &laptop]);
}

#[test]
fn many_changes_travel_in_pages() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let mut state = 1u64;
    for batch in 0..20 {
        phone
            .vault
            .transaction(|tx| {
                for n in 0..100 {
                    // Text that does not compress, so that several pages are needed.
                    let text: String = (0..60)
                        .map(|_| {
                            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            format!("{:016x}", state ^ (state >> 29))
                        })
                        .collect();
                    tx.collection("notes")?
                        .put(&format!("{batch}-{n}"), &json!({ "text": text }))?;
                }
                Ok(())
            })
            .unwrap();
    }
    let mut seen = Vec::new();
    let sent = phone.vault.sync(&relay.url(), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(sent.changes_sent, 20);
    assert!(sent.rounds > 1 && seen.len() > 1, "{sent:?}");
    assert!(seen.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes), "progress only grows");
    let received = sync(&laptop, &relay.url());
    assert_eq!(received.changes_received, 20);
    assert!(received.rounds > 1);
    assert_equal(&[&phone, &laptop]);
}

#[test]
fn a_person_resolves_a_conflict_once_for_all_devices() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    // One clock that ticks at every look, so that whoever writes later has the later stamp.
    let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
    for store in [&phone, &laptop] {
        let now_ms = Arc::clone(&now_ms);
        store.vault.set_clock(move || now_ms.fetch_add(1, Ordering::Relaxed));
    }
    let policy = CollectionPolicy::from_names("user_choice", "user_choice").unwrap();
    phone.vault.set_policy("notes", policy).unwrap();
    put(&phone, "n", &json!({"title": "Milk"}));
    put(&phone, "d", &json!({"x": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    put(&phone, "n", &json!({"title": "Oat milk"}));
    put(&laptop, "n", &json!({"title": "Bread"}));
    phone.vault.collection("notes").unwrap().delete("d").unwrap();
    put(&laptop, "d", &json!({"x": 2}));
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
    }
    for store in [&phone, &laptop] {
        let conflicts = store.vault.conflicts(Some("notes")).unwrap();
        assert_eq!(conflicts.len(), 2);
        assert_eq!(store.vault.status().unwrap().open_conflicts, 2);
        assert!(conflicts.iter().all(|open| open.since_ms > 0));
        let record = store.vault.collection("notes").unwrap().get("n").unwrap().unwrap();
        assert_eq!((record.conflicts, &record.document), (1, &json!({"title": "Bread"})));
    }
    for open in laptop.vault.conflicts(None).unwrap() {
        let (wanted, expected) = match open.id.as_str() {
            "n" => (SideContent::Value(json!("Oat milk")), Some(json!({"title": "Oat milk"}))),
            _ => (SideContent::Deleted, None),
        };
        let side = open.conflict.sides.iter().position(|side| side.content == wanted).unwrap();
        let record =
            laptop.vault.resolve("notes", &open.id, &open.token, Resolution::Side(side)).unwrap();
        assert_eq!(record.map(|record| record.document), expected);
        let again = laptop.vault.resolve("notes", &open.id, &open.token, Resolution::Side(side));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Stale);
    }
    for store in [&laptop, &phone] {
        sync(store, &relay.url());
        assert!(store.vault.conflicts(None).unwrap().is_empty());
    }
    assert_equal(&[&phone, &laptop]);
}

#[test]
fn a_policy_that_arrives_late_shows_the_same_conflicts() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "n", &json!({"a": 0}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    put(&phone, "n", &json!({"a": 1}));
    put(&laptop, "n", &json!({"a": 2}));
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
    }
    assert!(phone.vault.conflicts(None).unwrap().is_empty());
    let policy = CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    laptop.vault.set_policy("notes", policy).unwrap();
    assert_eq!(laptop.vault.conflicts(None).unwrap().len(), 1);
    sync(&laptop, &relay.url());
    sync(&phone, &relay.url());
    assert_eq!(phone.vault.conflicts(None).unwrap().len(), 1);
    assert_equal(&[&phone, &laptop]);
}

#[test]
fn watchers_hear_of_what_arrives() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let watch = laptop.vault.watch();
    put(&phone, "n", &json!({"a": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    let event = watch.try_next().unwrap();
    assert!(event.remote && event.id == "n");
    assert_eq!(watch.try_next().unwrap().kind, selkie::EventKind::InitialSyncCompleted);
    assert_eq!(watch.try_next(), None);
}

/// Passes calls on, and loses one of them: on the way there, or the answer on the way back.
struct Flaky<T> {
    inner: T,
    calls_left: u32,
    answer_lost: bool,
}

impl<T> Flaky<T> {
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut T) -> Result<R, TransportError>,
    ) -> Result<R, TransportError> {
        let lost = || Err(TransportError::Unreachable("cut off by the test".to_owned()));
        match self.calls_left.checked_sub(1) {
            Some(left) => {
                self.calls_left = left;
                call(&mut self.inner)
            }
            None if self.answer_lost => call(&mut self.inner).and_then(|_| lost()),
            None => lost(),
        }
    }
}

impl<T: Transport> Transport for Flaky<T> {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.call(|inner| inner.pull(request))
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.call(|inner| inner.push(request))
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.call(|inner| inner.roster(from))
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.call(|inner| inner.publish_roster(entries))
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

/// Cuts a run off at its n-th message, for every n, until a run gets through.
fn sync_through_cuts(store: &Store, relay: &MemoryRelay, answer_lost: bool) {
    for calls_left in 0.. {
        let inner = relay.connect(store.vault.device_id());
        let mut transport = Flaky { inner, calls_left, answer_lost };
        match store.vault.sync_over("memory", &mut transport, &mut |_| {}) {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Network),
        }
        // Whatever arrived, the next run may begin in a new process.
        let reopened = Vault::open(store.path(), crate::support::unlock(store)).unwrap();
        drop(reopened);
    }
}

#[test]
fn a_run_cut_off_at_any_message_loses_and_doubles_nothing() {
    for answer_lost in [false, true] {
        let http = relay();
        let (phone, laptop) = pair(&http.url());
        let relay = MemoryRelay::new();
        for round in 0..3 {
            for n in 0..5 {
                put(&phone, &format!("p{round}-{n}"), &json!({ "n": n }));
                put(&laptop, &format!("l{round}-{n}"), &json!({ "n": n }));
                put(&phone, "same", &json!({ "phone": n, "round": round }));
                put(&laptop, "same", &json!({ "laptop": n, "round": round }));
            }
            sync_through_cuts(&phone, &relay, answer_lost);
            sync_through_cuts(&laptop, &relay, answer_lost);
            sync_through_cuts(&phone, &relay, answer_lost);
            assert_equal(&[&phone, &laptop]);
        }
        assert_eq!(phone.vault.collection("notes").unwrap().count().unwrap(), 31);
        assert_eq!(sync_memory(&phone, &relay).changes_received, 0);
    }
}

#[test]
fn a_relay_that_was_wiped_is_filled_again() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&phone, "a", &json!({"n": 1}));
    put(&laptop, "b", &json!({"n": 2}));
    for store in [&phone, &laptop, &phone] {
        sync_memory(store, &relay);
    }
    relay.wipe();
    put(&phone, "c", &json!({"n": 3}));
    for store in [&phone, &laptop, &phone] {
        sync_memory(store, &relay);
    }
    assert_equal(&[&phone, &laptop]);
    let tablet = join(&phone, &http.url());
    sync_memory(&phone, &relay);
    sync_memory(&tablet, &relay);
    assert_equal(&[&phone, &tablet]);
}

#[test]
fn a_real_relay_that_lost_its_disk_heals_too() {
    let directory = tempfile::tempdir().unwrap();
    let relay = Background::start(Config::new(directory.path())).unwrap();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "a", &json!({"n": 1}));
    let (url, address) = (relay.url(), relay.address());
    sync(&phone, &url);
    sync(&laptop, &url);
    relay.stop().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let mut config = Config::new(empty.path());
    config.listen = address;
    let relay = Background::start(config).unwrap();
    put(&laptop, "b", &json!({"n": 2}));
    for store in [&laptop, &phone, &laptop] {
        sync(store, &url);
    }
    assert_equal(&[&phone, &laptop]);
    let tablet = join(&phone, &relay.url());
    sync(&tablet, &url);
    assert_equal(&[&phone, &tablet]);
}

#[test]
fn two_relays_at_once_are_fine() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let (one, two) = (MemoryRelay::new(), MemoryRelay::new());
    put(&phone, "a", &json!({"n": 1}));
    let over = |store: &Store, name: &str, relay: &MemoryRelay| {
        let mut transport = relay.connect(store.vault.device_id());
        store.vault.sync_over(name, &mut transport, &mut |_| {}).unwrap()
    };
    over(&phone, "one", &one);
    over(&phone, "two", &two);
    assert_eq!(over(&laptop, "one", &one).changes_received, 1);
    assert_eq!(over(&laptop, "two", &two).changes_received, 0, "the same segment, again");
    put(&laptop, "b", &json!({"n": 2}));
    over(&laptop, "two", &two);
    over(&phone, "two", &two);
    assert_equal(&[&phone, &laptop]);
}

#[test]
fn three_devices_agree_after_a_storm_of_edits() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    let relay = MemoryRelay::new();
    let stores = [&phone, &laptop, &tablet];
    let policy = CollectionPolicy::from_names("user_choice", "timestamp").unwrap();
    phone.vault.set_policy("notes", policy).unwrap();
    let mut state = 42u64;
    let mut below = |bound: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for _ in 0..300 {
        let store = stores[below(3) as usize];
        let id = below(8).to_string();
        match below(10) {
            0 => {
                store.vault.collection("notes").unwrap().delete(&id).unwrap();
            }
            1 => {
                sync_memory(store, &relay);
            }
            2 => {
                if let Some(open) = store.vault.conflicts(None).unwrap().first() {
                    store
                        .vault
                        .resolve("notes", &open.id, &open.token, Resolution::Side(0))
                        .unwrap();
                }
            }
            _ => {
                let field = ["a", "b", "c"][below(3) as usize];
                let mut document = get(store, &id).unwrap_or_else(|| json!({}));
                document[field] =
                    if below(4) == 0 { json!({"x": below(3)}) } else { json!(below(9)) };
                put(store, &id, &document);
            }
        }
    }
    for store in stores.iter().chain(&stores) {
        sync_memory(store, &relay);
    }
    assert_equal(&stores);
    let open = |store: &Store| {
        let mut open: Vec<_> =
            store.vault.conflicts(None).unwrap().into_iter().map(|open| open.token).collect();
        open.sort();
        open
    };
    assert_eq!(open(&phone), open(&laptop));
    assert_eq!(open(&phone), open(&tablet));
}

#[test]
fn sync_without_a_relay_says_so_and_the_store_works_on() {
    let http = relay();
    let (phone, _) = pair(&http.url());
    put(&phone, "a", &json!({"n": 1}));
    let error = phone.vault.sync("http://127.0.0.1:9", &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    let last = phone.vault.status().unwrap().last_sync.unwrap();
    assert_eq!((last.url.as_str(), last.outcome.as_str()), ("http://127.0.0.1:9", "network"));
    assert_eq!(phone.vault.status().unwrap().unsent_changes, 1, "sealed, and nowhere but here");
    put(&phone, "b", &json!({"n": 2}));
    assert_eq!(get(&phone, "b"), Some(json!({"n": 2})));
    assert_eq!(sync(&phone, &http.url()).changes_sent, 2);
    assert_eq!(phone.vault.status().unwrap().unsent_changes, 0);
    let plain = phone.vault.sync("http://relay.example", &mut |_| {}).unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::InvalidInput);
}

#[test]
fn sets_counters_and_lists_come_together_across_devices() {
    use selkie::{FieldType, Schema};
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let schema = Schema::new()
        .field("tags", FieldType::Set)
        .and_then(|schema| schema.field("count", FieldType::Counter))
        .and_then(|schema| schema.field("steps", FieldType::List))
        .unwrap();
    phone.vault.set_schema("notes", schema.clone()).unwrap();
    put(&phone, "n", &json!({"tags": ["a"], "count": 1, "steps": ["x", "y"]}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    assert_eq!(laptop.vault.schema("notes").unwrap().fields, schema.fields);
    put(&phone, "n", &json!({"tags": ["a", "b"], "count": 3, "steps": ["w", "x", "y"]}));
    put(&laptop, "n", &json!({"tags": ["c"], "count": 11, "steps": ["x", "y", "z"]}));
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
    }
    assert_equal(&[&phone, &laptop]);
    let both = json!({"tags": ["b", "c"], "count": 13, "steps": ["w", "x", "y", "z"]});
    let shown = get(&phone, "n").unwrap();
    assert_eq!((&shown["count"], &shown["steps"]), (&both["count"], &both["steps"]));
    let mut tags: Vec<_> = shown["tags"].as_array().unwrap().iter().map(Value::to_string).collect();
    tags.sort();
    assert_eq!(tags, ["\"b\"", "\"c\""]);
}

#[test]
fn a_priority_stamped_by_the_writer_decides() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let policy = CollectionPolicy::from_names("priority", "edit_wins").unwrap();
    phone.vault.set_policy("notes", policy).unwrap();
    put(&phone, "n", &json!({"a": 0}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    phone
        .vault
        .transaction(|tx| tx.collection("notes")?.put_with_priority("n", &json!({"a": 1}), 5))
        .unwrap();
    put(&laptop, "n", &json!({"a": 2}));
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
        sync(store, &relay.url());
    }
    assert_equal(&[&phone, &laptop]);
    assert_eq!(get(&laptop, "n"), Some(json!({"a": 1})), "though the other is later");
}

#[test]
fn what_both_sides_overwrote_is_waited_for_by_nobody() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&laptop, "n", &json!({"x": 1}));
    sync_memory(&laptop, &relay);
    sync_memory(&phone, &relay);
    put(&laptop, "n", &json!({"x": 2}));
    put(&phone, "n", &json!({"x": 3}));
    for store in [&phone, &laptop, &phone] {
        sync_memory(store, &relay);
    }
    assert_equal(&[&phone, &laptop]);
    let database = crate::support::raw_database(&laptop.path());
    let count = "SELECT count(*) FROM dead_on_arrival";
    assert_eq!(database.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(0));
}
