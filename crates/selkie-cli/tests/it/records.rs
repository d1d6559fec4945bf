//! One device alone: writing, reading, finding, changing, deleting.

use serde_json::json;

use crate::support::{Device, run, selkie};

#[test]
fn a_record_is_written_read_patched_and_deleted() {
    let device = Device::new();
    let put = device.value(&["put", "notes", "milk", r#"{"title": "Milk", "n": 2.0}"#]);
    assert_eq!(put["id"], "milk");
    assert_eq!(put["document"], json!({"title": "Milk", "n": 2}));

    device.ok(&["patch", "notes", "milk", r#"{"n": null, "shop": {"town": "Turku"}}"#]);
    let get = device.value(&["get", "notes", "milk"]);
    let mut keys: Vec<_> = get.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "collection",
            "conflicts",
            "created_at_ms",
            "document",
            "id",
            "updated_at_ms",
            "updated_by"
        ]
    );
    assert_eq!(get["document"], json!({"title": "Milk", "shop": {"town": "Turku"}}));
    assert!(get["updated_at_ms"].as_u64() >= get["created_at_ms"].as_u64());
    assert_eq!(get["created_at_ms"], put["created_at_ms"]);

    let text = device.ok(&["get", "notes", "milk"]);
    assert!(text.starts_with("{\n  \"shop\""), "{text}");
    assert!(!text.contains('\x1b'), "colour in a pipe: {text:?}");

    assert_eq!(
        device.value(&["delete", "notes", "milk"]),
        json!({"collection": "notes", "id": "milk", "deleted": true})
    );
    for missing in [["get", "notes", "milk"], ["delete", "notes", "milk"]] {
        assert_eq!(device.error(&missing), (3, "record_not_found".to_owned()));
    }
    assert_eq!(device.error(&["patch", "notes", "milk", "{}"]).0, 3);
}

#[test]
fn a_document_comes_from_standard_input_too() {
    let device = Device::new();
    for arguments in [&["put", "notes", "a", "-"][..], &["put", "notes", "b"]] {
        let done = device.run_with(arguments, r#"{"from": "stdin"}"#);
        assert_eq!(done.code, 0, "{done:?}");
    }
    let new = device.run_with(&["put", "notes", "--new", "--json"], r#"{"from": "stdin"}"#);
    assert_eq!(new.values()[0]["document"], json!({"from": "stdin"}));
    assert_eq!(device.values(&["list", "notes"]).len(), 3);
}

#[test]
fn generated_ids_keep_the_order_of_writing() {
    let device = Device::new();
    let ids: Vec<_> = (0..3)
        .map(|n| device.value(&["put", "log", "--new", &format!("{{\"n\": {n}}}")])["id"].clone())
        .collect();
    let listed: Vec<_> = device.values(&["list", "log"]).iter().map(|r| r["id"].clone()).collect();
    assert_eq!(listed, ids);
}

#[test]
fn lists_are_paged_and_collections_counted() {
    let device = Device::new();
    let lines: String = (0..1_203).map(|n| format!("{{\"id\": \"{n:04}\"}}\n")).collect();
    device.run_with(&["import", "many"], lines);
    device.ok(&["put", "few", "a", "{}"]);
    assert_eq!(
        device.values(&["list"]),
        [
            json!({"collection": "few", "records": 1}),
            json!({"collection": "many", "records": 1_203})
        ]
    );
    // More than one page of the library, and the page that is exactly full.
    assert_eq!(device.values(&["list", "many"]).len(), 1_203);
    assert_eq!(device.values(&["list", "many", "--limit", "500"]).len(), 500);
    let page = device.values(&["list", "many", "--after", "0009", "--limit", "2"]);
    assert_eq!((&page[0]["id"], &page[1]["id"]), (&json!("0010"), &json!("0011")));
    assert_eq!(device.values(&["list", "none"]).len(), 0);
}

#[test]
fn a_query_finds_what_passes_all_filters() {
    let device = Device::new();
    for (id, document) in [
        ("a", r#"{"species": "Gentoo", "mass": 5400, "seen": {"by": "Ann"}}"#),
        ("b", r#"{"species": "Gentoo", "mass": 4900}"#),
        ("c", r#"{"species": "Adelie", "mass": 5500}"#),
    ] {
        device.ok(&["put", "birds", id, document]);
    }
    for (filters, found) in [
        (&["species = Gentoo"][..], "ab"),
        (&["species = Gentoo", "mass > 5000"], "a"),
        (&["species != Gentoo"], "c"),
        (&["mass <= 5400"], "ab"),
        (&["species ~ Ge"], "ab"),
        (&["seen.by"], "a"),
        (&["species = Chinstrap"], ""),
    ] {
        let records = device.values(&[&["query", "birds"], filters].concat());
        let ids: String = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
        assert_eq!(ids, found, "{filters:?}");
    }
    assert_eq!(device.values(&["query", "birds", "mass > 0", "--limit", "1"]).len(), 1);
    assert_eq!(device.error(&["query", "birds", "= 3"]).0, 7);
    assert_eq!(device.error(&["query", "birds"]).0, 2);
}

#[test]
fn the_policy_of_a_collection_is_shown_and_set() {
    let device = Device::new();
    let policy = device.value(&["policy", "birds"]);
    assert_eq!(policy["conflicts"], "timestamp");
    assert_eq!(policy["on_delete"], "edit_wins");
    let set = ["policy", "birds", "--conflicts", "user_choice", "--field", "seen.by=timestamp"];
    device.ok(&set);
    device.ok(&["policy", "birds", "--on-delete", "delete_wins"]);
    let policy = device.value(&["policy", "birds"]);
    assert_eq!(policy["conflicts"], "user_choice");
    assert_eq!(policy["on_delete"], "delete_wins");
    assert_eq!(policy["fields"], json!({"seen.by": "timestamp"}));
    let wrong = ["policy", "birds", "--conflicts", "best"];
    assert_eq!(device.error(&wrong), (7, "unknown_policy".to_owned()));
}

#[test]
fn status_tells_what_is_there() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    let status = device.value(&["status"]);
    assert_eq!(status["records"], 1);
    assert_eq!(status["unsent_changes"], 1);
    assert_eq!(status["open_conflicts"], 0);
    assert_eq!(status["last_sync"], json!(null));
    assert_eq!(status["digest"], json!(null));
    let devices = device.values(&["devices"]);
    assert_eq!(
        devices,
        [json!({
            "device": status["device"],
            "this_device": true,
            "revoked": false,
            "last_heard_ms": null,
            "quarantined": 0,
        })]
    );
}

#[test]
fn the_store_is_found_by_environment_and_in_the_data_folder() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    let mut command = selkie();
    command.env("SELKIE_STORE", device.store());
    command.arg("--passphrase-file").arg(device.path("passphrase")).args(["list", "notes"]);
    assert!(run(command, b"").stdout.starts_with("milk"));

    let home = tempfile::tempdir().unwrap();
    let mut command = selkie();
    command.env("HOME", home.path()).env("XDG_DATA_HOME", home.path()).arg("status");
    let done = run(command, b"");
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains(home.path().to_str().unwrap()), "{done:?}");
    assert!(done.stderr.contains("help: make one with: selkie init"), "{done:?}");
}
