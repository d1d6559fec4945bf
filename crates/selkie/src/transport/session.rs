//! Who asks in a run of sync, and what it has: for a transport that keeps no cursor.

use std::collections::BTreeSet;

use selkie_core::seal::Heads;
use selkie_wire::{
    DeviceId, Digest, Envelope, IncarnationToken, Incarnations, Roster, SegmentNumber, VaultId,
};

/// One segment: of which chain, which, and the digest of its bytes.
pub(crate) type SegmentId = (DeviceId, SegmentNumber, Digest);

/// The device that a run of sync is for, and the segments it needs no more.
///
/// ```
/// use selkie::transport::relay::{PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries};
/// use selkie::transport::{MemoryTransport, Session, Transport, TransportError};
/// # use selkie::transport::ids::RosterNumber;
/// /// Tells of each run, and passes everything on.
/// struct Told(MemoryTransport, Vec<String>);
/// impl Transport for Told {
///     fn begin(&mut self, session: &Session) -> Result<(), TransportError> {
///         self.1.push(format!("{} of {}", session.device(), session.vault()));
///         self.0.begin(session)
///     }
///     # fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
///     #     self.0.pull(request)
///     # }
///     # fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
///     #     self.0.push(request)
///     # }
///     # fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
///     #     self.0.roster(from)
///     # }
///     # fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
///     #     self.0.publish_roster(entries)
///     # }
///     # fn traffic_bytes(&self) -> (u64, u64) {
///     #     self.0.traffic_bytes()
///     # }
///     // … pull, push, roster, publish_roster and traffic_bytes, each passed on to `self.0`
/// }
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("s.db");
/// # let vault = selkie::Vault::create(path, selkie::Unlock::Key(&[7; 32]))?.vault;
/// let relay = selkie::transport::MemoryRelay::new();
/// let mut told = Told(relay.connect(vault.device_id()), Vec::new());
/// vault.sync_over("memory", &mut told, &mut |_| {})?;
/// assert_eq!(told.1, [format!("{} of {}", vault.device_id(), vault.id())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) roster: Roster,
    pub(crate) incarnations: Incarnations,
    pub(crate) device: DeviceId,
    /// The chain the device writes.
    pub(crate) chain: DeviceId,
    pub(crate) signing_key: [u8; 32],
    /// The last segment accepted of each other chain.
    pub(crate) heads: Heads,
    /// Segments kept sealed until they can be opened.
    pub(crate) held: BTreeSet<SegmentId>,
}

impl Session {
    /// The vault.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.roster.vault()
    }

    /// The device that asks.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The vault's roster, as the device knows it.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Whether the device still needs this segment of a chain. The last one it accepted is needed again if it has
    /// other bytes now: that is how a chain with two histories is seen.
    #[must_use]
    pub fn lacks(&self, chain: DeviceId, number: SegmentNumber, digest: Digest) -> bool {
        if chain == self.chain || self.held.contains(&(chain, number, digest)) {
            return false;
        }
        match self.heads.get(&chain) {
            Some((last, known)) => number > *last || (number == *last && digest != *known),
            None => true,
        }
    }

    /// Takes the chain that a request names for the device's own.
    pub(crate) fn write_as(&mut self, incarnation: Option<IncarnationToken>) {
        self.chain = match incarnation {
            Some(token) => DeviceId::of_incarnation(&self.signing_key, token),
            None => self.device,
        };
    }

    /// Whether an envelope is of the chain that the asking device writes.
    pub(crate) fn is_own(&self, envelope: &Envelope) -> bool {
        let header = envelope.header();
        (header.vault, header.device) == (self.vault(), self.chain)
            && envelope.verify(&self.signing_key).is_ok()
    }
}
