//! Selkie beside bare SQLCipher and plain SQLite doing the same work: one run, by turns.
//!
//! Prints Markdown for `docs/BENCHMARKS.md`, which says what is measured; `cargo xtask bench store`
//! puts it there. `-- --quick` does a tenth of the work.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use selkie::{Filter, Query, Search, SearchIndex, Unlock, Vault};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

const KEY: [u8; 32] = [7; 32];
const COLLECTION: &str = "penguins";
/// Rounds of each measurement: each yields one ratio, and their median is reported.
const ROUNDS: usize = 10;
const BATCH: usize = 1_000;

/// How much is done in a round.
struct Size {
    batches: usize,
    singles: usize,
    reads: usize,
    queries: usize,
    indexed: usize,
    searches: usize,
    opens: usize,
}

const FULL: Size = Size {
    batches: 10,
    singles: 250,
    reads: 10_000,
    queries: 2,
    indexed: 100,
    searches: 2,
    opens: 20,
};
const QUICK: Size =
    Size { batches: 1, singles: 50, reads: 1_000, queries: 2, indexed: 50, searches: 1, opens: 5 };

/// A record as an app has it.
struct Record {
    id: String,
    document: Value,
}

/// What is compared. Each begins with the app's document and ends with it.
trait Engine {
    /// Writes records in one durable transaction.
    fn write(&mut self, records: &[Record]) -> Outcome<()>;
    /// The document under an id.
    fn read(&mut self, id: &str) -> Outcome<Value>;
    /// How many records have this `sample_number`; there is no index on it.
    fn query(&mut self, sample_number: usize) -> Outcome<usize>;
    /// Builds an index on `sample_number`, and one for words.
    fn build_indexes(&mut self) -> Outcome<()>;
    /// How many records of the ten best have these words.
    fn search(&mut self, words: &str) -> Outcome<usize>;
    /// Opens the store once more, up to its first read.
    fn open_again(&self) -> Outcome<Box<dyn Engine>>;
    /// The database's file.
    fn path(&self) -> &Path;
}

struct Selkie {
    vault: Vault,
    path: PathBuf,
}

impl Selkie {
    fn create(path: PathBuf) -> Outcome<Self> {
        Ok(Self { vault: Vault::create(&path, Unlock::Key(&KEY))?.vault, path })
    }
}

