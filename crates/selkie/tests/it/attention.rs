//! What machines answer, and what they leave to people.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selkie::transport::MemoryRelay;
use selkie::{
    CollectionPolicy, ErrorKind, Filter, OpenConflict, Policy, Query, Resolution, Schema,
    SideContent,
};
use serde_json::{Value, json};

use crate::support::{Store, pair, relay, store};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Two devices with one clock that the test moves, and a relay.
struct Pair {
    phone: Store,
    laptop: Store,
    relay: MemoryRelay,
    now_ms: Arc<AtomicU64>,
}

impl Pair {
    fn new(policy: CollectionPolicy) -> Self {
        let http = relay();
        let (phone, laptop) = pair(&http.url());
        let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
        for store in [&phone, &laptop] {
            let now_ms = Arc::clone(&now_ms);
            store.vault.set_clock(move || now_ms.fetch_add(1, Ordering::Relaxed));
        }
        phone.vault.set_policy("notes", policy).unwrap();
        let pair = Self { phone, laptop, relay: MemoryRelay::new(), now_ms };
        pair.meet();
        pair
    }

    fn sync(&self, store: &Store) {
        let mut transport = self.relay.connect(store.vault.device_id());
        store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
    }

    /// Both hold the same afterwards.
    fn meet(&self) {
        for store in [&self.phone, &self.laptop, &self.phone, &self.laptop] {
            self.sync(store);
        }
        assert_eq!(self.phone.vault.digest().unwrap(), self.laptop.vault.digest().unwrap());
    }

    fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Makes one conflict; the laptop's value is the newer.
    fn disagree(&self, id: &str, by_phone: i64, by_laptop: i64) {
        put(&self.phone, id, &json!({"x": 0}));
        self.meet();
        put(&self.phone, id, &json!({ "x": by_phone }));
        self.pass(10);
        put(&self.laptop, id, &json!({ "x": by_laptop }));
        self.meet();
    }
}

fn put(store: &Store, id: &str, document: &Value) {
    store.vault.collection("notes").unwrap().put(id, document).unwrap();
}

fn x(store: &Store, id: &str) -> Value {
    store.vault.collection("notes").unwrap().get(id).unwrap().unwrap().document["x"].clone()
}

fn open(store: &Store) -> Vec<OpenConflict> {
    store.vault.conflicts(None).unwrap()
}

fn side(open: &OpenConflict, value: i64) -> Resolution {
    let wanted = SideContent::Value(json!(value));
    Resolution::Side(open.conflict.sides.iter().position(|side| side.content == wanted).unwrap())
}

fn asking() -> CollectionPolicy {
    CollectionPolicy::from_names("user_choice", "user_choice").unwrap()
}

#[test]
fn a_vault_left_alone_for_a_day_has_no_open_conflict() {
    let pair = Pair::new(asking());
    pair.disagree("n", 1, 2);
    let found = open(&pair.phone);
    assert_eq!(found[0].deadline_ms - found[0].since_ms, 24 * HOUR_MS);
    pair.pass(22 * HOUR_MS);
    pair.meet();
    assert_eq!(open(&pair.phone).len(), 1, "a person may still answer");
    pair.pass(2 * HOUR_MS - 60_000);
    assert!(pair.phone.vault.attend().unwrap() > 0);
    pair.laptop.vault.attend().unwrap();
    pair.meet();
    for store in [&pair.phone, &pair.laptop] {
        assert!(open(store).is_empty());
        assert_eq!(x(store, "n"), json!(2), "what was shown all the while");
    }
}

#[test]
fn a_persons_late_answer_outranks_the_machines() {
    let pair = Pair::new(asking());
    pair.disagree("n", 1, 2);
    let seen = open(&pair.laptop).remove(0);
    pair.pass(25 * HOUR_MS);
    pair.phone.vault.attend().unwrap();
    // The laptop was offline: its person answers what the phone's machine has answered already.
    pair.laptop.vault.resolve("notes", "n", &seen.token, side(&seen, 1)).unwrap();
    pair.meet();
    assert_eq!((x(&pair.phone, "n"), open(&pair.phone).len()), (json!(1), 0));
}

