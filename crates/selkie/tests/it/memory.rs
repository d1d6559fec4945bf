//! After `lock()`, a process's own memory holds no key: looked for in all of it, from outside.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use selkie::transport::MemoryRelay;
use selkie::{RosterChange, Unlock, Vault};
use selkie_core::keys::{Credential, KeySlots, Passphrase};
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::support::{KEY, raw_database};

const STORE: &str = "SELKIE_TEST_MEMORY_STORE";
const MAKES: &str = "SELKIE_TEST_MEMORY_MAKES";
/// The passphrase and the record's text, written backwards, so that the process is not given what it
/// is searched for.
const PASSPHRASE: &str = "retaw rednu peels slaes 27183";
const CANARY: &str = "14159 drocer a fo txet eht";

fn forwards(text: &str) -> Zeroizing<String> {
    let mut forwards = Zeroizing::new(String::with_capacity(text.len()));
    forwards.extend(text.chars().rev());
    forwards
}

/// Not a test by itself: the process that the test below searches. It opens, writes, reads, syncs and
/// rotates, then locks, says so, and waits.
#[test]
fn the_process_that_is_searched() {
    let (Ok(store), Ok(makes)) = (std::env::var(STORE), std::env::var(MAKES)) else { return };
    {
        let passphrase = forwards(PASSPHRASE);
        if makes == "true" {
            make(Path::new(&store), &passphrase);
        }
        let vault = Vault::open(store, Unlock::Passphrase(&passphrase)).unwrap();
        let notes = vault.collection("notes").unwrap();
        let mut document = json!({ "text": *forwards(CANARY) });
        notes.put("n", &document).unwrap();
        wipe(&mut document);
        let mut read = notes.get("n").unwrap().unwrap().document;
        assert!(read["text"].as_str().is_some_and(|text| text.len() == CANARY.len()));
        wipe(&mut read);
        let mut relay = MemoryRelay::new().connect(vault.device_id());
        vault.sync_over("memory", &mut relay, &mut |_| {}).unwrap();
        let unlock = Unlock::Passphrase(&passphrase);
        vault.change_roster_over("memory", &mut relay, RosterChange::Rotate, unlock).unwrap();
        say(b"open\n");
        vault.lock().unwrap();
    }
    say(b"locked\n");
}

/// Makes the store; the searcher's own key opens it too.
fn make(store: &Path, passphrase: &str) {
    let unlock = Unlock::Passphrase(passphrase);
    let vault = Vault::create(store, unlock).unwrap().vault;
    vault.set_key(unlock, Some(&KEY)).unwrap();
    vault.lock().unwrap();
}

/// The app's own copies are the app's to wipe.
fn wipe(document: &mut Value) {
    if let Value::String(text) = &mut document["text"] {
        text.zeroize();
    }
}

/// Tells the searcher, and goes on when it answers.
fn say(line: &[u8]) {
    std::io::stdout().write_all(line).unwrap();
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

struct Searched {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Searched {
    fn start(store: &Path, makes: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::the_process_that_is_searched", "--nocapture"])
            .env(STORE, store)
            .env(MAKES, makes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn wait_for(&mut self, wanted: &str) {
        assert!(self.lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(wanted)));
    }

    fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// How often each of these is in the process's writable memory.
    fn count(&self, needles: &[(&str, Vec<u8>)]) -> Vec<usize> {
        let process = format!("/proc/{}", self.child.id());
        let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
        let mut memory = File::open(format!("{process}/mem")).unwrap();
        let mut counts = vec![0; needles.len()];
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            memory.seek(SeekFrom::Start(from)).unwrap();
            // Guard pages and the like cannot be read.
            if memory.read_exact(&mut bytes).is_ok() {
                for (count, (_, needle)) in counts.iter_mut().zip(needles) {
                    *count += occurrences(&bytes, needle);
                }
            }
        }
        counts
    }
}

impl Drop for Searched {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn occurrences(bytes: &[u8], needle: &[u8]) -> usize {
    let (first, len) = (needle[0], needle.len());
    let mut count = 0;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        count += usize::from(rest.starts_with(needle));
        rest = &rest[1..];
        if rest.len() + 1 < len {
            break;
        }
    }
    count
}

/// Everything secret of the store.
fn needles(store: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let slots = std::fs::read(store.with_extension("db.keys")).unwrap();
    let slots = KeySlots::parse(&slots).unwrap();
    let passphrase = Passphrase::new(&forwards(PASSPHRASE)).unwrap();
    let credential = Credential::Passphrase(&passphrase);
    let store_key = slots.unlock(&credential).unwrap();
    let database_key = *store_key.derive_database_key().expose();
    let hex: String = database_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec![
        ("passphrase", forwards(PASSPHRASE).as_bytes().to_vec()),
        ("store key", store_key.expose().to_vec()),
        ("database key", database_key.to_vec()),
        ("database key in hex", hex.clone().into_bytes()),
        ("database key in HEX", hex.to_ascii_uppercase().into_bytes()),
        ("admin key", slots.unlock_admin(&credential).unwrap().expose().to_vec()),
    ];
    let database = raw_database(store);
    let secrets: Vec<u8> =
        database.query_row("SELECT secrets FROM device_key", [], |row| row.get(0)).unwrap();
    for (name, seed) in
        ["signing seed", "relay seed", "X-Wing seed"].iter().zip(secrets[1..].chunks(32))
    {
        needles.push((name, seed.to_vec()));
    }
    let mut statement = database.prepare("SELECT key FROM epoch_key ORDER BY epoch").unwrap();
    let keys = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    needles.extend(keys.map(|key| ("epoch key", key.unwrap())));
    needles.push(("record", forwards(CANARY).as_bytes().to_vec()));
    needles
}

#[test]
fn a_locked_process_holds_no_key() {
    for makes in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("store.db");
        if !makes {
            make(&store, &forwards(PASSPHRASE));
        }
        let mut searched = Searched::start(&store, makes);
        searched.wait_for("open");
        let needles = needles(&store);
        let open = searched.count(&needles);
        assert!(open.iter().any(|count| *count > 0), "the search finds what is there");
        searched.go_on();
        searched.wait_for("locked");
        let left = needles.iter().zip(searched.count(&needles)).filter(|(_, count)| *count > 0);
        let left: Vec<_> = left.map(|((name, _), count)| (*name, count)).collect();
        assert!(left.is_empty(), "{left:?}, in a process that makes the store: {makes}");
    }
}