impl Engine for Selkie {
    fn write(&mut self, records: &[Record]) -> Outcome<()> {
        self.vault.transaction(|tx| {
            let collection = tx.collection(COLLECTION)?;
            for Record { id, document } in records {
                collection.put(id, document)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn read(&mut self, id: &str) -> Outcome<Value> {
        Ok(self.vault.collection(COLLECTION)?.get(id)?.ok_or("a record is missing")?.document)
    }

    fn query(&mut self, sample_number: usize) -> Outcome<usize> {
        let filter = Filter::parse(&format!("sample_number = {sample_number}"))?;
        Ok(self.vault.collection(COLLECTION)?.query(&Query::new().filter(filter))?.len())
    }

    fn build_indexes(&mut self) -> Outcome<()> {
        let collection = self.vault.collection(COLLECTION)?;
        collection.ensure_index(&["sample_number"])?;
        collection.ensure_search(&SearchIndex::new(&["comments", "scientific_name"])?)?;
        Ok(self.vault.finish_indexes()?)
    }

    fn search(&mut self, words: &str) -> Outcome<usize> {
        Ok(self.vault.collection(COLLECTION)?.search(&Search::new(words).limit(10))?.len())
    }

    fn open_again(&self) -> Outcome<Box<dyn Engine>> {
        let vault = Vault::open(&self.path, Unlock::Key(&KEY))?;
        Ok(Box::new(Self { vault, path: self.path.clone() }))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// SQLCipher with a raw key, or, without one, plain SQLite: the same engine with the same settings
/// as Selkie's, and the two statements that a synced store cannot do without: an upsert for each
/// record, and a row of the log for each transaction.
struct Bare {
    connection: Connection,
    path: PathBuf,
    key: Option<[u8; 32]>,
}

impl Bare {
    fn create(path: PathBuf, key: Option<[u8; 32]>) -> Outcome<Self> {
        let bare = Self::open(path, key, OpenFlags::SQLITE_OPEN_CREATE)?;
        bare.connection.execute_batch(
            "CREATE TABLE record (num INTEGER PRIMARY KEY, collection INTEGER NOT NULL,
                 id TEXT NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL,
                 updated_at INTEGER NOT NULL, UNIQUE (collection, id));
             CREATE TABLE log (number INTEGER PRIMARY KEY, stamp INTEGER NOT NULL,
                 bytes BLOB NOT NULL);",
        )?;
        Ok(bare)
    }

    fn open(path: PathBuf, key: Option<[u8; 32]>, create: OpenFlags) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        let connection = Connection::open_with_flags(&path, flags)?;
        if let Some(key) = key {
            let mut text = "x'".to_owned();
            key.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
            text.push('\'');
            connection.pragma_update(None, "key", text)?;
        }
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;
             PRAGMA cache_size = -16384; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
        )?;
        Ok(Self { connection, path, key })
    }
}

impl Engine for Bare {
    fn write(&mut self, records: &[Record]) -> Outcome<()> {
        let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut upsert = sql.prepare_cached(
                "INSERT INTO record (collection, id, body, created_at, updated_at)
                 VALUES (1, ?1, ?2, ?3, ?3) ON CONFLICT (collection, id)
                 DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
            )?;
            let mut log = sql.prepare_cached("INSERT INTO log (stamp, bytes) VALUES (?1, ?2)")?;
            let mut logged = Vec::new();
            for Record { id, document } in records {
                let body = serde_json::to_string(document)?;
                upsert.execute(params![id, body, now_ms])?;
                logged.extend_from_slice(body.as_bytes());
            }
            log.execute(params![now_ms, logged])?;
        }
        Ok(sql.commit()?)
    }

    fn read(&mut self, id: &str) -> Outcome<Value> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, body, created_at, updated_at FROM record
             WHERE collection = 1 AND id = ?1",
        )?;
        let mut rows = statement.query([id])?;
        let row = rows.next()?.ok_or("a record is missing")?;
        Ok(serde_json::from_str(row.get_ref(1)?.as_str()?)?)
    }

    fn query(&mut self, sample_number: usize) -> Outcome<usize> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, body, created_at, updated_at FROM record
             WHERE collection = 1 AND json_extract(body, '$.sample_number') = ?1 ORDER BY id",
        )?;
        let mut rows = statement.query([i64::try_from(sample_number)?])?;
        let mut documents: Vec<Value> = Vec::new();
        while let Some(row) = rows.next()? {
            documents.push(serde_json::from_str(row.get_ref(1)?.as_str()?)?);
        }
        Ok(documents.len())
    }

    fn build_indexes(&mut self) -> Outcome<()> {
        Ok(self.connection.execute_batch(
            "CREATE INDEX by_number ON record (collection, json_extract(body, '$.sample_number'));
             CREATE VIEW content AS SELECT num, json_extract(body, '$.comments') AS c0,
                 json_extract(body, '$.scientific_name') AS c1 FROM record;
             CREATE VIRTUAL TABLE words USING fts5(c0, c1, content='content', content_rowid='num',
                 tokenize='unicode61 remove_diacritics 2');
             INSERT INTO words (words) VALUES ('rebuild');
             PRAGMA analysis_limit = 1000; ANALYZE;",
        )?)
    }

    fn search(&mut self, words: &str) -> Outcome<usize> {
        let mut statement = self.connection.prepare_cached(
            "SELECT r.id, r.body, r.created_at, r.updated_at, snippet(words, -1, '[', ']', '…', 24)
             FROM words JOIN record r ON r.num = words.rowid WHERE words MATCH ?1
             ORDER BY rank LIMIT 10",
        )?;
        let mut rows = statement.query([words])?;
        let mut documents: Vec<Value> = Vec::new();
        while let Some(row) = rows.next()? {
            documents.push(serde_json::from_str(row.get_ref(1)?.as_str()?)?);
        }
        Ok(documents.len())
    }

    fn open_again(&self) -> Outcome<Box<dyn Engine>> {
        let bare = Self::open(self.path.clone(), self.key, OpenFlags::empty())?;
        bare.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Box::new(bare))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Selkie, bare SQLCipher, plain SQLite.
