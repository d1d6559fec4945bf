//! What was acknowledged is there after the process is killed, at whatever moment.
//!
//! A kill shows that nothing waits in the process's memory. That the disk keeps it through a power
//! cut rests on SQLite's `synchronous=FULL`, which a test in this process cannot show.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use selkie_wire::relay::{PushOutcome, PushResponse};
use selkie_wire::{EnvelopeType, cbor};

use crate::support::{Client, Device, Member, Vault};

const KILLS: usize = 12;
const WRITERS: u8 = 4;

/// The relay as a process of its own.
struct Process(Child);

impl Process {
    fn start(data_dir: &Path) -> (Self, Client) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_selkie-relay"))
            .arg(data_dir)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("the relay starts").to_owned();
        (Self(child), Client::new(url))
    }

    /// SIGKILL: no handler runs, no buffer is flushed.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// A device that keeps all it sealed, and knows how much of it was acknowledged.
struct Writer {
    device: Device,
    sealed: Vec<Vec<u8>>,
    acknowledged: usize,
}

impl Writer {
    /// Pushes until the relay is gone, telling `progress` of each acknowledgement.
    fn run(&mut self, member: &Member, progress: &Sender<()>) {
        let Some(mut stored) = self.resume(member) else { return };
        for size in (0..).map(|step| 1 + (step * 37) % 9) {
            while self.sealed.len() < stored + size {
                self.sealed.push(self.device.seal(300));
            }
            let batch = &self.sealed[stored..stored + size];
            let Some(pushed) = try_push(member, batch) else { return };
            assert_eq!(pushed.outcomes, vec![PushOutcome::Stored; size]);
            stored += size;
            self.acknowledged = stored;
            if progress.send(()).is_err() {
                return;
            }
        }
    }

    /// What the relay holds after a kill: all that was acknowledged, and perhaps more.
    fn resume(&mut self, member: &Member) -> Option<usize> {
        let head = try_push(member, &[])?.head;
        let stored = head.number.0 as usize;
        assert!(stored >= self.acknowledged, "{stored} of {} are there", self.acknowledged);
        assert!(stored <= self.sealed.len());
        Some(stored)
    }
}

/// None if the relay died before it answered.
fn try_push(member: &Member, envelopes: &[Vec<u8>]) -> Option<PushResponse> {
    let envelopes = envelopes.iter().cloned().map(Into::into).collect();
    let body = cbor::encode(&selkie_wire::relay::PushRequest { envelopes, incarnation: None });
    let reply =
        member.client.send("POST", &member.path("push"), Some(&member.token), &body).ok()?;
    Some(reply.message())
}

#[test]
fn acknowledged_segments_outlive_kills() {
    let dir = tempfile::tempdir().unwrap();
    let mut vault = Vault::new(1);
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|seed| Writer { device: vault.add(10 + seed), sealed: Vec::new(), acknowledged: 0 })
        .collect();
    let reader = vault.add(99);
    for kill in 0..KILLS {
        let (mut process, client) = Process::start(dir.path());
        client.create(&vault);
        let members: Vec<_> = writers.iter().map(|writer| client.member(&writer.device)).collect();
        let (progress, acknowledgements): (_, Receiver<()>) = channel();
        std::thread::scope(|scope| {
            for (writer, member) in writers.iter_mut().zip(&members) {
                let progress = progress.clone();
                scope.spawn(move || writer.run(member, &progress));
            }
            drop(progress);
            // Another moment each time, while all are writing.
            for _ in 0..10 + kill * 7 {
                acknowledgements.recv().expect("the writers go on until the relay is killed");
            }
            process.kill();
        });
    }
    let (_process, client) = Process::start(dir.path());
    let pulled = client.member(&reader).pull_all();
    for writer in &writers {
        let own = |bytes: &&Vec<u8>| {
            let envelope = selkie_wire::Envelope::parse((*bytes).clone()).unwrap();
            assert_eq!(envelope.header().envelope_type, EnvelopeType::Segment);
            envelope.header().device == writer.device.id
        };
        let there: Vec<_> = pulled.iter().filter(own).cloned().collect();
        assert!(writer.acknowledged > 0);
        assert!(there.len() >= writer.acknowledged, "an acknowledged segment is lost");
        assert!(there == writer.sealed[..there.len()], "a segment is torn, lost or out of order");
    }
    let database = rusqlite::Connection::open(dir.path().join("relay.sqlite3")).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_relay_in_good_order() {
    for signal in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let (mut process, client) = Process::start(dir.path());
        client.create(&Vault::new(1));
        let pid = process.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert!(process.0.wait().unwrap().success(), "{signal}");
        assert!(!dir.path().join("relay.sqlite3-wal").exists(), "{signal}: the log was folded in");
    }
}

#[test]
fn wrong_arguments_are_explained() {
    for arguments in [&[][..], &["--help"], &["dir", "nowhere"], &["dir", "127.0.0.1:0", "more"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_selkie-relay")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"), "{arguments:?}");
    }
}
