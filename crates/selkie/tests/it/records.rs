//! Documents in and out: put, get, patch, delete, list, query, transactions, watching.

use selkie::{
    CollectionPolicy, ErrorKind, EventKind, Filter, OnDelete, Page, Policy, Query, Unlock, Vault,
};
use serde_json::{Value, json};

use crate::support::{KEY, store};

#[test]
fn a_record_comes_back_as_it_was_put() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    assert_eq!(notes.get("n").unwrap(), None);
    let document =
        json!({"title": "Milk", "tags": ["a", {"b": null}], "nested": {"x": {}}, "n": 1.5});
    let put = notes.put("n", &document).unwrap();
    let got = notes.get("n").unwrap().unwrap();
    assert_eq!(got, put);
    assert_eq!(got.document, document);
    assert!(got.created_at_ms > 1_700_000_000_000 && got.created_at_ms == got.updated_at_ms);

    drop(notes);
    let path = store.path();
    drop(store.vault);
    let again = Vault::open(path, Unlock::Key(&KEY)).unwrap();
    assert_eq!(again.collection("notes").unwrap().get("n").unwrap(), Some(put));
}

#[test]
fn a_patch_changes_only_what_it_names() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({"a": 1, "b": {"c": 2, "d": 3}})).unwrap();
    let patched = notes.patch("n", &json!({"a": null, "b": {"c": 9}})).unwrap();
    assert_eq!(patched.document, json!({"b": {"c": 9, "d": 3}}));
    assert_eq!(notes.get("n").unwrap().unwrap().document, patched.document);
    let missing = notes.patch("m", &json!({"a": 1})).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_deleted_record_is_gone_and_can_be_put_again() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({"a": 1, "b": 2})).unwrap();
    assert!(notes.delete("n").unwrap());
    assert!(!notes.delete("n").unwrap());
    assert_eq!(notes.get("n").unwrap(), None);
    assert_eq!(notes.count().unwrap(), 0);
    notes.put("n", &json!({"b": 3})).unwrap();
    assert_eq!(
        notes.get("n").unwrap().unwrap().document,
        json!({"b": 3}),
        "nothing old comes back"
    );
}

#[test]
fn writing_the_same_again_changes_nothing() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    let first = notes.put("n", &json!({"a": 1})).unwrap();
    let unsent = store.vault.status().unwrap().unsent_changes;
    assert_eq!(notes.put("n", &json!({"a": 1.0})).unwrap(), first);
    assert_eq!(store.vault.status().unwrap().unsent_changes, unsent);
}

