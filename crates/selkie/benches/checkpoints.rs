//! What a relay stores under endless edits of the same records: run by `cargo xtask bench checkpoints`.

use std::process::ExitCode;

use selkie::transport::MemoryRelay;
use selkie::{Unlock, Vault};
use serde_json::json;

const RECORDS: u64 = 1_000;
const EDITS: u64 = 100_000;
/// Edits between two syncs of each device.
const EDITS_A_SYNC: u64 = 500;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    match run(if quick { EDITS / 10 } else { EDITS }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Text of 16 hexadecimal digits a word that no earlier edit had.
fn text(seed: u64, words: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:016x}", state ^ (state >> 29))
    };
    (0..words).map(|_| word()).collect()
}

fn stored(relay: &MemoryRelay) -> u64 {
    relay.stored_bytes().iter().map(|bytes| bytes.len() as u64).sum()
}

fn run(edits: u64) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let relay = MemoryRelay::new();
    let http = selkie_relay::Background::start(selkie_relay::Config::in_memory())?;
    let phrase = "seals sleep under water";
    let path = |name: &str| directory.path().join(name);
    let phone = Vault::create(path("phone.db"), Unlock::Passphrase(phrase))?.vault;
    let invitation = phone.invite(&http.url(), Unlock::Passphrase(phrase))?;
    let (code, url, laptop_path) = (invitation.code().to_owned(), http.url(), path("laptop.db"));
    let joining = std::thread::spawn(move || {
        Vault::join(laptop_path, &url, &code, Unlock::Key(&[7; 32]), &mut |_| true)
    });
    invitation.wait(&mut || true)?.confirm()?;
    let laptop = joining.join().map_err(|_| "the join failed")??;
    let sync = |vault: &Vault| {
        let mut transport = relay.connect(vault.device_id());
        vault.sync_over("memory", &mut transport, &mut |_| {})
    };
    println!("| edits | sent in all | at the relay | of it checkpoint, at the last settling |");
    println!("|---|---|---|---|");
    let (mut sent, mut largest, mut settled, mut done) = (0, 0, 0, 0);
    while done < edits {
        phone.transaction(|tx| {
            for n in done..done + EDITS_A_SYNC {
                let document = json!({"n": n, "text": text(n, 16)});
                tx.collection("notes")?.put(&(n % RECORDS).to_string(), &document)?;
            }
            Ok(())
        })?;
        done += EDITS_A_SYNC;
        for vault in [&phone, &laptop] {
            let report = sync(vault)?;
            sent += report.bytes_sent;
            largest = largest.max(stored(&relay));
            if report.checkpoints_cosigned > 0 {
                settled = stored(&relay);
            }
        }
        if done % (edits / 10) == 0 {
            let kib = |bytes: u64| bytes / 1024;
            println!(
                "| {done} | {} KiB | {} KiB | {} KiB |",
                kib(sent),
                kib(stored(&relay)),
                kib(settled)
            );
        }
    }
    println!("\nMost at any time: {} KiB.", largest / 1024);
    Ok(())
}
