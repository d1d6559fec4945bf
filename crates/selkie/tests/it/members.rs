//! Who belongs to a vault: removed devices, new epochs, new words, and a device from the words alone.

use selkie::transport::MemoryRelay;
use selkie::{
    DeviceId, ErrorKind, FindingKind, KeyStoreError, RosterChange, SyncReport, Unlock, Vault,
};
use serde_json::{Value, json};

use crate::support::{KEY, PASSPHRASE, Store, join, join_with, pair, relay};

const ADMIN: Unlock<'static> = Unlock::Passphrase(PASSPHRASE);

fn sync(store: &Store, url: &str) -> SyncReport {
    store.vault.sync(url, &mut |_| {}).unwrap()
}

fn sync_memory(store: &Store, relay: &MemoryRelay) -> SyncReport {
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap()
}

fn put(store: &Store, id: &str, n: u64) {
    store.vault.collection("notes").unwrap().put(id, &json!({ "n": n })).unwrap();
}

fn get(vault: &Vault, id: &str) -> Option<Value> {
    vault.collection("notes").unwrap().get(id).unwrap().map(|record| record.document)
}

#[test]
fn a_removed_device_reads_nothing_new() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&phone, "before", 1);
    sync(&phone, &relay.url());
    sync(&laptop, &relay.url());
    phone.vault.revoke(&relay.url(), laptop.vault.device_id(), ADMIN).unwrap();
    put(&phone, "after", 2);
    sync(&phone, &relay.url());
    let refused = laptop.vault.sync(&relay.url(), &mut |_| {}).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthorized);
    assert!(refused.to_string().contains("removed"), "{refused}");
    assert_eq!(get(&laptop.vault, "before"), Some(json!({"n": 1})));
    assert_eq!(get(&laptop.vault, "after"), None);
    let status = phone.vault.status().unwrap();
    let revoked: Vec<DeviceId> =
        status.devices.iter().filter(|device| device.revoked).map(|device| device.id).collect();
    assert_eq!(revoked, [laptop.vault.device_id()]);
    // Even with everything the relay stores, and every key it has.
    let mut from_relay = MemoryRelay::new().connect(laptop.vault.device_id());
    let all = relay_copy(&phone);
    laptop.vault.sync_over("copy", &mut all.connect(laptop.vault.device_id()), &mut |_| {}).ok();
    assert_eq!(get(&laptop.vault, "after"), None);
    laptop.vault.sync_over("empty", &mut from_relay, &mut |_| {}).unwrap();
    assert_eq!(get(&laptop.vault, "after"), None);
}

/// A relay that has what this device gives it.
fn relay_copy(store: &Store) -> MemoryRelay {
    let relay = MemoryRelay::new();
    let mut transport = relay.connect(store.vault.device_id());
    store.vault.sync_over("copy", &mut transport, &mut |_| {}).unwrap();
    relay
}

#[test]
fn what_a_removed_device_sends_later_is_kept_aside_and_shown() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let other = MemoryRelay::new();
    put(&laptop, "seen", 1);
    for store in [&laptop, &phone] {
        sync(store, &http.url());
    }
    sync_memory(&laptop, &other);
    phone.vault.revoke(&http.url(), laptop.vault.device_id(), ADMIN).unwrap();
    // The other relay does not know of it yet, and takes the laptop's next segment.
    put(&laptop, "late", 2);
    sync_memory(&laptop, &other);
    sync_memory(&phone, &other);
    assert_eq!(get(&phone.vault, "seen"), Some(json!({"n": 1})));
    assert_eq!(get(&phone.vault, "late"), None);
    let quarantined = phone.vault.status().unwrap().quarantined;
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0].device, laptop.vault.device_id());
    assert_eq!((quarantined[0].segments, quarantined[0].numbers), (1, (2, 2)));
    // It stays, and nothing is stuck because of it.
    phone.vault.rotate(&http.url(), ADMIN).unwrap();
    assert_eq!(phone.vault.status().unwrap().quarantined, quarantined);
}

