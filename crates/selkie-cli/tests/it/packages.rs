//! Sync without a relay: through a shared folder, and by package files.

use crate::support::{Device, PASSPHRASE, Relay, join, run};

/// Two devices of one vault, whose relay is gone since.
fn paired() -> (Device, Device) {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    join(&phone, &laptop, &relay.url);
    (phone, laptop)
}

#[test]
fn two_devices_meet_in_a_folder() {
    let (phone, laptop) = paired();
    let shared = phone.path("shared");
    std::fs::create_dir(&shared).unwrap();
    let folder = shared.to_str().unwrap();
    let sync = ["sync", "--folder", folder];
    phone.ok(&["put", "notes", "milk", r#"{"title": "Milk"}"#]);
    assert_eq!(phone.value(&sync)["changes_sent"], 1);
    assert_eq!(laptop.value(&sync)["changes_received"], 1);
    laptop.ok(&["patch", "notes", "milk", r#"{"done": true}"#]);
    laptop.ok(&sync);
    phone.ok(&sync);
    assert_eq!(laptop.digest(), phone.digest());
    let status = phone.value(&["status"]);
    assert_eq!(status["last_sync"]["outcome"], "ok");
    assert_eq!(status["last_sync"]["relay"], format!("folder:{folder}"));
    assert_eq!(status["unsent_changes"], 0);
    // A relative path is the same folder; the environment's relay does not matter.
    let mut command = phone.command(&["sync", "--folder", "shared", "--json"]);
    command.current_dir(phone.path("")).env("SELKIE_RELAY", "http://127.0.0.1:9");
    let done = run(command, b"");
    assert_eq!((done.code, &done.values()[0]["rounds"]), (0, &1.into()), "{done:?}");
    let missing = ["sync", "--folder", "/nowhere/to/be/found"];
    assert_eq!(phone.error(&missing), (6, "network".to_owned()));
    assert_eq!(phone.error(&["sync"]), (2, "usage".to_owned()));
}

#[test]
fn two_devices_exchange_package_files() {
    let (phone, laptop) = paired();
    phone.ok(&["policy", "notes", "--conflicts", "user_choice"]);
    phone.ok(&["put", "notes", "milk", r#"{"title": "Milk"}"#]);
    let file = phone.path("news.slk");
    let file = file.to_str().unwrap();
    let made = phone.value(&["package", "make", file]);
    assert_eq!((&made["changes"], &made["complete"]), (&2.into(), &true.into()));
    let applied = laptop.value(&["package", "apply", file]);
    assert_eq!((&applied["changes_applied"], &applied["segments_held"]), (&2.into(), &0.into()));
    assert_eq!(laptop.digest(), phone.digest());
    assert_eq!(phone.error(&["package", "make", file]), (7, "file_exists".to_owned()));

    // Both edit; the answer goes back through pipes, and only what is new.
    phone.ok(&["patch", "notes", "milk", r#"{"title": "Oat milk"}"#]);
    laptop.ok(&["patch", "notes", "milk", r#"{"title": "Bread"}"#]);
    let since = laptop.value(&["package", "point"])["point"].as_str().unwrap().to_owned();
    let newer = phone.path("newer.slk");
    let newer = newer.to_str().unwrap();
    let made = phone.value(&["package", "make", newer, "--since", &since]);
    assert_eq!(made["segments"], 1);
    let bytes = std::fs::read(newer).unwrap();
    let done = laptop.run_with(&["package", "apply", "-", "--json"], &bytes);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.values()[0]["conflicts"][0]["id"], "milk");
    assert_eq!(laptop.values(&["conflicts"]).len(), 1);
    let text = laptop.ok(&["package", "apply", newer]);
    assert!(text.contains("applied:"), "{text}");
}

#[test]
fn what_is_no_package_of_this_vault_is_refused_with_a_reason() {
    let (phone, laptop) = paired();
    phone.ok(&["put", "notes", "milk", "{}"]);
    let file = phone.path("news.slk");
    let file = file.to_str().unwrap();
    phone.ok(&["package", "make", file]);
    let bytes = std::fs::read(file).unwrap();
    let mut newer = bytes.clone();
    newer[5] = 9;
    let stranger = Device::new();
    let digest = laptop.digest();
    for (what, bytes, code, name, says) in [
        ("text", b"hello".to_vec(), 7, "invalid_input", "no sync package"),
        ("nothing", Vec::new(), 7, "invalid_input", "no sync package"),
        ("cut", bytes[..bytes.len() - 9].to_vec(), 7, "invalid_input", "ends too early"),
        ("longer", [&bytes[..], b"x"].concat(), 7, "invalid_input", "damaged"),
        ("newer", newer, 5, "too_new", "newer version"),
    ] {
        let file = laptop.file("bad", &bytes);
        let done = laptop.run(&["package", "apply", &file, "--json"]);
        assert_eq!((done.code, done.error_code().as_str()), (code, name), "{what}: {done:?}");
        assert!(
            done.stderr.contains(says) && !done.stderr.contains(PASSPHRASE),
            "{what}: {done:?}"
        );
    }
    assert_eq!(stranger.error(&["package", "apply", file]), (7, "invalid_input".to_owned()));
    let absent = laptop.error(&["package", "apply", "/nowhere/news.slk"]);
    assert_eq!(absent, (3, "file_not_found".to_owned()));
    assert_eq!(phone.error(&["package", "make", "-"]), (2, "usage".to_owned()));
    let since = phone.error(&["package", "make", "other", "--since", "yesterday"]);
    assert_eq!(since, (7, "invalid_input".to_owned()));
    assert_eq!(laptop.digest(), digest);
    assert_eq!(laptop.value(&["package", "apply", file])["changes_applied"], 1);
}
