//! A relay that lies, garbles or is no relay: nothing wrong is read, nothing is lost, and the next
//! honest answer heals.

use std::io::{Read, Write};
use std::net::TcpListener;

use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryRelay, MemoryTransport, Transport, TransportError};
use selkie::{ErrorKind, SyncReport};
use selkie_wire::RelayEpoch;
use selkie_wire::ids::RosterNumber;
use serde_json::json;

use crate::support::{Store, join, pair, relay};

/// Changes what a pull answers.
struct Evil<'a> {
    inner: MemoryTransport,
    change: &'a mut dyn FnMut(&mut PullResponse),
}

impl Transport for Evil<'_> {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let mut response = self.inner.pull(request)?;
        (self.change)(&mut response);
        Ok(response)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.inner.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.inner.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.inner.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

fn sync_evil(
    store: &Store,
    relay: &MemoryRelay,
    change: &mut dyn FnMut(&mut PullResponse),
) -> Result<SyncReport, selkie::Error> {
    let inner = relay.connect(store.vault.device_id());
    store.vault.sync_over("memory", &mut Evil { inner, change }, &mut |_| {})
}

fn sync(store: &Store, relay: &MemoryRelay) -> SyncReport {
    sync_evil(store, relay, &mut |_| {}).unwrap()
}

/// Two devices; the phone's four segments wait at the relay for the laptop.
fn waiting() -> (Store, Store, MemoryRelay) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    let notes = phone.vault.collection("notes").unwrap();
    for n in 0..4 {
        notes.put("n", &json!({ "count": n })).unwrap();
        sync(&phone, &relay);
    }
    (phone, laptop, relay)
}

fn count(store: &Store) -> Option<serde_json::Value> {
    let record = store.vault.collection("notes").unwrap().get("n").unwrap();
    record.map(|record| record.document["count"].clone())
}

#[test]
fn tampering_is_refused_and_the_honest_answer_heals() {
    type Change = fn(&mut PullResponse);
    let attacks: &[(&str, Change)] = &[
        ("a flipped ciphertext byte", |page| page.envelopes[1][200] ^= 1),
        ("a flipped number", |page| page.envelopes[1][56] ^= 1),
        ("a flipped signature", |page| {
            let last = page.envelopes[2].len() - 1;
            page.envelopes[2][last] ^= 1;
        }),
        ("a cut envelope", |page| {
            page.envelopes[0].pop();
        }),
        ("an envelope withheld", |page| {
            page.envelopes.remove(1);
        }),
        ("the first one withheld", |page| {
            page.envelopes.remove(0);
        }),
        ("reversed order", |page| page.envelopes.reverse()),
        ("everything twice", |page| page.envelopes.extend_from_within(..)),
        ("an empty envelope", |page| page.envelopes[0].clear()),
        ("ciphertexts swapped", |page| {
            let (a, b) = page.envelopes.split_at_mut(1);
            let end = a[0].len().min(b[0].len()) - 64;
            a[0][164..end].swap_with_slice(&mut b[0][164..end]);
        }),
        ("another vault's id", |page| page.envelopes[0][8] ^= 1),
        ("garbage", |page| page.envelopes.iter_mut().for_each(|bytes| bytes.fill(0xa5))),
    ];
    for (name, change) in attacks {
        let (phone, laptop, relay) = waiting();
        let attacked = sync_evil(&laptop, &relay, &mut |page| {
            if page.envelopes.len() == 4 {
                change(page);
            }
        });
        attacked.unwrap();
        let seen = count(&laptop);
        assert!(seen.is_none() || (0..4).any(|n| seen == Some(json!(n))), "{name}: {seen:?}");
        sync(&laptop, &relay);
        assert_eq!(count(&laptop), Some(json!(3)), "{name}");
        assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap(), "{name}");
        assert_eq!(laptop.vault.status().unwrap().segments_held, 0, "{name}");
    }
}

#[test]
fn another_vaults_segments_are_refused() {
    let (_, laptop, relay) = waiting();
    let (_, _, other) = waiting();
    let foreign: Vec<_> = other.stored_bytes();
    let report = sync_evil(&laptop, &relay, &mut |page| {
        page.envelopes = foreign.iter().cloned().map(Into::into).collect();
    });
    assert_eq!(report.unwrap().segments_refused, foreign.len() as u64);
    assert_eq!(count(&laptop), None);
    sync(&laptop, &relay);
    assert_eq!(count(&laptop), Some(json!(3)));
}