#[test]
fn removing_asks_for_a_credential_that_administers() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let (url, device) = (relay.url(), laptop.vault.device_id());
    for (unlock, kind) in [
        (Unlock::Passphrase("a guess"), ErrorKind::WrongKey),
        (Unlock::Key(&KEY), ErrorKind::WrongKey),
    ] {
        assert_eq!(phone.vault.revoke(&url, device, unlock).unwrap_err().kind(), kind);
        assert_eq!(phone.vault.rotate(&url, unlock).unwrap_err().kind(), kind);
        assert_eq!(phone.vault.replace_recovery(&url, unlock).unwrap_err().kind(), kind);
    }
    let own = phone.vault.revoke(&url, phone.vault.device_id(), ADMIN).unwrap_err();
    assert_eq!(own.kind(), ErrorKind::InvalidInput);
    let stranger = phone.vault.revoke(&url, DeviceId([9; 16]), ADMIN).unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::InvalidInput);
    phone.vault.revoke(&url, device, ADMIN).unwrap();
    let again = phone.vault.revoke(&url, device, ADMIN).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidInput);
}

#[test]
fn after_a_rotation_all_members_go_on() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    put(&laptop, "written-before", 1);
    phone.vault.rotate(&relay.url(), ADMIN).unwrap();
    put(&phone, "a", 1);
    for store in [&phone, &laptop, &phone] {
        sync(store, &relay.url());
    }
    put(&laptop, "b", 2);
    for store in [&laptop, &phone] {
        sync(store, &relay.url());
    }
    assert_eq!(phone.vault.digest().unwrap(), laptop.vault.digest().unwrap());
    assert_eq!(phone.vault.collection("notes").unwrap().count().unwrap(), 3);
    // A device that comes now reads what was written in every epoch.
    let tablet = join(&phone, &relay.url());
    sync(&tablet, &relay.url());
    assert_eq!(tablet.vault.digest().unwrap(), laptop.vault.digest().unwrap());
}

#[test]
fn an_administrator_who_was_slower_goes_on_from_the_faster_ones_entry() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let words_of_tablet = phone.vault.replace_recovery(&relay.url(), ADMIN).unwrap();
    let laptop = join(&phone, &relay.url());
    // The words administer on a device that was joined by a key alone.
    let words = Unlock::RecoveryWords(words_of_tablet.as_str());
    phone.vault.rotate(&relay.url(), ADMIN).unwrap();
    laptop.vault.rotate(&relay.url(), words).unwrap();
    phone.vault.rotate(&relay.url(), ADMIN).unwrap();
    sync(&laptop, &relay.url());
    assert_eq!(phone.vault.fingerprint().unwrap(), laptop.vault.fingerprint().unwrap());
}

#[test]
fn keys_are_not_changed_while_a_devices_segments_are_missing() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    for store in [&phone, &laptop, &tablet] {
        sync(store, &http.url());
    }
    // The laptop has what the tablet sent through a relay that the phone does not use; then it sends
    // a segment to the phone's relay, which says so.
    let elsewhere = MemoryRelay::new();
    put(&tablet, "t", 1);
    sync_memory(&tablet, &elsewhere);
    sync_memory(&laptop, &elsewhere);
    put(&laptop, "l", 1);
    sync(&laptop, &http.url());
    for change in [RosterChange::Rotate, RosterChange::Revoke(tablet.vault.device_id())] {
        let refused = match change {
            RosterChange::Rotate => phone.vault.rotate(&http.url(), ADMIN),
            _ => phone.vault.revoke(&http.url(), tablet.vault.device_id(), ADMIN),
        };
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Incomplete, "{refused}");
    }
    let found = phone.vault.status().unwrap().findings;
    let kinds: Vec<_> = found.into_iter().map(|finding| finding.kind).collect();
    let (device, said_by) = (tablet.vault.device_id(), laptop.vault.device_id());
    assert_eq!(kinds, [FindingKind::Withheld { device, up_to: 1, said_by }]);
    // Who is to be removed cannot keep itself in the vault by what it says of others.
    phone.vault.revoke(&http.url(), laptop.vault.device_id(), ADMIN).unwrap();
    // Once the segment is here, nothing is missing.
    sync(&tablet, &http.url());
    phone.vault.rotate(&http.url(), ADMIN).unwrap();
    assert!(phone.vault.status().unwrap().findings.is_empty());
}

