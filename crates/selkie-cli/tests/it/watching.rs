//! `sync --watch`, `status` of sync, `doctor` and `confirm-deletions`.

use serde_json::Value;

use crate::support::{Device, Relay, Running, join, run, sync};

/// The next event of that name.
fn next(watching: &mut Running, name: &str) -> Value {
    loop {
        let event = watching.next_value();
        if event["event"] == name {
            return event;
        }
    }
}

#[test]
fn a_watch_sends_what_is_written_and_receives_what_comes() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    join(&phone, &laptop, &relay.url);
    let arguments = ["sync", "--watch", "--relay", &relay.url, "--json"];
    let mut watching = Running::start(laptop.command(&arguments));
    next(&mut watching, "finished");
    // Another program on the same store.
    laptop.ok(&["put", "notes", "bread", "{}"]);
    while next(&mut watching, "finished")["report"]["changes_sent"] == 0 {}
    phone.ok(&["put", "notes", "milk", "{}"]);
    phone.ok(&["sync", "--relay", &relay.url]);
    phone.ok(&["get", "notes", "bread"]);
    while next(&mut watching, "finished")["report"]["changes_received"] == 0 {}
    laptop.ok(&["get", "notes", "milk"]);
    let (code, stderr) = watching.interrupt();
    assert_eq!((code, stderr.as_str()), (0, ""), "^C is a clean end");
    let status = laptop.value(&["status"]);
    assert_eq!((&status["state"], &status["unsent_changes"]), (&"up_to_date".into(), &0.into()));
}

#[test]
fn status_tells_how_sync_stands() {
    let relay = Relay::start();
    let phone = Device::new();
    let status = phone.value(&["status"]);
    assert_eq!(status["state"], "offline");
    // Who made the vault has nothing to wait for.
    assert_eq!(status["initial_sync_complete"], true);
    assert!(phone.ok(&["status"]).contains("never synced"));
    phone.ok(&["put", "notes", "milk", "{}"]);
    sync(&relay, [&phone]);
    let status = phone.value(&["status"]);
    assert_eq!(
        (&status["state"], &status["initial_sync_complete"]),
        (&"up_to_date".into(), &true.into())
    );
    let last = &status["relays"][0];
    assert_eq!((&last["link"], &last["changes_sent"]), (&"idle".into(), &1.into()));
    assert!(last["bytes_sent"].as_u64() > Some(0) && last["last_success_ms"].as_u64().is_some());
    assert!(phone.ok(&["status"]).starts_with("state       up to date\n"));
    drop(relay);
    let url = last["relay"].as_str().unwrap();
    phone.error(&["sync", "--relay", url]);
    let status = phone.value(&["status"]);
    let last = &status["relays"][0];
    assert_eq!((&status["state"], &last["link"]), (&"error".into(), &"backoff".into()));
    assert_eq!(last["error_code"], "network");
    assert!(last["next_retry_ms"].as_u64().is_some() && last["last_success_ms"].as_u64().is_some());
    assert!(phone.ok(&["status"]).contains("the last sync failed"));
}

#[test]
fn a_doctor_finds_nothing_wrong_with_what_is_well() {
    let relay = Relay::start();
    let phone = Device::new();
    phone.ok(&["put", "notes", "milk", "{}"]);
    sync(&relay, [&phone]);
    let checks = phone.values(&["doctor"]);
    for name in ["store", "chain", "keys", "clock", "space", "sync", "relay", "relay_clock"] {
        let check = checks.iter().find(|check| check["check"] == name);
        assert_eq!(
            check.unwrap_or_else(|| panic!("{name}: {checks:?}"))["level"],
            "ok",
            "{checks:?}"
        );
    }
    assert!(phone.ok(&["doctor"]).ends_with("all is well\n"));
}

#[test]
fn a_doctor_says_what_is_broken_and_what_to_do() {
    let phone = Device::new();
    let note = format!(r#"{{"text": "{}"}}"#, "x".repeat(20_000));
    phone.ok(&["put", "notes", "long", &note]);
    // A relay that is gone is told, with what to do.
    let done = phone.run(&["doctor", "--relay", "http://127.0.0.1:1", "--json"]);
    assert_eq!((done.code, done.error_code().as_str()), (5, "unwell"));
    let checks = done.values();
    let relay = checks.iter().find(|check| check["check"] == "relay").unwrap();
    assert!(relay["level"] == "fail" && relay["advice"].as_str().unwrap().contains("network"));
    // A page of the file that rotted.
    let mut bytes = std::fs::read(phone.store()).unwrap();
    let at = bytes.len() - 2_000;
    bytes[at] ^= 1;
    std::fs::write(phone.store(), bytes).unwrap();
    let done = phone.run(&["doctor", "--json"]);
    assert_eq!((done.code, done.error_code().as_str()), (5, "unwell"));
    let store = done.values().into_iter().find(|check| check["check"] == "store").unwrap();
    assert_eq!(store["level"], "fail");
    assert!(store["advice"].as_str().unwrap().contains("backup"));
}

#[test]
fn deletions_that_take_too_much_wait_for_a_yes() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    let notes: String = (0..30).map(|n| format!("{{\"id\": \"{n}\", \"n\": {n}}}\n")).collect();
    let notes = phone.file("notes.ndjson", notes);
    phone.ok(&["import", "notes", &notes, "--id-field", "id"]);
    join(&phone, &laptop, &relay.url);
    sync(&relay, [&laptop]);
    for n in 0..30 {
        phone.ok(&["delete", "notes", &format!("{n}")]);
    }
    sync(&relay, [&phone, &laptop]);
    let status = laptop.value(&["status"]);
    assert_eq!(status["held_deletions"][0]["records"], 30, "{status}");
    assert!(status["records"].as_u64() >= Some(15));
    let refused = run(laptop.command(&["confirm-deletions"]), b"n\n");
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(laptop.ok(&["status"]).contains("would delete"));
    let done = run(laptop.command(&["confirm-deletions"]), b"y\n");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(laptop.digest(), phone.digest());
    assert_eq!(laptop.value(&["confirm-deletions", "--yes"])["changes_applied"], 0);
}
