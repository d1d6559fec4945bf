//! Tests of the anonymiser: names in any spelling, keys, texts, traces, depth.

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn clean(value: &Value) -> Value {
    DataAnonymizer::new().anonymize(value).value
}

#[test]
fn the_names_of_the_user_are_seen_in_every_spelling() {
    let words = [
        ("email", Sensitive::Email),
        ("phone", Sensitive::Phone),
        ("name", Sensitive::Name),
        ("address", Sensitive::Address),
        ("device_id", Sensitive::DeviceId),
        ("location", Sensitive::Location),
        ("biometric", Sensitive::Biometric),
    ];
    for (word, sensitive) in words {
        let camel = |word: &str| {
            let parts = word.split('_').map(|part| part[..1].to_uppercase() + &part[1..]);
            parts.collect::<String>()
        };
        let upper = word.to_uppercase();
        let wide: String = word
            .chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c != '_').unwrap_or(c))
            .collect();
        let glued = word.replace('_', "");
        let zero_width = format!("{}\u{200b}{}", &word[..2], &word[2..]);
        for key in [
            word.to_owned(),
            upper.clone(),
            camel(word),
            wide,
            glued.clone(),
            format!("user_{word}"),
            format!("user{}", camel(word)),
            format!("USER-{upper}"),
            format!("user{glued}"),
            format!("my.{word}.2"),
            format!("{word}_hash"),
            format!("{word}Value1"),
            format!("{word} of the owner"),
            format!("primary_{word}_text"),
            format!("2nd_{word}"),
            format!("x{}", camel(word)),
            format!(" {word}\t"),
            zero_width,
        ] {
            assert_eq!(sensitive_name(&key), Some(sensitive), "{key:?}");
        }
    }
}

#[test]
fn plurals_accents_languages_and_compounds_are_seen() {
    for (key, sensitive) in [
        ("emails", Sensitive::Email),
        ("E-Mail", Sensitive::Email),
        ("EMailAddress", Sensitive::Address),
        ("phones", Sensitive::Phone),
        ("p.h.o.n.e", Sensitive::Phone),
        ("téléphone", Sensitive::Phone),
        ("mobileNumber", Sensitive::Phone),
        ("firstName", Sensitive::Name),
        ("lastname", Sensitive::Name),
        ("full name", Sensitive::Name),
        ("Prénom", Sensitive::Name),
        ("addresses", Sensitive::Address),
        ("Straße", Sensitive::Address),
        ("zip_code", Sensitive::Address),
        ("deviceID", Sensitive::DeviceId),
        ("device_info", Sensitive::DeviceId),
        ("IMEI", Sensitive::DeviceId),
        ("hostname", Sensitive::DeviceId),
        ("host_name", Sensitive::DeviceId),
        ("ip_addr", Sensitive::Address),
        ("lat", Sensitive::Location),
        ("lng", Sensitive::Location),
        ("lastKnownLocation", Sensitive::Location),
        ("gps_coords", Sensitive::Location),
        ("faceID", Sensitive::Biometric),
        ("fingerprints", Sensitive::Biometric),
        ("biometrics_enabled", Sensitive::Biometric),
        ("dateOfBirth", Sensitive::Identity),
        ("user_id", Sensitive::Identity),
        ("apiKey", Sensitive::Secret),
        ("PASSWORD", Sensitive::Secret),
    ] {
        assert_eq!(sensitive_name(key), Some(sensitive), "{key}");
    }
}

#[test]
fn names_of_things_are_left_alone() {
    for key in [
        "filename",
        "file_name",
        "modelName",
        "event_name",
        "class",
        "rename",
        "tournament",
        "memory_address",
        "allocation",
        "memory_allocation",
        "microphone",
        "headphones",
        "latency_ms",
        "platform",
        "longest",
        "telemetry",
        "cellular",
        "email_count",
        "device_type",
        "deviceModel",
        "phone_verified",
        "id",
        "uuid",
        "count",
        "interface",
        "surface",
        "gopher",
        "mailbox_size",
        "tiptoe",
        "ship",
        "zipper",
        "geometry",
        "belongs_to",
        "",
        "___",
        "123",
        "日本語",
    ] {
        assert_eq!(sensitive_name(key), None, "{key}");
    }
}

#[test]
fn values_are_removed_at_any_depth_in_arrays_and_whole() {
    let value = json!({
        "a": {"b": [{"Email": "x@y.example"}, {"deep": {"user_phone": 33_612_345_678u64}}]},
        "users": [{"name": {"first": "Anna", "last": "Quay"}}, {"name": ["Anna"]}],
        "email": null,
        "ok": [1, 2.5, true, "text"],
    });
    let before = value.clone();
    let done = DataAnonymizer::new().anonymize(&value);
    assert_eq!(
        done.value,
        json!({
            "a": {"b": [{"Email": "[email]"}, {"deep": {"user_phone": "[phone]"}}]},
            "users": [{"name": "[name]"}, {"name": "[name]"}],
            "email": null,
            "ok": [1, 2.5, true, "text"],
        })
    );
    assert_eq!(value, before, "the value given is not touched");
    assert_eq!(done.report.by_name[&Sensitive::Name], 2);
    assert_eq!(done.report.total(), 4);
}

#[test]
fn personal_keys_are_replaced_and_stay_apart() {
    let value = json!({"anna@example.com": 1, "bob@example.com": {"x": 2}, "[email]": 3});
    let clean = clean(&value);
    let keys: Vec<&String> = clean.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| key.starts_with("[email]")), "{keys:?}");
    assert!(!clean.to_string().contains("example"));
}