#[test]
fn the_words_alone_bring_everything_back() {
    let relay = relay();
    let directory = tempfile::tempdir().unwrap();
    let made = Vault::create(directory.path().join("first.db"), ADMIN).unwrap();
    let words = made.recovery_words.as_str().to_owned();
    let notes = made.vault.collection("notes").unwrap();
    notes.put("n", &json!({"n": 1})).unwrap();
    made.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    made.vault.rotate(&relay.url(), ADMIN).unwrap();
    notes.put("n", &json!({"n": 2})).unwrap();
    made.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    let lost = made.vault.device_id();
    drop(made);

    let path = directory.path().join("second.db");
    let new = Unlock::Passphrase("another one");
    let vault = Vault::recover(&path, &relay.url(), &words, new).unwrap();
    vault.sync(&relay.url(), &mut |_| {}).unwrap();
    assert_eq!(get(&vault, "n"), Some(json!({"n": 2})));
    vault.revoke(&relay.url(), lost, new).unwrap();
    assert_eq!(vault.status().unwrap().devices.iter().filter(|d| !d.revoked).count(), 1);
    drop(vault);
    // The new store opens by its passphrase and by the words.
    assert!(Vault::open(&path, new).is_ok());
    assert!(Vault::open(&path, Unlock::RecoveryWords(&words)).is_ok());
}

#[test]
fn words_of_no_vault_or_replaced_ones_recover_nothing() {
    let relay = relay();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("first.db");
    let made = Vault::create(&path, ADMIN).unwrap();
    let old = made.recovery_words.as_str().to_owned();
    made.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    let new = made.vault.replace_recovery(&relay.url(), ADMIN).unwrap();
    let strangers = selkie_core::keys::RecoveryCode::from_bytes([9; 32]).words();
    let target = directory.path().join("second.db");
    for (words, kind) in [
        (old.as_str(), ErrorKind::WrongKey),
        (&strangers, ErrorKind::WrongKey),
        ("seals sleep", ErrorKind::InvalidInput),
    ] {
        let error = Vault::recover(&target, &relay.url(), words, Unlock::Key(&KEY)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!target.exists());
    }
    let unlock = Unlock::RecoveryWords(&old);
    assert_eq!(made.vault.rotate(&relay.url(), unlock).unwrap_err().kind(), ErrorKind::WrongKey);
    assert_eq!(Vault::open(&path, unlock).unwrap_err().kind(), ErrorKind::WrongKey);
    assert!(Vault::open(&path, Unlock::RecoveryWords(new.as_str())).is_ok());
    assert!(Vault::recover(&target, &relay.url(), new.as_str(), Unlock::Key(&KEY)).is_ok());
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let made = Vault::create(&path, ADMIN).unwrap();
    let wrong = made.vault.change_passphrase(Unlock::Passphrase("a guess"), "new").unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::WrongKey);
    let empty = made.vault.change_passphrase(ADMIN, "").unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidInput);
    assert!(Vault::open(&path, ADMIN).is_ok());
    made.vault.change_passphrase(ADMIN, "new").unwrap();
    assert_eq!(Vault::open(&path, ADMIN).unwrap_err().kind(), ErrorKind::WrongKey);
    assert!(Vault::open(&path, Unlock::Passphrase("new")).is_ok());
    // Forgotten: the words set a new one.
    let words = Unlock::RecoveryWords(made.recovery_words.as_str());
    made.vault.change_passphrase(words, "newer").unwrap();
    assert!(Vault::open(&path, Unlock::Passphrase("newer")).is_ok());
}

#[test]
fn a_key_of_the_apps_own_comes_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let vault = Vault::create(&path, ADMIN).unwrap().vault;
    vault.set_key(ADMIN, Some(&KEY)).unwrap();
    assert!(Vault::open(&path, Unlock::Key(&KEY)).is_ok());
    vault.set_key(ADMIN, None).unwrap();
    assert_eq!(Vault::open(&path, Unlock::Key(&KEY)).unwrap_err().kind(), ErrorKind::WrongKey);
    let only_key = directory.path().join("k.db");
    let made = Vault::create(&only_key, Unlock::Key(&KEY)).unwrap();
    let words = made.recovery_words.as_str();
    made.vault.set_key(Unlock::RecoveryWords(words), None).unwrap();
    assert!(Vault::open(&only_key, Unlock::RecoveryWords(words)).is_ok());
}

