//! Writes a small store for `scripts/interop_sqlcipher.py`, which opens it without any of this code.
//!
//! The caller's key, 32 bytes, comes from standard input; the path is the one argument.

use std::error::Error;
use std::io::Read;

use selkie::{Unlock, Vault};
use serde_json::json;

/// The script expects exactly these records.
const RECORDS: u64 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: interop_store PATH < KEY")?;
    let mut key = [0; 32];
    std::io::stdin().read_exact(&mut key)?;

    let vault = Vault::create(path, Unlock::Key(&key))?.vault;
    vault.transaction(|tx| {
        let seals = tx.collection("seals")?;
        for number in 0..RECORDS {
            let document = json!({
                "name": format!("größter Seehund {number}"),
                "number": number,
                "length_m": 0.5 * number as f64 + 0.25,
                "place": {"island": "Skomer", "pools": [number % 7, number % 3]},
                "tagged": number % 2 == 0,
                "mother": null,
            });
            seals.put(&format!("seal-{number:04}"), &document)?;
        }
        Ok(())
    })?;
    // Changed rows and deleted ones must read as well as new ones.
    let seals = vault.collection("seals")?;
    seals.patch("seal-0007", &json!({"place": {"island": "Lundy"}, "mother": "seal-0001"}))?;
    seals.delete("seal-0013")?;
    Ok(())
}
