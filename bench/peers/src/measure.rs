//! One round of one library: time of edits and merges, and sizes of what comes of them.

use std::collections::BTreeSet;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::memory;
use crate::peer::{Peer, Stored};
use crate::shape::{EDITS, Edit, REPLICAS};

/// What one round measured.
#[derive(Clone, Copy, Default)]
pub struct Round {
    /// Bytes of an edit as sent.
    pub edit_bytes: f64,
    /// The same, of a hundred edits compressed together.
    pub edit_bytes_zstd: f64,
    /// Bytes of the database file for each record, after everything.
    pub disk_bytes: f64,
    /// Microseconds to load a record, edit a field and save.
    pub edit_us: f64,
    /// Microseconds to load a record, take in an edit and save.
    pub merge_us: f64,
    /// Bytes of memory for each open record.
    pub open_bytes: f64,
}

/// Edits that are compressed together.
const BATCH: usize = 100;
/// Records held open for the measure of memory.
const OPEN: usize = 1_000;

/// Runs everything once.
pub fn round<P: Peer>(records: &[Map<String, Value>], edits: &[Vec<Edit>]) -> Round {
    let mut replicas: Vec<P> = (0..REPLICAS).map(P::new).collect();
    let created: Vec<Stored> =
        records.iter().enumerate().map(|(record, map)| replicas[0].create(record, map).0).collect();
    replicas.iter_mut().for_each(|replica| replica.seen(records.len()));
    let mut stored = vec![created; REPLICAS];
    let mut deltas: Vec<Vec<Vec<u8>>> = Vec::new();
    let began = Instant::now();
    for (at, replica) in replicas.iter_mut().enumerate() {
        let mut sent = Vec::with_capacity(EDITS);
        for edit in &edits[at] {
            let (saved, delta) = replica.edit(&stored[at][edit.record], edit);
            stored[at][edit.record] = saved;
            sent.push(delta);
        }
        deltas.push(sent);
    }
    let edit_us = began.elapsed().as_secs_f64() * 1e6 / (EDITS * REPLICAS) as f64;
    let began = Instant::now();
    for (at, replica) in replicas.iter_mut().enumerate() {
        for from in (0..REPLICAS).filter(|from| *from != at) {
            for (edit, delta) in edits[from].iter().zip(&deltas[from]) {
                stored[at][edit.record] =
                    replica.merge(edit.record, &stored[at][edit.record], delta);
            }
        }
    }
    let merges = EDITS * REPLICAS * (REPLICAS - 1);
    let merge_us = began.elapsed().as_secs_f64() * 1e6 / merges as f64;
    check_converged::<P>(&stored, edits);
    let sent: Vec<&[u8]> = deltas.iter().flatten().map(|delta| P::edit_bytes(delta)).collect();
    Round {
        edit_bytes: sent.iter().map(|delta| delta.len()).sum::<usize>() as f64 / sent.len() as f64,
        edit_bytes_zstd: compressed(&sent),
        disk_bytes: on_disk(&stored[0]),
        edit_us,
        merge_us,
        open_bytes: open_bytes::<P>(&stored[0]),
    }
}

fn check_converged<P: Peer>(stored: &[Vec<Stored>], edits: &[Vec<Edit>]) {
    let edited: BTreeSet<usize> = edits.iter().flatten().map(|edit| edit.record).collect();
    for record in edited {
        let first = P::show(&stored[0][record]);
        for other in &stored[1..] {
            assert_eq!(first, P::show(&other[record]), "{} differs", P::NAME);
        }
    }
}

fn compressed(sent: &[&[u8]]) -> f64 {
    let total: usize = sent
        .chunks(BATCH)
        .map(|batch| {
            let joined: Vec<u8> = batch
                .iter()
                .flat_map(|delta| {
                    (delta.len() as u16).to_be_bytes().into_iter().chain(delta.iter().copied())
                })
                .collect();
            zstd::bulk::compress(&joined, 3).expect("compressed").len()
        })
        .sum();
    total as f64 / sent.len() as f64
}

/// One row for each record in a plain SQLite file, vacuumed.
fn on_disk(stored: &[Stored]) -> f64 {
    let path = std::env::temp_dir().join(format!("selkie-peers-{}.sqlite", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut connection = Connection::open(&path).expect("a database");
    connection
        .execute_batch("CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB, state BLOB)")
        .expect("a table");
    let transaction = connection.transaction().expect("a transaction");
    for (record, Stored { body, state }) in stored.iter().enumerate() {
        transaction
            .execute("INSERT INTO record VALUES (?1, ?2, ?3)", params![record as i64, body, state])
            .expect("a row");
    }
    transaction.commit().expect("a commit");
    connection.execute_batch("VACUUM").expect("a vacuum");
    drop(connection);
    let size_bytes = std::fs::metadata(&path).expect("the file").len();
    let _ = std::fs::remove_file(&path);
    size_bytes as f64 / stored.len() as f64
}

fn open_bytes<P: Peer>(stored: &[Stored]) -> f64 {
    let before = memory::live();
    let open: Vec<P::Open> = stored.iter().take(OPEN).map(P::open).collect();
    let after = memory::live();
    drop(open);
    after.saturating_sub(before) as f64 / OPEN as f64
}