type Engines = [Box<dyn Engine>; 3];

/// What a piece of work took.
#[derive(Clone, Copy, Default)]
struct Took {
    wall: Duration,
    /// Of this thread, which does all the work; a busy machine does not add to it.
    processor: Duration,
}

/// What each engine took for each round.
struct Measured {
    what: String,
    /// Work in one round.
    count: usize,
    rounds: Vec<[Took; 3]>,
}

impl Measured {
    /// Does `slices` pieces of work a round. The engines take turns at every piece, and another one
    /// begins each time, so that a slow moment of the machine hits them alike.
    fn by_turns(
        what: &str,
        (slices, count): (usize, usize),
        engines: &mut Engines,
        mut work: impl FnMut(&mut dyn Engine, usize) -> Outcome<Took>,
    ) -> Outcome<Self> {
        eprintln!("{what} …");
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let mut took = [Took::default(); 3];
            for slice in round * slices..(round + 1) * slices {
                for turn in 0..engines.len() {
                    let at = (slice + turn) % engines.len();
                    if let (Some(engine), Some(took)) = (engines.get_mut(at), took.get_mut(at)) {
                        let more = work(engine.as_mut(), slice)?;
                        took.wall += more.wall;
                        took.processor += more.processor;
                    }
                }
            }
            rounds.push(took);
        }
        Ok(Self { what: what.to_owned(), count, rounds })
    }

    fn row(&self, as_time: bool) -> String {
        let figure = |at: usize| {
            let each = median(self.wall_seconds(at)) / self.count as f64;
            if as_time { format!("{:.2} ms", each * 1e3) } else { per_second(1.0 / each) }
        };
        let ratios = |mine: Vec<f64>, theirs: Vec<f64>| -> Vec<f64> {
            mine.into_iter().zip(theirs).map(|(mine, theirs)| theirs / mine).collect()
        };
        let wall = |other| ratios(self.wall_seconds(0), self.wall_seconds(other));
        let processor = median(ratios(self.processor_seconds(0), self.processor_seconds(1)));
        // The scheduler's count is too coarse for work of a few milliseconds.
        let counted = median(self.processor_seconds(1)) > 0.02 && processor.is_finite();
        let processor = if counted { format!("{processor:.2}×") } else { "–".to_owned() };
        let lowest = wall(1).into_iter().fold(f64::INFINITY, f64::min);
        let highest = wall(1).into_iter().fold(0.0, f64::max);
        format!(
            "| {} | {} | {} | {} | **{:.2}×** ({lowest:.2}–{highest:.2}) | {} | {:.2}× |\n",
            self.what,
            figure(0),
            figure(1),
            figure(2),
            median(wall(1)),
            processor,
            median(wall(2)),
        )
    }

    fn wall_seconds(&self, engine: usize) -> Vec<f64> {
        let of_round = |took: &[Took; 3]| took.get(engine).map(|took| took.wall.as_secs_f64());
        self.rounds.iter().filter_map(of_round).collect()
    }

    fn processor_seconds(&self, engine: usize) -> Vec<f64> {
        let of_round = |took: &[Took; 3]| took.get(engine).map(|took| took.processor.as_secs_f64());
        self.rounds.iter().filter_map(of_round).collect()
    }

    /// How much bare SQLCipher's own rounds differ: the middle half of them, around the median.
    fn noise(&self) -> f64 {
        let mut times = self.wall_seconds(1);
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times.get(times.len() * part / 4).copied().unwrap_or_default();
        (at(3) - at(1)) / at(2)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle.saturating_sub(1)..=middle) {
        Some([low, high]) if values.len().is_multiple_of(2) => (low + high) / 2.0,
        Some([.., high]) => *high,
        _ => f64::NAN,
    }
}

