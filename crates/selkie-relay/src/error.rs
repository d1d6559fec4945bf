//! Why a relay does not start or run: for its operator.

use core::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a relay does not start, or stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayError {
    /// The data directory cannot be made or used.
    DataDir {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another relay uses the data directory.
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// The file in the data directory was made by another program.
    NotARelayDatabase {
        /// Where.
        path: PathBuf,
    },
    /// The storage was written by a newer version.
    NewerFormat {
        /// Where.
        path: PathBuf,
        /// Format of the file.
        found: i32,
        /// Newest format this version knows.
        known: i32,
    },
    /// The database cannot be opened.
    Database {
        /// Where.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The address cannot be listened on.
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The address is reachable from outside, and nothing would encrypt the connection.
    Plaintext {
        /// Which.
        address: SocketAddr,
    },
    /// A configured origin is not `http://host[:port]` or `https://host[:port]`.
    Origin {
        /// As configured.
        origin: String,
    },
    /// The system gives no randomness.
    Randomness,
    /// The runtime or a thread cannot be started.
    Runtime {
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir { path, source } => {
                write!(f, "the data directory {} cannot be used: {source}", path.display())
            }
            Self::InUse { path } => write!(
                f,
                "another relay already uses {}; stop it, or choose another data directory",
                path.display()
            ),
            Self::NotARelayDatabase { path } => {
                write!(f, "{} is no relay database; choose another data directory", path.display())
            }
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} has format {found}, and this version knows up to {known}; \
                 start the newer version that wrote it",
                path.display()
            ),
            Self::Database { path, source } => {
                write!(f, "the database {} cannot be opened: {source}", path.display())
            }
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}")
            }
            Self::Plaintext { address } => write!(
                f,
                "{address} can be reached from outside, and the relay does not encrypt connections; \
                 listen on a loopback address, or put a TLS proxy in front and say so"
            ),
            Self::Origin { origin } => {
                write!(f, "{origin:?} is no origin; write it as https://host or https://host:port")
            }
            Self::Randomness => f.write_str("the system gives no randomness"),
            Self::Runtime { source } => write!(f, "the relay cannot run: {source}"),
        }
    }
}

impl core::error::Error for RelayError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::DataDir { source, .. }
            | Self::Listen { source, .. }
            | Self::Runtime { source } => Some(source),
            Self::Database { source, .. } => Some(source),
            _ => None,
        }
    }
}
