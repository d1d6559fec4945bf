//! What stays on one device, and what SQL may read.

use std::sync::atomic::{AtomicU64, Ordering};

use selkie::{CollectionPolicy, ErrorKind, FieldType, Query, SchemaAgreement, SchemaVersions};
use serde_json::json;

use crate::support::{KEY, Store, copy_of, pair, raw_database, relay, store};

#[test]
fn a_local_collection_never_enters_the_log_nor_reaches_another_device() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let sync = |store: &Store| {
        let _report = store.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    };
    for store in [&phone, &laptop] {
        store.vault.collection("drafts").unwrap().keep_local().unwrap();
    }
    let drafts = phone.vault.collection("drafts").unwrap();
    drafts.put("a", &json!({"text": "mine alone"})).unwrap();
    drafts.patch("a", &json!({"text": "still mine", "more": 1})).unwrap();
    drafts.put("b", &json!({})).unwrap();
    drafts.delete("b").unwrap();
    assert_eq!(phone.vault.status().unwrap().unsent_changes, 0);
    // One transaction over both: what syncs is one change, without a gap in the numbers.
    phone
        .vault
        .transaction(|tx| {
            tx.collection("notes")?.put("n", &json!({"n": 1}))?;
            tx.collection("drafts")?.put("c", &json!({"n": 1}))
        })
        .unwrap();
    assert_eq!(phone.vault.status().unwrap().unsent_changes, 1);
    phone.vault.collection("notes").unwrap().put("m", &json!({"n": 2})).unwrap();
    sync(&phone);
    sync(&laptop);
    assert_eq!(laptop.vault.collection("notes").unwrap().count().unwrap(), 2);
    assert_eq!(laptop.vault.collection("drafts").unwrap().count().unwrap(), 0);
    assert_eq!(phone.vault.digest().unwrap(), laptop.vault.digest().unwrap());
    assert_eq!(drafts.get("a").unwrap().unwrap().document["text"], "still mine");
    assert_eq!(phone.vault.history("drafts", "a").unwrap()[0].device, phone.vault.device_id());
    let again = copy_of(&phone);
    assert!(again.vault.collection("drafts").unwrap().is_local().unwrap());
    assert_eq!(again.vault.collection("drafts").unwrap().count().unwrap(), 2);
    let late = phone.vault.collection("notes").unwrap().keep_local().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_log_holds_no_byte_of_a_local_collection() {
    let store = store();
    let drafts = store.vault.collection("drafts").unwrap();
    drafts.keep_local().unwrap();
    drafts.put("a", &json!({"text": "canaryquokka"})).unwrap();
    store.vault.collection("notes").unwrap().put("n", &json!({"text": "walrus"})).unwrap();
    let path = store.path();
    drop((drafts, store.vault));
    let raw = raw_database(&path);
    let holds = |word: &str| -> i64 {
        let sql = "SELECT count(*) FROM log WHERE instr(bytes, CAST(?1 AS BLOB)) > 0";
        raw.query_row(sql, [word], |row| row.get(0)).unwrap()
    };
    assert_eq!((holds("walrus"), holds("canaryquokka"), holds("drafts")), (1, 0, 0));
}

