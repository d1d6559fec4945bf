//! Share policies and the anonymiser by the command line; no store is needed.

use serde_json::{Value, json};

use crate::support::Device;

const POLICY: &str = r#"[share.stats]
from = "usage"
purpose = "improve_model"
destination = "model-lab"
categories = ["technical", "interaction"]
size_bytes_max = 4096
expires_days = 30
epsilon_lifetime = 5

[[share.stats.field]]
path = "model.size"
keep = true
allow = ["small", "large"]
else = "other"

[[share.stats.field]]
path = "user.email"
pseudonym = { domain = "person", normalise = "email", rotate_days = 30 }

[[share.stats.field]]
path = "sessions[*].ms"
bin = [100, 300, 1000]

[[share.stats.field]]
path = "shown"
noise = { dist = "discrete_laplace", clamp = [0, 50], epsilon = 0.5 }
"#;

const SAMPLE: &str = r#"{
  "model": {"size": "huge", "name": "Anna's own"},
  "user": {"email": "anna@example.com", "name": "Anna"},
  "sessions": [{"ms": 250, "at": "2026-11-24T18:00:00Z"}, {"ms": "?"}],
  "shown": 12
}"#;

#[test]
fn a_policy_is_checked_and_its_hash_is_told() {
    let device = Device::without_store();
    let file = device.file("share.toml", POLICY);
    let checked = device.value(&["policy", "check", &file]);
    assert_eq!(checked["policy"], "stats");
    assert_eq!(checked["hash"].as_str().unwrap().len(), 64);
    assert_eq!(checked["canonical"]["destination"], "model-lab");
    let text = device.ok(&["policy", "check", &file]);
    for part in ["usage → model-lab, for improve_model", "sessions[*].ms", "everything else stays"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn faults_are_told_with_file_and_line_and_exit_code_7() {
    let device = Device::without_store();
    let broken = POLICY
        .replace("path = \"shown\"", "pth = \"shown\"")
        .replace("expires_days = 30", "expires_days = 0");
    let file = device.file("share.toml", broken);
    let done = device.run(&["policy", "check", &file]);
    assert_eq!(done.code, 7, "{done:?}");
    assert!(done.stdout.contains(&format!("{file}:7: `expires_days` must be")), "{done:?}");
    assert!(done.stdout.contains(&format!("{file}:25: the rule does not know `pth`")), "{done:?}");
    assert!(done.stdout.contains("did you mean `path`?"), "{done:?}");
    let done = device.run(&["policy", "check", &file, "--json"]);
    assert_eq!((done.code, done.error_code().as_str()), (7, "invalid_policy"));
    assert_eq!(done.values()[0]["problems"][0]["line"], 7);
    let sample = device.file("sample.json", SAMPLE);
    assert_eq!(device.error(&["policy", "try", &file, &sample]), (7, "invalid_policy".to_owned()));
    assert_eq!(
        device.error(&["policy", "check", "nowhere.toml"]),
        (3, "file_not_found".to_owned())
    );
}

#[test]
fn a_wider_policy_needs_new_consent_and_a_narrower_one_does_not() {
    let device = Device::without_store();
    let old = device.file("old.toml", POLICY);
    for (from, to, narrows) in [
        ("bin = [100, 300, 1000]", "bin = [100, 1000]", true),
        ("bin = [100, 300, 1000]", "bin = [100, 200, 300, 1000]", false),
        ("model-lab", "model-shop", false),
        ("share.stats", "share.other", false),
    ] {
        let new = device.file("new.toml", POLICY.replace(from, to));
        let checked = device.value(&["policy", "check", &new, "--since", &old]);
        assert_eq!(checked["narrows"], narrows, "{from} → {to}");
    }
}

#[test]
fn a_try_shows_before_and_after() {
    let device = Device::without_store();
    let file = device.file("share.toml", POLICY);
    let sample = device.file("sample.json", SAMPLE);
    let tried = device.value(&["policy", "try", &file, &sample]);
    let payload = &tried["payload"];
    assert_eq!(payload["model"], json!({"size": "other"}));
    assert_eq!(payload["sessions"], json!([{"ms": "100..300"}]));
    assert_eq!(payload["user"]["email"].as_str().unwrap().len(), 32);
    assert!(payload["shown"].is_i64());
    assert_eq!(tried["dropped"]["unlisted"], 3);
    assert_eq!(tried["dropped"]["unknown_type"], 1);
    assert_eq!(tried["epsilon_micros"], 500_000);
    let text = device.ok(&["policy", "try", &file, &sample]);
    for part in
        ["before\n", "after, as model-lab gets it", "anna@example.com", "left out: 4 values"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let after = text.split_once("after, as").unwrap().1;
    assert!(!after.contains("anna") && !after.contains("Anna"), "{after}");
    let two = device.file("two.toml", format!("{POLICY}{}", POLICY.replace("stats", "more")));
    assert_eq!(device.error(&["policy", "try", &two, &sample]), (2, "usage".to_owned()));
    let one = device.value(&["policy", "try", &two, &sample, "--policy", "more"]);
    assert_eq!(one["policy"], "more");
    let missing = device.error(&["policy", "try", &two, &sample, "--policy", "none"]);
    assert_eq!(missing, (3, "policy_not_found".to_owned()));
}

#[test]
fn a_lint_tells_how_far_a_sample_is_told_apart() {
    let device = Device::without_store();
    let policy = POLICY.replace("bin = [100, 300, 1000]", "keep = true");
    let file = device.file("share.toml", policy);
    let lines: String = (0..50)
        .map(|n| format!("{{\"sessions\": [{{\"ms\": {n}}}], \"user\": {{\"email\": \"u{n}@example.com\"}}}}\n"))
        .collect();
    let sample = device.file("sample.ndjson", lines);
    let done = device.run(&["policy", "lint", &file, &sample, "--json"]);
    assert_eq!((done.code, done.error_code().as_str()), (7, "lint_findings"));
    let report = &done.values()[0];
    assert_eq!((&report["records"], &report["unique"]), (&json!(50), &json!(50)));
    let text = device.run(&["policy", "lint", &file, &sample]).stdout;
    assert!(text.contains("100.0 %  unique"), "{text}");
    assert!(text.contains("model.size: never sends anything"), "{text}");

    let coarse = POLICY.replace("bin = [100, 300, 1000]", "bin = [1000]");
    let file = device.file("coarse.toml", coarse);
    let lines: String = (0..50)
        .map(|n| format!("{{\"model\": {{\"size\": \"small\"}}, \"sessions\": [{{\"ms\": {n}}}], \"user\": {{\"email\": \"u{n}@example.com\"}}}}\n"))
        .collect();
    let sample = device.file("sample.ndjson", lines);
    assert_eq!(device.value(&["policy", "lint", &file, &sample])["unique"], 0);
}

#[test]
fn a_collection_may_still_be_called_check() {
    let device = Device::new();
    let shown = device.run(&["policy", "--json", "--", "check"]);
    assert_eq!(shown.values()[0]["collection"], "check");
    assert_eq!(device.run(&["policy"]).code, 2);
}

#[test]
fn anonymize_takes_out_what_sounds_or_looks_personal() {
    let device = Device::without_store();
    let file = device.file("sample.json", SAMPLE);
    let done = device.run(&["anonymize", &file]);
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["user"], json!({"email": "[email]", "name": "[name]"}));
    assert!(done.stderr.contains("personal data may be left"), "{done:?}");
    assert!(!done.stderr.to_lowercase().contains("anonymous"), "{done:?}");

    let lines = "{\"userEmail\": \"a@b.example\"}\n{\"note\": \"call +33 6 12 34 56 78\"}\n";
    let done = device.run_with(&["anonymize", "-"], lines);
    assert_eq!(done.stdout, "{\"userEmail\":\"[email]\"}\n{\"note\":\"call [phone]\"}\n");
    let done = device.run_with(&["anonymize", "--json"], lines);
    assert_eq!(done.values()[0]["report"]["by_name"], json!({"email": 1}));
    assert_eq!(done.values()[1]["report"]["by_form"], json!({"phone": 1}));
    let kept =
        device.run_with(&["anonymize", "--keep", "ship_name"], "{\"ship_name\": \"Selkie\"}");
    assert_eq!(kept.stdout, "{\"ship_name\":\"Selkie\"}\n");
    let broken = device.run_with(&["anonymize", "--json"], "{\"a\": 1}\n{oops\n");
    assert_eq!((broken.code, broken.error_code().as_str()), (7, "invalid_json"));
    assert_eq!(device.error(&["anonymize", "nowhere.json"]).0, 3);
}