/// Hands out the roster with one byte changed in its last entry.
struct Forging {
    inner: MemoryTransport,
    at: usize,
}

impl Transport for Forging {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.inner.pull(request)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.inner.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        let mut answer = self.inner.roster(from)?;
        if let Some(last) = answer.entries.last_mut() {
            last[self.at] ^= 1;
        }
        Ok(answer)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.inner.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

/// A key of the relay's own in place of a new device's would have the next epoch key wrapped for the relay.
#[test]
fn a_relay_cannot_put_other_keys_in_the_place_of_a_new_devices() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let tablet = join(&phone, &http.url());
    let relay = MemoryRelay::new();
    sync(&phone, &relay);
    let devices = |store: &Store| store.vault.status().unwrap().devices.len();
    assert_eq!((devices(&laptop), devices(&phone)), (2, 3));
    // The fields of the Add entry: signing key, authentication key, KEM key, consent; then the signature.
    for at in [100, 140, 200, 900, 1300, 1390, 1450] {
        let inner = relay.connect(laptop.vault.device_id());
        let mut forging = Forging { inner, at };
        let refused = laptop.vault.sync_over("memory", &mut forging, &mut |_| {}).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Relay, "byte {at}: {refused}");
        assert_eq!(devices(&laptop), 2, "byte {at}");
    }
    sync(&laptop, &relay);
    assert_eq!(devices(&laptop), 3);
    assert_eq!(laptop.vault.fingerprint().unwrap(), tablet.vault.fingerprint().unwrap());
}

#[test]
fn a_relay_that_contradicts_itself_is_left() {
    let (_, laptop, relay) = waiting();
    let endless = sync_evil(&laptop, &relay, &mut |page| {
        page.more = true;
        page.cursor.0 = 0;
        page.epoch = RelayEpoch([1; 16]);
    });
    assert_eq!(endless.unwrap_err().kind(), ErrorKind::Relay);
    let mut fresh = 0;
    let growing = sync_evil(&laptop, &relay, &mut |page| {
        fresh += 1;
        page.more = true;
        page.cursor.0 = fresh;
        page.epoch = RelayEpoch([2; 16]);
        page.envelopes = vec![vec![0; 10].into()];
    });
    assert_eq!(growing.unwrap_err().kind(), ErrorKind::Relay);
    let ahead = sync_evil(&laptop, &relay, &mut |page| page.head.number.0 = 99);
    assert_eq!(ahead.unwrap_err().kind(), ErrorKind::Relay, "it shows no segment of that chain");
    let roster = sync_evil(&laptop, &relay, &mut |page| page.roster.0 = 99);
    assert_eq!(roster.unwrap_err().kind(), ErrorKind::Relay);
    sync(&laptop, &relay);
    assert_eq!(count(&laptop), Some(json!(3)), "and after all of it");
}

#[test]
fn an_emptied_relay_deletes_nothing() {
    let (phone, laptop, relay) = waiting();
    sync(&laptop, &relay);
    let report = sync_evil(&laptop, &relay, &mut |page| {
        page.envelopes.clear();
        page.cursor.0 = 0;
        page.epoch = RelayEpoch([3; 16]);
        page.head = Default::default();
    });
    assert!(report.is_ok());
    assert_eq!(count(&laptop), Some(json!(3)));
    sync(&laptop, &relay);
    assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap());
}

/// Answers every connection with these bytes, and hangs up.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = [0; 4096];
            let _read = connection.read(&mut request);
            let _sent = connection.write_all(bytes);
        }
    });
    url
}

#[test]
fn what_is_no_relay_is_said_to_be_none() {
    let (phone, _, _) = waiting();
    phone.vault.collection("notes").unwrap().put("n", &json!({"count": 9})).unwrap();
    let answers: &[&[u8]] = &[
        b"",
        b"hello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ncut off",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
        b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
        b"\x00\x01\x02\x03\xff\xfe",
    ];
    for answer in answers {
        let error = phone.vault.sync(&answering(answer), &mut |_| {}).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Relay | ErrorKind::Network),
            "{}: {error}",
            String::from_utf8_lossy(answer)
        );
        assert_eq!(count(&phone), Some(json!(9)));
    }
}