fn per_second(rate: f64) -> String {
    // Three digits count.
    let scale = 10_f64.powi((rate.log10() as i32 - 2).max(0));
    with_spaces(((rate / scale).round() * scale) as usize) + "/s"
}

/// `12 345`.
fn with_spaces(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<Took> {
    let (began, processor) = (Instant::now(), processor_time()?);
    work()?;
    Ok(Took { wall: began.elapsed(), processor: processor_time()?.saturating_sub(processor) })
}

/// What this thread has had of the processor: to a few milliseconds, as the scheduler counts.
fn processor_time() -> Outcome<Duration> {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let Some(nanoseconds) = counted.split(' ').next() else { return Ok(Duration::ZERO) };
    Ok(Duration::from_nanos(nanoseconds.parse().unwrap_or_default()))
}

/// Real field data, over and over; ids in order of time as UUIDv7's are, `sample_number` unique.
fn penguins(count: usize) -> Outcome<Vec<Record>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../selkie-cli/data/penguins.ndjson");
    let text = std::fs::read_to_string(path)?;
    let templates: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let record = |(number, template): (usize, &Value)| {
        let id = format!("0196a5e2-7c00-7{:03x}-8000-{number:012x}", number >> 12 & 0xfff);
        let mut document = template.clone();
        if let Value::Object(map) = &mut document {
            map.remove("id");
            map.insert("sample_number".to_owned(), Value::from(number));
        }
        Record { id, document }
    };
    Ok(templates.iter().cycle().take(count).enumerate().map(record).collect())
}

/// The `count` numbers below `below` that follow `seed`, as if by chance.
fn scattered(seed: usize, count: usize, below: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| ((seed * count + at) * 7_919 + 104_729) % below)
}

fn measure(size: &Size, directory: &Path) -> Outcome<String> {
    let batched = size.batches * ROUNDS * BATCH;
    let records = penguins(batched + size.singles * ROUNDS)?;
    let (batches, singles) = records.split_at(batched);
    let mut engines: Engines = [
        Box::new(Selkie::create(directory.join("selkie.db"))?),
        Box::new(Bare::create(directory.join("sqlcipher.db"), Some(KEY))?),
        Box::new(Bare::create(directory.join("sqlite.db"), None)?),
    ];
    let batches: Vec<&[Record]> = batches.chunks(BATCH).collect();
    let batch = Measured::by_turns(
        &format!("records written, {} in transactions of {}", with_spaces(batched), BATCH),
        (size.batches, size.batches * BATCH),
        &mut engines,
        |engine, at| timed(|| engine.write(batches.get(at).ok_or("no batch")?)),
    )?;
    const SLICE: usize = 25;
    let singles: Vec<&[Record]> = singles.chunks(SLICE).collect();
    let single = Measured::by_turns(
        &format!("records written, {} one by one", with_spaces(size.singles * ROUNDS)),
        (size.singles / SLICE, size.singles),
        &mut engines,
        |engine, at| {
            let slice = singles.get(at).ok_or("no records")?;
            timed(|| slice.chunks(1).try_for_each(|one| engine.write(one)))
        },
    )?;
    const READS: usize = 500;
    let read = Measured::by_turns(
        &format!("records read by id, {} at random", with_spaces(size.reads * ROUNDS)),
        (size.reads / READS, size.reads),
        &mut engines,
        |engine, at| {
            let wanted = scattered(at, READS, records.len()).filter_map(|at| records.get(at));
            let wanted: Vec<&Record> = wanted.collect();
            let mut read = Vec::with_capacity(READS);
            let took = timed(|| {
                for record in &wanted {
                    read.push(engine.read(&record.id)?);
                }
                Ok(())
            })?;
            let number = |document: &Value| document.get("sample_number").cloned();
            let mut pairs = wanted.iter().zip(&read);
            let same = pairs.all(|(wanted, read)| number(&wanted.document) == number(read));
            if same { Ok(took) } else { Err("another document was read".into()) }
        },
    )?;
    let query = Measured::by_turns(
        &format!("filter on one field of {} records, no index", with_spaces(records.len())),
        (size.queries, size.queries),
        &mut engines,
        |engine, at| {
            timed(|| match engine.query(at * 1_009 % batched)? {
                1 => Ok(()),
                found => Err(format!("{found} records found").into()),
            })
        },
    )?;
    for engine in &mut engines {
        eprintln!("indexes …");
        engine.build_indexes()?;
    }
    let indexed = Measured::by_turns(
        &format!("the same with an index, {} times", size.indexed * ROUNDS),
        (size.indexed / SLICE, size.indexed),
        &mut engines,
        |engine, at| {
            timed(|| {
                scattered(at, SLICE, batched).try_for_each(|number| match engine.query(number)? {
                    1 => Ok(()),
                    found => Err(format!("{found} records found").into()),
                })
            })
        },
    )?;
    let search = Measured::by_turns(
        &format!("search for two words, the ten best, {} times", size.searches * ROUNDS),
        (size.searches, size.searches),
        &mut engines,
        |engine, _| {
            timed(|| match engine.search("blood isotopes")? {
                10 => Ok(()),
                found => Err(format!("{found} records found").into()),
            })
        },
    )?;
    let open = Measured::by_turns(
        "open with a raw key, up to the first read",
        (size.opens, size.opens),
        &mut engines,
        |engine, _| {
            let mut opened = None;
            // Closing is not part of opening.
            let took = timed(|| {
                opened = Some(engine.open_again()?);
                Ok(())
            })?;
            drop(opened);
            Ok(took)
        },
    )?;
    let paths = engines.map(|engine| engine.path().to_owned());
    let all = [&batch, &single, &read, &query, &indexed, &search, &open];
    let noise = all.map(Measured::noise);
    let as_times = [false, false, false, true, true, true, true];
    let rows: Vec<String> =
        all.iter().zip(as_times).map(|(measured, as_time)| measured.row(as_time)).collect();
    report(&records, &paths, &rows.concat(), &noise)
}

