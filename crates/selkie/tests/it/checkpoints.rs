//! Checkpoints over a relay: what they save, what they never lose, and who is not believed.

mod evil;

use selkie::transport::MemoryRelay;
use selkie::{CollectionPolicy, EventKind, SyncReport, Vault};
use selkie_relay::{Background, Config};
use serde_json::{Value, json};

use crate::support::{Store, join, pair, raw_database, relay};

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

/// Text of a length that does not compress away.
fn text(seed: u64, words: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:016x}", state ^ (state >> 29))
    };
    (0..words).map(|_| word()).collect()
}

/// Every store makes a checkpoint as soon as there is a log.
fn eager(stores: &[&Store]) {
    stores.iter().for_each(|store| store.vault.set_checkpoint_log_bytes_min(0));
}

/// Two devices with `count` records, at a relay that holds nothing but a settled checkpoint of them.
fn settled(count: u64) -> (Background, Store, Store) {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    for n in 0..count {
        put(&phone, &n.to_string(), &json!({"n": n, "text": text(n, 4)}));
    }
    eager(&[&phone]);
    assert_eq!(sync(&phone, &relay.url()).checkpoints_made, 1);
    assert_eq!(sync(&laptop, &relay.url()).checkpoints_cosigned, 1);
    phone.vault.set_checkpoint_log_bytes_min(1 << 30);
    sync(&phone, &relay.url());
    (relay, phone, laptop)
}

#[test]
fn a_new_device_starts_from_a_checkpoint_and_says_when_all_is_there() {
    let (relay, phone, laptop) = settled(300);
    put(&phone, "later", &json!({"n": 1}));
    sync(&phone, &relay.url());
    let tablet = join(&phone, &relay.url());
    assert!(!tablet.vault.initial_sync_complete().unwrap());
    assert!(phone.vault.initial_sync_complete().unwrap(), "who made the vault waits for nothing");
    let watch = tablet.vault.watch();
    let mut seen = Vec::new();
    let report = tablet.vault.sync(&relay.url(), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!((report.checkpoints_applied, report.checkpoint_records), (1, 300));
    assert_eq!(report.changes_received, 1, "only what the checkpoint does not cover");
    assert!(report.initial_sync_completed && tablet.vault.initial_sync_complete().unwrap());
    assert!(seen.iter().any(|it| it.chunks > 0 && it.chunks <= it.chunks_total));
    let last = std::iter::from_fn(|| watch.try_next()).filter(|it| it.collection.is_empty());
    assert_eq!(last.map(|it| it.kind).collect::<Vec<_>>(), [EventKind::InitialSyncCompleted]);
    assert_equal(&[&phone, &tablet]);
    assert!(!sync(&tablet, &relay.url()).initial_sync_completed, "once");
    sync(&laptop, &relay.url());
    assert_equal(&[&phone, &laptop]);
    put(&tablet, "from-tablet", &json!({"n": 2}));
    sync(&tablet, &relay.url());
    sync(&phone, &relay.url());
    assert_equal(&[&phone, &tablet]);
}

#[test]
fn a_device_that_was_away_for_a_year_loses_nothing() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let tablet = join(&phone, &relay.url());
    let policy = CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    phone.vault.set_policy("notes", policy).unwrap();
    for n in 0..40 {
        put(&phone, &n.to_string(), &json!({"n": n, "text": text(n, 3)}));
    }
    for store in [&phone, &laptop, &tablet] {
        sync(store, &relay.url());
    }
    // The tablet goes away, with edits that nobody has: new, changed, deleted, and in conflict.
    put(&tablet, "new", &json!({"from": "tablet"}));
    put(&tablet, "1", &json!({"n": "tablet"}));
    tablet.vault.collection("notes").unwrap().delete("2").unwrap();
    tablet.vault.collection("notes").unwrap().delete("3").unwrap();
    tablet.vault.collection("notes").unwrap().patch("4", &json!({"mine": "edited"})).unwrap();
    // The others go on, and let go of the log again and again.
    eager(&[&phone, &laptop]);
    let mut settled = 0;
    for round in 0..12u64 {
        for n in (0..40).filter(|n| *n != 2) {
            let writer = if n % 2 == 0 { &phone } else { &laptop };
            put(writer, &n.to_string(), &json!({"n": round, "text": text(n + round, 12)}));
        }
        phone.vault.collection("notes").unwrap().delete("4").unwrap();
        for store in [&phone, &laptop, &phone, &laptop] {
            settled += sync(store, &relay.url()).checkpoints_cosigned;
        }
    }
    assert!(settled >= 2, "{settled}");
    let report = sync(&tablet, &relay.url());
    assert_eq!(report.checkpoints_applied, 1, "{report:?}");
    for store in [&phone, &laptop, &tablet, &phone] {
        sync(store, &relay.url());
    }
    assert_equal(&[&phone, &laptop, &tablet]);
    assert_eq!(get(&phone, "new"), Some(json!({"from": "tablet"})));
    assert_eq!(get(&phone, "2"), None, "its delete arrived");
    assert!(get(&phone, "3").is_some(), "an edit outlives a delete that had not seen it");
    assert_eq!(get(&phone, "4").unwrap()["mine"], "edited", "its edit outlives their delete");
    let open = |store: &Store| -> Vec<String> {
        let open = store.vault.conflicts(Some("notes")).unwrap();
        open.into_iter().map(|open| format!("{} {}", open.id, open.conflict.path)).collect()
    };
    assert_eq!(open(&tablet), ["1 n", "1 text"], "changed here, and there");
    assert_eq!(open(&phone), open(&tablet));
    let database = raw_database(&tablet.path());
    for table in ["dead_on_arrival", "ahead", "checkpoint_incoming", "held"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(database.query_row(&count, [], |row| row.get::<_, i64>(0)), Ok(0), "{table}");
    }
}

