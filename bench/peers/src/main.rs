//! Selkie's core beside document libraries on the same edits; writes its table into
//! `docs/BENCHMARKS.md`.

mod documents;
mod measure;
mod memory;
mod peer;
mod selkie;
mod shape;

use std::path::Path;

use crate::documents::{Automerge, Loro, Yrs};
use crate::measure::{Round, round};
use crate::peer::Peer;
use crate::selkie::Selkie;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Rounds; the libraries take turns in each, so that a busy machine slows all of them.
const ROUNDS: usize = 5;
const BEGIN: &str = "<!-- peers: begin (written by bench/peers) -->";
const END: &str = "<!-- peers: end -->";

fn main() {
    let records = shape::records();
    let edits: Vec<_> =
        (0..shape::REPLICAS).map(|replica| shape::edits(replica, &records)).collect();
    let json: usize =
        records.iter().map(|map| serde_json::to_string(map).map_or(0, |text| text.len())).sum();
    let mut rounds: [(&str, Vec<Round>); 4] =
        [Selkie::NAME, Automerge::NAME, Loro::NAME, Yrs::NAME].map(|name| (name, Vec::new()));
    for number in 1..=ROUNDS {
        rounds[0].1.push(round::<Selkie>(&records, &edits));
        rounds[1].1.push(round::<Automerge>(&records, &edits));
        rounds[2].1.push(round::<Loro>(&records, &edits));
        rounds[3].1.push(round::<Yrs>(&records, &edits));
        eprintln!("round {number} of {ROUNDS}");
    }
    let section = section(json as f64 / records.len() as f64, &rounds);
    println!("{section}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/BENCHMARKS.md");
    let old = std::fs::read_to_string(&path).unwrap_or_else(|_| "# Benchmarks\n\n".to_owned());
    std::fs::write(&path, replaced(&old, &section)).expect("docs/BENCHMARKS.md can be written");
}

/// The text with this section in its place, or at the end.
fn replaced(old: &str, section: &str) -> String {
    let section = format!("{BEGIN}\n{section}{END}\n");
    match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => {
            format!("{before}{section}{}", after.trim_start_matches('\n'))
        }
        _ => format!("{}\n\n{section}", old.trim_end()),
    }
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How far the rounds lie apart, as a share of their median.
fn spread(rounds: &[Round], of: impl Fn(&Round) -> f64 + Copy) -> f64 {
    let least = rounds.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = rounds.iter().map(of).fold(0.0, f64::max);
    100.0 * (most - least) / median(rounds, of)
}

fn section(json: f64, rounds: &[(&str, Vec<Round>)]) -> String {
    let mut out = format!(
        "## Beside document libraries\n\n\
         10,000 records of ten fields ({json:.0} B of JSON each), three replicas, 5,000 edits of one \
         field on each, then every replica takes in the others' edits.\n\n\
         | | bytes an edit | zstd, 100 edits together | disk a record | µs an edit | µs a merge | \
         memory an open record |\n|---|---|---|---|---|---|---|\n"
    );
    let mut noise: f64 = 0.0;
    for (name, rounds) in rounds {
        out += &format!(
            "| {name} | {:.1} B | {:.1} B | {:.0} B | {:.1} | {:.1} | {:.0} B |\n",
            median(rounds, |r| r.edit_bytes),
            median(rounds, |r| r.edit_bytes_zstd),
            median(rounds, |r| r.disk_bytes),
            median(rounds, |r| r.edit_us),
            median(rounds, |r| r.merge_us),
            median(rounds, |r| r.open_bytes),
        );
        noise = noise.max(spread(rounds, |r| r.edit_us)).max(spread(rounds, |r| r.merge_us));
    }
    out + &format!(
        "\nMedians of {ROUNDS} rounds in which the libraries took turns. The worst spread of a time \
         between rounds was {noise:.0} % of its median: read the times as ratios.\n\n\
         What is compared, plainly:\n\n\
         - An edit is: load the stored record, change one field, save the record, make the bytes to \
         send. A merge is: load, take in one edit of another replica, save. All in memory, without \
         encryption, and one thread.\n\
         - *Disk* is the size of a vacuumed plain SQLite file with one row a record, divided by the \
         records. Selkie's row holds the JSON that an app reads and the packed state beside it; the \
         others' rows hold the document. Selkie's real store adds indexes and SQLCipher's 80 bytes \
         a page.\n\
         - Selkie's edit names the record (a UUID as text, 36 B, and the collection); the others' \
         edits do not say which document they are for, so add at least 16 B to each. Selkie's \
         change leaves out its dot, which the segment around it says once.\n\
         - automerge, loro and yrs are document libraries. They keep the history of a document, or \
         can; Selkie keeps the values that are not overwritten. automerge keeps concurrent values \
         of a field; loro and yrs show one of them.\n\
         - They know lists and text, character by character. Selkie's lists are coarser, and it has \
         no text type yet.\n\
         - The marks of Selkie's prototype were 78 B an edit with a 16-byte record id, 39.6 B \
         compressed, 317 B on disk without the JSON beside it. The first two are not met here: an id is \
         36 B of text instead of 16 B, and does not compress. The third stands for more than it says \
         here, since the row now holds the JSON, too.\n\n\
         `cargo run --release --manifest-path bench/peers/Cargo.toml` makes this section anew.\n"
    )
}
