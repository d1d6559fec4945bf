//! kill -9 of two devices and of the relay between them, a hundred times and more, while they write and
//! sync: every acknowledged write is on every device, once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use selkie::{FieldType, Schema, Unlock, Vault};
use selkie_relay::{Config, run_blocking};
use serde_json::json;

use crate::support::{KEY, Store, join, pair, relay};

const KILLS: u64 = 110;
const ROLE: &str = "SELKIE_TEST_ROLE";
const PLACE: &str = "SELKIE_TEST_PLACE";
const ADDRESS: &str = "SELKIE_TEST_ADDRESS";
/// The two devices, by the collections that they write; and the relay.
const ROLES: [&str; 3] = ["laptop", "tablet", "relay"];

/// Not a test by itself: a process that the test below starts and kills.
#[test]
fn a_process_that_is_killed() {
    let variables = (std::env::var(ROLE), std::env::var(PLACE), std::env::var(ADDRESS));
    let (Ok(role), Ok(place), Ok(address)) = variables else { return };
    if role == "relay" {
        let mut config = Config::new(place);
        config.listen = address.parse().unwrap();
        run_blocking(config, |_| println!("ready")).unwrap();
        return;
    }
    let vault = Vault::open(place, Unlock::Key(&KEY)).unwrap();
    let first = vault.collection(&role).unwrap().count().unwrap() + 1;
    println!("ready");
    for number in first.. {
        // Both or none: the counter shows a write that was taken twice.
        let written = vault.transaction(|transaction| {
            transaction.collection(&role)?.put(&format!("{number:06}"), &json!({ "n": number }))?;
            let sums = transaction.collection("sums")?;
            let sum = sums.get("all")?.map_or(0, |sums| sums.document["sum"].as_i64().unwrap());
            sums.put("all", &json!({ "sum": sum + 1 }))
        });
        written.unwrap();
        println!("written {number}");
        // The relay may be dead just now.
        if number % 5 == 0 && vault.sync(&format!("http://{address}"), &mut |_| {}).is_ok() {
            println!("synced {number}");
        }
    }
}

/// Who said it, and what.
type Line = (&'static str, String);

struct Processes {
    places: BTreeMap<&'static str, PathBuf>,
    address: String,
    children: BTreeMap<&'static str, Child>,
    lines: (Sender<Line>, Receiver<Line>),
    acknowledged: BTreeMap<&'static str, u64>,
    synced: u64,
}

impl Processes {
    fn start(&mut self, role: &'static str) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill_all::a_process_that_is_killed", "--nocapture"])
            .env(ROLE, role)
            .env(PLACE, &self.places[role])
            .env(ADDRESS, &self.address)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with("ready"));
        assert!(ready, "{role} does not start");
        let tell = self.lines.0.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).all(|line| tell.send((role, line)).is_ok())
        });
        self.children.insert(role, child);
    }

    /// SIGKILL: no handler runs, no buffer is flushed.
    fn kill(&mut self, role: &'static str) {
        let mut child = self.children.remove(role).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn note(&mut self, (role, line): Line) {
        if let Some(number) = line.strip_prefix("written ") {
            let last = self.acknowledged.entry(role).or_default();
            *last = number.parse::<u64>().unwrap().max(*last);
        } else if line.starts_with("synced ") {
            self.synced += 1;
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            let _gone_already = child.kill();
            let _reaped_already = child.wait();
        }
    }
}

#[test]
fn whoever_is_killed_while_all_write_and_sync_nothing_acknowledged_is_lost_or_doubled() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    let counter = Schema::new().field("sum", FieldType::Counter).unwrap();
    phone.vault.set_schema("sums", counter).unwrap();
    for store in [&phone, &laptop, &tablet] {
        store.vault.sync(&http.url(), &mut |_| {}).unwrap();
    }
    let data = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let places = [laptop.path(), tablet.path(), data.path().to_owned()];
    let close = |Store { vault, directory, .. }: Store| {
        drop(vault);
        directory
    };
    let _directories = (close(laptop), close(tablet));
    let mut processes = Processes {
        places: ROLES.into_iter().zip(places.clone()).collect(),
        address,
        children: BTreeMap::new(),
        lines: channel(),
        acknowledged: BTreeMap::new(),
        synced: 0,
    };
    ROLES.iter().rev().for_each(|role| processes.start(role));
    let mut chance = 7_u64;
    for _ in 0..KILLS {
        // Another moment each time; the same numbers every time (Knuth's linear congruence).
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..1 + (chance >> 33) % 24 {
            let line = processes.lines.1.recv().unwrap();
            processes.note(line);
        }
        let role = ROLES[[0, 1, 0, 1, 2][(chance >> 50) as usize % 5]];
        processes.kill(role);
        processes.start(role);
    }
    processes.kill("laptop");
    processes.kill("tablet");
    while let Ok(line) = processes.lines.1.try_recv() {
        processes.note(line);
    }
    assert!(processes.synced > KILLS / 2, "only {} runs of sync came to an end", processes.synced);
    check(&phone.vault, &places, &processes);
}

/// After a few rounds, everyone has all that was acknowledged, and the same.
fn check(phone: &Vault, places: &[PathBuf], processes: &Processes) {
    let open = |path: &Path| Vault::open(path, Unlock::Key(&KEY)).unwrap();
    let (laptop, tablet) = (open(&places[0]), open(&places[1]));
    let all = [phone, &laptop, &tablet];
    for vault in all.iter().chain(&all).chain(&all) {
        vault.sync(&format!("http://{}", processes.address), &mut |_| {}).unwrap();
    }
    for vault in all {
        let mut total = 0;
        for (role, acknowledged) in &processes.acknowledged {
            let count = vault.collection(role).unwrap().count().unwrap();
            // More is there that was killed after its write, before it told.
            assert!(count >= *acknowledged, "{role}: {count} of {acknowledged}");
            assert!(*acknowledged > KILLS, "{role} hardly wrote: {acknowledged}");
            let last = vault.collection(role).unwrap().get(&format!("{count:06}")).unwrap();
            assert!(last.is_some(), "{role}: a number is missing before {count}");
            total += count;
        }
        let sum = vault.collection("sums").unwrap().get("all").unwrap().unwrap();
        assert_eq!(sum.document["sum"], json!(total));
        assert_eq!(vault.digest().unwrap(), phone.digest().unwrap());
        assert_eq!(vault.status().unwrap().segments_held, 0);
    }
}