#[test]
fn own_segments_are_let_go_once_another_device_has_cosigned_and_never_before() {
    let bytes_of = |store: &Store| -> i64 {
        let sum = "SELECT coalesce(sum(length(bytes)), 0) FROM segment";
        raw_database(&store.path()).query_row(sum, [], |row| row.get(0)).unwrap()
    };
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let tablet = join(&phone, &relay.url());
    for n in 0..20 {
        put(&laptop, &n.to_string(), &json!({"n": n}));
    }
    eager(&[&laptop]);
    assert_eq!(sync(&laptop, &relay.url()).checkpoints_made, 1);
    sync(&laptop, &relay.url());
    assert!(bytes_of(&laptop) > 0, "nobody else is known to have them");
    assert_eq!(sync(&tablet, &relay.url()).checkpoints_cosigned, 1);
    sync(&laptop, &relay.url());
    assert_eq!(bytes_of(&laptop), 0);
    put(&laptop, "more", &json!({"n": 1}));
    laptop.vault.set_checkpoint_log_bytes_min(1 << 30);
    sync(&laptop, &relay.url());
    assert!(bytes_of(&laptop) > 0);
    for store in [&phone, &tablet] {
        sync(store, &relay.url());
    }
    assert_equal(&[&phone, &laptop, &tablet]);
}

#[test]
fn a_wiped_relay_gets_a_checkpoint_in_place_of_what_nobody_keeps_any_more() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    for n in 0..30 {
        put(&phone, &n.to_string(), &json!({"n": n}));
        put(&laptop, &format!("l{n}"), &json!({"n": n}));
    }
    eager(&[&phone, &laptop]);
    for store in [&phone, &laptop, &phone, &laptop, &phone, &laptop] {
        sync_memory(store, &relay);
    }
    for store in [&phone, &laptop] {
        store.vault.set_checkpoint_log_bytes_min(1 << 30);
        put(store, "after", &json!({"by": store.vault.device_id().to_string()}));
        sync_memory(store, &relay);
    }
    relay.wipe();
    put(&phone, "unsent", &json!({"n": 1}));
    let report = sync_memory(&phone, &relay);
    assert_eq!(report.checkpoints_made, 1, "{report:?}");
    assert_eq!(phone.vault.status().unwrap().unsent_changes, 0, "the checkpoint has them");
    put(&laptop, "unsent-too", &json!({"n": 1}));
    for store in [&laptop, &phone, &laptop, &phone] {
        sync_memory(store, &relay);
    }
    assert_equal(&[&phone, &laptop]);
    // Whoever comes now has everything from this relay alone.
    let tablet = join(&phone, &http.url());
    sync_memory(&phone, &relay);
    let report = sync_memory(&tablet, &relay);
    assert_eq!(report.checkpoints_applied, 1, "{report:?}");
    assert_equal(&[&phone, &laptop, &tablet]);
}