#[test]
fn generated_ids_are_in_order_of_time() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    let first = notes.insert(&json!({"a": 1})).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let second = notes.insert(&json!({"a": 2})).unwrap();
    assert!(first.id < second.id);
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() {
    let store = store();
    let vault = &store.vault;
    let failed = vault.transaction(|tx| {
        tx.collection("a")?.put("x", &json!({"n": 1}))?;
        assert_eq!(tx.collection("a")?.get("x")?.unwrap().document, json!({"n": 1}), "sees itself");
        tx.collection("b")?.put("y", &json!([1]))
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(vault.collections().unwrap().is_empty());

    vault
        .transaction(|tx| {
            let a = tx.collection("a")?;
            a.put("x", &json!({"n": 1}))?;
            a.patch("x", &json!({"m": 2}))?;
            a.put("gone", &json!({}))?;
            assert!(a.delete("gone")?);
            tx.collection("b")?.insert(&json!({"n": 3}))
        })
        .unwrap();
    assert_eq!(
        vault.collection("a").unwrap().get("x").unwrap().unwrap().document,
        json!({"n": 1, "m": 2})
    );
    assert_eq!(vault.collection("a").unwrap().count().unwrap(), 1);
    assert_eq!(vault.collection("b").unwrap().count().unwrap(), 1);
    assert_eq!(vault.status().unwrap().unsent_changes, 1, "one transaction, one change");
}

#[test]
fn what_cannot_be_stored_is_refused_and_changes_nothing() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({"a": 1})).unwrap();
    let deep = (0..16).fold(json!(1), |value, _| json!({ "a": value }));
    let deeper = json!({ "a": deep });
    let bad = [
        json!([1]),
        json!("text"),
        deeper,
        json!({"a": "x".repeat(10 * 1000 * 1000)}),
        json!({"a": 9_007_199_254_740_992_i64}),
        json!({"a": u64::MAX}),
        json!({("k".repeat(1025)): 1}),
    ];
    for document in bad {
        assert_eq!(notes.put("n", &document).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(notes.put("n", &json!({"a": f64::NAN})).is_ok(), "serde_json writes NaN as null");
    notes.put("n", &json!({"a": 1})).unwrap();
    for id in ["", "a\nb", &"i".repeat(257)] {
        assert_eq!(
            notes.put(id, &json!({})).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{id:?}"
        );
    }
    for name in ["", "_policy", "_x", "a\0b", &"c".repeat(129)] {
        assert_eq!(
            store.vault.collection(name).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{name:?}"
        );
    }
    assert_eq!(notes.get("n").unwrap().unwrap().document, json!({"a": 1}));
    assert_eq!(notes.count().unwrap(), 1);
}

#[test]
fn a_transaction_beyond_its_limit_is_refused_whole() {
    let store = store();
    let result = store.vault.transaction(|tx| {
        let notes = tx.collection("notes")?;
        for id in 0..4 {
            notes.put(&id.to_string(), &json!({"text": "x".repeat(1_000_000)}))?;
        }
        Ok(())
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(store.vault.collection("notes").unwrap().count().unwrap(), 0);
}

fn ids(records: &[selkie::Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

#[test]
fn lists_go_on_where_they_left_off() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    for id in ["b", "a", "d", "c"] {
        notes.put(id, &json!({})).unwrap();
    }
    let page = Page { limit: Some(2), after: None };
    assert_eq!(ids(&notes.list(&page).unwrap()), ["a", "b"]);
    let page = Page { limit: Some(9), after: Some("b".to_owned()) };
    assert_eq!(ids(&notes.list(&page).unwrap()), ["c", "d"]);
    assert!(store.vault.collection("none").unwrap().list(&Page::default()).unwrap().is_empty());
}

#[test]
fn queries_find_what_their_filters_say() {
    let store = store();
    let birds = store.vault.collection("birds").unwrap();
    let documents = [
        ("1", json!({"name": "Ada", "size": 40, "tame": true, "at": {"city": "Oslo"}})),
        ("2", json!({"name": "Adam", "size": 39.5, "tame": false, "note": null})),
        ("3", json!({"name": "Bo", "size": "40", "at": {"city": "Bergen"}, "a.b": 1})),
        ("4", json!({"name": "it's \"q\" %_", "size": -1})),
    ];
    for (id, document) in &documents {
        birds.put(id, document).unwrap();
    }
    let cases: &[(&str, &[&str])] = &[
        ("name = Ada", &["1"]),
        ("name=\"Ada\"", &["1"]),
        ("name != Ada", &["2", "3", "4"]),
        ("name ~ Ad", &["1", "2"]),
        ("name ~ %", &[]),
        ("name = it's \"q\" %_", &["4"]),
        ("size = 40", &["1"]),
        ("size = \"40\"", &["3"]),
        ("size > 39", &["1", "2"]),
        ("size >= 39.5", &["1", "2"]),
        ("size < 40", &["2", "4"]),
        ("size <= -1", &["4"]),
        ("tame = true", &["1"]),
        ("tame != true", &["2", "3", "4"]),
        ("note = null", &["2"]),
        ("note", &["2"]),
        ("at.city = Oslo", &["1"]),
        ("at", &["1", "3"]),
        ("\"a.b\" = 1", &["3"]),
        ("name > B", &["3", "4"]),
    ];
    for (filter, expected) in cases {
        let query = Query::new().filter(Filter::parse(filter).unwrap());
        assert_eq!(ids(&birds.query(&query).unwrap()), *expected, "{filter}");
    }
    let both = Query::new()
        .filter(Filter::parse("name ~ Ad").unwrap())
        .filter(Filter::parse("size < 40").unwrap());
    assert_eq!(ids(&birds.query(&both).unwrap()), ["2"]);
    assert_eq!(ids(&birds.query(&Query::new().limit(3)).unwrap()), ["1", "2", "3"]);
    for bad in ["", "=1", "a >", "a < true", "a = [1]", "a ~ 3", "a..b = 1"] {
        let outcome = Filter::parse(bad);
        if bad == "a >" {
            assert!(outcome.is_ok(), "text may be empty");
        } else {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        }
    }
}

#[test]
fn watchers_hear_of_writes_once_they_are_durable() {
    let store = store();
    let all = store.vault.watch();
    let notes = store.vault.collection("notes").unwrap();
    let only_others = store.vault.collection("others").unwrap().watch();
    notes.put("n", &json!({"a": 1})).unwrap();
    let event = all.try_next().unwrap();
    assert_eq!((event.id.as_str(), event.kind, event.remote), ("n", EventKind::Put, false));
    notes.delete("n").unwrap();
    assert_eq!(all.try_next().unwrap().kind, EventKind::Deleted);
    let refused = store.vault.transaction(|tx| {
        tx.collection("notes")?.put("m", &json!({}))?;
        tx.collection("notes")?.put("m", &json!(1))
    });
    assert!(refused.is_err());
    store.vault.set_policy("notes", CollectionPolicy::with_default(Policy::UserChoice)).unwrap();
    assert_eq!(all.try_next(), None, "neither what failed nor Selkie's own records");
    assert_eq!(only_others.try_next(), None);
}

#[test]
fn a_policy_is_kept_with_a_growing_version() {
    let store = store();
    assert_eq!(store.vault.policy("notes").unwrap(), CollectionPolicy::default());
    let policy = CollectionPolicy::from_names("user_choice", "delete_wins").unwrap();
    for version in 1..=2 {
        store.vault.set_policy("notes", policy.clone()).unwrap();
        let kept = store.vault.policy("notes").unwrap();
        assert_eq!((kept.version, kept.on_delete), (version, OnDelete::DeleteWins));
        assert_eq!(kept.default, Policy::UserChoice);
    }
    assert!(
        store.vault.collections().unwrap().is_empty(),
        "policies are no collection of the app's"
    );
}

#[test]
fn many_threads_write_at_once() {
    let store = store();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let notes = store.vault.collection("notes").unwrap();
            scope.spawn(move || {
                for n in 0..25 {
                    notes.put(&format!("{thread}-{n}"), &json!({ "n": n })).unwrap();
                }
            });
        }
    });
    assert_eq!(store.vault.collection("notes").unwrap().count().unwrap(), 100);
    assert_eq!(store.vault.status().unwrap().unsent_changes, 100);
}

#[test]
fn two_handles_on_one_file_see_each_other() {
    let store = store();
    let other = Vault::open(store.path(), Unlock::Key(&KEY)).unwrap();
    let (mine, theirs) = (store.vault.collection("n").unwrap(), other.collection("n").unwrap());
    for n in 0..10 {
        mine.put("x", &json!({ "mine": n })).unwrap();
        let seen = theirs.get("x").unwrap().unwrap();
        assert_eq!(seen.document["mine"], json!(n));
        theirs.put("y", &json!({ "theirs": n })).unwrap();
        assert_eq!(mine.get("y").unwrap().unwrap().document, json!({ "theirs": n }));
    }
    assert_eq!(store.vault.status().unwrap().unsent_changes, 20, "no change number twice");
}

#[test]
fn values_of_any_shape_survive_a_reopen() {
    let store = store();
    let mixed = store.vault.collection("mixed").unwrap();
    let values: Vec<Value> = vec![
        json!({}),
        json!({"a": {}}),
        json!({"": {"": ""}}),
        json!({"a.b": 1, "a": {"b": 2}}),
        json!({"quote\"d": 1, "nul\u{0}": "\u{0}"}),
        json!({"big": 9_007_199_254_740_991_i64, "tiny": 5e-324, "huge": 1.7e308}),
        json!({"text": "größe 日本 🦭"}),
    ];
    for (n, value) in values.iter().enumerate() {
        mixed.put(&n.to_string(), value).unwrap();
    }
    let again = Vault::open(store.path(), Unlock::Key(&KEY)).unwrap();
    let again = again.collection("mixed").unwrap();
    for (n, value) in values.iter().enumerate() {
        assert_eq!(&again.get(&n.to_string()).unwrap().unwrap().document, value);
        again.patch(&n.to_string(), &json!({"more": 1})).unwrap();
    }
}
