//! Ways to the other devices. A small blocking trait, so that an app can bring its own.
//!
//! In: requests of the sync engine. Out: a relay's or a folder's answers, parsed strictly, believed no
//! further than the engine says. What never happens here: keys, plaintext, retries (those are the
//! driver's).

mod folder;
#[cfg(feature = "http")]
mod http;
mod memory;
mod session;

use std::fmt;

use selkie_wire::Digest;
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse, ManifestResponse,
    PullRequest, PullResponse, PushRequest, PushResponse, PutChunksRequest, PutChunksResponse,
    PutManifestRequest, PutManifestResponse, RosterEntries, WaitRequest,
};

pub use folder::Folder;
#[cfg(feature = "http")]
pub(crate) use http::{Http, Mailbox, fetch_by_words, health};
pub use memory::{MemoryRelay, MemoryTransport};
pub(crate) use session::SegmentId;
pub use session::Session;
// The messages a transport carries, and what stands in them.
pub use selkie_wire::{Envelope, ids, relay};

/// A way to one relay, folder or other meeting place, on behalf of one device of one vault.
///
/// An app that has a way of its own between its devices implements this and calls
/// [`Vault::sync_over`](crate::Vault::sync_over). Nothing that a transport answers is believed: what is
/// missing is asked for again, what is doubled or damaged is noticed.
///
/// ```
/// use selkie::transport::relay::{
///     Head, PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
/// };
/// use selkie::transport::ids::{RelayEpoch, RosterNumber, SegmentNumber};
/// use selkie::transport::{Envelope, Transport, TransportError};
///
/// /// A shelf that one device puts its segments on, in order.
/// #[derive(Default)]
/// struct Shelf {
///     roster: RosterEntries,
///     envelopes: Vec<Envelope>,
/// }
///
/// impl Shelf {
///     fn head(&self) -> Head {
///         let last = self.envelopes.last();
///         Head {
///             number: last.map_or(SegmentNumber(0), |last| last.header().number),
///             digest: last.map(Envelope::digest),
///         }
///     }
/// }
///
/// impl Transport for Shelf {
///     fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
///         let last = self.roster.entries.len().checked_sub(1).ok_or(TransportError::Unknown)?;
///         Ok(PullResponse {
///             epoch: RelayEpoch([1; 16]),
///             envelopes: Vec::new(), // those of other devices would be here
///             cursor: request.cursor,
///             more: false,
///             head: self.head(),
///             roster: RosterNumber(last as u64),
///             checkpoints: None, // it keeps none
///         })
///     }
///     fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
///         for bytes in &request.envelopes {
///             let envelope = Envelope::parse(bytes.to_vec());
///             self.envelopes.push(envelope.map_err(|_| TransportError::Garbage)?);
///         }
///         let outcomes = vec![PushOutcome::Stored; request.envelopes.len()];
///         Ok(PushResponse { epoch: RelayEpoch([1; 16]), outcomes, head: self.head() })
///     }
///     fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
///         let entries = self.roster.entries.iter().skip(from.0 as usize).cloned().collect();
///         Ok(RosterEntries { entries })
///     }
///     fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
///         self.roster = entries.clone();
///         Ok(())
///     }
///     fn traffic_bytes(&self) -> (u64, u64) {
///         (0, 0)
///     }
/// }
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("s.db");
/// # let vault = selkie::Vault::create(path, selkie::Unlock::Key(&[7; 32]))?.vault;
/// vault.collection("notes")?.put("n", &serde_json::json!({"title": "Milk"}))?;
/// let mut shelf = Shelf::default();
/// assert_eq!(vault.sync_over("shelf", &mut shelf, &mut |_| {})?.segments_sent, 1);
/// assert_eq!(vault.sync_over("shelf", &mut shelf, &mut |_| {})?.segments_sent, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Transport {
    /// A run begins: says who asks and what it has. A relay keeps a cursor for each device and needs
    /// none of it; a place without one (a [`Folder`]) chooses by it. A transport that wraps another
    /// passes it on.
    ///
    /// # Errors
    /// [`TransportError`].
    fn begin(&mut self, session: &Session) -> Result<(), TransportError> {
        let _not_needed = session;
        Ok(())
    }

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

    /// Waits until the relay has something after a place, for as long as the relay likes (half a minute
    /// or so). A way that cannot wait says so at once.
    ///
    /// # Errors
    /// [`TransportError`].
    fn wait(&mut self, request: &WaitRequest) -> Result<Waited, TransportError> {
        let _ = request;
        Ok(Waited::Unsupported)
    }

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

/// What waiting at a relay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// There is something new: pull.
    News,
    /// Nothing so far: wait again.
    Quiet,
    /// This relay, or this way to it, cannot wait.
    Unsupported,
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
    /// The request is larger than the relay takes: send less at once.
    TooLarge,
    /// The relay does not know this kind of request.
    NotFound,
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
    /// The folder is not there, or cannot be read or written: try again later.
    Folder(String),
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
            Self::TooLarge => f.write_str("the relay takes no request of this size"),
            Self::NotFound => {
                f.write_str("the relay does not know this request; is it an older one?")
            }
            Self::RosterFork => f.write_str(
                "the relay holds another history of this vault's roster; nothing was changed",
            ),
            Self::NoCheckpoints => f.write_str("this transport has no checkpoints"),
            Self::Refused(why) => write!(f, "the relay refused: {why}"),
            Self::Garbage => f.write_str(
                "what answers there is no Selkie relay, or a broken one; check the address",
            ),
            Self::Address(why) => f.write_str(why),
            Self::Folder(why) => {
                write!(f, "the folder cannot be used ({why}); the store works on, sync again later")
            }
        }
    }
}

impl std::error::Error for TransportError {}

impl From<TransportError> for crate::Error {
    fn from(error: TransportError) -> Self {
        use crate::ErrorKind;
        let kind = match error {
            TransportError::Unreachable(_)
            | TransportError::Busy { .. }
            | TransportError::Folder(_) => ErrorKind::Network,
            TransportError::Address(_) => ErrorKind::InvalidInput,
            TransportError::RosterFork => return Self::roster_fork(),
            TransportError::Unknown => ErrorKind::Unauthorized,
            _ => ErrorKind::Relay,
        };
        let retry_after_ms = match error {
            TransportError::Busy { retry_after_ms } => retry_after_ms,
            _ => None,
        };
        Self::new(kind, error.to_string()).retry_after(retry_after_ms)
    }
}
