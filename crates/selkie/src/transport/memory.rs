//! A relay in memory, for tests of apps: real rules, no network.

mod checkpoints;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX};
use selkie_wire::relay::{
    CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse, Head, ManifestResponse,
    PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, PutChunksRequest,
    PutChunksResponse, PutManifestRequest, PutManifestResponse, RosterEntries,
};
use selkie_wire::{
    Cursor, DeviceId, Digest, Envelope, IncarnationToken, RelayEpoch, Roster, SegmentNumber,
};

use self::checkpoints::{Checkpoints, later};
use super::{Transport, TransportError};

/// A relay that lives as long as its last handle.
///
/// ```
/// use selkie::transport::MemoryRelay;
/// use selkie::{Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let relay = MemoryRelay::new();
/// let mut transport = relay.connect(vault.device_id());
/// let report = vault.sync_over("memory", &mut transport, &mut |_| {})?;
/// assert_eq!(report.changes_received, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryRelay(Arc<Mutex<State>>);

/// One device's way to a [`MemoryRelay`].
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    relay: MemoryRelay,
    device: DeviceId,
    traffic_bytes: (u64, u64),
}

#[derive(Clone, Debug)]
struct State {
    epoch: RelayEpoch,
    roster: Vec<Vec<u8>>,
    segments: Vec<Stored>,
    /// The cursor of the last segment stored.
    cursor: Cursor,
    checkpoints: Checkpoints,
}

#[derive(Clone, Debug)]
struct Stored {
    cursor: Cursor,
    device: DeviceId,
    number: SegmentNumber,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Default for State {
    fn default() -> Self {
        use selkie_core::ports::RandomSource;
        // A test relay without randomness still works: it then only cannot show that it was wiped.
        let epoch = crate::system::SystemRandom.array().unwrap_or_default();
        Self {
            epoch: RelayEpoch(epoch),
            roster: Vec::new(),
            segments: Vec::new(),
            cursor: Cursor(0),
            checkpoints: Checkpoints::default(),
        }
    }
}

impl State {
    fn head(&self, device: DeviceId) -> Head {
        let last = self.segments.iter().rev().find(|stored| stored.device == device);
        let head = last.map_or_else(Head::default, |stored| Head {
            number: stored.number,
            digest: Some(stored.digest),
        });
        later(head, self.checkpoints.base(device))
    }

    /// A chain of a live member; none for anyone else.
    fn chain(&self, device: DeviceId, incarnation: Option<IncarnationToken>) -> Option<DeviceId> {
        let roster = Roster::from_entries(self.roster.iter().cloned()).ok()?;
        let member = roster.member(device).filter(|member| member.revoked.is_none())?;
        Some(member.chain(incarnation).0)
    }

    /// Stores an envelope of a chain.
    fn store(&mut self, device: DeviceId, bytes: Vec<u8>) -> PushOutcome {
        let Ok(envelope) = Envelope::parse(bytes) else { return PushOutcome::Refused };
        let (number, digest) = (envelope.header().number, envelope.digest());
        if envelope.header().device != device {
            return PushOutcome::Refused;
        }
        let known =
            self.segments.iter().find(|stored| (stored.device, stored.number) == (device, number));
        if let Some(known) = known {
            return if known.digest == digest { PushOutcome::Duplicate } else { PushOutcome::Fork };
        }
        if let Some((base, covered)) = self.checkpoints.base(device).filter(|it| number <= it.0) {
            let same = number < base || digest == covered;
            return if same { PushOutcome::Duplicate } else { PushOutcome::Fork };
        }
        let before = SegmentNumber(number.0.saturating_sub(1));
        let bridged = self.checkpoints.bridges(device, before, envelope.header().previous);
        if Some(number) != self.head(device).number.next() && !bridged {
            return PushOutcome::Gap;
        }
        self.cursor = self.cursor.after(digest);
        let (cursor, bytes) = (self.cursor, envelope.into_bytes());
        self.segments.push(Stored { cursor, device, number, digest, bytes });
        PushOutcome::Stored
    }
}

impl MemoryRelay {
    /// An empty relay.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A way to it for one device.
    #[must_use]
    pub fn connect(&self, device: DeviceId) -> MemoryTransport {
        MemoryTransport { relay: self.clone(), device, traffic_bytes: (0, 0) }
    }

    /// Loses everything, as a relay does whose disk was replaced.
    pub fn wipe(&self) {
        *self.state() = State::default();
    }

