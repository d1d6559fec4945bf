//! Live queries and readers: what is told, when, and that nobody waits who need not.

use std::time::Duration;

use selkie::{CollectionPolicy, ErrorKind, Filter, OpenOptions, Query, Unlock, Vault};
use serde_json::json;

use crate::support::{KEY, Store, pair, relay, store};

#[test]
fn a_live_query_tells_only_committed_differences_many_as_one() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("old", &json!({"n": 1})).unwrap();
    let query = Query::new().filter(Filter::parse("n < 10").unwrap()).descending("n").unwrap();
    let mut live = notes.live(&query);
    let first = live.next().unwrap().unwrap();
    assert_eq!((first.records.len(), first.added), (1, vec!["old".to_owned()]));
    let failed = store.vault.transaction(|tx| {
        tx.collection("notes")?.put("never", &json!({"n": 2}))?;
        assert!(live.try_next().is_none(), "not committed");
        Err::<(), _>(Filter::parse("").unwrap_err())
    });
    assert!(failed.is_err());
    assert!(live.try_next().is_none(), "rolled back");
    let writer = store.vault.clone();
    let writing = std::thread::spawn(move || {
        let notes = writer.collection("notes").unwrap();
        for n in 0..50 {
            notes.put(&format!("{n}"), &json!({"n": n})).unwrap();
        }
        notes.patch("old", &json!({"n": 9.5})).unwrap();
    });
    writing.join().unwrap();
    let next = live.next().unwrap().unwrap();
    assert_eq!((next.added.len(), next.changed.as_slice()), (10, &["old".to_owned()][..]));
    assert_eq!(next.records[0].id, "old", "in the query's order");
    assert!(live.try_next().is_none(), "told as one");
    notes.put("far", &json!({"n": 100})).unwrap();
    store.vault.collection("other").unwrap().put("x", &json!({"n": 1})).unwrap();
    assert!(live.try_next().is_none(), "nothing that it asks for");
    notes.patch("3", &json!({"n": 30})).unwrap();
    assert_eq!(live.next_within(Duration::MAX).unwrap().unwrap().removed, ["3"]);
    drop((notes, store));
    assert!(live.next().is_none(), "the vault is closed");
}

#[test]
fn a_live_query_sees_what_arrives_by_sync_and_a_changed_policy() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let sync = |store: &Store| {
        let _report = store.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    };
    let here = phone.vault.collection("notes").unwrap();
    let there = laptop.vault.collection("notes").unwrap();
    let ahead = phone.vault.clone();
    let mut live = there.live(&Query::new());
    assert!(live.next().unwrap().unwrap().records.is_empty());
    here.put("a", &json!({"n": 1})).unwrap();
    sync(&phone);
    sync(&laptop);
    let told = live.next().unwrap().unwrap();
    assert_eq!(told.added, ["a"]);
    assert_eq!(told.records[0].updated_by, Some(ahead.device_id()));
    there.patch("a", &json!({"n": 2})).unwrap();
    here.patch("a", &json!({"n": 3})).unwrap();
    sync(&phone);
    sync(&laptop);
    let both = live.next().unwrap().unwrap();
    assert_eq!(both.changed, ["a"]);
    let asking = CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    laptop.vault.set_policy("notes", asking).unwrap();
    assert_eq!(live.next().unwrap().unwrap().records[0].conflicts, 1);
}

#[test]
fn reads_do_not_wait_for_a_write_and_see_the_state_before_it() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("a", &json!({"n": 1})).unwrap();
    store
        .vault
        .transaction(|tx| {
            tx.collection("notes")?.put("a", &json!({"n": 2}))?;
            tx.collection("notes")?.put("b", &json!({"n": 2}))?;
            // On this thread and on others: each would wait for ever if it waited for the write.
            assert_eq!(notes.get("a")?.unwrap().document["n"], 1);
            assert_eq!(notes.count()?, 1);
            let other = notes.clone();
            let read = std::thread::spawn(move || other.query(&Query::new()).unwrap().len());
            assert_eq!(read.join().unwrap(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(notes.count().unwrap(), 2);
    assert_eq!(notes.get("a").unwrap().unwrap().document["n"], 2);
}

#[test]
fn a_savepoint_takes_back_its_own_part_and_no_more() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("a", &json!({"n": 1})).unwrap();
    notes.put("b", &json!({"n": 1})).unwrap();
    let fail = || Filter::parse("").unwrap_err();
    store
        .vault
        .transaction(|tx| {
            let notes = tx.collection("notes")?;
            notes.put("a", &json!({"n": 2}))?;
            let failed: Result<(), _> = tx.savepoint(|tx| {
                let notes = tx.collection("notes")?;
                notes.put("a", &json!({"n": 3}))?;
                notes.delete("b")?;
                notes.put("new", &json!({}))?;
                // Released into the one around it, and so taken back with it.
                tx.savepoint(|tx| tx.collection("notes")?.put("a", &json!({"n": 4})).map(drop))?;
                Err(fail())
            });
            assert!(failed.is_err());
            assert_eq!(notes.get("a")?.unwrap().document["n"], 2);
            assert_eq!(notes.get("new")?, None);
            tx.savepoint(|tx| {
                tx.collection("notes")?.put("kept", &json!({"n": 5}))?;
                let inner: Result<(), _> = tx.savepoint(|tx| {
                    tx.collection("notes")?.delete("kept")?;
                    Err(fail())
                });
                assert!(inner.is_err());
                Ok(())
            })
        })
        .unwrap();
    let all = notes.query(&Query::new()).unwrap();
    let shown: Vec<_> =
        all.iter().map(|record| (record.id.as_str(), record.document["n"].clone())).collect();
    assert_eq!(shown, [("a", json!(2)), ("b", json!(1)), ("kept", json!(5))]);
}

/// A second handle on the same file has connections of its own, as another process has.
#[test]
fn a_second_writer_is_refused_or_waits_as_asked() {
    let store = store();
    let open = |options: OpenOptions| {
        let other = Vault::open_with(store.path(), Unlock::Key(&KEY), &options).unwrap();
        other.collection("notes").unwrap()
    };
    let hasty = open(OpenOptions::new().fail_when_busy());
    let patient = open(OpenOptions::new().wait_for_writer(Duration::from_secs(600)));
    let waiting = store
        .vault
        .transaction(|tx| {
            tx.collection("notes")?.put("a", &json!({"by": "the first"}))?;
            let refused = hasty.put("b", &json!({})).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Busy);
            assert!(refused.to_string().contains("another process"), "{refused}");
            assert_eq!(hasty.count()?, 0, "reads do not wait");
            Ok(std::thread::spawn(move || patient.put("c", &json!({})).map(drop)))
        })
        .unwrap();
    waiting.join().unwrap().unwrap();
    assert_eq!(hasty.count().unwrap(), 2);
    hasty.put("b", &json!({})).unwrap();
}
