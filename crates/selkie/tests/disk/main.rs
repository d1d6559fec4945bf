//! The real store on a disk that dies at every step of every operation, loses power, or is full.
//!
//! A binary of its own, since a process has one file layer below SQLite, and here it is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "../it/support.rs"]
mod support;
mod vfs_ffi;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use selkie::transport::MemoryRelay;
use selkie::{CollectionPolicy, ErrorKind, Page, Policy, Resolution, Unlock, Vault};
use serde_json::{Value, json};

use support::{KEY, Store, join, pair, raw_database, relay};
use vfs_ffi::Fault;

/// More steps than any operation here makes.
const STEPS_MAX: u64 = 400;
/// The files of the store that a test puts back in place.
const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", ".keys", ".chain"];

/// The tests share the process's one disk.
static TURN: Mutex<()> = Mutex::new(());

type Operation = fn(&Scene, &Vault) -> Result<(), selkie::Error>;

/// Two devices and a relay, and how all three were before the operation.
struct Scene {
    laptop: PathBuf,
    tablet: PathBuf,
    relay: MemoryRelay,
    files: Vec<(PathBuf, Vec<u8>)>,
    before: MemoryRelay,
    _directories: (tempfile::TempDir, tempfile::TempDir),
}

fn open(path: &Path) -> Vault {
    Vault::open(path, Unlock::Key(&KEY)).unwrap()
}

fn put(vault: &Vault, id: &str, document: &Value) -> Result<(), selkie::Error> {
    vault.collection("notes")?.put(id, document).map(|_| ())
}

fn notes(vault: &Vault) -> Vec<(String, Value)> {
    let page = Page { limit: Some(1000), ..Page::default() };
    let notes = vault.collection("notes").unwrap().list(&page).unwrap();
    notes.into_iter().map(|note| (note.id, note.document)).collect()
}

fn sync(vault: &Vault, relay: &MemoryRelay) -> Result<(), selkie::Error> {
    let mut transport = relay.connect(vault.device_id());
    vault.sync_over("memory", &mut transport, &mut |_| {}).map(|_| ())
}

