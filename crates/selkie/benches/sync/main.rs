//! Weeks offline, and a new device, over modelled links: how long until all devices are equal.
//!
//! Prints Markdown for `docs/BENCHMARKS.md`, which says what is measured; `cargo xtask bench sync` puts
//! it there. `-- --quick` does a twentieth of the work.

mod device;
mod link;

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use selkie_relay::{Background, Config};

use device::{Device, Synced, Work};
use link::{LINKS, Link, Proxy};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is done.
#[derive(Clone, Copy)]
struct Size {
    shared_records: usize,
    days: usize,
    edits_a_day: usize,
    records_of_new_device: usize,
}

const FULL: Size =
    Size { shared_records: 3_000, days: 30, edits_a_day: 1_000, records_of_new_device: 100_000 };
const QUICK: Size =
    Size { shared_records: 300, days: 3, edits_a_day: 500, records_of_new_device: 5_000 };

/// What one scenario cost.
#[derive(Default)]
struct Cost {
    elapsed: Duration,
    first_query: Option<Duration>,
    /// The processor time of the device that used most.
    processor: Duration,
    passed_bytes: u64,
    plain_zstd_bytes: u64,
    requests: u64,
    peak_kib: u64,
}

/// Rounds after which devices that sync in turn have surely met.
const ROUNDS_MAX: usize = 200;

/// All devices sync at the same time, each over a link of its own, until all are equal.
fn converge(devices: &[&Device], proxies: &[Proxy]) -> Outcome<Cost> {
    let mut cost = Cost::default();
    let began = Instant::now();
    let before: u64 = proxies.iter().map(Proxy::passed_bytes).sum();
    let mut processor = vec![Duration::ZERO; devices.len()];
    for _ in 0..ROUNDS_MAX {
        let synced = std::thread::scope(|scope| {
            let runs: Vec<_> = devices
                .iter()
                .zip(proxies)
                .map(|(device, proxy)| scope.spawn(|| device.sync(&proxy.url())))
                .collect();
            runs.into_iter()
                .map(|run| run.join().map_err(|_| "a run panicked")?)
                .collect::<Outcome<Vec<Synced>>>()
        })?;
        cost.elapsed = began.elapsed();
        for (total, run) in processor.iter_mut().zip(&synced) {
            *total += run.processor;
            cost.requests += run.requests;
            cost.peak_kib = cost.peak_kib.max(run.peak_kib);
        }
        let first = synced.first().map(|run| &run.digest);
        let equal = synced.iter().all(|run| run.complete && Some(&run.digest) == first);
        if equal {
            let after: u64 = proxies.iter().map(Proxy::passed_bytes).sum();
            cost.passed_bytes = after - before;
            cost.processor = processor.into_iter().max().unwrap_or_default();
            return Ok(cost);
        }
    }
    Err("the devices never became equal".into())
}

/// Three devices that have met go their own ways for days, and meet again.
fn days_offline(link: Link, size: Size, directory: &Path) -> Outcome<(Cost, Cost)> {
    let relay = Background::start(Config::in_memory())?;
    let phone = Device::create(&directory.join("phone.db"))?;
    let work = Work { shared_records: size.shared_records };
    work.prepare(&phone)?;
    let laptop = phone.join(&directory.join("laptop.db"), &relay.url())?;
    let tablet = phone.join(&directory.join("tablet.db"), &relay.url())?;
    let devices = [&phone, &laptop, &tablet];
    // The address names a relay in what a device remembers, so each keeps its own from the start.
    let proxies: Vec<Proxy> =
        devices.iter().map(|_| Proxy::start(link, relay.address())).collect::<Result<_, _>>()?;
    converge(&devices, &proxies)?;
    let mut plain = 0;
    for (at, device) in devices.iter().enumerate() {
        plain += work.edit(device, at, size.days * size.edits_a_day)?;
    }
    let mut met = converge(&devices, &proxies)?;
    // Each edit goes up once, and down to each of the others.
    met.plain_zstd_bytes = plain * devices.len() as u64;
    let nothing_new = converge(devices.split_at(1).0, proxies.split_at(1).0)?;
    relay.stop()?;
    Ok((met, nothing_new))
}

