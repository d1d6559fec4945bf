//! Letting a device in: codes, digits, refusals.

use selkie::{ErrorKind, Unlock, Vault};
use serde_json::json;

use crate::support::{KEY, PASSPHRASE, join, pair, relay, store};

#[test]
fn a_joined_device_has_everything_after_one_sync() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    assert_eq!(phone.vault.id(), laptop.vault.id());
    assert_ne!(phone.vault.device_id(), laptop.vault.device_id());
    phone.vault.collection("notes").unwrap().put("n", &json!({"a": 1})).unwrap();
    phone.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    let report = laptop.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    assert_eq!(report.changes_received, 1);
    assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap());
    let devices = laptop.vault.status().unwrap().devices;
    assert_eq!(devices.iter().filter(|device| device.is_this).count(), 1);
    assert_eq!(devices.len(), 2);
}

#[test]
fn a_joined_device_can_invite_the_next() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    // The laptop was joined with a key that administers nothing.
    let refused = laptop.vault.invite(&relay.url(), Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongKey);
    let tablet = join(&phone, &relay.url());
    tablet.vault.collection("notes").unwrap().put("t", &json!({"from": "tablet"})).unwrap();
    tablet.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    // The laptop learns of the tablet from the roster, and reads it.
    let report = laptop.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    assert_eq!((report.changes_received, report.segments_refused), (1, 0));
    assert_eq!(laptop.vault.status().unwrap().devices.len(), 3);
}

#[test]
fn inviting_asks_for_the_passphrase_again() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let wrong = phone.vault.invite(&relay.url(), Unlock::Passphrase("a guess")).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::WrongKey);
}

#[test]
fn a_code_typed_wrongly_is_noticed() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.db");
    let join = |code: &str| {
        Vault::join(&path, &relay.url(), code, Unlock::Key(&KEY), &mut |_| true).unwrap_err()
    };
    let mut typo: Vec<char> = invitation.code().chars().collect();
    typo[3] = if typo[3] == 'A' { 'B' } else { 'A' };
    assert_eq!(join(&typo.iter().collect::<String>()).kind(), ErrorKind::Pairing);
    assert_eq!(join("").kind(), ErrorKind::Pairing);
    let short: String = invitation.code().chars().take(20).collect();
    assert_eq!(join(&short).kind(), ErrorKind::Pairing);
    assert!(
        std::fs::read_dir(directory.path()).unwrap().next().is_none(),
        "nothing is left behind"
    );
}

#[test]
fn a_code_nobody_gave_finds_nobody() {
    let relay = relay();
    let code = selkie_core::keys::PairingCode::from_bytes([9; 16]).text();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.db");
    let error =
        Vault::join(&path, &relay.url(), &code, Unlock::Key(&KEY), &mut |_| true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pairing);
    assert!(!path.exists());
}

#[test]
fn other_digits_end_the_pairing_on_both_sides() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let before = phone.vault.status().unwrap().devices.len();
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.code().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.db");
    let error =
        Vault::join(&path, &relay.url(), &code, Unlock::Key(&KEY), &mut |_| false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pairing);
    let mut polls = 0;
    let waited = invitation.wait(&mut || {
        polls += 1;
        polls < 3
    });
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Pairing);
    assert_eq!(phone.vault.status().unwrap().devices.len(), before);
    assert!(!path.exists());
}

#[test]
fn a_refusal_reaches_the_device_that_asked() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let (code, url) = (invitation.code().to_owned(), relay.url());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.db");
    std::thread::scope(|scope| {
        let joining =
            scope.spawn(|| Vault::join(&path, &url, &code, Unlock::Key(&KEY), &mut |_| true));
        invitation.wait(&mut || true).unwrap().refuse().unwrap();
        assert_eq!(joining.join().unwrap().unwrap_err().kind(), ErrorKind::Pairing);
    });
    assert!(!path.exists());
    assert_eq!(phone.vault.status().unwrap().devices.len(), 2);
}

#[test]
fn a_second_device_cannot_use_the_same_code() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.code().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let url = relay.url();
    std::thread::scope(|scope| {
        let path = directory.path().join("first.db");
        let (code, url) = (&code, &url);
        let first =
            scope.spawn(move || Vault::join(path, url, code, Unlock::Key(&KEY), &mut |_| true));
        let pending = invitation.wait(&mut || true).unwrap();
        let second = directory.path().join("second.db");
        let refused =
            Vault::join(&second, url, code, Unlock::Key(&KEY), &mut |_| true).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Relay | ErrorKind::Pairing), "{refused}");
        pending.confirm().unwrap();
        first.join().unwrap().unwrap();
    });
    let late =
        Vault::join(directory.path().join("late.db"), &url, &code, Unlock::Key(&KEY), &mut |_| {
            true
        });
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Pairing);
}

