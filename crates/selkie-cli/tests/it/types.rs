//! Field types, unique values and validation, by the command line.

use serde_json::json;

use crate::support::{Device, Relay, join, sync};

#[test]
fn a_schema_is_shown_set_and_taken_away() {
    let device = Device::new();
    assert_eq!(device.value(&["schema", "notes"])["fields"], json!({}));
    let rules = r#"{"type": "object", "required": ["title"]}"#;
    let file = device.file("rules.json", rules);
    let schema = device.value(&[
        "schema",
        "notes",
        "--field",
        "tags=set",
        "--field",
        "address=atomic",
        "--unique",
        "mail",
        "--validation",
        &file,
    ]);
    assert_eq!(schema["fields"], json!({"address": "atomic", "tags": "set"}));
    assert_eq!(schema["unique"], json!(["mail"]));
    assert_eq!(device.value(&["schema", "notes"]), schema);
    assert_eq!(device.error(&["put", "notes", "a", "{}"]).0, 7);
    let text = device.ok(&["schema", "notes"]);
    for part in ["field       tags: set", "unique      mail", "validation  {"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    device.ok(&["put", "notes", "a", r#"{"title": "x", "mail": "m"}"#]);
    assert_eq!(device.error(&["put", "notes", "b", r#"{"title": "x", "mail": "m"}"#]).0, 7);
    let gone = device.value(&[
        "schema",
        "notes",
        "--remove",
        "mail",
        "--remove",
        "tags",
        "--no-validation",
    ]);
    assert_eq!(gone["fields"], json!({"address": "atomic"}));
    device.ok(&["put", "notes", "b", r#"{"mail": "m"}"#]);

    let broken = device.file("broken.json", r#"{"type": 7}"#);
    for (arguments, code) in [
        (&["schema", "notes", "--field", "tags=bag"][..], 7),
        (&["schema", "notes", "--field", "tags"], 2),
        (&["schema", "notes", "--remove", "nothing"], 3),
        (&["schema", "notes", "--validation", "nowhere.json"], 3),
        (&["schema", "notes", "--validation", &broken], 7),
    ] {
        assert_eq!(device.error(arguments).0, code, "{arguments:?}");
    }
}

#[test]
fn sets_and_counters_merge_by_themselves_and_unique_values_are_listed() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    phone.ok(&[
        "schema",
        "birds",
        "--field",
        "tags=set",
        "--field",
        "seen=counter",
        "--unique",
        "ring",
    ]);
    phone.ok(&["put", "birds", "a", r#"{"tags": ["ringed"], "seen": 1}"#]);
    join(&phone, &laptop, &relay.url);
    phone.ok(&["patch", "birds", "a", r#"{"tags": ["ringed", "nesting"], "seen": 2}"#]);
    laptop.ok(&["patch", "birds", "a", r#"{"tags": ["ringed", "moulting"], "seen": 3}"#]);
    phone.ok(&["put", "birds", "p", r#"{"ring": "X1"}"#]);
    laptop.ok(&["put", "birds", "l", r#"{"ring": "X1"}"#]);
    sync(&relay, [&phone, &laptop, &phone]);
    assert_eq!(phone.digest(), laptop.digest());
    let document = phone.value(&["get", "birds", "a"])["document"].clone();
    assert_eq!(document["seen"], 4, "{document}");
    let mut tags: Vec<_> = document["tags"].as_array().unwrap().clone();
    tags.sort_by_key(ToString::to_string);
    assert_eq!(tags, ["moulting", "nesting", "ringed"]);

    let clash = phone.value(&["conflicts"]);
    assert_eq!(clash["kind"], "unique_key");
    assert_eq!((&clash["value"], &clash["ids"]), (&json!("X1"), &json!(["l", "p"])));
    for (filter, count) in [
        (&["--kind", "unique_key"][..], 1),
        (&["--kind", "concurrent_edit"], 0),
        (&["--collection", "birds"], 1),
        (&["--collection", "other"], 0),
    ] {
        let arguments = [&["conflicts"], filter].concat();
        assert_eq!(laptop.values(&arguments).len(), count, "{filter:?}");
    }
    let text = phone.ok(&["conflicts"]);
    for part in ["unique_key", "record   birds/l", "record   birds/p", "selkie delete birds p"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(phone.ok(&["status"]).contains("1 value in several records"));
    assert_eq!(phone.error(&["resolve", "--kind", "unique_key"]).0, 2);
    phone.ok(&["patch", "birds", "p", r#"{"ring": "X2"}"#]);
    assert_eq!(phone.values(&["conflicts"]).len(), 0);
}

#[test]
fn the_highest_priority_is_shown_whoever_wrote_last() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    phone.ok(&["policy", "tasks", "--conflicts", "priority"]);
    phone.ok(&["put", "tasks", "a", r#"{"due": "later"}"#]);
    join(&phone, &laptop, &relay.url);
    phone.ok(&["put", "tasks", "a", r#"{"due": "today"}"#, "--priority", "5"]);
    laptop.ok(&["put", "tasks", "a", r#"{"due": "never"}"#, "--priority", "-1"]);
    sync(&relay, [&phone, &laptop, &phone]);
    for device in [&phone, &laptop] {
        assert_eq!(device.value(&["get", "tasks", "a"])["document"]["due"], "today");
    }
    let new = phone.value(&["put", "tasks", "--new", "{}", "--priority", "3"]);
    assert_eq!(new["document"], json!({}));
}

#[test]
fn every_part_of_a_policy_is_set_and_shown() {
    let device = Device::new();
    let id = device.value(&["status"])["device"].as_str().unwrap().to_owned();
    let ranks = format!("device:{id}=2");
    let policy = device.value(&[
        "policy",
        "notes",
        "--conflicts",
        "custom:sum",
        "--priority-from",
        &ranks,
        "--deadline",
        "3d",
        "--history",
        "90d",
        "--learned",
        "on",
        "--field",
        "x=merge",
        "--field",
        "y=priority",
    ]);
    for (name, value) in [
        ("conflicts", json!("custom:sum")),
        ("priority_from", json!(ranks)),
        ("deadline_ms", json!(3 * 24 * 60 * 60 * 1000_u64)),
        ("history_ms", json!(90 * 24 * 60 * 60 * 1000_u64)),
        ("learned", json!(true)),
        ("fields", json!({"x": "merge", "y": "priority"})),
    ] {
        assert_eq!(policy[name], value, "{name}");
    }
    assert_eq!(device.value(&["policy", "notes"]), policy, "showing changes nothing");
    let text = device.ok(&["policy", "notes", "--no-field", "y", "--priority-from", "field:u.v"]);
    for part in ["custom:sum", "x: merge", "field:u.v", "deadline       3d", "history        90d"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("y: "), "{text}");
    for wrong in [
        ["--priority-from", "device:me=1"],
        ["--deadline", "soon"],
        ["--learned", "maybe"],
        ["--history", "d"],
    ] {
        let arguments = [&["policy", "notes"], &wrong[..]].concat();
        assert_eq!(device.error(&arguments).0, 2, "{wrong:?}");
    }
    assert_eq!(device.error(&["policy", "notes", "--no-field", "y"]).0, 3);
}
