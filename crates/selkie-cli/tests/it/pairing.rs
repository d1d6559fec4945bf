//! Adding a device: the code, the six digits, and what happens when they are wrong.

use crate::support::{Device, PASSPHRASE, Relay, Running, invite, run};

#[test]
fn a_mistyped_code_joins_nothing_and_leaves_nothing() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    let (_inviting, code) = invite(&phone, &relay.url);
    let letters: Vec<char> = code.chars().collect();
    let swapped: String = letters.iter().rev().collect();
    let other_letter = if letters[0] == 'A' { 'B' } else { 'A' };
    let one_wrong: String =
        std::iter::once(other_letter).chain(letters[1..].iter().copied()).collect();
    for (typed, code) in [
        ("", 7),
        ("hello", 6),
        (&swapped, 6),
        (&one_wrong, 6),
        ("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AA", 6),
    ] {
        let join = laptop.command(&["join", "--relay", &relay.url, "--json"]);
        let done = run(join, format!("{typed}\ny\n").as_bytes());
        assert_eq!(done.code, code, "{typed:?}: {done:?}");
        assert!(!done.stderr.contains(PASSPHRASE), "{done:?}");
        assert!(!laptop.store().exists());
    }
}

#[test]
fn a_used_code_serves_nobody_else() {
    let relay = Relay::start();
    let (phone, laptop, thief) = (Device::new(), Device::without_store(), Device::without_store());
    let (mut inviting, code) = invite(&phone, &relay.url);
    let mut joining = Running::start(laptop.command(&["join", "--relay", &relay.url, "--json"]));
    joining.answer(&code);
    assert_eq!(inviting.next_value()["digits"], joining.next_value()["digits"]);
    inviting.answer("y");
    joining.answer("y");
    assert_eq!(inviting.end().0, 0);
    assert_eq!(joining.next_value()["event"], "joined");
    assert_eq!(joining.end().0, 0);
    let join = thief.command(&["join", "--relay", &relay.url, "--json"]);
    let done = run(join, format!("{code}\ny\n").as_bytes());
    assert_eq!((done.code, done.error_code().as_str()), (6, "pairing"), "{done:?}");
    assert!(!thief.store().exists());
    assert_eq!(phone.values(&["devices"]).len(), 2);
}

#[test]
fn digits_that_are_refused_at_the_new_device_join_nothing() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    let (mut inviting, code) = invite(&phone, &relay.url);
    let mut joining = Running::start(laptop.command(&["join", "--relay", &relay.url, "--json"]));
    joining.answer(&code);
    inviting.next_value();
    joining.next_value();
    joining.answer("n");
    assert_eq!(joining.end().0, 6);
    // Silence at the inviting device is a no as well.
    assert_eq!(inviting.end().0, 6);
    assert!(!laptop.store().exists());
    assert_eq!(phone.values(&["devices"]).len(), 1);
}

#[test]
fn an_invitation_that_nobody_takes_ends() {
    let relay = Relay::start();
    let phone = Device::new();
    let invite = phone.command(&["invite", "--relay", &relay.url, "--wait", "0", "--json"]);
    let done = run(invite, b"");
    assert_eq!((done.code, done.error_code().as_str()), (6, "pairing"), "{done:?}");
    assert_eq!(phone.values(&["devices"]).len(), 1);
}

#[test]
fn inviting_asks_for_the_right_passphrase() {
    let relay = Relay::start();
    let phone = Device::new();
    std::fs::write(phone.path("passphrase"), "a guess").unwrap();
    assert_eq!(phone.error(&["invite", "--relay", &relay.url]), (4, "wrong_key".to_owned()));
}

#[test]
fn a_store_that_is_there_is_not_joined_over() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::new());
    let digest = laptop.digest();
    let (_inviting, code) = invite(&phone, &relay.url);
    let join = laptop.command(&["join", "--relay", &relay.url, "--json"]);
    let done = run(join, format!("{code}\ny\n").as_bytes());
    assert_eq!((done.code, done.error_code().as_str()), (7, "already_exists"));
    assert_eq!(laptop.digest(), digest);
}

#[test]
fn a_device_joins_by_files_in_a_folder() {
    let (phone, laptop) = (Device::new(), Device::without_store());
    let stick = phone.path("stick");
    std::fs::create_dir(&stick).unwrap();
    let stick = stick.to_str().unwrap();
    let mut inviting = Running::start(phone.command(&["invite", "--folder", stick, "--json"]));
    let code = inviting.next_value()["code"].as_str().unwrap().to_owned();
    let mut joining = Running::start(laptop.command(&["join", "--folder", stick, "--json"]));
    joining.answer(&code);
    assert_eq!(inviting.next_value()["digits"], joining.next_value()["digits"]);
    inviting.answer("y");
    joining.answer("y");
    assert_eq!(inviting.end().0, 0);
    assert_eq!(joining.next_value()["event"], "joined");
    assert_eq!(joining.end().0, 0);
    assert_eq!(phone.value(&["fingerprint"]), laptop.value(&["fingerprint"]));
    let neither = phone.error(&["invite"]);
    assert_eq!(neither, (2, "usage".to_owned()));
}
