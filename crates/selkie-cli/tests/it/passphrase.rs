//! What opens a store and what does not, and that it never comes by a way others can read.

use std::fs;
use std::process::Command;

use crate::support::{Device, PASSPHRASE, run, selkie};

#[test]
fn a_wrong_passphrase_is_refused_and_changes_nothing() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    let (digest, keys) = (device.digest(), fs::read(device.path("vault.db.keys")).unwrap());
    fs::write(device.path("passphrase"), "a guess\n").unwrap();
    for arguments in [&["put", "notes", "milk", r#"{"a": 1}"#][..], &["delete", "notes", "milk"]] {
        assert_eq!(device.error(arguments), (4, "wrong_key".to_owned()));
    }
    fs::write(device.path("passphrase"), PASSPHRASE).unwrap();
    assert_eq!(device.digest(), digest);
    assert_eq!(fs::read(device.path("vault.db.keys")).unwrap(), keys);
}

#[test]
fn recovery_words_are_written_privately_and_open_the_store() {
    let device = Device::new();
    device.ok(&["put", "notes", "milk", "{}"]);
    let words = fs::read_to_string(device.path("words")).unwrap();
    assert_eq!(words.split_whitespace().count(), 24);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(device.path("words")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let in_lines = device.file("lines", words.replacen(' ', "\n", 12));
    let open = |file: &str| {
        let mut command = selkie();
        command.arg("--store").arg(device.store());
        command.args(["--recovery-words", file, "list", "notes"]);
        run(command, b"")
    };
    assert!(open(&in_lines).stdout.starts_with("milk"));
    let wrong: String = words.split_whitespace().rev().collect::<Vec<_>>().join(" ");
    let done = open(&device.file("wrong", wrong));
    assert!(matches!(done.code, 4 | 7), "{done:?}");
}

#[test]
fn recovery_words_are_not_lost_or_printed_by_accident() {
    let device = Device::without_store();
    // Nobody reads this pipe: no vault comes to be.
    for json in [&["init"][..], &["init", "--json"]] {
        let done = device.run(json);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{done:?}");
    }
    let taken = device.file("words", "mine");
    let done = device.run(&["init", "--recovery-words-file", &taken]);
    assert_eq!(done.code, 7, "{done:?}");
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    assert!(!device.store().exists());

    let made = device.value(&["init", "--print-recovery-words"]);
    assert_eq!(made["recovery_words"].as_str().unwrap().split(' ').count(), 24);
    assert!(device.store().exists());
}

#[test]
fn a_second_init_overwrites_nothing_and_leaves_no_file() {
    let device = Device::new();
    let digest = device.digest();
    let words = device.path("more-words");
    let (code, name) = device.error(&["init", "--recovery-words-file", words.to_str().unwrap()]);
    assert_eq!((code, name.as_str()), (7, "already_exists"));
    assert!(!words.exists());
    assert_eq!(device.digest(), digest);
}

#[cfg(unix)]
#[test]
fn a_passphrase_comes_by_a_file_descriptor() {
    let device = Device::new();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_selkie")]);
        command.env_remove("SELKIE_RELAY").env("SELKIE_STORE", device.store());
        command.env("P", device.path("passphrase"));
        run(command, b"")
    };
    let done = shell("exec \"$0\" put notes milk '{}' --passphrase-fd 3 3<\"$P\"");
    assert_eq!(done.code, 0, "{done:?}");
    let done = shell("cat \"$P\" | \"$0\" list notes --passphrase-fd 0");
    assert!(done.stdout.starts_with("milk"), "{done:?}");
    let done = shell("exec \"$0\" list notes --passphrase-fd 9");
    assert_eq!(done.code, 3, "{done:?}");
}

#[test]
fn without_a_way_to_ask_it_says_how_to_give_it() {
    let device = Device::new();
    for (content, code) in [("", 7), ("\n", 7)] {
        fs::write(device.path("passphrase"), content).unwrap();
        assert_eq!(device.run(&["status"]).code, code);
    }
    fs::remove_file(device.path("passphrase")).unwrap();
    assert_eq!(device.error(&["status"]), (3, "file_not_found".to_owned()));
    let both = ["status", "--passphrase-fd", "3"];
    assert_eq!(device.run(&both).code, 2);
}