#[test]
fn an_existing_store_is_not_joined_over() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let error =
        Vault::join(laptop.path(), &relay.url(), invitation.code(), Unlock::Key(&KEY), &mut |_| {
            true
        });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let offline = store();
    let nobody = offline.vault.invite("http://127.0.0.1:9", Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WrongKey);
}

#[test]
fn a_device_is_let_in_by_files_alone() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stick = tempfile::tempdir().unwrap();
    let made = Vault::create(here.path().join("s.db"), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let phone = made.vault;
    // So many epochs that no grant can carry the roster.
    let mut relay = selkie::transport::MemoryRelay::new().connect(phone.device_id());
    for _ in 0..25 {
        let unlock = Unlock::RecoveryWords(made.recovery_words.as_str());
        phone.change_roster_over("m", &mut relay, selkie::RosterChange::Rotate, unlock).unwrap();
    }
    let invitation = phone.invite_in(stick.path(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.qr_text();
    assert!(code.starts_with("SELKIE:") && code.len() == 7 + 27, "{}", code.len());
    let path = there.path().join("s.db");
    let laptop = std::thread::scope(|scope| {
        let joining = scope
            .spawn(|| Vault::join_in(&path, stick.path(), &code, Unlock::Key(&KEY), &mut |_| true));
        invitation.wait(&mut || true).unwrap().confirm().unwrap();
        joining.join().unwrap().unwrap()
    });
    assert_eq!(laptop.fingerprint().unwrap(), phone.fingerprint().unwrap());
    assert_eq!(std::fs::read_dir(stick.path()).unwrap().count(), 0, "nothing is left on the stick");
    let again = Vault::join_in(
        there.path().join("t.db"),
        stick.path(),
        &code,
        Unlock::Key(&KEY),
        &mut |_| true,
    );
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Pairing);
}

#[test]
fn a_relay_that_hides_what_the_sponsor_has_seen_is_told_of_after_joining() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    phone.vault.collection("notes").unwrap().put("n", &json!({"a": 1})).unwrap();
    phone.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    let tablet = join(&phone, &relay.url());
    let mut empty = selkie::transport::MemoryRelay::new().connect(tablet.vault.device_id());
    tablet.vault.sync_over("empty", &mut empty, &mut |_| {}).unwrap();
    let (device, said_by) = (phone.vault.device_id(), tablet.vault.device_id());
    let findings = tablet.vault.status().unwrap().findings;
    let kinds: Vec<_> = findings.into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [selkie::FindingKind::Withheld { device, up_to: 1, said_by }]);
    tablet.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    assert!(tablet.vault.status().unwrap().findings.is_empty());
}

/// Someone saw the code over a shoulder, and is faster. (Who sits in between with the code and makes an
/// offer of their own is caught by the digits: `selkie-core`, pairing tests.)
#[test]
fn a_code_that_a_thief_answered_shows_no_digits_on_the_new_device() {
    let relay = relay();
    let (phone, _) = pair(&relay.url());
    let invitation = phone.vault.invite(&relay.url(), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.code().to_owned();
    let (url, directory) = (relay.url(), tempfile::tempdir().unwrap());
    std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::channel();
        let (url, code, path) = (&url, &code, directory.path().join("thief.db"));
        let thief = scope.spawn(move || {
            Vault::join(path, url, code, Unlock::Key(&KEY), &mut |digits| {
                send.send(digits.to_owned()).unwrap();
                true
            })
        });
        let digits_of_thief = receive.recv().unwrap();
        let pending = invitation.wait(&mut || true).unwrap();
        assert_eq!(pending.digits(), digits_of_thief);
        // The new device cannot answer any more, and shows no digits at all to be compared.
        let late = directory.path().join("late.db");
        let mut shown = None;
        let refused = Vault::join(late, url, code, Unlock::Key(&KEY), &mut |digits| {
            shown = Some(digits.to_owned());
            true
        });
        assert!(refused.is_err());
        assert_eq!(shown, None);
        pending.refuse().unwrap();
        assert!(thief.join().unwrap().is_err());
    });
    assert_eq!(phone.vault.status().unwrap().devices.len(), 2);
}
