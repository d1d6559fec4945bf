//! kill -9 of a device that writes and syncs: what was acknowledged is there, once, on every device.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use selkie::{Page, Unlock, Vault};
use serde_json::json;

use crate::support::{KEY, pair, relay};

const KILLS: usize = 12;
const STORE: &str = "SELKIE_TEST_STORE";
const RELAY: &str = "SELKIE_TEST_RELAY";
const FIRST: &str = "SELKIE_TEST_FIRST";

/// Not a test by itself: the process that the test below starts and kills. It writes numbered records
/// for ever, tells each number once the write has returned, and syncs now and then.
#[test]
fn the_process_that_is_killed() {
    let (Ok(store), Ok(url), Ok(first)) =
        (std::env::var(STORE), std::env::var(RELAY), std::env::var(FIRST))
    else {
        return;
    };
    let vault = Vault::open(store, Unlock::Key(&KEY)).unwrap();
    let notes = vault.collection("notes").unwrap();
    for number in first.parse::<u64>().unwrap().. {
        notes.put(&format!("{number:06}"), &json!({ "n": number })).unwrap();
        notes.put("counter", &json!({ "n": number })).unwrap();
        println!("written {number}");
        if number % 7 == 0 {
            vault.sync(&url, &mut |_| {}).unwrap();
            println!("synced {number}");
        }
    }
}

fn start(store: &std::path::Path, url: &str, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_process_that_is_killed", "--nocapture"])
        .env(STORE, store)
        .env(RELAY, url)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_device_killed_while_writing_and_syncing_loses_and_doubles_nothing() {
    let relay = relay();
    // The laptop opens by a key, so that the killed process starts quickly.
    let (phone, laptop) = pair(&relay.url());
    let (path, directory) = (laptop.path(), laptop.directory);
    drop(laptop.vault);
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        let mut child = start(&path, &relay.url(), acknowledged + 1);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Another number of lines each time, so that another step is under way.
        for line in lines.map_while(Result::ok).take(9 + kill * 5) {
            if let Some(number) = line.strip_prefix("written ") {
                acknowledged = number.parse().unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let again = Vault::open(&path, Unlock::Key(&KEY)).unwrap();
        check(&again, acknowledged);
        phone.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    }
    assert!(acknowledged > KILLS as u64 * 3, "{acknowledged}");
    let laptop = Vault::open(&path, Unlock::Key(&KEY)).unwrap();
    laptop.sync(&relay.url(), &mut |_| {}).unwrap();
    phone.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    check(&phone.vault, acknowledged);
    assert_eq!(phone.vault.digest().unwrap(), laptop.digest().unwrap());
    drop(directory);
}

/// Every acknowledged record is there once. One more may be: killed after its write, before it told.
fn check(vault: &Vault, acknowledged: u64) {
    let notes = vault.collection("notes").unwrap().list(&Page::default()).unwrap();
    let numbers: Vec<u64> = notes
        .iter()
        .filter(|note| note.id != "counter")
        .map(|note| note.id.parse().unwrap())
        .collect();
    let count = numbers.len() as u64;
    assert!(numbers.iter().copied().eq(1..=count), "{numbers:?}");
    assert!((acknowledged..=acknowledged + 1).contains(&count), "{count} of {acknowledged}");
    let counter = notes.iter().find(|note| note.id == "counter").unwrap();
    let last = counter.document["n"].as_u64().unwrap();
    assert!((acknowledged..=acknowledged + 1).contains(&last), "{last} of {acknowledged}");
}
