//! The work that all share: 10,000 records of ten fields, three replicas, 5,000 edits of one field each.

use serde_json::{Map, Value, json};

/// Records.
pub const RECORDS: usize = 10_000;
/// Edits that each replica makes before they merge.
pub const EDITS: usize = 5_000;
/// Replicas.
pub const REPLICAS: usize = 3;

/// SplitMix64 (Steele et al., 2014).
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One edit of one field.
pub struct Edit {
    /// Which record.
    pub record: usize,
    /// Which field.
    pub field: &'static str,
    /// Its new value.
    pub value: Value,
}

/// The fields of every record.
pub const FIELDS: [&str; 10] =
    ["title", "author", "place", "note", "status", "count", "weight", "created", "tagged", "done"];

const WORDS: [&str; 16] = [
    "island", "penguin", "colony", "survey", "adelie", "gentoo", "harbour", "winter", "storm",
    "ledger", "station", "keeper", "morning", "shore", "basalt", "lichen",
];

fn words(random: &mut Random, count: usize) -> Value {
    let words: Vec<&str> =
        (0..count).map(|_| WORDS[random.below(WORDS.len() as u64) as usize]).collect();
    words.join(" ").into()
}

fn value(random: &mut Random, field: &str) -> Value {
    match field {
        "title" => words(random, 4),
        "author" | "place" => words(random, 2),
        "note" => words(random, 11),
        "status" | "tagged" => words(random, 1),
        "count" => json!(random.below(100_000)),
        "weight" => json!(random.below(100_000) as f64 / 16.0 + 0.03),
        "created" => json!(1_700_000_000_000u64 + random.below(1 << 34)),
        _ => json!(random.below(2) == 0),
    }
}

/// All records, the same every time.
pub fn records() -> Vec<Map<String, Value>> {
    let mut random = Random(1);
    let record = |random: &mut Random| {
        FIELDS.iter().map(|field| ((*field).to_owned(), value(random, field))).collect()
    };
    (0..RECORDS).map(|_| record(&mut random)).collect()
}

/// The edits of one replica, each of which changes what that replica has.
pub fn edits(replica: usize, records: &[Map<String, Value>]) -> Vec<Edit> {
    let mut random = Random(100 + replica as u64);
    let mut now = records.to_vec();
    let mut edit = || {
        let field = FIELDS[random.below(FIELDS.len() as u64) as usize];
        let record = random.below(RECORDS as u64) as usize;
        let mut new = value(&mut random, field);
        while now[record].get(field) == Some(&new) {
            new = value(&mut random, field);
        }
        now[record].insert(field.to_owned(), new.clone());
        Edit { record, field, value: new }
    };
    (0..EDITS).map(|_| edit()).collect()
}
