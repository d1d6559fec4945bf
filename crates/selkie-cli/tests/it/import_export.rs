//! Many records in, all records out.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Device, run};

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/penguins.ndjson");

#[test]
fn what_is_imported_comes_out_again() {
    let device = Device::new();
    let imported = device.value(&["import", "penguins", PENGUINS]);
    assert_eq!((&imported["records"], &imported["batches"]), (&json!(344), &json!(1)));
    assert_eq!(device.values(&["query", "penguins", "species = Gentoo"]).len(), 124);

    let done = device.run(&["export", "--plain"]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("without encryption"), "{done:?}");
    let exported = done.values();
    let mut documents: Vec<Value> = exported.iter().map(|line| line["document"].clone()).collect();
    let mut originals: Vec<Value> = fs::read_to_string(PENGUINS)
        .unwrap()
        .lines()
        .map(|line| canonical(serde_json::from_str(line).unwrap()))
        .collect();
    let by_id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    documents.sort_by_key(by_id);
    originals.sort_by_key(by_id);
    assert_eq!(documents, originals);
    assert!(exported.iter().all(|line| line["collection"] == "penguins"));
    assert!(exported.iter().all(|line| line["created_at_ms"].is_u64()));

    // And in again, on another device.
    let other = Device::new();
    let file = other.path("export.ndjson");
    fs::write(&file, &done.stdout).unwrap();
    let file = file.to_str().unwrap();
    other.ok(&["import", "penguins", file, "--document-field", "document"]);
    let again = other.values(&["list", "penguins"]);
    let first = device.values(&["list", "penguins"]);
    let content = |records: &[Value]| -> Vec<_> {
        records.iter().map(|record| (record["id"].clone(), record["document"].clone())).collect()
    };
    assert_eq!(content(&again), content(&first));
}

/// Whole floats are integers in the store: `16.0` is `16`.
fn canonical(mut value: Value) -> Value {
    for field in value.as_object_mut().unwrap().values_mut() {
        if let Some(whole) = field.as_f64().filter(|number| number.fract() == 0.0) {
            *field = json!(whole as i64);
        }
    }
    value
}

#[test]
fn an_array_and_generated_ids_work_too() {
    let device = Device::new();
    let file = device.file("a.json", r#"[{"key": 7, "x": 1}, {"key": "b"}, {"x": 3}]"#);
    device.ok(&["import", "things", &file, "--id-field", "key"]);
    let ids: Vec<_> = device.values(&["list", "things"]).iter().map(|r| r["id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&json!("7")) && ids.contains(&json!("b")), "{ids:?}");
    let piped = device.run_with(&["import", "piped", "--json"], "{\"id\":\"a\"}\n\n{\"id\":\"b\"}");
    assert_eq!(piped.values()[0]["records"], 2);
    assert_eq!(device.run_with(&["import", "piped", "-", "--json"], "").values()[0]["records"], 0);
}

#[test]
fn an_error_names_its_line_and_what_was_stored() {
    let device = Device::new();
    let mut lines: Vec<String> = (0..2_500).map(|n| format!("{{\"id\": \"{n:04}\"}}")).collect();
    lines[2_100] = "{\"id\": ".to_owned();
    let done = device.run_with(&["import", "many"], lines.join("\n"));
    assert_eq!(done.code, 7, "{done:?}");
    assert!(done.stderr.contains("error: line 2101: not valid JSON"), "{done:?}");
    assert!(done.stderr.contains("2,000 records up to line 2000 were stored"), "{done:?}");
    assert_eq!(device.value(&["list"])["records"], 2_000);
}

#[test]
fn a_bad_record_stops_the_import_and_its_batch() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(20), "]".repeat(20));
    for (bad, code) in [
        ("[1]", "not_an_object"),
        ("{\"id\": true}", "bad_id"),
        ("{\"a\": 9007199254740993}", "integer_too_large"),
        ("{\"id\": \"\"}", "invalid_input"),
        (deep.as_str(), "invalid_input"),
    ] {
        let device = Device::new();
        let input = format!("{{\"id\": \"a\"}}\n{{\"id\": \"b\"}}\n{bad}\n{{\"id\": \"d\"}}\n");
        let done = device.run_with(&["import", "things", "--json"], input);
        assert_eq!((done.code, done.error_code().as_str()), (7, code));
        assert!(done.stderr.contains("line 3: "), "{done:?}");
        assert!(done.stderr.contains("nothing was stored"), "{done:?}");
        assert_eq!(device.values(&["list"]).len(), 0);
    }
}

#[test]
fn big_records_go_in_batches_of_their_own() {
    let device = Device::new();
    let line = |n: u32| format!("{{\"id\": \"{n}\", \"x\": \"{}\"}}\n", "y".repeat(400 * 1024));
    let input: String = (0..5).map(line).collect();
    let done = device.run_with(&["import", "big", "--json"], input);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.values()[0]["batches"], 5);
}

#[test]
fn an_export_asks_for_the_word_and_makes_a_private_file() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    device.ok(&["put", "birds", "a", "{}"]);
    assert_eq!(device.error(&["export"]), (2, "usage".to_owned()));
    let file = device.path("out.ndjson");
    let to_file =
        ["export", "--plain", "--output", file.to_str().unwrap(), "--collection", "notes"];
    device.ok(&to_file);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(device.error(&to_file), (7, "file_exists".to_owned()));
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let device = Device::new();
    device.ok(&["import", "penguins", PENGUINS]);
    let mut command = std::process::Command::new("sh");
    let script = "{ \"$0\" export --plain --store \"$S\" --passphrase-file \"$P\"; echo $? >\"$C\"; } | head -n 1";
    command.args(["-c", script, env!("CARGO_BIN_EXE_selkie")]);
    command.env("S", device.store()).env("P", device.path("passphrase"));
    command.env("C", device.path("code"));
    let done = run(command, b"");
    assert_eq!(done.stdout.lines().count(), 1, "{done:?}");
    assert!(!done.stderr.contains("error"), "{done:?}");
    assert_eq!(fs::read_to_string(device.path("code")).unwrap(), "0\n");
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_to_a_full_disk_says_so() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    let mut command = device.command(&["export", "--plain", "--json"]);
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("\"code\":\"io\""));
}