#[test]
fn a_joined_store_opens_by_the_words_once_they_were_typed_there() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let words = phone.vault.replace_recovery(&relay.url(), ADMIN).unwrap();
    let laptop = join(&phone, &relay.url());
    let by_words = Unlock::RecoveryWords(words.as_str());
    assert_eq!(Vault::open(laptop.path(), by_words).unwrap_err().kind(), ErrorKind::WrongKey);
    // A key-only store has no admin key to put beside; it says so.
    let refused = laptop.vault.enable_recovery(Unlock::Key(&KEY), words.as_str()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongKey);
    let tablet = join_with(&phone, &relay.url(), ADMIN);
    let strangers = selkie_core::keys::RecoveryCode::from_bytes([9; 32]).words();
    let refused = tablet.vault.enable_recovery(ADMIN, &strangers).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongKey);
    tablet.vault.enable_recovery(ADMIN, words.as_str()).unwrap();
    assert!(Vault::open(tablet.path(), by_words).is_ok());
}

#[test]
fn a_locked_vault_gives_nothing_until_it_is_unlocked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let vault = Vault::create(&path, Unlock::Key(&KEY)).unwrap().vault;
    let notes = vault.collection("notes").unwrap();
    notes.put("n", &json!({"n": 1})).unwrap();
    vault.lock().unwrap();
    vault.lock().unwrap();
    assert!(vault.is_locked());
    assert_eq!(notes.get("n").unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(notes.put("n", &json!({"n": 2})).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(vault.status().unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(vault.clone().digest().unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(
        vault.sync("http://127.0.0.1:9", &mut |_| {}).unwrap_err().kind(),
        ErrorKind::Locked
    );
    assert_eq!(vault.unlock(Unlock::Key(&[8; 32])).unwrap_err().kind(), ErrorKind::WrongKey);
    assert!(vault.is_locked());
    vault.unlock(Unlock::Key(&KEY)).unwrap();
    assert_eq!(get(&vault, "n"), Some(json!({"n": 1})));
    notes.put("n", &json!({"n": 3})).unwrap();
}

#[test]
fn an_app_below_the_minimum_stops_syncing_and_loses_nothing() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let refused = phone.vault.raise_min_version(&relay.url(), 2, ADMIN).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "it would shut itself out");
    phone.vault.raise_min_version(&relay.url(), 1, ADMIN).unwrap();
    // A newer app of the same owner.
    raise_with_a_newer_app(&phone, &relay.url());
    let stopped = laptop.vault.sync(&relay.url(), &mut |_| {}).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::TooNew);
    assert!(stopped.to_string().contains("update the app"), "{stopped}");
    put(&laptop, "n", 1);
    let again = laptop.vault.sync(&relay.url(), &mut |_| {}).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::TooNew);
    assert_eq!(get(&laptop.vault, "n"), Some(json!({"n": 1})));
    assert_eq!(laptop.vault.status().unwrap().unsent_changes, 1);
}

/// Posts a MinVersion entry as an app would that writes format 2.
fn raise_with_a_newer_app(phone: &Store, url: &str) {
    use selkie_core::keys::{Credential, KeySlots, Passphrase, roster};
    let slots = std::fs::read(phone.path().with_extension("db.keys")).unwrap();
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let slots = KeySlots::parse(&slots).unwrap();
    let admin = slots.unlock_admin(&Credential::Passphrase(&passphrase)).unwrap();
    let shared = relay_copy(phone).stored_bytes();
    let mut entries: Vec<Vec<u8>> = shared
        .into_iter()
        .filter(|bytes| selkie_wire::RosterEntry::parse(bytes.clone()).is_ok())
        .collect();
    let known = selkie_wire::Roster::from_entries(entries.iter().cloned()).unwrap();
    entries.push(roster::raise_min_version(&admin, &known, 2).unwrap());
    let entries = selkie::transport::relay::RosterEntries {
        entries: entries.into_iter().map(Into::into).collect(),
    };
    let body = selkie_wire::cbor::encode(&entries);
    let answer = ureq::post(format!("{url}/v1/vaults"))
        .content_type("application/cbor")
        .send(&body[..])
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[test]
fn the_fingerprint_is_equal_exactly_where_the_roster_is() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let same = phone.vault.fingerprint().unwrap();
    assert_eq!(same, laptop.vault.fingerprint().unwrap());
    phone.vault.rotate(&relay.url(), ADMIN).unwrap();
    let newer = phone.vault.fingerprint().unwrap();
    assert_ne!(newer.words(), same.words());
    assert_ne!(newer.qr_text(), same.qr_text());
    sync(&laptop, &relay.url());
    assert_eq!(newer, laptop.vault.fingerprint().unwrap());
}

