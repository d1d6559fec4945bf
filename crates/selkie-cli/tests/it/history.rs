//! Who changed what, what lost and why, and the way back.

use serde_json::{Value, json};

use crate::support::{Device, apart, sync};

#[test]
fn history_tells_writers_losers_and_who_decided() {
    let (relay, phone, laptop) = apart();
    phone.ok(&["resolve", "birds/a", "--side", "1"]);
    sync(&relay, [&phone, &laptop]);
    let history = phone.values(&["history", "birds", "a", "--field", "mass"]);
    let told: Vec<_> = history.iter().map(|entry| entry["value"].clone()).collect();
    assert_eq!(told, [json!(4000), json!(4100), json!(4200), json!(4100)]);
    let id = |device: &Device| device.value(&["status"])["device"].clone();
    let lost = &history[2];
    assert_eq!((&lost["lost"], &lost["device"]), (&json!(true), &id(&laptop)));
    assert_eq!(lost["replaced"]["by"], "person");
    assert_eq!(lost["replaced"]["device"], id(&phone));
    let stands = &history[3];
    assert_eq!((&stands["replaced"], &stands["decided_by"]), (&Value::Null, &json!("person")));

    let text = phone.ok(&["history", "birds", "a"]);
    for part in ["birds/a\n", "this device", "a person decided; stands", "lost 20", "mass", "note"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.lines().filter(|line| line.contains("lost")).count(), 1, "{text}");
}

#[test]
fn what_is_not_known_is_not_found() {
    let device = Device::new();
    device.ok(&["put", "notes", "a", r#"{"x": 1}"#]);
    for (arguments, code) in [
        (&["history", "notes", "b"][..], 3),
        (&["history", "notes", "a", "--field", "y"], 3),
        (&["history", "notes", "a", "--field", "x..y"], 2),
        (&["undo", "notes", "b"], 3),
        (&["restore", "notes", "b", "2h"], 3),
        (&["restore", "notes", "a", "yesterday"], 2),
        (&["restore", "notes", "a", "2100-01-01T00:00:00Z"], 2),
    ] {
        assert_eq!(device.error(arguments).0, code, "{arguments:?}");
    }
}

#[test]
fn undo_takes_back_the_last_change_and_itself() {
    let device = Device::new();
    device.ok(&["put", "notes", "a", r#"{"x": 1, "y": [1]}"#]);
    device.ok(&["put", "notes", "a", r#"{"x": 2}"#]);
    let (first, second) = (json!({"x": 1, "y": [1]}), json!({"x": 2}));
    for expected in [&first, &second, &first] {
        assert_eq!(device.value(&["undo", "notes", "a"])["document"], *expected);
    }
    device.ok(&["delete", "notes", "a"]);
    let text = device.ok(&["undo", "notes", "a"]);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), first);
    device.ok(&["put", "notes", "new", "{}"]);
    assert_eq!(device.value(&["undo", "notes", "new"])["deleted"], true);
}

#[test]
fn restore_brings_back_what_was_there_at_a_time() {
    let device = Device::new();
    let first = device.value(&["put", "notes", "a", r#"{"x": 1}"#]);
    let at_ms = first["updated_at_ms"].as_u64().unwrap();
    device.ok(&["put", "notes", "a", r#"{"x": 2}"#]);
    // A moment of the first write's very millisecond, as RFC 3339.
    let restored = device.value(&["restore", "notes", "a", &rfc3339(at_ms)]);
    assert_eq!(restored["document"], json!({"x": 1}));
    // Two hours ago there was nothing.
    assert_eq!(device.value(&["restore", "notes", "a", "2h"])["deleted"], true);
    assert_eq!(device.error(&["get", "notes", "a"]).0, 3);
    assert_eq!(device.value(&["undo", "notes", "a"])["document"], json!({"x": 1}));
}

fn rfc3339(unix_ms: u64) -> String {
    let (days, day_ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let mut year = 1970;
    let mut left = days;
    let year_days = |year: u64| {
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        365 + u64::from(is_leap)
    };
    while left >= year_days(year) {
        left -= year_days(year);
        year += 1;
    }
    let february = year_days(year) - 337;
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    let (hour, minute) = (day_ms / 3_600_000, day_ms / 60_000 % 60);
    let second_ms = day_ms % 60_000;
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}.{:03}Z",
        left + 1,
        second_ms / 1_000,
        second_ms % 1_000
    )
}
