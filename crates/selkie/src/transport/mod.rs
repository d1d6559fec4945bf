//! Ways to a relay. A small blocking trait, so that an app can bring its own HTTP stack.
//!
//! In: requests of the sync engine. Out: a relay's answers, parsed strictly, believed no further than
//! the engine says. What never happens here: keys, plaintext, retries (those are the driver's).

#[cfg(feature = "http")]
mod http;
mod memory;

use std::fmt;

use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries, WaitRequest,
};

#[cfg(feature = "http")]
pub(crate) use http::{Http, Mailbox, health};
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

    /// Waits until the relay has something after a place, for as long as the relay likes (half a minute
    /// or so). A way that cannot wait says so at once.
    ///
    /// # Errors
    /// [`TransportError`].
    fn wait(&mut self, request: &WaitRequest) -> Result<Waited, TransportError> {
        let _ = request;
        Ok(Waited::Unsupported)
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
            Self::TooLarge => f.write_str("the relay takes no request of this size"),
            Self::NotFound => {
                f.write_str("the relay does not know this request; is it an older one?")
            }
            Self::RosterFork => f.write_str(
                "the relay holds another history of this vault's roster; nothing was changed",
            ),
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