#[test]
fn a_deadline_survives_a_restart_and_a_clock_set_back() {
    let pair = Pair::new(asking());
    pair.disagree("n", 1, 2);
    let since = open(&pair.phone)[0].since_ms;
    let again =
        selkie::Vault::open(pair.phone.path(), crate::support::unlock(&pair.phone)).unwrap();
    again.set_clock(move || since - HOUR_MS);
    assert_eq!(again.attend().unwrap(), 0);
    assert_eq!(again.conflicts(None).unwrap()[0].since_ms, since);
    again.set_clock(move || since + 24 * HOUR_MS);
    assert_eq!(again.attend().unwrap(), 1);
}

#[test]
fn answers_are_learned_suggested_and_forgotten() {
    let pair = Pair::new(asking());
    for n in 0..6 {
        let id = n.to_string();
        pair.disagree(&id, 1, 2);
        let found = open(&pair.phone).remove(0);
        match &found.suggestion {
            None => assert_eq!(n, 0),
            Some(suggestion) => {
                assert_eq!(
                    (suggestion.support, suggestion.of, suggestion.answer.as_str()),
                    (n, n, "oldest")
                );
                assert_eq!(Resolution::Side(suggestion.side), side(&found, 1));
            }
        }
        pair.phone.vault.resolve("notes", &id, &found.token, side(&found, 1)).unwrap();
        pair.meet();
    }
    let known = pair.laptop.vault.preferences().unwrap();
    assert_eq!(known[0].answers, [("oldest".to_owned(), 6)], "also on the other device");
    // Suggested only, until it is switched on.
    pair.disagree("a", 1, 2);
    assert_eq!(open(&pair.phone).len(), 1);
    let policy = CollectionPolicy { learned: true, ..asking() };
    pair.phone.vault.set_policy("notes", policy).unwrap();
    pair.meet();
    assert_eq!((open(&pair.phone).len(), x(&pair.phone, "a")), (0, json!(1)));
    assert!(pair.phone.vault.forget_preference(&known[0].id).unwrap());
    pair.meet();
    assert!(pair.laptop.vault.preferences().unwrap().is_empty());
    pair.disagree("b", 1, 2);
    assert_eq!(open(&pair.phone)[0].suggestion, None);
}

#[test]
fn an_apps_callback_answers_its_own_policy_only() {
    let custom = CollectionPolicy::with_default(Policy::from_name("custom:sum"));
    let pair = Pair::new(custom);
    pair.disagree("n", 3, 4);
    assert_eq!(open(&pair.phone).len(), 1, "no callback is registered yet");
    let vault = pair.phone.vault.clone();
    pair.phone.vault.register_resolver("sum", move |open| {
        let record = vault.collection("notes").unwrap().get(&open.id).unwrap();
        assert!(record.is_some(), "a callback may ask the vault");
        let sum = open
            .conflict
            .sides
            .iter()
            .filter_map(|side| side.content.value()?.as_i64())
            .sum::<i64>();
        Some(Resolution::Value(json!(sum)))
    });
    assert_eq!(pair.phone.vault.attend().unwrap(), 1);
    pair.meet();
    assert_eq!((x(&pair.laptop, "n"), open(&pair.laptop).len()), (json!(7), 0));
}

#[test]
fn old_deletes_leave_nothing_behind_anywhere() {
    let pair = Pair::new(CollectionPolicy::default());
    put(&pair.phone, "gone", &json!({"x": 1}));
    put(&pair.phone, "kept", &json!({"x": 1}));
    pair.meet();
    pair.phone.vault.collection("notes").unwrap().delete("gone").unwrap();
    pair.meet();
    pair.pass(80 * 24 * HOUR_MS);
    pair.meet();
    assert!(pair.laptop.vault.history("notes", "gone").is_ok(), "still there, hidden");
    pair.pass(11 * 24 * HOUR_MS);
    pair.meet();
    pair.meet();
    for store in [&pair.phone, &pair.laptop] {
        let error = store.vault.history("notes", "gone").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(x(store, "kept"), json!(1));
    }
    put(&pair.laptop, "gone", &json!({"x": 2}));
    pair.meet();
    assert_eq!(x(&pair.phone, "gone"), json!(2));
}

#[test]
fn many_old_deletes_are_cleared_away_in_changes_that_fit() {
    let pair = Pair::new(CollectionPolicy::default());
    let wide: serde_json::Map<String, Value> =
        (0..300).map(|n| (format!("a-rather-long-name-of-a-field-{n}"), json!(n))).collect();
    let wide = Value::Object(wide);
    for n in 0..80 {
        put(&pair.phone, &n.to_string(), &wide);
        pair.phone.vault.collection("notes").unwrap().delete(&n.to_string()).unwrap();
    }
    pair.pass(91 * 24 * HOUR_MS);
    pair.phone.vault.attend().unwrap();
    for n in 0..80 {
        assert!(pair.phone.vault.history("notes", &n.to_string()).is_err(), "{n}");
    }
    pair.meet();
}

