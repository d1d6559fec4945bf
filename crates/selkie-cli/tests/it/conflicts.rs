//! What two devices edit apart: shown side by side, decided by name, place or side.

use serde_json::json;

use crate::support::{apart, sync};

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
    assert_eq!(edit["sides"][0]["document_after"], json!({"mass": 4100, "note": ""}));
    let day_ms = 24 * 60 * 60 * 1000;
    let times = ["deadline_ms", "since_ms"].map(|name| edit[name].as_u64().unwrap());
    assert_eq!((times[0] - times[1], &edit["suggestion"]), (day_ms, &json!(null)));
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
        (&["resolve", "birds/a", "--all", "newest"], 2),
        (&["resolve", "--all", "best"], 2),
        (&["resolve", "--dry-run"], 2),
        (&["conflicts", "--kind", "quarrel"], 2),
        (&["preferences", "--forget", "nothing"], 3),
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
        "concurrent_edit: two devices edited this field",
        "edit_vs_delete: one device",
        "side 1 gives  mass: 4100",
        "gives  no record",
        "settled in 23 h 59 min as side 2",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let row = text.lines().find(|line| line.contains("4100")).unwrap();
    assert!(row.contains("4200"), "{text}");
}

#[test]
fn many_conflicts_are_answered_alike_and_only_where_the_answer_exists() {
    let (relay, phone, laptop) = apart();
    let dry = phone.value(&["resolve", "--all", "oldest", "--dry-run"]);
    assert_eq!((&dry["resolved"], &dry["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!(phone.values(&["conflicts"]).len(), 2, "nothing was done");

    for (filter, resolved, left) in [
        (&["--all", "newest", "--collection", "other"][..], 0, 0),
        (&["--all", "suggested"], 0, 2),
        (&["--all", "kept", "--dry-run"], 1, 1),
        (&["--all", "deleted", "--kind", "concurrent_edit"], 0, 1),
        (&["--all", "kept", "--kind", "edit_vs_delete", "--collection", "birds"], 1, 0),
    ] {
        let done = phone.value(&[&["resolve"], filter].concat());
        assert_eq!((&done["resolved"], &done["left_open"]), (&json!(resolved), &json!(left)));
    }
    let text = phone.ok(&["resolve", "--all", "oldest"]);
    assert_eq!(text, "birds/a/mass  4100\nresolved 1 conflict (oldest)\n");
    sync(&relay, [&phone, &laptop]);
    assert_eq!(laptop.values(&["conflicts"]).len(), 0);
    assert_eq!(laptop.value(&["get", "birds", "a"])["document"]["mass"], 4100);
    assert_eq!(laptop.value(&["get", "birds", "c"])["document"]["note"], "seen");
}

#[test]
fn answers_become_suggestions_that_can_be_forgotten() {
    let (relay, phone, laptop) = apart();
    phone.ok(&["resolve", "birds/a", "--side", "1"]);
    sync(&relay, [&phone, &laptop]);
    phone.ok(&["patch", "birds", "a", r#"{"mass": 4300}"#]);
    laptop.ok(&["patch", "birds", "a", r#"{"mass": 4400}"#]);
    sync(&relay, [&phone, &laptop]);
    let edit = ["conflicts", "--kind", "concurrent_edit"];
    let open = laptop.value(&edit);
    assert_eq!(open["suggestion"], json!({"side": 1, "answer": "oldest", "support": 1, "of": 1}));
    let text = laptop.ok(&edit);
    assert!(text.contains("mass: 4300  ← suggested: oldest, 1 of 1"), "{text}");

    let known = laptop.values(&["preferences"]);
    assert_eq!(known[0]["answers"], json!({"oldest": 1}));
    let id = known[0]["preference"].as_str().unwrap();
    assert!(laptop.ok(&["preferences"]).contains(&format!("{id}  oldest 1")));
    laptop.ok(&["preferences", "--forget", id]);
    assert_eq!(laptop.values(&["preferences"]).len(), 0);
    assert_eq!(laptop.value(&edit)["suggestion"], json!(null));
    laptop.ok(&["resolve", "--all", "newest", "--kind", "concurrent_edit"]);
    assert_eq!(laptop.value(&["get", "birds", "a"])["document"]["mass"], 4400);
}