fn files_of(database: &Path) -> impl Iterator<Item = PathBuf> {
    SUFFIXES.iter().map(move |suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

impl Scene {
    /// A vault with something to send, something to receive, a conflict and a deleted record.
    fn new() -> Self {
        vfs_ffi::install();
        let http = relay();
        let (phone, laptop) = pair(&http.url());
        let tablet = join(&phone, &http.url());
        let relay = MemoryRelay::new();
        let policy =
            CollectionPolicy { default: Policy::UserChoice, ..CollectionPolicy::default() };
        phone.vault.set_policy("notes", policy).unwrap();
        let all = [&phone.vault, &laptop.vault, &tablet.vault];
        put(all[1], "contested", &json!({"n": 0})).unwrap();
        put(all[1], "deleted", &json!({"n": 0})).unwrap();
        all.iter().chain(&all).for_each(|vault| sync(vault, &relay).unwrap());
        all[1].collection("notes").unwrap().delete("deleted").unwrap();
        put(all[1], "contested", &json!({"n": 1})).unwrap();
        put(all[2], "contested", &json!({"n": 2})).unwrap();
        all.iter().chain(&all).for_each(|vault| sync(vault, &relay).unwrap());
        for number in 0..6 {
            put(all[1], &format!("mine {number}"), &json!({"n": number})).unwrap();
            put(all[2], &format!("theirs {number}"), &json!({"text": "x".repeat(900)})).unwrap();
        }
        sync(all[2], &relay).unwrap();
        let (laptop_path, tablet_path) = (laptop.path(), tablet.path());
        let close = |Store { vault, directory, .. }: Store| {
            drop(vault);
            directory
        };
        let directories = (close(laptop), close(tablet));
        let paths = files_of(&laptop_path).chain(files_of(&tablet_path));
        let files = paths.filter_map(|path| Some((path.clone(), fs::read(&path).ok()?))).collect();
        let before = relay.backup();
        Self {
            laptop: laptop_path,
            tablet: tablet_path,
            relay,
            files,
            before,
            _directories: directories,
        }
    }

    /// Puts everything back as it was: written over, so that no store takes itself for a copy.
    fn put_back(&self) {
        for path in files_of(&self.laptop).chain(files_of(&self.tablet)) {
            match self.files.iter().find(|(known, _)| *known == path) {
                Some((_, bytes)) => fs::write(&path, bytes).unwrap(),
                None => {
                    let _absent = fs::remove_file(&path);
                }
            }
        }
        self.relay.set_back(&self.before);
    }

    /// The operation from the beginning, with a fault at a step; whether it happened, and the outcome.
    fn attempt(
        &self,
        operation: Operation,
        fault: Option<(Fault, u64)>,
    ) -> (bool, Result<(), selkie::Error>) {
        self.put_back();
        let directory = self.laptop.parent().unwrap();
        // Opening is part of it: a copy begins its chain there.
        if let Some((fault, after)) = fault {
            vfs_ffi::arm(directory, fault, after);
        }
        let outcome =
            Vault::open(&self.laptop, Unlock::Key(&KEY)).and_then(|vault| operation(self, &vault));
        (vfs_ffi::disarm(), outcome)
    }

    /// The store opens, is sound, has all of one of the two states, and comes together with others.
    fn check(&self, states: [&Vec<(String, Value)>; 2], outcome: bool, told: &str) {
        let vault = Vault::open(&self.laptop, Unlock::Key(&KEY))
            .unwrap_or_else(|error| panic!("{told}: {error}"));
        let now = notes(&vault);
        assert!(states.contains(&&now), "{told}: {now:?}");
        assert!(!outcome || now == *states[1], "{told}: acknowledged, and not there");
        let raw = raw_database(&self.laptop);
        let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{told}");
        drop(raw);
        let tablet = open(&self.tablet);
        for vault in [&vault, &tablet, &vault] {
            sync(vault, &self.relay).unwrap_or_else(|error| panic!("{told}: {error}"));
        }
        assert_eq!(vault.digest().unwrap(), tablet.digest().unwrap(), "{told}");
        for (id, _) in &now {
            assert!(notes(&tablet).iter().any(|(known, _)| known == id), "{told}: {id}");
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Every operation of the store that writes.
const OPERATIONS: [(&str, Operation); 7] = [
    ("put", |_, vault| put(vault, "new", &json!({"n": 1}))),
    ("transaction", |_, vault| {
        vault.transaction(|transaction| {
            let notes = transaction.collection("notes")?;
            for number in 0..20 {
                notes.put(&format!("new {number}"), &json!({"text": "y".repeat(400)}))?;
            }
            notes.delete("mine 1").map(|_| ())
        })
    }),
    ("sync: seal, push and apply", |scene, vault| sync(vault, &scene.relay)),
    ("begin an incarnation", |scene, vault| {
        let mut chain = scene.laptop.as_os_str().to_owned();
        chain.push(".chain");
        fs::remove_file(chain).unwrap();
        let _ = vault;
        Vault::open(&scene.laptop, Unlock::Key(&KEY)).map(|_| ())
    }),
    ("resolve", |_, vault| {
        let conflicts = vault.conflicts(Some("notes"))?;
        let open = conflicts.first().expect("a conflict");
        vault.resolve("notes", &open.id, &open.token, Resolution::Value(json!(7))).map(|_| ())
    }),
    ("set a policy", |_, vault| vault.set_policy("notes", CollectionPolicy::default())),
    ("clear away", |_, vault| {
        let later = vault.status()?.last_sync.map_or(0, |last| last.at_ms) + 100 * DAY_MS;
        vault.set_clock(move || later);
        vault.attend().map(|_| ())
    }),
];

fn every_step(scene: &Scene, fault: Fault) -> u64 {
    let mut steps = 0;
    for (name, operation) in OPERATIONS {
        scene.put_back();
        let before = notes(&open(&scene.laptop));
        scene.attempt(operation, None).1.unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = notes(&open(&scene.laptop));
        let mut survived = false;
        for after_steps in 0..STEPS_MAX {
            let (happened, outcome) = scene.attempt(operation, Some((fault, after_steps)));
            let told = format!("{name}, {fault:?} after {after_steps} steps, {outcome:?}");
            scene.check([&before, &after], outcome.is_ok(), &told);
            steps += 1;
            if !happened {
                outcome.unwrap_or_else(|error| panic!("{told}: {error}"));
                survived = true;
                break;
            }
        }
        assert!(survived, "{name} has more than {STEPS_MAX} steps");
    }
    steps
}

#[test]
fn a_store_killed_at_any_step_of_any_operation_has_it_whole_or_not_at_all() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let steps = every_step(&Scene::new(), Fault::Killed);
    println!("{steps} kills");
}

#[test]
fn a_store_that_loses_power_at_any_step_keeps_what_it_acknowledged() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let steps = every_step(&Scene::new(), Fault::PowerCut);
    println!("{steps} power cuts");
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new();
    let operation: Operation = |_, vault| put(vault, "new", &json!({"text": "z".repeat(9000)}));
    let mut refused = 0;
    for after in 0..STEPS_MAX {
        scene.put_back();
        let vault = open(&scene.laptop);
        let before = notes(&vault);
        vfs_ffi::arm(scene.laptop.parent().unwrap(), Fault::Full, after);
        let outcome = operation(&scene, &vault);
        let happened = vfs_ffi::disarm();
        if let Err(error) = &outcome {
            assert_eq!(error.kind(), ErrorKind::DiskFull, "after {after}: {error}");
            assert_eq!(notes(&vault), before, "after {after}");
            // There is room again: the same open store goes on.
            operation(&scene, &vault).unwrap();
            refused += 1;
        }
        assert!(vault.collection("notes").unwrap().get("new").unwrap().is_some());
        sync(&vault, &scene.relay).unwrap();
        if !happened {
            assert!(refused > 1, "the disk was never full");
            return;
        }
    }
    panic!("a put has more than {STEPS_MAX} steps");
}

#[test]
fn a_store_whose_creation_was_cut_off_is_there_whole_or_can_be_made_anew() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    vfs_ffi::install();
    for fault in [Fault::Killed, Fault::PowerCut] {
        for after in 0..STEPS_MAX {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store.db");
            vfs_ffi::arm(directory.path(), fault, after);
            let made = Vault::create(&path, Unlock::Key(&KEY)).is_ok();
            let happened = vfs_ffi::disarm();
            let vault = match Vault::open(&path, Unlock::Key(&KEY)) {
                Ok(vault) => vault,
                Err(error) => {
                    assert!(!made, "{fault:?} after {after}: {error}");
                    Vault::create(&path, Unlock::Key(&KEY)).unwrap().vault
                }
            };
            put(&vault, "first", &json!({"n": 1})).unwrap();
            drop(vault);
            assert_eq!(notes(&open(&path)).len(), 1, "{fault:?} after {after}");
            if !happened {
                assert!(made);
                break;
            }
            assert!(after + 1 < STEPS_MAX, "creation has more steps");
        }
    }
}
