//! Devices: each syncs in a process of its own, so that its time and memory are its own.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use selkie::{Page, Unlock, Vault};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const KEY: [u8; 32] = [7; 32];
const COLLECTION: &str = "observations";
/// The first argument of a process that syncs one device.
pub const CHILD: &str = "sync-one-device";
/// Runs that a broken link may end, before it is given up.
const TRIES_MAX: usize = 50;

/// A store, closed between its uses.
pub struct Device {
    path: PathBuf,
    words: Option<String>,
}

/// What one run did.
pub struct Synced {
    pub complete: bool,
    pub digest: String,
    pub requests: u64,
    pub processor: Duration,
    pub peak_kib: u64,
    pub first_record: Option<Duration>,
}

impl Device {
    pub fn create(path: &Path) -> Outcome<Self> {
        let new = Vault::create(path, Unlock::Key(&KEY))?;
        Ok(Self { path: path.to_owned(), words: Some(new.recovery_words.as_str().to_owned()) })
    }

    fn open(&self) -> Outcome<Vault> {
        Ok(Vault::open(&self.path, Unlock::Key(&KEY))?)
    }

    /// Lets another device in.
    pub fn join(&self, path: &Path, url: &str) -> Outcome<Self> {
        let words = self.words.as_deref().ok_or("only the first device invites here")?;
        let invitation = self.open()?.invite(url, Unlock::RecoveryWords(words))?;
        let code = invitation.code().to_owned();
        std::thread::scope(|scope| {
            let joining = scope.spawn(|| {
                Vault::join(path, url, &code, Unlock::Key(&KEY), &mut |_| true)
                    .map(drop)
                    .map_err(|error| error.to_string())
            });
            invitation.wait(&mut || true)?.confirm()?;
            joining.join().map_err(|_| "joining panicked")??;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        })?;
        Ok(Self { path: path.to_owned(), words: None })
    }

    pub fn digest(&self) -> Outcome<String> {
        Ok(self.open()?.digest()?.to_string())
    }

    /// Syncs in a process of its own.
    pub fn sync(&self, url: &str) -> Outcome<Synced> {
        let output = Command::new(std::env::current_exe()?)
            .args([CHILD.as_ref(), self.path.as_os_str(), url.as_ref()])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let said: Value = serde_json::from_slice(&output.stdout)?;
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| said.get(name).and_then(Value::as_u64);
        Ok(Synced {
            complete: said.get("complete") == Some(&Value::Bool(true)),
            digest: text("digest").to_owned(),
            requests: number("requests").unwrap_or_default(),
            processor: Duration::from_millis(number("processor_ms").unwrap_or_default()),
            peak_kib: number("peak_kib").unwrap_or_default(),
            first_record: number("first_record_ms").map(Duration::from_millis),
        })
    }
}

/// The process of one device: one run of sync, or as many as a link that breaks takes.
pub fn sync_here(path: &Path, url: &str) -> Outcome<()> {
    let vault = Vault::open(path, Unlock::Key(&KEY))?;
    let began = Instant::now();
    let mut first = None;
    let (mut requests, mut complete) = (0, false);
    for _ in 0..TRIES_MAX {
        let outcome = vault.sync(url, &mut |progress| {
            if first.is_none() && progress.changes > 0 {
                let found = vault.collection(COLLECTION).and_then(|all| all.count());
                first = found.is_ok_and(|count| count > 0).then(|| began.elapsed());
            }
        });
        match outcome {
            Ok(report) => {
                requests += report.rounds;
                complete = true;
                break;
            }
            Err(error) if error.kind() == selkie::ErrorKind::Network => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The digest is ours to ask for, not a part of syncing.
    let (processor_ms, peak_kib) = (processor_ms(), peak_kib());
    let said = json!({
        "complete": complete,
        "digest": vault.digest()?.to_string(),
        "requests": requests,
        "processor_ms": processor_ms,
        "peak_kib": peak_kib,
        "first_record_ms": first.map(|first| u64::try_from(first.as_millis()).unwrap_or(u64::MAX)),
    });
    println!("{said}");
    Ok(())
}

/// User and system time of this process.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
    // Linux counts in hundredths of a second here.
    (ticks(11) + ticks(12)) * 10
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Field observations that several devices edit.
#[derive(Clone, Copy)]
pub struct Work {
    pub shared_records: usize,
}

impl Work {
    fn record(at: usize) -> Value {
        let species = one_of(["Adelie", "Chinstrap", "Gentoo"], at);
        let island = one_of(["Torgersen", "Biscoe", "Dream"], at / 7);
        json!({
            "species": species,
            "island": island,
            "colony": format!("colony {}", at % 41),
            "bill_mm": 30.0 + (at % 300) as f64 / 10.0,
            "flipper_mm": 170 + at % 60,
            "mass_g": 2700 + at * 37 % 3600,
            "observer": format!("observer {}", at % 17),
            "status": "open",
            "note": format!("seen at stone {} on the north side, ring {}", at * 7919 % 1000, at),
        })
    }

    fn id(at: usize) -> String {
        format!("{at:08}")
    }

    /// Makes the records that all devices share; returns the size of their zstd.
    pub fn prepare(self, device: &Device) -> Outcome<u64> {
        let vault = device.open()?;
        let mut plain = Plain::new()?;
        for chunk in (0..self.shared_records).collect::<Vec<_>>().chunks(1_000) {
            vault.transaction(|tx| {
                let all = tx.collection(COLLECTION)?;
                for at in chunk {
                    all.put(&Self::id(*at), &Self::record(*at))?;
                }
                Ok(())
            })?;
            for at in chunk {
                plain.add(&json!([Self::id(*at), Self::record(*at)]))?;
            }
        }
        plain.bytes()
    }

    /// Edits single fields, each in a transaction of its own; every twentieth edit is of a field that
    /// all devices edit. Returns the size of the edits' zstd.
    pub fn edit(self, device: &Device, which: usize, edits: usize) -> Outcome<u64> {
        let vault = device.open()?;
        let all = vault.collection(COLLECTION)?;
        let mut plain = Plain::new()?;
        let mut state = which as u64 + 1;
        for at in 0..edits {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as usize;
            let (record, patch) = if at % 20 == 0 {
                (random % 100, json!({"status": format!("checked {}", random % 1000)}))
            } else {
                // Apart from each other: another field for each device.
                let field = one_of(["mass_g", "flipper_mm", "observer"], which);
                let value = if which % 3 == 2 {
                    json!(format!("observer {random}"))
                } else {
                    json!(random % 9000)
                };
                (random % self.shared_records, json!({field: value}))
            };
            all.patch(&Self::id(record), &patch)?;
            plain.add(&json!([Self::id(record), patch]))?;
        }
        let first = all.list(&Page { limit: Some(1), ..Page::default() })?;
        if first.is_empty() { Err("no records".into()) } else { plain.bytes() }
    }
}

fn one_of(names: [&'static str; 3], at: usize) -> &'static str {
    names.iter().cycle().nth(at % 3).copied().unwrap_or_default()
}

/// What the bare changes take, compressed.
struct Plain(zstd::Encoder<'static, Vec<u8>>);

impl Plain {
    fn new() -> Outcome<Self> {
        Ok(Self(zstd::Encoder::new(Vec::new(), 3)?))
    }

    fn add(&mut self, change: &Value) -> Outcome<()> {
        use std::io::Write;
        Ok(writeln!(self.0, "{change}")?)
    }

    fn bytes(self) -> Outcome<u64> {
        Ok(self.0.finish()?.len() as u64)
    }
}
