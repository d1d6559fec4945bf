//! kill -9 of several processes that write to one folder at once: all that was acknowledged is there, on
//! every device, and the folder holds nothing half-written under a name of ours.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use selkie::{Unlock, Vault};
use selkie_wire::{Digest, Envelope};
use serde_json::json;

use super::devices::{assert_equal, devices, get, reopened, sync};
use super::places::{Place, SharedFolder};
use crate::support::{KEY, Store};

const ROUNDS: usize = 8;
const STORE: &str = "SELKIE_TEST_STORE";
const FOLDER: &str = "SELKIE_TEST_FOLDER";
const NAME: &str = "SELKIE_TEST_NAME";
const FIRST: &str = "SELKIE_TEST_FIRST";

/// Not a test by itself: a process that the test below starts and kills. It writes numbered records for
/// ever, tells each number once the write has returned, and syncs with the folder now and then.
#[test]
fn the_process_that_is_killed() {
    let [Ok(store), Ok(folder), Ok(name), Ok(first)] =
        [STORE, FOLDER, NAME, FIRST].map(std::env::var)
    else {
        return;
    };
    let vault = Vault::open(store, Unlock::Key(&KEY)).unwrap();
    let notes = vault.collection("notes").unwrap();
    for number in first.parse::<u64>().unwrap().. {
        notes.put(&format!("{name}{number}"), &json!({ "n": number })).unwrap();
        println!("written {number}");
        if number % 3 == 0 {
            vault.sync(&folder, &mut |_| {}).unwrap();
            println!("synced {number}");
        }
    }
}

/// A device, its process, and what it has told so far.
struct Writer {
    store: Store,
    name: &'static str,
    acknowledged: u64,
}

impl Writer {
    fn start(&self, folder: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "transport_contract::processes::the_process_that_is_killed"])
            .arg("--nocapture")
            .env(STORE, self.store.path())
            .env(FOLDER, folder)
            .env(NAME, self.name)
            .env(FIRST, (self.acknowledged + 1).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Reads so many lines of a process, and kills it.
    fn kill_after(&mut self, mut child: Child, lines: usize) {
        let output = BufReader::new(child.stdout.take().unwrap());
        for line in output.lines().map_while(Result::ok).take(lines) {
            if let Some(number) = line.strip_prefix("written ") {
                self.acknowledged = number.parse().unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn processes_killed_while_they_write_to_one_folder_lose_and_double_nothing() {
    let folder = SharedFolder::new();
    let names = ["a", "b", "c"];
    let mut writers: Vec<Writer> = devices::<3>()
        .into_iter()
        .zip(names)
        .map(|(store, name)| Writer { store, name, acknowledged: 0 })
        .collect();
    let mut state = 7usize;
    for _ in 0..ROUNDS {
        let running: Vec<Child> =
            writers.iter().map(|writer| writer.start(&folder.address())).collect();
        // Other moments each time; the harness prints some lines of its own first.
        let mut lines = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            5 + (state >> 33) % 12
        };
        let moments: Vec<usize> = writers.iter().map(|_| lines()).collect();
        std::thread::scope(|scope| {
            for ((writer, child), lines) in writers.iter_mut().zip(running).zip(moments) {
                scope.spawn(move || writer.kill_after(child, lines));
            }
        });
    }
    let written: Vec<(&str, u64)> =
        writers.iter().map(|writer| (writer.name, writer.acknowledged)).collect();
    assert!(written.iter().all(|(_, acknowledged)| *acknowledged > ROUNDS as u64), "{written:?}");
    let stores: Vec<Store> = writers.into_iter().map(|writer| reopened(writer.store)).collect();
    for store in stores.iter().chain(&stores) {
        let report = sync(&folder, store);
        assert_eq!(report.segments_refused, 0, "{report:?}");
    }
    assert_equal(&stores.iter().collect::<Vec<_>>());
    for (name, acknowledged) in written {
        for number in 1..=acknowledged {
            let id = format!("{name}{number}");
            assert_eq!(get(&stores[0], &id), Some(json!(number)), "{id}");
        }
    }
    for store in &stores {
        check_files(&folder, &store.vault);
    }
}

/// Each segment file is whole and what its name says.
fn check_files(folder: &SharedFolder, vault: &Vault) {
    let mut count = 0;
    for entry in std::fs::read_dir(folder.device(vault)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".seg") {
            let bytes = std::fs::read(&path).unwrap();
            let (digest, number) =
                (Digest::of(&bytes), Envelope::parse(bytes).unwrap().header().number);
            assert_eq!(name, format!("{number}-{number}-{digest}.seg"));
            count += 1;
        }
    }
    assert!(count > 0);
}
