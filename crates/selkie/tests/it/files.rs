//! The files on disk: never in the clear, never silently wrong, never lost.

use std::fs;
use std::path::Path;

use selkie::{ErrorKind, Unlock, Vault};
use serde_json::json;

use crate::support::{KEY, PASSPHRASE, raw_database, store};

/// Words that would show anything of a record.
const CANARY: &str = "canary-7f3a-quokka";

fn files_in(directory: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_file_ever_shows_a_record() {
    let store = store();
    let notes = store.vault.collection(CANARY).unwrap();
    for n in 0..200 {
        notes.put(&format!("{CANARY}-{n}"), &json!({ CANARY: format!("{CANARY} {n}") })).unwrap();
    }
    notes.query(&selkie::Query::new().filter(selkie::Filter::parse(CANARY).unwrap())).unwrap();
    notes.delete(&format!("{CANARY}-3")).unwrap();
    let mut seen = Vec::new();
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let utf16: Vec<u8> = CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // While the log is open, and after it is written back.
    for closed in [false, true] {
        for file in files_in(store.directory.path()) {
            let bytes = fs::read(&file).unwrap();
            for needle in [CANARY.as_bytes(), hex.as_bytes(), &utf16] {
                assert!(!contains(&bytes, needle), "{} (closed: {closed})", file.display());
            }
            assert!(!contains(&bytes, &KEY), "{}", file.display());
            assert!(!contains(&bytes, b"SQLite format 3"), "{}", file.display());
            seen.push(file.file_name().unwrap().to_string_lossy().into_owned());
        }
        if !closed {
            let reader = Vault::open(store.path(), Unlock::Key(&KEY)).unwrap();
            drop(reader);
        }
    }
    for expected in ["store.db", "store.db.keys", "store.db-wal"] {
        assert!(
            seen.iter().any(|name| name == expected),
            "{expected} was looked at, among {seen:?}"
        );
    }
}

#[test]
fn an_unencrypted_reader_sees_no_database() {
    let store = store();
    store.vault.collection("n").unwrap().put("x", &json!({"a": 1})).unwrap();
    let plain = rusqlite::Connection::open(store.path()).unwrap();
    let error = plain.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase));
}

#[test]
fn a_wrong_key_is_one_error_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let new = Vault::create(&path, Unlock::Passphrase(PASSPHRASE)).unwrap();
    new.vault.collection("n").unwrap().put("x", &json!({"a": 1})).unwrap();
    let words = new.recovery_words.as_str().to_owned();
    drop(new);
    let before: Vec<_> =
        files_in(directory.path()).iter().map(|file| fs::read(file).unwrap()).collect();
    let other_words = Vault::create(directory.path().join("other.db"), Unlock::Key(&KEY)).unwrap();
    let wrong = [
        Unlock::Passphrase("seals sleep under wate"),
        Unlock::RecoveryWords(other_words.recovery_words.as_str()),
    ];
    for unlock in wrong {
        assert_eq!(Vault::open(&path, unlock).unwrap_err().kind(), ErrorKind::WrongKey);
    }
    assert_eq!(Vault::open(&path, Unlock::Key(&KEY)).unwrap_err().kind(), ErrorKind::WrongKey);
    assert_eq!(
        Vault::open(&path, Unlock::Passphrase("")).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let bad_words = Vault::open(&path, Unlock::RecoveryWords("abandon abandon")).unwrap_err();
    assert_eq!(bad_words.kind(), ErrorKind::InvalidInput);
    for (file, bytes) in ["store.db", "store.db.keys"].iter().zip(before.iter()) {
        let _ = bytes;
        assert!(directory.path().join(file).exists());
    }
    for unlock in [Unlock::Passphrase(PASSPHRASE), Unlock::RecoveryWords(&words)] {
        let again = Vault::open(&path, unlock).unwrap();
        assert_eq!(again.collection("n").unwrap().count().unwrap(), 1);
    }
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let open = || Vault::open(&path, Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(open().kind(), ErrorKind::NotFound);
    fs::write(&path, "hello, I am a text file").unwrap();
    let no_keys = open();
    assert_eq!(no_keys.kind(), ErrorKind::Storage);
    assert!(no_keys.to_string().contains("store.db.keys"), "{no_keys}");
    let keys = directory.path().join("store.db.keys");
    for bytes in [&b""[..], b"hello", &[0; 4096], &vec![b'x'; 100_000]] {
        fs::write(&keys, bytes).unwrap();
        assert_eq!(open().kind(), ErrorKind::Storage, "{} bytes", bytes.len());
    }
    let other = store();
    fs::copy(other.directory.path().join("store.db.keys"), &keys).unwrap();
    assert_eq!(open().kind(), ErrorKind::Storage, "a real key file beside a text file");
    assert_eq!(fs::read(&path).unwrap(), b"hello, I am a text file", "untouched");
}

#[test]
fn an_existing_store_is_never_overwritten() {
    let store = store();
    store.vault.collection("n").unwrap().put("x", &json!({"a": 1})).unwrap();
    let again = Vault::create(store.path(), Unlock::Key(&[9; 32])).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let path = store.path();
    drop(store.vault);
    fs::remove_file(&path).unwrap();
    let lost = Vault::create(&path, Unlock::Key(&[9; 32])).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::AlreadyExists, "the key file alone may still be needed");
}

