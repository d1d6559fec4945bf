//! The data directory: what survives a restart, and what is refused.

use std::net::SocketAddr;

use rusqlite::Connection;
use selkie_relay::{Background, Config, RelayError};
use selkie_wire::{Cursor, Digest, MailboxId};

use crate::support::{Vault, start};

const DATABASE: &str = "relay.sqlite3";

#[test]
fn a_restart_keeps_everything_and_the_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(dir.path().join("made").join("on demand"));
    let (vault, mut phone, laptop) = Vault::with_two(1);
    let sent = phone.seal_many(5);
    let mailbox = format!("/v1/mailboxes/{}/0", MailboxId([1; 32]));
    let (relay, client) = start(config.clone());
    client.create(&vault);
    let before = client.member(&phone).push(&sent);
    client.send("PUT", &mailbox, None, b"offer").unwrap();
    relay.stop().unwrap();
    let (_relay, client) = start(config);
    let on_laptop = client.member(&laptop);
    assert_eq!(on_laptop.roster(0), vault.entries);
    assert_eq!(on_laptop.pull_all(), sent);
    assert_eq!(on_laptop.pull(None, 0).epoch, before.epoch);
    assert_eq!(client.member(&phone).push(&[]).head, before.head);
    assert_eq!(client.send("GET", &mailbox, None, &[]).unwrap().bytes, b"offer");
    // A cursor of before the restart still counts.
    let fourth = sent[..4].iter().fold(Cursor(0), |place, bytes| place.after(Digest::of(bytes)));
    assert_eq!(on_laptop.pull(Some(before.epoch), fourth.0).envelopes.len(), 1);
}

#[test]
fn each_storage_has_an_epoch_of_its_own() {
    let epochs = [1, 2].map(|_| {
        let dir = tempfile::tempdir().unwrap();
        let (_relay, client) = start(Config::new(dir.path()));
        let (vault, phone, _) = Vault::with_two(1);
        client.create(&vault);
        client.member(&phone).pull(None, 0).epoch
    });
    assert_ne!(epochs[0], epochs[1]);
}

#[cfg(unix)]
#[test]
fn a_directory_it_makes_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _relay = start(Config::new(&data));
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Starts a relay that must not start.
fn refused(config: Config) -> RelayError {
    Background::start(config).unwrap_err()
}

#[test]
fn storage_of_a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    start(Config::new(dir.path())).0.stop().unwrap();
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    let format: i32 = database.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
    database.pragma_update(None, "user_version", format + 1).unwrap();
    drop(database);
    let before = std::fs::read(dir.path().join(DATABASE)).unwrap();
    let error = refused(Config::new(dir.path()));
    assert!(matches!(error, RelayError::NewerFormat { .. }), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    assert_eq!(std::fs::read(dir.path().join(DATABASE)).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let sqlite_of_another = |path: &std::path::Path| {
        let database = Connection::open(path).unwrap();
        database
            .execute_batch("CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (1)")
            .unwrap();
    };
    let owned_by_another = |path: &std::path::Path| {
        let database = Connection::open(path).unwrap();
        database.execute_batch("PRAGMA application_id = 7; PRAGMA user_version = 1").unwrap();
    };
    let no_database = |path: &std::path::Path| {
        std::fs::write(path, "dear diary, ".repeat(1000)).unwrap();
    };
    let makers: [&dyn Fn(&std::path::Path); 3] =
        [&sqlite_of_another, &owned_by_another, &no_database];
    for (case, make) in makers.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DATABASE);
        make(&path);
        let before = std::fs::read(&path).unwrap();
        let error = refused(Config::new(dir.path()));
        assert!(matches!(error, RelayError::NotARelayDatabase { .. }), "{case}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{case}");
    }
}

#[test]
fn a_directory_is_used_by_one_relay_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (relay, _) = start(Config::new(dir.path()));
    let error = refused(Config::new(dir.path()));
    assert!(matches!(error, RelayError::InUse { .. }), "{error}");
    relay.stop().unwrap();
    start(Config::new(dir.path()));
}

#[test]
fn a_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refused(Config::new(file.path()));
    assert!(matches!(error, RelayError::DataDir { .. }), "{error}");
}

#[test]
fn plaintext_is_served_to_the_outside_only_behind_a_proxy() {
    let mut config = Config::in_memory();
    config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = refused(config.clone());
    assert!(matches!(error, RelayError::Plaintext { .. }), "{error}");
    config.behind_proxy = true;
    assert_ne!(start(config).0.address().port(), 0);
}

#[test]
fn an_address_in_use_is_refused() {
    let (relay, _) = start(Config::in_memory());
    let mut config = Config::in_memory();
    config.listen = relay.address();
    let error = refused(config);
    assert!(matches!(error, RelayError::Listen { .. }), "{error}");
}