#[test]
fn old_removals_of_fields_are_cleared_away_by_the_next_write() {
    let pair = Pair::new(CollectionPolicy::default());
    put(&pair.phone, "n", &json!({"x": 1, "old": 1}));
    put(&pair.phone, "n", &json!({"x": 1}));
    pair.meet();
    let removals = |store: &Store| {
        let history = store.vault.history("notes", "n").unwrap();
        let stands = |entry: &&selkie::HistoryEntry| {
            entry.content == SideContent::Removed && entry.replaced_by.is_none()
        };
        history.iter().filter(stands).count()
    };
    assert_eq!(removals(&pair.laptop), 1);
    pair.pass(91 * 24 * HOUR_MS);
    put(&pair.laptop, "n", &json!({"x": 2}));
    pair.meet();
    assert_eq!((removals(&pair.laptop), removals(&pair.phone)), (0, 0));
    assert_eq!(x(&pair.phone, "n"), json!(2));
}

#[test]
fn unique_values_are_kept_apart_here_and_listed_when_devices_could_not_know() {
    let pair = Pair::new(CollectionPolicy::default());
    pair.phone.vault.set_schema("notes", Schema::new().unique("mail").unwrap()).unwrap();
    put(&pair.phone, "a", &json!({"mail": "a@x"}));
    let doubled = pair.phone.vault.collection("notes").unwrap().put("b", &json!({"mail": "a@x"}));
    assert_eq!(doubled.unwrap_err().kind(), ErrorKind::InvalidInput);
    put(&pair.phone, "a", &json!({"mail": "a@x", "more": 1}));
    pair.meet();
    put(&pair.phone, "p", &json!({"mail": "same@x"}));
    put(&pair.laptop, "l", &json!({"mail": "same@x"}));
    pair.meet();
    for store in [&pair.phone, &pair.laptop] {
        let clashes = store.vault.unique_clashes().unwrap();
        assert_eq!(clashes.len(), 1);
        assert_eq!(
            (clashes[0].ids.as_slice(), &clashes[0].value),
            (&["l".to_owned(), "p".to_owned()][..], &json!("same@x"))
        );
    }
    put(&pair.laptop, "l", &json!({"mail": "same@x", "more": 1}));
    put(&pair.laptop, "l", &json!({"mail": "other@x"}));
    pair.meet();
    let vault = &pair.phone.vault;
    let twice = vault.transaction(|tx| {
        tx.collection("notes")?.put("t1", &json!({"mail": "twice@x"}))?;
        tx.collection("notes")?.put("t2", &json!({"mail": "twice@x"}))
    });
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::InvalidInput);
    vault
        .transaction(|tx| {
            tx.collection("notes")?.delete("a")?;
            tx.collection("notes")?.put("b", &json!({"mail": "a@x"}))
        })
        .unwrap();
    assert!(pair.phone.vault.unique_clashes().unwrap().is_empty());
}

#[test]
fn a_schema_holds_local_writes_only() {
    let pair = Pair::new(CollectionPolicy::default());
    put(&pair.laptop, "old", &json!({"x": "text"}));
    let validation =
        json!({"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}});
    let schema = Schema { validation: Some(validation), ..Schema::default() };
    pair.phone.vault.set_schema("notes", schema).unwrap();
    let notes = pair.phone.vault.collection("notes").unwrap();
    for bad in [json!({"x": "secret-value"}), json!({})] {
        let error = notes.put("n", &bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.to_string().contains("secret-value"), "{error}");
    }
    put(&pair.phone, "n", &json!({"x": 1}));
    pair.meet();
    assert_eq!(x(&pair.phone, "old"), json!("text"), "what is there stays");
    let found = notes.query(&Query::new().filter(Filter::parse("x = 1").unwrap())).unwrap();
    assert_eq!(found.len(), 1);
    let single = store();
    let broken = Schema { validation: Some(json!({"type": 7})), ..Schema::default() };
    assert_eq!(single.vault.set_schema("n", broken).unwrap_err().kind(), ErrorKind::InvalidInput);
}
