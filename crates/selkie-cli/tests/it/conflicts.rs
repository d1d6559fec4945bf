//! What two devices edit apart: shown side by side, decided by name, place or side.

use serde_json::json;

use crate::support::{Device, Relay, join};

/// Two devices that edited `birds/a` (mass), `birds/b` (mass, note) and deleted `birds/c` apart.
fn apart() -> (Relay, Device, Device) {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    for id in ["a", "b", "c"] {
        phone.ok(&["put", "birds", id, r#"{"mass": 4000, "note": ""}"#]);
    }
    phone.ok(&["policy", "birds", "--conflicts", "user_choice", "--on-delete", "user_choice"]);
    join(&phone, &laptop, &relay.url);
    phone.ok(&["patch", "birds", "a", r#"{"mass": 4100}"#]);
    laptop.ok(&["patch", "birds", "a", r#"{"mass": 4200}"#]);
    phone.ok(&["patch", "birds", "b", r#"{"mass": 4100}"#]);
    laptop.ok(&["patch", "birds", "b", r#"{"note": "ringed"}"#]);
    phone.ok(&["delete", "birds", "c"]);
    laptop.ok(&["patch", "birds", "c", r#"{"note": "seen"}"#]);
    sync(&relay, [&phone, &laptop, &phone]);
    (relay, phone, laptop)
}

fn sync<const N: usize>(relay: &Relay, devices: [&Device; N]) {
    for device in devices {
        device.ok(&["sync", "--relay", &relay.url]);
    }
}

#[test]
fn conflicts_are_the_same_on_both_devices_and_decided_once() {
    let (relay, phone, laptop) = apart();
    assert_eq!(phone.digest(), laptop.digest());
    let merged = phone.value(&["get", "birds", "b"]);
    assert_eq!(merged["document"], json!({"mass": 4100, "note": "ringed"}));

    let open = phone.values(&["conflicts"]);
    assert_eq!(open.len(), 2, "{open:?}");
    let names = |open: &[serde_json::Value]| {
        let mut names: Vec<_> = open.iter().map(|open| open["token"].to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&open), names(&laptop.values(&["conflicts"])));

    let edit = open.iter().find(|open| open["id"] == "a").unwrap();
    assert_eq!((&edit["field"], &edit["kind"]), (&json!("mass"), &json!("concurrent_edit")));
    let values: Vec<_> =
        edit["sides"].as_array().unwrap().iter().map(|s| s["value"].clone()).collect();
    assert_eq!(values, [json!(4100), json!(4200)]);
    assert_eq!(edit["sides"][1]["shown"], true);
    let short = edit["short_token"].as_str().unwrap();
    let resolved = phone.value(&["resolve", short, "--side", "1"]);
    assert_eq!(resolved["document"]["mass"], 4100);

    let delete = open.iter().find(|open| open["id"] == "c").unwrap();
    assert_eq!((&delete["field"], &delete["kind"]), (&json!(""), &json!("edit_vs_delete")));
    let gone =
        delete["sides"].as_array().unwrap().iter().find(|s| s["content"] == "deleted").unwrap();
    phone.ok(&["resolve", "birds/c", "--side", &gone["side"].to_string()]);

    sync(&relay, [&phone, &laptop]);
    assert_eq!(laptop.values(&["conflicts"]).len(), 0);
    assert_eq!(laptop.value(&["get", "birds", "a"])["document"]["mass"], 4100);
    assert_eq!(laptop.error(&["get", "birds", "c"]).0, 3);
    assert_eq!(laptop.digest(), phone.digest());
    // Decided already.
    assert_eq!(laptop.error(&["resolve", short, "--side", "1"]).0, 3);
}

#[test]
fn another_value_can_be_the_answer() {
    let (relay, phone, laptop) = apart();
    phone.ok(&["resolve", "birds/a/mass", "--value", "4150"]);
    sync(&relay, [&phone, &laptop]);
    assert_eq!(laptop.value(&["get", "birds", "a"])["document"]["mass"], 4150);
}

#[test]
fn a_conflict_that_changed_is_not_decided_by_its_old_name() {
    let (relay, phone, laptop) = apart();
    let open = phone.values(&["conflicts", "birds"]);
    let edit = open.iter().find(|open| open["id"] == "a").unwrap();
    laptop.ok(&["patch", "birds", "a", r#"{"mass": 4300}"#]);
    sync(&relay, [&laptop, &phone]);
    for name in ["short_token", "token"] {
        let (code, _) = phone.error(&["resolve", edit[name].as_str().unwrap(), "--side", "1"]);
        assert_eq!(code, 3);
    }
    assert_eq!(phone.value(&["get", "birds", "a"])["document"]["mass"], 4300);
}

#[test]
fn a_wrong_answer_is_refused() {
    let (_relay, phone, _laptop) = apart();
    for (arguments, code) in [
        (&["resolve", "birds/a", "--side", "3"][..], 7),
        (&["resolve", "birds/a", "--side", "0"], 2),
        (&["resolve", "birds/a", "--value", "{"], 7),
        (&["resolve", "birds/c", "--value", "1"], 7),
        (&["resolve", "birds/b", "--side", "1"], 3),
        (&["resolve", "birds/a", "--side", "1", "--value", "1"], 2),
        (&["resolve", "birds/a"], 2),
        (&["resolve"], 2),
    ] {
        assert_eq!(phone.error(arguments).0, code, "{arguments:?}");
    }
    assert_eq!(phone.values(&["conflicts"]).len(), 2);
}

#[test]
fn a_person_sees_the_sides_beside_each_other() {
    let (_relay, phone, _laptop) = apart();
    let text = phone.ok(&["conflicts"]);
    for part in [
        "birds/a  mass",
        "│ 4100",
        "│ 4200",
        "side 2  shown now",
        "this device",
        "delete the record",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let row = text.lines().find(|line| line.contains("4100")).unwrap();
    assert!(row.contains("4200"), "{text}");
}