    /// A relay of its own with what this one holds now, as a backup brings back later.
    #[must_use]
    pub fn backup(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Goes back to a backup, without telling anybody: as an operator does who forgets the epoch.
    pub fn set_back(&self, backup: &Self) {
        let kept = backup.state().clone();
        *self.state() = kept;
    }

    /// Everything it holds, as an operator could read it.
    #[must_use]
    pub fn stored_bytes(&self) -> Vec<Vec<u8>> {
        let state = self.state();
        let segments = state.segments.iter().map(|stored| stored.bytes.clone());
        let checkpoints = state.checkpoints.stored_bytes();
        state.roster.iter().cloned().chain(segments).chain(checkpoints).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryTransport {
    fn as_member(
        &self,
        incarnation: Option<IncarnationToken>,
    ) -> Result<(MutexGuard<'_, State>, DeviceId), TransportError> {
        let state = self.relay.state();
        let chain = state.chain(self.device, incarnation).ok_or(TransportError::Unknown)?;
        Ok((state, chain))
    }
}

impl Transport for MemoryTransport {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let (state, chain) = self.as_member(request.incarnation)?;
        // A place of another list is not found in this one.
        let known = request.epoch == Some(state.epoch)
            && (request.cursor == state.cursor
                || state.segments.iter().any(|stored| stored.cursor == request.cursor));
        let mut cursor = if known { request.cursor } else { Cursor(0) };
        let (start, mut full) = (cursor, false);
        let (mut envelopes, mut size_bytes) = (Vec::new(), 0);
        for stored in state.segments.iter().filter(|stored| stored.cursor > start) {
            if stored.device != chain {
                size_bytes += stored.bytes.len();
                full = size_bytes > PAGE_BYTES_MAX || envelopes.len() == PAGE_SEGMENTS_MAX;
                if full && !envelopes.is_empty() {
                    break;
                }
                full = false;
                envelopes.push(stored.bytes.clone().into());
            }
            cursor = stored.cursor;
        }
        cursor = if full { cursor } else { state.cursor };
        let response = PullResponse {
            epoch: state.epoch,
            envelopes,
            cursor,
            more: cursor < state.cursor,
            head: state.head(chain),
            roster: RosterNumber((state.roster.len() as u64).saturating_sub(1)),
            checkpoints: Some(state.summary()),
        };
        drop(state);
        self.traffic_bytes.1 += size_bytes as u64;
        Ok(response)
    }

    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        let (mut state, chain) = self.as_member(request.incarnation)?;
        let store = |envelope: &minicbor::bytes::ByteVec| state.store(chain, envelope.to_vec());
        let outcomes = request.envelopes.iter().map(store).collect();
        let response = PushResponse { epoch: state.epoch, outcomes, head: state.head(chain) };
        drop(state);
        let sent: usize = request.envelopes.iter().map(|envelope| envelope.len()).sum();
        self.traffic_bytes.0 += sent as u64;
        Ok(response)
    }

    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        let (state, _) = self.as_member(None)?;
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        let entries = state.roster.iter().skip(from).cloned().map(Into::into).collect();
        Ok(RosterEntries { entries })
    }

    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        let entries: Vec<Vec<u8>> = entries.entries.iter().map(|entry| entry.to_vec()).collect();
        let mut state = self.relay.state();
        if !entries.starts_with(&state.roster) && !state.roster.starts_with(&entries) {
            return Err(TransportError::RosterFork);
        }
        if Roster::from_entries(entries.iter().cloned()).is_err() {
            return Err(TransportError::Refused("the roster does not verify".to_owned()));
        }
        if entries.len() > state.roster.len() {
            state.roster = entries;
        }
        Ok(())
    }

    fn put_chunks(
        &mut self,
        request: &PutChunksRequest,
    ) -> Result<PutChunksResponse, TransportError> {
        let (mut state, device) = self.as_member(None)?;
        let put = |chunk: &minicbor::bytes::ByteVec| state.put_chunk(device, chunk.to_vec());
        let outcomes = request.chunks.iter().map(put).collect();
        drop(state);
        self.traffic_bytes.0 += request.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        Ok(PutChunksResponse { outcomes })
    }

    fn fetch_chunks(
        &mut self,
        request: &FetchChunksRequest,
    ) -> Result<FetchChunksResponse, TransportError> {
        let chunks = self.as_member(None)?.0.chunks(&request.digests);
        self.traffic_bytes.1 += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        Ok(FetchChunksResponse { chunks: chunks.into_iter().map(Into::into).collect() })
    }

    fn put_manifest(
        &mut self,
        request: &PutManifestRequest,
    ) -> Result<PutManifestResponse, TransportError> {
        self.traffic_bytes.0 += request.manifest.len() as u64;
        Ok(self.as_member(None)?.0.put_manifest(self.device, request.manifest.to_vec()))
    }

    fn manifest(&mut self, digest: Digest) -> Result<Option<ManifestResponse>, TransportError> {
        Ok(self.as_member(None)?.0.manifest(digest))
    }

    fn cosign(
        &mut self,
        digest: Digest,
        request: &CosignRequest,
    ) -> Result<CosignResponse, TransportError> {
        let outcome = self.as_member(None)?.0.cosign(self.device, digest, &request.signature);
        Ok(CosignResponse { outcome })
    }

    fn traffic_bytes(&self) -> (u64, u64) {
        self.traffic_bytes
    }
}