#[test]
fn a_log_left_behind_is_not_replayed_into_a_new_store() {
    let store = store();
    let path = store.path();
    store.vault.collection("n").unwrap().put("x", &json!({"a": 1})).unwrap();
    let log = std::fs::read(store.directory.path().join("store.db-wal")).unwrap();
    drop(store.vault);
    for name in ["store.db", "store.db.keys"] {
        fs::remove_file(store.directory.path().join(name)).unwrap();
    }
    fs::write(store.directory.path().join("store.db-wal"), log).unwrap();
    let refused = Vault::create(&path, Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert!(refused.to_string().contains("store.db-wal"), "{refused}");
    fs::remove_file(store.directory.path().join("store.db-wal")).unwrap();
    let vault = Vault::create(&path, Unlock::Key(&KEY)).unwrap().vault;
    vault.collection("n").unwrap().put("x", &json!({"a": 2})).unwrap();
}

#[test]
fn an_interrupted_creation_is_finished_or_begun_again() {
    let store = store();
    let path = store.path();
    drop(store.vault);
    let unfinished = store.directory.path().join("store.db.unfinished");
    // Interrupted just before the last step.
    fs::rename(&path, &unfinished).unwrap();
    Vault::open(&path, Unlock::Key(&KEY)).unwrap();
    assert!(path.exists() && !unfinished.exists());
    // Interrupted before the key file was there.
    fs::rename(&path, &unfinished).unwrap();
    fs::remove_file(store.directory.path().join("store.db.keys")).unwrap();
    assert_eq!(Vault::open(&path, Unlock::Key(&KEY)).unwrap_err().kind(), ErrorKind::NotFound);
    Vault::create(&path, Unlock::Key(&[9; 32])).unwrap();
    Vault::open(&path, Unlock::Key(&[9; 32])).unwrap();
}

#[test]
fn a_newer_format_asks_for_an_update() {
    let store = store();
    let path = store.path();
    drop(store.vault);
    // A later version's store, made by raising the format inside the encrypted file.
    let database = raw_database(&path);
    database.pragma_update(None, "user_version", 1_000).unwrap();
    drop(database);
    let error = Vault::open(&path, Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooNew);
    assert!(error.to_string().contains("update"), "{error}");
}

/// Flips single bytes all over both files. Every flip is noticed at the latest when the page is
/// read, or hits nothing that is used; what is read is never wrong.
#[test]
fn a_flipped_byte_is_noticed_and_never_read_as_data() {
    let store = store();
    let notes = store.vault.collection("n").unwrap();
    for n in 0..50 {
        notes.put(&format!("{n:02}"), &json!({ "n": n, "text": "x".repeat(200) })).unwrap();
    }
    let expected: Vec<_> = notes.list(&selkie::Page::default()).unwrap();
    drop(notes);
    let (path, directory) = (store.path(), store.directory.path().to_owned());
    drop(store.vault);
    let mut noticed = 0;
    for name in ["store.db", "store.db.keys"] {
        let file = directory.join(name);
        let whole = fs::read(&file).unwrap();
        let step = (whole.len() / 60).max(1);
        for at in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&file, &bytes).unwrap();
            let read = Vault::open(&path, Unlock::Key(&KEY))
                .and_then(|vault| vault.collection("n")?.list(&selkie::Page::default()));
            match read {
                Ok(records) => assert_eq!(records, expected, "{name} at {at}"),
                Err(error) => {
                    noticed += 1;
                    let kinds = [ErrorKind::Storage, ErrorKind::WrongKey, ErrorKind::TooNew];
                    assert!(kinds.contains(&error.kind()), "{name} at {at}: {error}");
                }
            }
            fs::write(&file, &whole).unwrap();
            for suffix in ["-wal", "-shm"] {
                let _absent = fs::remove_file(directory.join(format!("store.db{suffix}")));
            }
        }
    }
    assert!(noticed > 60, "{noticed}");
    assert!(Vault::open(&path, Unlock::Key(&KEY)).is_ok(), "whole again");
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let store = store();
    for name in ["store.db", "store.db.keys"] {
        let mode = fs::metadata(store.directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn errors_and_debug_output_show_no_secret() {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.put("n", &json!({ "text": CANARY })).unwrap();
    let new =
        Vault::create(store.directory.path().join("b.db"), Unlock::Passphrase(PASSPHRASE)).unwrap();
    let words = new.recovery_words.as_str().to_owned();
    let shown =
        format!("{:?} {:?} {:?} {:?}", store.vault, notes, new, Unlock::Passphrase(PASSPHRASE));
    for secret in [CANARY, PASSPHRASE, &words] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let errors = [
        notes.put("n", &json!([CANARY])).unwrap_err(),
        notes.put("n", &json!({CANARY: u64::MAX})).unwrap_err(),
        Vault::open(store.path(), Unlock::Passphrase(CANARY)).unwrap_err(),
        Vault::open(store.path(), Unlock::RecoveryWords(CANARY)).unwrap_err(),
    ];
    for error in errors {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

/// A small file system of its own, if this machine allows one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1536k", "tmpfs"])
            .arg(directory.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount() else {
        println!("no small file system can be mounted here; the test needs the rights to do so");
        return;
    };
    let path = disk.0.path().join("store.db");
    let vault = Vault::create(&path, Unlock::Key(&KEY)).unwrap().vault;
    let notes = vault.collection("notes").unwrap();
    let mut written = 0;
    let error = loop {
        match notes.put(&format!("{written:05}"), &json!({ "text": "x".repeat(2000) })) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk never filled");
    };
    assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
    assert_eq!(notes.count().unwrap(), written, "still readable");
    drop(notes);
    drop(vault);
    let again = Vault::open(&path, Unlock::Key(&KEY)).unwrap();
    let kept = again.collection("notes").unwrap().list(&selkie::Page::default()).unwrap();
    assert_eq!(kept.len() as u64, written);
    assert!(kept.iter().all(|record| record.document["text"].as_str().unwrap().len() == 2000));
}

#[test]
fn a_store_that_cannot_be_made_leaves_nothing_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("file");
    fs::write(&blocked, "x").unwrap();
    let below_a_file = Vault::create(blocked.join("store.db"), Unlock::Key(&KEY)).unwrap_err();
    assert_eq!(below_a_file.kind(), ErrorKind::Storage);
    assert_eq!(files_in(directory.path()).len(), 1);
    Vault::create(directory.path().join("new/deep/store.db"), Unlock::Key(&KEY)).unwrap();
}
