//! Removing devices, new keys, new words, and coming back from the words alone.

use std::fs;

use crate::support::{Device, Relay, run};

/// A second device of the vault of `first`, by its words.
fn recovered(first: &Device, relay: &Relay) -> Device {
    let second = Device::without_store();
    let words = first.path("words");
    let words = words.to_str().unwrap();
    second.ok(&["recover", "--relay", &relay.url, "--words-file", words]);
    second
}

#[test]
fn a_lost_device_is_replaced_from_the_words_and_removed() {
    let relay = Relay::start();
    let lost = Device::new();
    lost.run_with(&["put", "notes", "n", "{\"a\": 1}"], b"");
    lost.ok(&["sync", "--relay", &relay.url]);
    let new = recovered(&lost, &relay);
    assert_eq!(new.digest(), lost.digest());
    let devices = new.values(&["devices"]);
    let other = devices.iter().find(|device| device["this_device"] == false).unwrap();
    let id = other["device"].as_str().unwrap();
    let revoke = ["revoke", &id[..8], "--relay", &relay.url];
    let unanswered = new.error(&revoke);
    assert_eq!(unanswered, (7, "not_confirmed".to_owned()));
    let done = new.value(&[&revoke[..], &["--yes"]].concat());
    assert_eq!((&done["device"], &done["revoked"]), (&other["device"], &true.into()));
    let (code, why) = lost.error(&["sync", "--relay", &relay.url]);
    assert_eq!((code, why.as_str()), (6, "unauthorized"));
    let none = new.error(&["revoke", "zz", "--relay", &relay.url, "--yes"]);
    assert_eq!(none, (3, "device_not_found".to_owned()));
}

#[test]
fn recovering_with_wrong_words_makes_nothing() {
    let relay = Relay::start();
    let (stranger, new) = (Device::new(), Device::without_store());
    let words = stranger.path("words");
    // A vault that was never synced here.
    let error =
        new.error(&["recover", "--relay", &relay.url, "--words-file", words.to_str().unwrap()]);
    assert_eq!(error, (4, "wrong_key".to_owned()));
    let typo = new.file("typo", "seal seal seal");
    let error = new.error(&["recover", "--relay", &relay.url, "--words-file", &typo]);
    assert_eq!(error, (7, "invalid_input".to_owned()));
    assert!(!new.store().exists());
}

#[test]
fn replaced_words_end_and_the_new_ones_work() {
    let relay = Relay::start();
    let phone = Device::new();
    phone.ok(&["sync", "--relay", &relay.url]);
    let new_words = phone.path("new-words");
    let new_words = new_words.to_str().unwrap();
    phone.ok(&["words", "replace", "--relay", &relay.url, "--recovery-words-file", new_words]);
    let old_words = phone.path("words");
    let other = Device::without_store();
    let old = ["recover", "--relay", &relay.url, "--words-file", old_words.to_str().unwrap()];
    assert_eq!(other.error(&old), (4, "wrong_key".to_owned()));
    other.ok(&["recover", "--relay", &relay.url, "--words-file", new_words]);
    let (one, two) = (phone.value(&["fingerprint"]), other.value(&["fingerprint"]));
    assert_ne!(one, two, "the phone has not heard of the new device");
    phone.ok(&["sync", "--relay", &relay.url]);
    assert_eq!(phone.value(&["fingerprint"]), two);
    assert!(phone.ok(&["fingerprint", "--qr"]).contains("SELKIE-FP:"));
}

#[test]
fn a_passphrase_is_changed_and_the_forgotten_one_is_set_by_words() {
    let phone = Device::new();
    let new = phone.file("new-passphrase", "tea at four\n");
    phone.ok(&["passphrase", "change", "--new-passphrase-file", &new]);
    assert_eq!(phone.error(&["status"]), (4, "wrong_key".to_owned()));
    fs::copy(&new, phone.path("passphrase")).unwrap();
    phone.ok(&["status"]);
    let newer = phone.file("newer-passphrase", "tea at five\n");
    let mut by_words = crate::support::selkie();
    by_words.arg("--store").arg(phone.store()).arg("--recovery-words").arg(phone.path("words"));
    by_words.args(["passphrase", "change", "--new-passphrase-file", &newer]);
    assert_eq!(run(by_words, b"").code, 0);
    fs::copy(&newer, phone.path("passphrase")).unwrap();
    phone.ok(&["status"]);
}

#[test]
fn new_keys_leave_all_devices_in_step() {
    let relay = Relay::start();
    let phone = Device::new();
    phone.ok(&["sync", "--relay", &relay.url]);
    let laptop = recovered(&phone, &relay);
    phone.ok(&["rotate", "--relay", &relay.url, "--min-version", "1"]);
    phone.ok(&["put", "notes", "n", "{\"a\": 1}"]);
    for device in [&phone, &laptop] {
        device.ok(&["sync", "--relay", &relay.url]);
    }
    assert_eq!(phone.digest(), laptop.digest());
    let heard = &laptop.values(&["devices"]);
    assert!(heard.iter().any(|device| device["last_heard_ms"].is_u64()), "{heard:?}");
    let refused = phone.error(&["rotate", "--relay", &relay.url, "--min-version", "2"]);
    assert_eq!(refused, (7, "invalid_input".to_owned()));
}

/// Linux's kernel keyring is not there in every container; what must hold either way is told apart.
#[test]
fn a_remembered_store_opens_without_the_passphrase_and_administers_nothing() {
    let phone = Device::new();
    let mut by_keystore = crate::support::selkie();
    by_keystore.arg("--store").arg(phone.store()).args(["status", "--keystore", "--json"]);
    let remembered = phone.run(&["unlock", "--remember", "--json"]);
    if remembered.code != 0 {
        assert_eq!(remembered.error_code(), "storage", "{remembered:?}");
        assert_ne!(run(by_keystore, b"").code, 0);
        return;
    }
    let done = run(by_keystore, b"");
    assert_eq!(done.code, 0, "{done:?}");
    let mut rotate = crate::support::selkie();
    rotate.arg("--store").arg(phone.store()).args(["rotate", "--relay", "x", "--keystore"]);
    assert_eq!(run(rotate, b"").code, 2);
    assert_eq!(phone.value(&["lock"])["was_remembered"], true);
    assert_eq!(phone.value(&["lock"])["was_remembered"], false);
    let mut again = crate::support::selkie();
    again.arg("--store").arg(phone.store()).args(["status", "--keystore", "--json"]);
    assert_eq!(run(again, b"").code, 4);
    phone.ok(&["status"]);
}