#[test]
fn a_relays_room_stays_within_bounds_under_endless_edits_of_the_same_records() {
    const LOG_BYTES_MIN: u64 = 64 * 1024;
    let mut config = Config::in_memory();
    // 200 records of about 300 bytes: a checkpoint, a candidate, and a log below the threshold.
    config.quotas.vault_bytes_max = 800 * 1024;
    let http = Background::start(config).unwrap();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    for store in [&phone, &laptop] {
        store.vault.set_checkpoint_log_bytes_min(LOG_BYTES_MIN);
    }
    let size_of = |relay: &MemoryRelay| -> u64 {
        relay.stored_bytes().iter().map(|bytes| bytes.len() as u64).sum()
    };
    let roster = {
        sync_memory(&phone, &relay);
        size_of(&relay)
    };
    let (mut largest, mut sent, mut largest_run) = (0, 0, 0);
    for round in 0..30u64 {
        for (writer, from) in [(&phone, 0), (&laptop, 100)] {
            let from = from + round % 4 * 25;
            let edit = |tx: &selkie::Transaction<'_>| {
                for n in from..from + 25u64 {
                    let document = json!({"round": round, "text": text(n * 31 + round, 16)});
                    tx.collection("notes")?.put(&n.to_string(), &document)?;
                }
                Ok(())
            };
            writer.vault.transaction(edit).unwrap();
        }
        for store in [&phone, &laptop, &phone] {
            let report = sync_memory(store, &relay);
            assert!(report.checkpoint_faults.is_empty(), "{report:?}");
            sent += report.bytes_sent;
            if report.checkpoints_made == 0 {
                largest_run = largest_run.max(report.bytes_sent);
            }
            let over_http = sync(store, &http.url());
            assert!(!over_http.quota_exhausted && over_http.checkpoint_faults.is_empty());
            largest = largest.max(size_of(&relay) - roster);
        }
    }
    assert_equal(&[&phone, &laptop]);
    // The checkpoint alone, as a new device takes it over.
    let fresh = MemoryRelay::new();
    phone.vault.set_checkpoint_log_bytes_min(0);
    let mut transport = fresh.connect(phone.vault.device_id());
    let made = phone.vault.sync_over("fresh", &mut transport, &mut |_| {}).unwrap();
    assert_eq!(made.checkpoints_made, 1);
    let live: u64 =
        fresh.stored_bytes().iter().map(|bytes| bytes.len() as u64).sum::<u64>() - roster;
    assert!(sent > 3 * live, "the edits alone were {sent} bytes beside {live}");
    // The log is looked at when a run ends, so that one run of each device may come on top.
    let bound = 2 * live + LOG_BYTES_MIN + 2 * largest_run;
    assert!(largest < bound, "{largest} of {bound}, {live} live, {largest_run} in a run");
}

#[test]
fn what_nothing_changed_in_is_not_sent_again() {
    let (relay, phone, laptop) = settled(600);
    let large = text(7, 20_000);
    put(&phone, "1", &json!({"text": large}));
    eager(&[&phone]);
    let report = sync(&phone, &relay.url());
    assert_eq!((report.checkpoints_made, report.checkpoint_chunks), (1, 1), "one shard");
    assert_eq!(sync(&laptop, &relay.url()).checkpoints_cosigned, 1);
    // Who co-signed knows the chunks too.
    put(&laptop, "1", &json!({"text": text(8, 20_000)}));
    put(&laptop, "1", &json!({"text": text(9, 20_000)}));
    eager(&[&laptop]);
    let report = sync(&laptop, &relay.url());
    assert_eq!((report.checkpoints_made, report.checkpoint_chunks), (1, 1), "one shard");
}

#[test]
fn a_lone_device_keeps_its_log_for_thirty_days() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
    let mut config = Config::in_memory();
    let clock = Arc::clone(&now_ms);
    config.clock = selkie_relay::Clock::from_fn(move || clock.load(Ordering::Relaxed));
    let relay = Background::start(config).unwrap();
    let phone = crate::support::store();
    eager(&[&phone]);
    put(&phone, "a", &json!({"n": 1}));
    assert_eq!(sync(&phone, &relay.url()).checkpoints_made, 1);
    put(&phone, "a", &json!({"n": 2}));
    assert_eq!(sync(&phone, &relay.url()).checkpoints_made, 0, "it waits already");
    now_ms.fetch_add(selkie_wire::limits::LONE_CHECKPOINT_MS, Ordering::Relaxed);
    put(&phone, "a", &json!({"n": 3}));
    sync(&phone, &relay.url());
    let again = sync(&phone, &relay.url());
    assert!(again.checkpoint_faults.is_empty(), "{again:?}");
    let kept = "SELECT min(length(bytes)) FROM segment";
    let kept: i64 = raw_database(&phone.path()).query_row(kept, [], |row| row.get(0)).unwrap();
    assert!(kept > 0, "nobody but the relay has them, and nobody says that it does");
    assert_eq!(get(&phone, "a"), Some(json!({"n": 3})));
}

#[test]
fn a_store_from_before_checkpoints_can_cosign() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "a", &json!({"n": 1}));
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    let path = laptop.path();
    {
        // As an older version left it, and the step that brings it up to date.
        let database = raw_database(&path);
        let new = ["accepted_segment", "shard_sealed", "checkpoint_incoming", "checkpoint_shard"];
        let new = new.iter().chain(&["ahead", "relay_checkpoint", "initial_sync"]);
        for table in new {
            database.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        }
        let step = include_str!("../../src/store/schema/3_checkpoint.sql");
        database.execute_batch(step).unwrap();
    }
    let Store { vault, directory: _directory, .. } = laptop;
    drop(vault);
    let vault = Vault::open(&path, selkie::Unlock::Key(&crate::support::KEY)).unwrap();
    eager(&[&phone]);
    put(&phone, "b", &json!({"n": 1}));
    sync(&phone, &relay.url());
    assert_eq!(vault.sync(&relay.url(), &mut |_| {}).unwrap().checkpoints_cosigned, 1);
}
