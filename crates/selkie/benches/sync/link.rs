//! A modelled link: a proxy on this machine that delays, slows down and breaks what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a link is like.
#[derive(Clone, Copy)]
pub struct Link {
    pub name: &'static str,
    pub up_bits_per_second: f64,
    pub down_bits_per_second: f64,
    /// There and back.
    pub round_trip: Duration,
    /// A connection breaks each time this many bytes have passed; 0: never.
    pub breaks_every_bytes: u64,
}

pub const LINKS: [Link; 3] = [
    Link {
        name: "4G, 5/20 Mbit/s, 50 ms",
        up_bits_per_second: 5e6,
        down_bits_per_second: 20e6,
        round_trip: Duration::from_millis(50),
        breaks_every_bytes: 0,
    },
    Link {
        name: "3G, 1/4 Mbit/s, 150 ms",
        up_bits_per_second: 1e6,
        down_bits_per_second: 4e6,
        round_trip: Duration::from_millis(150),
        breaks_every_bytes: 0,
    },
    Link {
        name: "4G that breaks every 700 kB",
        up_bits_per_second: 5e6,
        down_bits_per_second: 20e6,
        round_trip: Duration::from_millis(50),
        breaks_every_bytes: 700_000,
    },
];

/// One direction of a link, shared by all its connections: when it is free again.
struct Direction {
    seconds_per_byte: f64,
    free: Mutex<Instant>,
}

impl Direction {
    fn new(bits_per_second: f64) -> Self {
        Self { seconds_per_byte: 8.0 / bits_per_second, free: Mutex::new(Instant::now()) }
    }

    /// When these bytes have left.
    fn departure(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let took = Duration::from_secs_f64(bytes as f64 * self.seconds_per_byte);
        *free = (*free).max(Instant::now()) + took;
        *free
    }
}

/// A running proxy; it ends with the process.
pub struct Proxy {
    address: SocketAddr,
    passed_bytes: Arc<AtomicU64>,
}

impl Proxy {
    pub fn start(link: Link, to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let up = Arc::new(Direction::new(link.up_bits_per_second));
        let down = Arc::new(Direction::new(link.down_bits_per_second));
        let passed_bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&passed_bytes);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Connecting costs a round trip before anything passes.
                thread::sleep(link.round_trip);
                let Ok(server) = TcpStream::connect(to) else { continue };
                let ends = [(&client, &server, &up), (&server, &client, &down)];
                for (from, into, direction) in ends {
                    let (Ok(from), Ok(into)) = (from.try_clone(), into.try_clone()) else {
                        continue;
                    };
                    let (direction, counted) = (Arc::clone(direction), Arc::clone(&counted));
                    thread::spawn(move || carry(&from, &into, &direction, &counted, link));
                }
            }
        });
        Ok(Self { address, passed_bytes })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All bytes so far, both ways, heads included.
    pub fn passed_bytes(&self) -> u64 {
        self.passed_bytes.load(Ordering::Relaxed)
    }
}

/// Reads as fast as the link sends, and hands on after the delay.
fn carry(
    mut from: &TcpStream,
    into: &TcpStream,
    direction: &Direction,
    counted: &AtomicU64,
    link: Link,
) {
    let (hand_on, late) = sync_channel(64);
    let Ok(arriving) = into.try_clone() else { return };
    let delay = link.round_trip / 2;
    let deliverer = thread::spawn(move || deliver(&late, &arriving));
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let before = counted.fetch_add(read as u64, Ordering::Relaxed);
        let every = link.breaks_every_bytes;
        if every > 0 && before / every != (before + read as u64) / every {
            let _gone = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
            break;
        }
        let departure = direction.departure(read);
        thread::sleep(departure.saturating_duration_since(Instant::now()));
        if hand_on.send((departure + delay, buffer.iter().take(read).copied().collect())).is_err() {
            break;
        }
    }
    drop(hand_on);
    let _ended = deliverer.join();
}

fn deliver(late: &Receiver<(Instant, Vec<u8>)>, mut into: &TcpStream) {
    for (due, bytes) in late {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if into.write_all(&bytes).is_err() {
            return;
        }
    }
    let _gone = into.shutdown(Shutdown::Write);
}
