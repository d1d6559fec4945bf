//! What cannot be stored or opened: a clear error each, and nothing lost.

use std::fs;

use crate::support::Device;

/// A device with one record, and a check that it is untouched.
fn device_with_a_record() -> (Device, String) {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", r#"{"title": "Milk"}"#]);
    let digest = device.digest();
    (device, digest)
}

#[test]
fn a_bad_document_is_refused_and_nothing_is_lost() {
    let (device, digest) = device_with_a_record();
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let ten_megabytes = format!("{{\"a\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let three_megabytes = format!("{{\"a\": \"{}\"}}", "x".repeat(3 * 1024 * 1024));
    for (document, code) in [
        (&b"{\"title\": "[..], "invalid_json"),
        (b"", "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b"[1, 2]", "invalid_input"),
        (b"\"text\"", "invalid_input"),
        (b"{\"a\": \"\xff\xfe\"}", "invalid_utf8"),
        (b"{\"a\": 9007199254740992}", "integer_too_large"),
        (b"{\"a\": -9007199254740993}", "integer_too_large"),
        (b"{\"a\": [1, 123456789012345678901234567890]}", "integer_too_large"),
        (b"{\"a\": 1e400}", "invalid_json"),
        (b"{\"a\": 1, \"a\": 2}", "duplicate_key"),
        (nested(17).as_bytes(), "invalid_input"),
        (nested(2_000).as_bytes(), "document_too_deep"),
        (three_megabytes.as_bytes(), "invalid_input"),
        (ten_megabytes.as_bytes(), "document_too_long"),
    ] {
        for arguments in [["put", "notes", "milk"], ["patch", "notes", "milk"]] {
            let done = device.run_with(&[&arguments[..], &["--json"]].concat(), document);
            let shown = String::from_utf8_lossy(document.get(..40).unwrap_or(document));
            // A patch that is no object replaces the whole document (RFC 7396): refused as that.
            assert_eq!((done.code, done.error_code().as_str()), (7, code), "{arguments:?} {shown}");
        }
    }
    assert_eq!(device.digest(), digest);
    let deepest = device.run_with(&["put", "notes", "deep"], nested(16));
    assert_eq!(deepest.code, 0, "{deepest:?}");
}

#[test]
fn a_bad_name_is_refused() {
    let (device, digest) = device_with_a_record();
    let (long, longer) = ("x".repeat(129), "x".repeat(257));
    for arguments in [
        ["put", "", "milk", "{}"],
        ["put", "a\nb", "milk", "{}"],
        ["put", &long, "milk", "{}"],
        ["put", "notes", "", "{}"],
        ["put", "notes", "a\u{7}b", "{}"],
        ["put", "notes", &longer, "{}"],
        ["put", "_policy", "notes", "{}"],
    ] {
        assert_eq!(device.error(&arguments), (7, "invalid_input".to_owned()), "{arguments:?}");
    }
    assert_eq!(device.digest(), digest);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    for content in [&b""[..], b"just some text\n", &[0x5a; 8192]] {
        let device = Device::without_store();
        fs::write(device.store(), content).unwrap();
        assert_eq!(device.error(&["list"]).0, 5);
        assert_eq!(device.error(&["put", "a", "b", "{}"]).0, 5);
        assert_eq!(fs::read(device.store()).unwrap(), content);
        // Its key file is missing; one of another store does not make it a store.
        let other = Device::new();
        fs::copy(other.path("vault.db.keys"), device.path("vault.db.keys")).unwrap();
        let (code, _) = device.error(&["list"]);
        assert_eq!(code, 5);
        assert_eq!(fs::read(device.store()).unwrap(), content);
    }
}

#[test]
fn a_flipped_byte_in_either_file_is_noticed() {
    let (device, _) = device_with_a_record();
    for (file, place) in [("vault.db", 100), ("vault.db", 20_000), ("vault.db.keys", 60)] {
        let path = device.path(file);
        let intact = fs::read(&path).unwrap();
        let mut flipped = intact.clone();
        flipped[place] ^= 1;
        fs::write(&path, &flipped).unwrap();
        // Another page may not be read by this command: then the answer is right.
        let done = device.run(&["get", "notes", "milk", "--json"]);
        let is_right = done.code == 0 && done.values()[0]["document"]["title"] == "Milk";
        assert!(is_right || matches!(done.code, 4 | 5), "{file} {place}: {done:?}");
        assert!(!is_right || place == 20_000, "{file} {place}");
        fs::write(&path, &intact).unwrap();
    }
    device.ok(&["get", "notes", "milk"]);
}

#[test]
fn foreign_text_does_not_steer_the_terminal() {
    let device = Device::new();
    device.ok(&["put", "notes", "\u{202e}id", "{\"a\": \"\\u001b[2J\u{9b}31m\"}"]);
    for arguments in
        [&["list", "notes"][..], &["get", "notes", "\u{202e}id"], &["query", "notes", "a"]]
    {
        let text = device.ok(arguments);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}