fn report(records: &[Record], paths: &[PathBuf; 3], rows: &str, noise: &[f64]) -> Outcome<String> {
    let json: usize = records.iter().map(|record| record.document.to_string().len()).sum();
    let count = records.len() as f64;
    let mut bytes = Vec::new();
    for path in paths {
        bytes.push(std::fs::metadata(path)?.len() as f64 / count);
    }
    let [mine, cipher, plain] = bytes.as_slice() else { return Err("three files".into()) };
    let mut text = "| work | Selkie | bare SQLCipher | plain SQLite | to bare SQLCipher (rounds) | the same, processor time | to plain SQLite |\n|---|---|---|---|---|---|---|\n".to_owned();
    text.push_str(rows);
    writeln!(
        text,
        "| bytes on disk for each record of {:.0} bytes | {mine:.0} | {cipher:.0} | {plain:.0} | {:.2}× | | {:.2}× |",
        json as f64 / count,
        mine / cipher,
        mine / plain
    )?;
    let noise: Vec<String> = noise.iter().map(|part| format!("{:.0} %", part * 100.0)).collect();
    let cores = std::thread::available_parallelism()?;
    writeln!(
        text,
        "\nMachine: {cores} cores, {}; load {}. The middle half of bare SQLCipher's own rounds lay within {} of\ntheir median, in the order of the rows.",
        processor(),
        std::fs::read_to_string("/proc/loadavg").map_or("unknown".to_owned(), |load| {
            load.split(' ').take(3).collect::<Vec<_>>().join(" ")
        }),
        noise.join(", ")
    )?;
    Ok(text)
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{} ({})", name.map_or("processor unknown", |(_, name)| name), std::env::consts::OS)
}

fn main() -> Outcome<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let directory = tempfile::tempdir()?;
    print!("{}", measure(if quick { &QUICK } else { &FULL }, directory.path())?);
    Ok(())
}