/// A device that joins a vault with many records.
fn new_device(link: Link, size: Size, directory: &Path) -> Outcome<Cost> {
    let relay = Background::start(Config::in_memory())?;
    let phone = Device::create(&directory.join("phone.db"))?;
    let plain = Work { shared_records: size.records_of_new_device }.prepare(&phone)?;
    phone.sync(&relay.url())?;
    let laptop = phone.join(&directory.join("laptop.db"), &relay.url())?;
    let proxy = Proxy::start(link, relay.address())?;
    let began = Instant::now();
    let mut cost = Cost { plain_zstd_bytes: plain, ..Cost::default() };
    let mut runs = 0;
    loop {
        let synced = laptop.sync(&proxy.url())?;
        cost.first_query = cost.first_query.or(synced.first_record);
        cost.processor += synced.processor;
        cost.requests += synced.requests;
        cost.peak_kib = cost.peak_kib.max(synced.peak_kib);
        runs += 1;
        if synced.complete || runs == ROUNDS_MAX {
            break;
        }
    }
    cost.elapsed = began.elapsed();
    cost.passed_bytes = proxy.passed_bytes();
    if laptop.digest()? != phone.digest()? {
        return Err("the new device is not equal to the old one".into());
    }
    relay.stop()?;
    Ok(cost)
}

fn row(text: &mut String, link: &str, cost: &Cost) -> Outcome<()> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let first = cost.first_query.map_or("–".to_owned(), seconds);
    let ratio = match cost.plain_zstd_bytes {
        0 => "–".to_owned(),
        plain => format!("{:.2}×", cost.passed_bytes as f64 / plain as f64),
    };
    writeln!(
        text,
        "| {link} | **{}** | {first} | {} | {:.2} MB | {ratio} | {} | {:.0} MiB |",
        seconds(cost.elapsed),
        seconds(cost.processor),
        megabytes(cost.passed_bytes),
        cost.requests,
        cost.peak_kib as f64 / 1024.0,
    )?;
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

const HEAD: &str = "| link | until all are equal | first record | processor time of the busiest device | bytes over the links | to zstd of the bare changes, as often as they must pass | requests for segments | peak memory of a device |\n|---|---|---|---|---|---|---|---|\n";

fn measure(size: Size) -> Outcome<String> {
    let mut text = String::new();
    let edits = size.days * size.edits_a_day;
    writeln!(text, "**{} days offline**: three devices, {edits} edits on each.\n", size.days)?;
    text.push_str(HEAD);
    let mut nothing_new = None;
    for link in LINKS {
        let directory = tempfile::tempdir_in(memory_directory())?;
        let (met, nothing) = days_offline(link, size, directory.path())?;
        row(&mut text, link.name, &met)?;
        nothing_new.get_or_insert(nothing);
    }
    writeln!(text, "\n**A new device**, {} records.\n", size.records_of_new_device)?;
    text.push_str(HEAD);
    for link in LINKS {
        let directory = tempfile::tempdir_in(memory_directory())?;
        row(&mut text, link.name, &new_device(link, size, directory.path())?)?;
    }
    if let Some(nothing) = nothing_new {
        writeln!(
            text,
            "\nNothing new: {} request for segments, {} bytes with all heads and the proof of membership that a new process begins with.",
            nothing.requests, nothing.passed_bytes
        )?;
    }
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    writeln!(text, "\nMachine: {cores} cores, {}; load {load}.", std::env::consts::OS)?;
    Ok(text)
}

/// Where stores lie: in memory, since the disk is not what is measured here.
fn memory_directory() -> std::path::PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, path, url] = arguments.as_slice()
        && child == device::CHILD
    {
        return device::sync_here(Path::new(path), url);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    print!("{}", measure(if quick { QUICK } else { FULL })?);
    Ok(())
}