#[test]
fn sql_reads_the_views_and_nothing_else() {
    let store = store();
    let birds = store.vault.collection("birds").unwrap();
    birds.put("a", &json!({"species": "Gentoo", "mass": 5000, "tags": ["x", "y"]})).unwrap();
    birds.put("b", &json!({"species": "Adelie", "mass": 3700})).unwrap();
    birds.delete("b").unwrap();
    let odd = store.vault.collection("it's \"odd\"").unwrap();
    odd.put("x", &json!({"n": 1})).unwrap();
    let sql = |text: &str| store.vault.sql(text, &[]);
    for (text, expected) in [
        ("SELECT id, document ->> 'mass' FROM v_birds", json!([["a", 5000]])),
        (
            "SELECT collection, count(*) FROM records GROUP BY 1",
            json!([["birds", 1], ["it's \"odd\"", 1]]),
        ),
        ("SELECT id FROM \"v_it's \"\"odd\"\"\"", json!([["x"]])),
        (
            "SELECT value FROM v_birds, json_each(document, '$.tags') ORDER BY 1",
            json!([["x"], ["y"]]),
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
            json!([[1], [2], [3]]),
        ),
        ("WITH mine AS (SELECT id FROM v_birds) SELECT upper(id) FROM mine", json!([["A"]])),
        ("SELECT conflicts, local_only FROM records WHERE id = 'a'", json!([[0, 0]])),
        ("SELECT x'ab01', NULL", json!([["ab01", null]])),
    ] {
        assert_eq!(
            json!(sql(text).unwrap_or_else(|e| panic!("{text} {e}")).rows),
            expected,
            "{text}"
        );
    }
    let mine = sql("SELECT updated_by FROM v_birds").unwrap().rows;
    assert_eq!(mine[0][0], json!(store.vault.device_id().to_string()));
    let bound = store.vault.sql("SELECT ? || ?", &[json!("a"), json!(1)]).unwrap();
    assert_eq!(json!(bound.rows), json!([["a1"]]));
    let files = std::fs::read_dir(store.directory.path()).unwrap().count();
    for text in [
        "SELECT * FROM local",
        "SELECT device_secrets FROM local",
        "SELECT key FROM epoch_key",
        "SELECT * FROM record",
        "SELECT state FROM record",
        "SELECT count(*) FROM local",
        "SELECT bytes FROM log",
        "SELECT * FROM _schema",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM temp.sqlite_schema",
        "SELECT * FROM sqlite_temp_master",
        "SELECT * FROM pragma_table_list",
        "SELECT * FROM main.record",
        "WITH records AS (SELECT * FROM local) SELECT * FROM records",
        "WITH v_birds AS (SELECT body FROM record) SELECT * FROM v_birds",
        "SELECT * FROM (SELECT key FROM epoch_key) AS v_birds",
        "SELECT (SELECT key FROM epoch_key) FROM v_birds",
        "SELECT id FROM v_birds UNION SELECT hex(device_secrets) FROM local",
        "SELECT rowid, state FROM v_birds",
        "INSERT INTO record (id) VALUES ('x')",
        "UPDATE v_birds SET id = 'x'",
        "DELETE FROM record",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "DROP VIEW records",
        "ATTACH 'plain.db' AS plain KEY ''",
        "VACUUM INTO 'plain.db'",
        "PRAGMA query_only = OFF",
        "PRAGMA key",
        "PRAGMA cipher_version",
        "BEGIN IMMEDIATE",
        "EXPLAIN SELECT 1; SELECT 2",
        "SELECT 1; SELECT 2",
        "SELECT load_extension('x')",
        "SELECT sqlcipher_export('x')",
        "SELECT fts5(1)",
        "SELECT vec_npy_each(1)",
        "SELECT randomblob(1)",
        "SELECT 'canaryquokka' FROM nothing",
        "",
    ] {
        let error = sql(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    assert_eq!(sql(endless).unwrap_err().kind(), ErrorKind::InvalidInput, "too many rows");
    assert_eq!(std::fs::read_dir(store.directory.path()).unwrap().count(), files);
    assert_eq!(birds.query(&Query::new()).unwrap().len(), 1);
}

#[test]
fn records_expire_on_the_device_that_wrote_them_and_elsewhere_a_day_later() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let sync = |store: &Store| {
        let _report = store.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    };
    let policy = CollectionPolicy { expire_after_ms: Some(7 * DAY_MS), ..Default::default() };
    phone.vault.set_policy("logs", policy).unwrap();
    let begin = phone.vault.collection("logs").unwrap().put("a", &json!({})).unwrap();
    phone.vault.collection("kept").unwrap().put("a", &json!({})).unwrap();
    let begin_ms = begin.created_at_ms;
    let at = |days: u64| {
        let ticks = AtomicU64::new(begin_ms + days * DAY_MS + 60_000);
        let clock = std::sync::Arc::new(ticks);
        for store in [&phone, &laptop] {
            let clock = std::sync::Arc::clone(&clock);
            store.vault.set_clock(move || clock.fetch_add(1, Ordering::Relaxed));
        }
    };
    at(6);
    phone.vault.collection("logs").unwrap().put("b", &json!({})).unwrap();
    sync(&phone);
    sync(&laptop);
    assert_eq!(laptop.vault.collection("logs").unwrap().count().unwrap(), 2);
    at(7);
    assert_eq!(laptop.vault.expire().unwrap(), 0, "not its own");
    assert_eq!(phone.vault.expire().unwrap(), 1);
    assert_eq!(phone.vault.collection("logs").unwrap().get("a").unwrap(), None);
    at(9);
    assert_eq!(laptop.vault.expire().unwrap(), 1, "the other has not come round to it");
    sync(&laptop);
    sync(&phone);
    sync(&laptop);
    assert_eq!(phone.vault.digest().unwrap(), laptop.vault.digest().unwrap());
    assert_eq!(laptop.vault.collection("logs").unwrap().count().unwrap(), 1);
    assert_eq!(laptop.vault.collection("kept").unwrap().count().unwrap(), 1);
}

#[test]
fn an_older_app_puts_a_document_and_loses_nothing_of_a_newer_one() {
    let store = store();
    let one = SchemaVersions::new().version(&[("title", FieldType::Value)]).unwrap();
    let newer = &[("tags", FieldType::Set), ("meta.stars", FieldType::Counter)];
    let two = one.clone().version(newer).unwrap();
    let new_app = store.vault.collection("notes").unwrap();
    assert_eq!(new_app.use_schema(&one).unwrap(), SchemaAgreement { app: 1, store: 1 });
    assert_eq!(new_app.use_schema(&two).unwrap(), SchemaAgreement { app: 2, store: 2 });
    let whole = json!({"title": "Milk", "tags": ["x"], "meta": {"stars": 3}, "free": 1});
    new_app.put("n", &whole).unwrap();
    let old_vault = selkie::Vault::open(store.path(), selkie::Unlock::Key(&KEY)).unwrap();
    let old_app = old_vault.collection("notes").unwrap();
    assert_eq!(old_app.use_schema(&one).unwrap(), SchemaAgreement { app: 1, store: 2 });
    old_app.put("n", &json!({"title": "Oat milk"})).unwrap();
    let kept = json!({"title": "Oat milk", "tags": ["x"], "meta": {"stars": 3}});
    assert_eq!(new_app.get("n").unwrap().unwrap().document, kept, "what it knows is its to remove");
    old_app.patch("n", &json!({"tags": null})).unwrap();
    new_app.put("n", &json!({"title": "Oat milk"})).unwrap();
    assert_eq!(new_app.get("n").unwrap().unwrap().document, json!({"title": "Oat milk"}));
    assert_eq!(store.vault.schema("notes").unwrap().type_at(&newer_path()), FieldType::Set);
    let rewritten = SchemaVersions::new().version(&[("title", FieldType::Set)]).unwrap();
    assert_eq!(new_app.use_schema(&rewritten).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(two.version(&[("title", FieldType::Value)]).is_err());
}

fn newer_path() -> selkie::FieldPath {
    selkie::FieldPath::parse("tags").unwrap()
}