/// A keystore that can be locked, and that the system can empty.
#[derive(Default)]
struct FakeKeyStore {
    keys: std::collections::HashMap<String, [u8; 32]>,
    locked: bool,
}

impl selkie::KeyStore for FakeKeyStore {
    fn store(&mut self, name: &str, secret: &[u8; 32]) -> Result<(), KeyStoreError> {
        if self.locked {
            return Err(KeyStoreError::Locked);
        }
        self.keys.insert(name.to_owned(), *secret);
        Ok(())
    }
    fn load(&mut self, name: &str) -> Result<zeroize::Zeroizing<[u8; 32]>, KeyStoreError> {
        if self.locked {
            return Err(KeyStoreError::Locked);
        }
        let key = self.keys.get(name).ok_or(KeyStoreError::Invalidated)?;
        Ok(zeroize::Zeroizing::new(*key))
    }
    fn delete(&mut self, name: &str) -> Result<(), KeyStoreError> {
        self.keys.remove(name);
        Ok(())
    }
}

#[test]
fn a_keystore_opens_the_store_until_it_is_locked_emptied_or_told_to_forget() {
    let relay = relay();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let vault = Vault::create(&path, ADMIN).unwrap().vault;
    let mut keystore = FakeKeyStore { locked: true, ..FakeKeyStore::default() };
    let before = std::fs::read(path.with_extension("db.keys")).unwrap();
    assert_eq!(vault.remember(ADMIN, &mut keystore).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(std::fs::read(path.with_extension("db.keys")).unwrap(), before, "nothing changed");
    keystore.locked = false;
    vault.remember(ADMIN, &mut keystore).unwrap();
    let kind = |keystore: &mut FakeKeyStore| {
        Vault::open_remembered(&path, keystore).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(kind(&mut keystore), Ok(()));
    // What it keeps administers nothing.
    let key = *keystore.keys.values().next().unwrap();
    let refused = vault.rotate(&relay.url(), Unlock::Key(&key)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongKey);
    keystore.locked = true;
    assert_eq!(kind(&mut keystore), Err(ErrorKind::Locked));
    keystore.locked = false;
    let kept = std::mem::take(&mut keystore.keys);
    assert_eq!(kind(&mut keystore), Err(ErrorKind::WrongKey));
    keystore.keys = kept.clone();
    vault.forget(&mut keystore).unwrap();
    // A backup of the keystore does not bring it back: the slot is gone.
    keystore.keys = kept;
    assert_eq!(kind(&mut keystore), Err(ErrorKind::WrongKey));
    assert!(Vault::open(&path, ADMIN).is_ok());
}

/// Merging them is planned; until then nothing is lost, nothing goes on in silence, and both sides know.
#[test]
fn two_administrators_apart_from_each_other_are_told_and_nothing_is_overwritten() {
    let http = relay();
    let (phone, _) = pair(&http.url());
    let words = phone.vault.replace_recovery(&http.url(), ADMIN).unwrap();
    let laptop = join(&phone, &http.url());
    sync(&phone, &http.url());
    let by_words = Unlock::RecoveryWords(words.as_str());
    let (one, two) = (("one", MemoryRelay::new()), ("two", MemoryRelay::new()));
    let rotate = |store: &Store, (name, relay): &(&str, MemoryRelay), unlock| {
        let mut transport = relay.connect(store.vault.device_id());
        store.vault.change_roster_over(name, &mut transport, RosterChange::Rotate, unlock)
    };
    rotate(&phone, &one, ADMIN).unwrap();
    rotate(&laptop, &two, by_words).unwrap();
    // Now each meets the other's relay, with as many entries as it has itself, and with one more.
    for _ in 0..2 {
        let refused = rotate(&phone, &two, ADMIN).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Fork, "{refused}");
        let kinds: Vec<_> =
            phone.vault.status().unwrap().findings.into_iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [FindingKind::RosterFork { relay: "two".to_owned() }]);
        rotate(&laptop, &two, by_words).unwrap();
    }
    let mut transport = one.1.connect(laptop.vault.device_id());
    let refused = laptop.vault.sync_over("one", &mut transport, &mut |_| {}).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fork, "{refused}");
    assert_eq!(laptop.vault.status().unwrap().findings.len(), 1);
    // With its own relay each goes on.
    rotate(&phone, &one, ADMIN).unwrap();
    rotate(&laptop, &two, by_words).unwrap();
}