#[test]
fn texts_that_hold_json_are_looked_into() {
    let inner = json!({"user_email": "x", "n": 1}).to_string();
    let twice = json!([inner.clone()]).to_string();
    let quoted = Value::from(inner.as_str()).to_string();
    for (text, expected) in [
        (inner.as_str(), r#"{"n":1,"user_email":"[email]"}"#),
        (twice.as_str(), r#"["{\"n\":1,\"user_email\":\"[email]\"}"]"#),
        (quoted.as_str(), r#"{"n":1,"user_email":"[email]"}"#),
        ("{not json} a@b.example", "{not json} [email]"),
    ] {
        assert_eq!(clean(&json!({"body": text}))["body"], expected);
    }
}

#[test]
fn a_pair_of_name_and_value_counts_as_a_field() {
    let value = json!([{"key": "email", "value": "anna"}, {"name": "colour", "value": "red"}]);
    let clean = clean(&value);
    assert_eq!(clean[0], json!({"key": "email", "value": "[email]"}));
    assert_eq!(clean[1]["value"], "red");
}

#[test]
fn counts_of_tokens_stay_and_tokens_go() {
    assert_eq!(
        clean(
            &json!({"max_tokens": 512, "tokens": 17, "token": "abc", "password": 123456, "cvv": 123})
        ),
        json!({"max_tokens": 512, "tokens": 17, "token": "[secret]", "password": "[secret]", "cvv": "[secret]"})
    );
}

#[test]
fn numbers_of_cards_without_quotes_go() {
    assert_eq!(clean(&json!({"n": 4111111111111111u64})), json!({"n": "[card]"}));
    assert_eq!(clean(&json!({"n": 1764000000000u64})), json!({"n": 1764000000000u64}));
}

#[test]
fn what_is_too_deep_is_removed_instead_of_overlooked() {
    let mut deep = json!("anna@example.com");
    for _ in 0..3000 {
        deep = json!([deep]);
    }
    let done = DataAnonymizer::new().anonymize(&deep);
    assert_eq!(done.report.too_deep, 1);
    // serde_json drops nested values one inside the other, on a small stack.
    std::mem::forget(deep);
}

#[test]
fn stack_traces_keep_listed_frames_only() {
    let home = concat!("/", "home/alice/");
    let python = format!(
        "Traceback (most recent call last):\n  File \"{home}app/train.py\", line 7, in step\n    \
         load(\"anna.csv\")\n  File \"{home}app/io.py\", line 3, in load\n    open(name)\n\
         FileNotFoundError: no such file: {home}anna.csv"
    );
    let javascript = "TypeError: Cannot read anna@example.com\n    at step (file:///app/train.js:7:3)\n    \
                      at Object.<anonymous> (/app/index.js:1:1)\n    at async main (app.js:9:1)";
    let java = "java.io.IOException: anna\n\tat com.example.Train.step(Train.java:7)\n\tat java.base/java.io.Foo.bar(Foo.java:1)\nCaused by: java.lang.IllegalStateException: x\n\t... 3 more";
    let rust = format!(
        "thread 'main' panicked at {home}src/main.rs:1:2:\nanna is missing\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/x/panicking.rs:1:2\n   1: app::train::step\n             at {home}src/train.rs:7:3\n   2: core::ops::call_once"
    );
    let go = "panic: anna\n\ngoroutine 1 [running]:\nmain.step(0x1, 0x2)\n\t/srv/anna/main.go:7 +0x1\nmain.main()\n\t/srv/anna/main.go:3 +0x2";
    for (text, prefix, expected) in [
        (python.as_str(), "train.", "  at train.step:7\n  … 1 frame\nFileNotFoundError"),
        (javascript, "step", "TypeError\n  at step:7\n  … 2 frames"),
        (
            java,
            "com.example.",
            "java.io.IOException\n  at com.example.Train.step:7\n  … 1 frame\njava.lang.IllegalStateException",
        ),
        (rust.as_str(), "app::", "panic\n  at app::train::step\n  … 1 frame"),
        (go, "main.step", "  at main.step\n  … 1 frame"),
    ] {
        let done = DataAnonymizer::builder()
            .frames([prefix])
            .build()
            .anonymize(&json!({"stack_trace": text}));
        assert_eq!(done.value["stack_trace"], expected, "{text}");
        assert_eq!(done.report.stack_traces, 1);
        let none = clean(&json!({"stack_trace": text}));
        assert!(!none.to_string().contains("step"), "{none}");
    }
    for text in ["at noon (or so)\nwe met", "1: one\n2: two", "one line"] {
        assert_eq!(clean(&json!(text)), json!(text));
    }
}

#[test]
fn pseudonyms_and_a_grid_stand_in_where_the_builder_says_so() {
    let anonymizer = |destination: &str| {
        let key = crate::keys::UserShareKey::from_bytes([1; 32]);
        DataAnonymizer::builder().pseudonyms(key, destination, "improve").grid_km(50).build()
    };
    let value = json!({
        "email": "Anna@Example.com", "phone": "+33 6 12 34 56 78", "name": "Anna",
        "location": {"lat": 48.8566, "lon": 2.3522}, "face": "abcd", "last_location": [1, 2],
    });
    let done = anonymizer("lab").anonymize(&value);
    assert_eq!(done.value["email"].as_str().unwrap().len(), 32);
    assert_eq!(done.value["name"], "[name]");
    assert_eq!(done.value["face"], "[biometric]");
    assert_eq!(done.value["last_location"], "[location]");
    assert!(done.value["location"]["lat"].is_number());
    assert_eq!(done.report.replaced.values().sum::<u64>(), 3);
    let again = anonymizer("lab").anonymize(&json!({"userEmail": "anna@example.com"}));
    assert_eq!(again.value["userEmail"], done.value["email"]);
    let other = anonymizer("shop").anonymize(&value);
    assert_ne!(other.value["email"], done.value["email"]);
}
