//! A relay: the rules of the real one, a store that can be lost, restored and full.

use selkie_wire::relay::{
    Head, PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie_wire::{
    Cursor, DeviceId, Digest, Envelope, IncarnationToken, RelayEpoch, RosterNumber, SegmentNumber,
    cbor,
};

use super::template::template;

/// Envelopes in a page at most.
pub const PAGE_MAX: usize = 3;

/// A request as it travels.
#[derive(Clone, Debug)]
pub enum Request {
    Pull(Vec<u8>),
    Push(Vec<u8>),
    Roster(usize),
    Publish(Vec<u8>),
}

/// Why a relay did not answer with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It knows no such member.
    Unknown,
    /// The body is not a message.
    BadBody,
    /// Its roster has another history.
    RosterFork,
}

#[derive(Clone, Debug)]
pub struct Stored {
    chain: DeviceId,
    number: SegmentNumber,
    /// Its place in the list, which says what the list was up to here.
    cursor: u64,
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

/// What it keeps.
#[derive(Clone, Debug)]
pub struct State {
    pub epoch: RelayEpoch,
    /// Roster entries it has.
    entries: usize,
    /// Whether its cursors only count (a planted bug).
    counts: bool,
    pub stored: Vec<Stored>,
}

/// A relay.
#[derive(Clone, Debug)]
pub struct Relay {
    pub state: State,
    /// Earlier states, as a backup keeps them.
    pub backups: Vec<State>,
    /// Whether it takes nothing more for now.
    pub full: bool,
}

impl State {
    pub fn new(epoch: RelayEpoch, counts: bool) -> Self {
        Self { epoch, entries: 0, counts, stored: Vec::new() }
    }

    fn end(&self) -> u64 {
        self.stored.last().map_or(0, |last| last.cursor)
    }

    fn head(&self, chain: DeviceId) -> Head {
        let last = self.stored.iter().rev().find(|stored| stored.chain == chain);
        last.map_or_else(Head::default, |stored| Head {
            number: stored.number,
            digest: Some(stored.digest),
        })
    }

    fn chain(
        &self,
        device: DeviceId,
        incarnation: Option<IncarnationToken>,
    ) -> Result<(DeviceId, Digest), Denied> {
        let roster = self.entries.checked_sub(1).and_then(|last| template().rosters.get(last));
        let member = roster.and_then(|roster| roster.member(device)).ok_or(Denied::Unknown)?;
        Ok(member.chain(incarnation))
    }

    fn roster(&self) -> RosterNumber {
        RosterNumber((self.entries as u64).saturating_sub(1))
    }

    fn pull(&self, device: DeviceId, request: &PullRequest) -> Result<PullResponse, Denied> {
        let (chain, _) = self.chain(device, request.incarnation)?;
        let end = self.end();
        let place = self.stored.iter().position(|stored| stored.cursor == request.cursor.0);
        let known = request.epoch == Some(self.epoch);
        let start = place.filter(|_| known).map_or(0, |place| place + 1);
        let mut cursor = if start > 0 { request.cursor.0 } else { 0 };
        let mut envelopes = Vec::new();
        for stored in &self.stored[start..] {
            if stored.chain != chain {
                if envelopes.len() == PAGE_MAX {
                    break;
                }
                envelopes.push(stored.bytes.clone().into());
            }
            cursor = stored.cursor;
        }
        Ok(PullResponse {
            epoch: self.epoch,
            envelopes,
            cursor: Cursor(cursor),
            more: cursor < end,
            head: self.head(chain),
            roster: self.roster(),
            checkpoints: None,
        })
    }

    fn push(
        &mut self,
        device: DeviceId,
        request: &PushRequest,
        full: bool,
    ) -> Result<PushResponse, Denied> {
        let (chain, beginning) = self.chain(device, request.incarnation)?;
        let mut outcomes = Vec::new();
        for bytes in &request.envelopes {
            outcomes.push(self.store(chain, beginning, bytes.to_vec(), full));
        }
        Ok(PushResponse { epoch: self.epoch, outcomes, head: self.head(chain) })
    }

    fn store(
        &mut self,
        chain: DeviceId,
        beginning: Digest,
        bytes: Vec<u8>,
        full: bool,
    ) -> PushOutcome {
        let Ok(envelope) = Envelope::parse(bytes) else { return PushOutcome::Refused };
        let (number, digest) = (envelope.header().number, envelope.digest());
        if envelope.header().device != chain {
            return PushOutcome::Refused;
        }
        let mut same = self.stored.iter().filter(|one| (one.chain, one.number) == (chain, number));
        if let Some(known) = same.next() {
            return if known.digest == digest { PushOutcome::Duplicate } else { PushOutcome::Fork };
        }
        let head = self.head(chain);
        if Some(number) != head.number.next() {
            return PushOutcome::Gap;
        }
        match head.digest {
            Some(digest) if digest != envelope.header().previous => return PushOutcome::Fork,
            None if beginning != envelope.header().previous => return PushOutcome::Refused,
            _ if full => return PushOutcome::Quota,
            _ => {}
        }
        let cursor = if self.counts { self.end() + 1 } else { Cursor(self.end()).after(digest).0 };
        self.stored.push(Stored { chain, number, cursor, digest, bytes: envelope.into_bytes() });
        PushOutcome::Stored
    }

    fn publish(&mut self, entries: &RosterEntries) -> Result<(), Denied> {
        let same = entries.entries.iter().zip(&template().entries);
        if !same.into_iter().all(|(mine, theirs)| mine[..] == theirs[..]) {
            return Err(Denied::RosterFork);
        }
        self.entries = self.entries.max(entries.entries.len());
        Ok(())
    }
}

impl Relay {
    pub fn new(epoch: RelayEpoch, counts: bool) -> Self {
        Self { state: State::new(epoch, counts), backups: Vec::new(), full: false }
    }

    /// Answers one request of a device.
    pub fn handle(&mut self, device: DeviceId, request: &Request) -> Result<Vec<u8>, Denied> {
        match request {
            Request::Pull(bytes) => {
                let request = cbor::decode(bytes).map_err(|_| Denied::BadBody)?;
                Ok(cbor::encode(&self.state.pull(device, &request)?))
            }
            Request::Push(bytes) => {
                let request = cbor::decode(bytes).map_err(|_| Denied::BadBody)?;
                Ok(cbor::encode(&self.state.push(device, &request, self.full)?))
            }
            Request::Roster(from) => {
                self.state.chain(device, None)?;
                let known = template().entries.iter().take(self.state.entries).skip(*from);
                let entries = known.cloned().map(Into::into).collect();
                Ok(cbor::encode(&RosterEntries { entries }))
            }
            Request::Publish(bytes) => {
                let entries = cbor::decode(bytes).map_err(|_| Denied::BadBody)?;
                self.state.publish(&entries)?;
                Ok(Vec::new())
            }
        }
    }
}
