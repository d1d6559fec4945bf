//! Three devices of one vault, cheaply: paired once, then copied for each test.

use std::ffi::OsString;
use std::sync::OnceLock;

use selkie::{SyncReport, Unlock, Vault};
use serde_json::{Value, json};

use super::places::Place;
use crate::support::{KEY, Store, join, pair, relay};

type Files = Vec<(OsString, Vec<u8>)>;

/// Devices of one vault that have never met at a place, opened by a key.
pub fn devices<const N: usize>() -> [Store; N] {
    static PAIRED: OnceLock<Vec<Files>> = OnceLock::new();
    let paired = PAIRED.get_or_init(|| {
        let relay = relay();
        let (phone, laptop) = pair(&relay.url());
        let (tablet, watch) = (join(&phone, &relay.url()), join(&phone, &relay.url()));
        [laptop, tablet, watch].into_iter().map(files_of).collect()
    });
    std::array::from_fn(|at| store_of(&paired[at]))
}

fn files_of(store: Store) -> Files {
    let directory = store.close();
    let entries = std::fs::read_dir(directory.path()).unwrap();
    let read = |entry: std::fs::DirEntry| (entry.file_name(), std::fs::read(entry.path()).unwrap());
    entries.map(|entry| read(entry.unwrap())).collect()
}

fn store_of(files: &Files) -> Store {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    Store::open_by_key(directory)
}

pub fn sync(place: &dyn Place, store: &Store) -> SyncReport {
    try_sync(place, store).unwrap()
}

pub fn try_sync(place: &dyn Place, store: &Store) -> Result<SyncReport, selkie::Error> {
    store.vault.sync_over(&place.address(), &mut *place.connect(&store.vault), &mut |_| {})
}

pub fn put(store: &Store, id: &str, n: u64) {
    store.vault.collection("notes").unwrap().put(id, &json!({ "n": n })).unwrap();
}

pub fn get(store: &Store, id: &str) -> Option<Value> {
    let record = store.vault.collection("notes").unwrap().get(id).unwrap();
    record.map(|record| record.document["n"].clone())
}

pub fn count(store: &Store) -> u64 {
    store.vault.collection("notes").unwrap().count().unwrap()
}

#[track_caller]
pub fn assert_equal(stores: &[&Store]) {
    let digests: Vec<_> = stores.iter().map(|store| store.vault.digest().unwrap()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
    for store in stores {
        let status = store.vault.status().unwrap();
        assert_eq!((status.segments_held, status.unsent_changes), (0, 0));
    }
}

/// The same store, as the next process opens it.
pub fn reopened(store: Store) -> Store {
    Store::open_by_key(store.close())
}

/// Opens a store by its key only, to see that its files are whole.
pub fn opens(store: &Store) -> bool {
    Vault::open(store.path(), Unlock::Key(&KEY)).is_ok()
}
