//! Ways to a relay. A small blocking trait, so that an app can bring its own HTTP stack.
//!
//! In: requests of the sync engine. Out: a relay's answers, parsed strictly, believed no further than
//! the engine says. What never happens here: keys, plaintext, retries (those are the driver's).

#[cfg(feature = "http")]
mod http;
mod memory;

use std::fmt;

use selkie_wire::Digest;
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse, ManifestResponse,
    PullRequest, PullResponse, PushRequest, PushResponse, PutChunksRequest, PutChunksResponse,
    PutManifestRequest, PutManifestResponse, RosterEntries,
};

#[cfg(feature = "http")]
pub(crate) use http::{Http, Mailbox};
pub use memory::{MemoryRelay, MemoryTransport};
// The messages a transport carries.
pub use selkie_wire::relay;

/// A way to one relay, on behalf of one device of one vault.
pub trait Transport {
    /// Asks for what other devices sent.
    ///
    /// # Errors
    /// [`TransportError`].
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError>;

    /// Sends own envelopes.
    ///
    /// # Errors
    /// [`TransportError`].
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError>;

    /// Fetches roster entries from a number on.
    ///
    /// # Errors
    /// [`TransportError`].
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError>;

    /// Sends roster entries, genesis first; makes the vault at the relay if it is not there.
    ///
    /// # Errors
    /// [`TransportError`].
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError>;

    /// Sends chunks of a checkpoint, before the manifest that names them.
    ///
    /// # Errors
    /// [`TransportError::NoCheckpoints`], unless the transport carries checkpoints. Such a one says of
    /// them in its answers to [`pull`](Self::pull), and need not be asked otherwise.
    fn put_chunks(&mut self, _: &PutChunksRequest) -> Result<PutChunksResponse, TransportError> {
        Err(TransportError::NoCheckpoints)
    }

    /// Fetches chunks by name, as many as go into one answer.
    ///
    /// # Errors
    /// As [`put_chunks`](Self::put_chunks).
    fn fetch_chunks(
        &mut self,
        _: &FetchChunksRequest,
    ) -> Result<FetchChunksResponse, TransportError> {
        Err(TransportError::NoCheckpoints)
    }

    /// Sends a checkpoint's manifest.
    ///
    /// # Errors
    /// As [`put_chunks`](Self::put_chunks).
    fn put_manifest(
        &mut self,
        _: &PutManifestRequest,
    ) -> Result<PutManifestResponse, TransportError> {
        Err(TransportError::NoCheckpoints)
    }

    /// Fetches a manifest by name; `None` if it is not there any more.
    ///
    /// # Errors
    /// As [`put_chunks`](Self::put_chunks).
    fn manifest(&mut self, _: Digest) -> Result<Option<ManifestResponse>, TransportError> {
        Err(TransportError::NoCheckpoints)
    }

    /// Co-signs a checkpoint.
    ///
    /// # Errors
    /// As [`put_chunks`](Self::put_chunks).
    fn cosign(&mut self, _: Digest, _: &CosignRequest) -> Result<CosignResponse, TransportError> {
        Err(TransportError::NoCheckpoints)
    }

    /// Bytes of request and response bodies so far: (sent, received).
    fn traffic_bytes(&self) -> (u64, u64);
}

/// Why a relay gave no answer to use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection, or it broke: try again later.
    Unreachable(String),
    /// The relay does not know the vault, or not this device in it.
    Unknown,
    /// The relay is busy, or wants no more for now.
    Busy {
        /// How long it asks to wait.
        retry_after_ms: Option<u64>,
    },
    /// The roster there has another history.
    RosterFork,
    /// This transport has no checkpoints.
    NoCheckpoints,
    /// The relay refused, for a reason it gives.
    Refused(String),
    /// What came back is no relay's answer.
    Garbage,
    /// The address is no relay's address.
    Address(&'static str),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => {
                write!(
                    f,
                    "the relay cannot be reached ({why}); the store works on, sync again later"
                )
            }
            Self::Unknown => f.write_str("the relay does not let this device in"),
            Self::Busy { .. } => f.write_str("the relay is busy; sync again later"),
            Self::RosterFork => f.write_str(
                "the relay holds another history of this vault's roster; nothing was changed",
            ),
            Self::NoCheckpoints => f.write_str("this transport has no checkpoints"),
            Self::Refused(why) => write!(f, "the relay refused: {why}"),
            Self::Garbage => f.write_str(
                "what answers there is no Selkie relay, or a broken one; check the address",
            ),
            Self::Address(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TransportError {}

impl From<TransportError> for crate::Error {
    fn from(error: TransportError) -> Self {
        use crate::ErrorKind;
        let kind = match error {
            TransportError::Unreachable(_) | TransportError::Busy { .. } => ErrorKind::Network,
            TransportError::Address(_) => ErrorKind::InvalidInput,
            _ => ErrorKind::Relay,
        };
        Self::new(kind, error.to_string())
    }
}
