//! Writes a store and a sync package of it for `scripts/read_segment.py`, which reads both without any of this code.
//!
//! The caller's key, 32 bytes, comes from standard input; the arguments are the paths of the store and of the package.

use std::error::Error;
use std::io::Read;

use selkie::{FieldType, Schema, Unlock, Vault};
use serde_json::json;

/// The script expects exactly these records, and four segments.
const SIGHTINGS: u64 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: sealed_segments STORE PACKAGE < KEY";
    let (store, package) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let mut key = [0; 32];
    std::io::stdin().read_exact(&mut key)?;

    let vault = Vault::create(store, Unlock::Key(&key))?.vault;
    write_trips(&vault)?;
    vault.prepare_sync_package(None)?;
    change_trips(&vault)?;
    vault.prepare_sync_package(None)?;
    write_values(&vault)?;
    vault.prepare_sync_package(None)?;
    // Too little to be worth compressing.
    vault.collection("n")?.put("1", &json!({"n": 1}))?;
    std::fs::write(package, &vault.prepare_sync_package(None)?.bytes)?;
    Ok(())
}

/// A set, a counter, a list and plain fields.
fn write_trips(vault: &Vault) -> Result<(), Box<dyn Error>> {
    let schema = Schema::new()
        .field("tags", FieldType::Set)?
        .field("visits", FieldType::Counter)?
        .field("stops", FieldType::List)?;
    vault.set_schema("trips", schema)?;
    let trips = vault.collection("trips")?;
    trips.put(
        "skomer",
        &json!({
            "title": "Überfahrt", "tags": ["sea", "birds"], "visits": 2,
            "stops": ["Martin's Haven", "North Haven"],
            "place": {"island": "Skomer", "lat": 51.7375}, "mood": null,
        }),
    )?;
    trips.put("lundy", &json!({"title": "goes away again", "tags": ["never"], "visits": 1}))?;
    let diary = vault.collection("diary")?;
    diary.keep_local()?;
    diary.put("today", &json!({"text": "stays on this device"}))?;
    Ok(())
}

/// Each kind of operation on what was sealed before.
fn change_trips(vault: &Vault) -> Result<(), Box<dyn Error>> {
    let trips = vault.collection("trips")?;
    trips.patch(
        "skomer",
        &json!({
            "tags": ["sea", "seals"], "visits": 7,
            "stops": ["Martin's Haven", "Jack Sound", "North Haven"],
            "place": {"island": null, "pools": [3, 1]},
        }),
    )?;
    trips.delete("lundy")?;
    Ok(())
}

/// Every kind of value, and enough text of one kind to be compressed.
fn write_values(vault: &Vault) -> Result<(), Box<dyn Error>> {
    vault.collection("values")?.put(
        "all",
        &json!({
            "yes": true, "no": false, "nothing": null, "text": "größer\n\u{1f9ad}", "empty": "",
            "least": -9_007_199_254_740_991_i64, "most": 9_007_199_254_740_991_i64, "minus": -1,
            "half": 0.5, "tiny": 5e-324, "whole": 3.0, "object": {}, "array": [],
            "deep": {"a": {"b": [1, {"c": [null, "d"]}]}}, "with.dot": 1, "": 2,
        }),
    )?;
    vault.transaction(|tx| {
        let sightings = tx.collection("sightings")?;
        for number in 0..SIGHTINGS {
            let text = "grey seal, hauled out, asleep; ".repeat(1 + number as usize % 5);
            sightings.put(&format!("{number:03}"), &json!({"number": number, "text": text}))?;
        }
        Ok(())
    })?;
    Ok(())
}
