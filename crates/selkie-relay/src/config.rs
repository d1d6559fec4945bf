//! What an operator decides, with defaults that suit a small relay.

use core::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits;

/// How a relay runs.
///
/// ```
/// use selkie_relay::Config;
/// let mut config = Config::new("/var/lib/selkie");
/// config.origins = vec!["https://relay.example".to_owned()];
/// config.quotas.vault_bytes_max = 100 * 1024 * 1024;
/// assert!(config.listen.ip().is_loopback());
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Where vaults are kept.
    pub storage: Storage,
    /// Where to listen; port 0 takes any free one. Loopback, unless [`Config::behind_proxy`].
    pub listen: SocketAddr,
    /// Origins (`https://relay.example`) that devices may sign challenges for. With none, the
    /// signed origin is compared with the request's `Host`, which a hostile relay in between could
    /// choose; so name them wherever the relay can be reached from outside.
    pub origins: Vec<String>,
    /// Whether something in front of the relay encrypts connections.
    pub behind_proxy: bool,
    /// How much it may hold.
    pub quotas: Quotas,
    /// How long it waits.
    pub timeouts: Timeouts,
    /// What time it is; tests pass their own.
    pub clock: Clock,
    /// Where messages for the operator go; nowhere unless set.
    pub log: Log,
}

impl Config {
    /// A relay with its data in a directory, on any free port of the loopback address.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self::with_storage(Storage::Directory(data_dir.into()))
    }

    /// A relay that forgets everything when it stops.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::with_storage(Storage::Memory)
    }

    fn with_storage(storage: Storage) -> Self {
        Self {
            storage,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            origins: Vec::new(),
            behind_proxy: false,
            quotas: Quotas::default(),
            timeouts: Timeouts::default(),
            clock: Clock::default(),
            log: Log::default(),
        }
    }
}

/// Where vaults are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// An SQLite file in this directory, which is made if it does not exist.
    Directory(PathBuf),
    /// Memory, for tests.
    Memory,
}

/// How much a relay may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes of one vault: its roster and its segments.
    pub vault_bytes_max: u64,
    /// Vaults.
    pub vaults_max: u64,
    /// Vaults that may be made at once.
    pub vault_creations_burst: u32,
    /// Vaults that may be made each minute after that.
    pub vault_creations_per_minute: u32,
    /// Pairing messages that may wait at once.
    pub mailbox_messages_max: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            vault_bytes_max: limits::VAULT_BYTES_MAX_DEFAULT,
            vaults_max: limits::VAULTS_MAX_DEFAULT,
            vault_creations_burst: limits::VAULT_CREATIONS_BURST_DEFAULT,
            vault_creations_per_minute: limits::VAULT_CREATIONS_PER_MINUTE_DEFAULT,
            mailbox_messages_max: limits::MAILBOX_MESSAGES_MAX_DEFAULT,
        }
    }
}

/// How long a relay waits for its clients and for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a request's head, also on an idle connection.
    pub head: Duration,
    /// Between two parts of a body.
    pub body_idle: Duration,
    /// For a whole body.
    pub body: Duration,
    /// For the client to take the next part of an answer.
    pub write_idle: Duration,
    /// For the answer to a request whose body is there.
    pub handler: Duration,
    /// For something new to come, until a client that waits for it is told that nothing came.
    pub wait: Duration,
    /// For requests under way when the relay is told to stop.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: limits::HEAD_TIMEOUT,
            body_idle: limits::BODY_IDLE_TIMEOUT,
            body: limits::BODY_TIMEOUT,
            write_idle: limits::WRITE_IDLE_TIMEOUT,
            handler: limits::HANDLER_TIMEOUT,
            wait: limits::WAIT_TIMEOUT,
            shutdown: limits::SHUTDOWN_GRACE,
        }
    }
}

/// Milliseconds since 1970, from the system or from a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now_ms`.
    pub fn from_fn(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::from_fn(|| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Takes messages for the operator, a line each. They name no address, vault, device or digest.
///
/// ```
/// use selkie_relay::{Config, Log};
/// let mut config = Config::in_memory();
/// config.log = Log::from_fn(|line| eprintln!("relay: {line}"));
/// ```
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// A log that hands each line to `write`.
    pub fn from_fn(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    pub(crate) fn line(&self, text: &str) {
        (self.0)(text);
    }
}

impl Default for Log {
    /// Nowhere: a library does not print.
    fn default() -> Self {
        Self::from_fn(|_| {})
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}
