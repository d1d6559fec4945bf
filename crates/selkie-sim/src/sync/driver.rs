//! One run of sync, step for step as `selkie`'s driver does it, on a disk and over a network that fail.

use selkie_core::sync::{Action, Engine, EngineError, Known, Position};
use selkie_wire::relay::{PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries};
use selkie_wire::{
    Cursor, DeviceId, IncarnationToken, RosterEntry, RosterNumber, SegmentNumber, cbor,
};

use super::bugs::Bug;
use super::ledger::Ledger;
use super::network::{Failed, Network};
use super::relay::{Denied, Relay, Request};
use super::store::{ChainFile, Crash, Fuse, Store};
use super::template::template;
use crate::world::Random;

/// Pages in a row that bring nothing, as in the real driver.
const EMPTY_PAGES_MAX: u32 = 64;

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Crash,
    Failed(Failed),
    Engine(EngineError),
}

impl From<Crash> for Stop {
    fn from(_: Crash) -> Self {
        Self::Crash
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub requests: u64,
    pub pulled: usize,
    pub pushed: usize,
    pub refused: usize,
    pub unkept: usize,
    pub healed: bool,
}

/// A run, and all it may touch.
pub struct Run<'w> {
    pub place: usize,
    pub at: usize,
    pub store: &'w mut Store,
    pub file: &'w mut Option<ChainFile>,
    pub relay: &'w mut Relay,
    pub network: &'w mut Network,
    pub random: &'w mut Random,
    pub ledger: &'w mut Ledger,
    pub fuse: Fuse,
    pub now_ms: u64,
    pub bug: Option<Bug>,
    pub report: Report,
    pub page: Vec<Vec<u8>>,
    pub empty_pages: u32,
    pub from_beginning: bool,
}

impl Run<'_> {
    /// The run, and what follows it.
    pub fn run(&mut self) -> Result<(), Stop> {
        let mut outcome = self.drive();
        if outcome == Err(Stop::Engine(EngineError::Fork)) {
            outcome = self.heal().and_then(|()| self.drive());
        }
        if outcome.is_ok() {
            let whole = self.report.refused + self.report.unkept == 0 && self.store.waiting() == 0;
            self.fuse.step()?;
            self.store.note_wholeness(self.at, (whole, self.from_beginning), self.now_ms);
        }
        outcome
    }

    fn drive(&mut self) -> Result<(), Stop> {
        let known = self.known();
        self.from_beginning |= known.position.cursor == Cursor(0);
        let mut engine = Engine::new(known);
        loop {
            let done = match engine.next() {
                Action::Done => return Ok(()),
                Action::Push(after) => self.push(&mut engine, after),
                Action::Pull(request) => self
                    .ask(Request::Pull(cbor::encode(&request)))
                    .and_then(|response| self.pulled(&mut engine, response)),
                Action::Apply(position) => self.apply(&mut engine, position),
                Action::FetchRoster(_) => self.fetch_roster(&mut engine),
                Action::PublishRoster => self.publish_roster(&mut engine),
                // The relays of this world keep no checkpoints, and say so.
                _ => Err(Failed::Garbage.into()),
            };
            match done {
                Err(Stop::Failed(Failed::Denied(Denied::Unknown))) => engine.vault_unknown()?,
                done => done?,
            }
        }
    }

    fn known(&self) -> Known {
        let state = self.store.relays.get(&self.at).copied().unwrap_or_default();
        Known {
            position: state.position,
            acknowledged: state.acknowledged,
            incarnation: self.store.incarnation,
            own: self.store.own_head(),
            unsealed: self.store.has_unsealed(),
            roster: self.store.roster().last(),
            checkpoints: Default::default(),
        }
    }

    /// Sends a request and parses the answer.
    pub(super) fn ask<T>(&mut self, request: Request) -> Result<T, Stop>
    where
        T: for<'b> minicbor::Decode<'b, ()>,
    {
        self.report.requests += 1;
        let from = (self.place, self.store.member());
        let answer = self.network.send(from, (self.at, self.relay), request, self.random)?;
        cbor::decode(&answer).map_err(|_| Failed::Garbage.into())
    }

    fn store_acknowledged(&mut self, number: SegmentNumber) -> Result<(), Crash> {
        self.fuse.step()?;
        if self.bug != Some(Bug::AcknowledgedIsForgotten) {
            self.store.relays.entry(self.at).or_default().acknowledged = number;
        }
        if self.bug == Some(Bug::SegmentsAreForgotten) {
            let head = self.store.own_head().number;
            self.store.segments.retain(|one| one.number > number || one.number == head);
        }
        Ok(())
    }

    fn seal_waiting(&mut self) -> Result<(), Crash> {
        loop {
            self.fuse.step()?;
            if !self.store.seal_next(self.random, self.ledger) {
                break;
            }
        }
        self.write_chain_file()
    }

    /// Says beside the database how far it is sealed; nothing sealed leaves before that.
    pub(super) fn write_chain_file(&mut self) -> Result<(), Crash> {
        let state = self.store.chain_file();
        if *self.file != Some(state) {
            self.fuse.step()?;
            *self.file = Some(state);
        }
        Ok(())
    }

    fn push(&mut self, engine: &mut Engine, after: SegmentNumber) -> Result<(), Stop> {
        self.seal_waiting()?;
        let outgoing = self.store.outgoing(after);
        let own = self.store.own_head();
        if outgoing.is_empty() {
            engine.pushed(own, &[], None)?;
            return Ok(());
        }
        let numbers: Vec<_> = outgoing.iter().map(|segment| segment.number).collect();
        let envelopes = outgoing.into_iter().map(|segment| segment.bytes.into()).collect();
        let request = PushRequest { envelopes, incarnation: self.store.incarnation };
        let response: PushResponse = self.ask(Request::Push(cbor::encode(&request)))?;
        let outcome = engine.pushed(own, &numbers, Some(&response));
        let stored = response.outcomes.iter().filter(|one| **one == PushOutcome::Stored);
        self.report.pushed += stored.count();
        self.store_acknowledged(engine.acknowledged())?;
        Ok(outcome?)
    }

    fn pulled(&mut self, engine: &mut Engine, response: PullResponse) -> Result<(), Stop> {
        let own_digest = self.store.own_digest(response.head.number);
        engine.pulled(&response, self.store.own_head(), |_| own_digest)?;
        self.store_acknowledged(engine.acknowledged())?;
        self.page = response.envelopes.into_iter().map(Into::into).collect();
        self.report.pulled += self.page.len();
        Ok(())
    }

    fn apply(&mut self, engine: &mut Engine, position: Position) -> Result<(), Stop> {
        let page = core::mem::take(&mut self.page);
        if self.bug == Some(Bug::PositionFirst) {
            self.fuse.step()?;
            self.store.relays.entry(self.at).or_default().position = position;
        }
        self.fuse.step()?;
        let at = Some((self.at, position)).filter(|_| self.bug != Some(Bug::PositionIsForgotten));
        let applied = self.store.apply_page(at, page, self.now_ms, self.ledger, self.bug);
        self.report.refused += applied.refused;
        self.report.unkept += applied.unkept;
        let used = applied.segments + applied.duplicates + applied.held + applied.unkept;
        self.empty_pages = if used > 0 { 0 } else { self.empty_pages + 1 };
        if self.empty_pages > EMPTY_PAGES_MAX {
            return Err(EngineError::Inconsistent.into());
        }
        engine.applied()?;
        Ok(())
    }

    fn fetch_roster(&mut self, engine: &mut Engine) -> Result<(), Stop> {
        let last = self.learn_roster()?;
        Ok(engine.roster_fetched(last)?)
    }

    /// Fetches and verifies the roster entries that are missing here.
    pub(super) fn learn_roster(&mut self) -> Result<RosterNumber, Stop> {
        let fetched: RosterEntries = self.ask(Request::Roster(self.store.entries))?;
        let mut roster = self.store.roster().clone();
        for entry in fetched.entries {
            let entry = RosterEntry::parse(entry.into()).map_err(|_| Failed::Garbage)?;
            roster.apply(&entry).map_err(|_| Failed::Garbage)?;
        }
        self.fuse.step()?;
        self.store.entries = roster.last().0 as usize + 1;
        Ok(roster.last())
    }

    fn publish_roster(&mut self, engine: &mut Engine) -> Result<(), Stop> {
        let entries = template().entries.iter().take(self.store.entries);
        let entries = RosterEntries { entries: entries.cloned().map(Into::into).collect() };
        self.report.requests += 1;
        let from: (usize, DeviceId) = (self.place, self.store.member());
        let request = Request::Publish(cbor::encode(&entries));
        self.network.send(from, (self.at, self.relay), request, self.random)?;
        engine.published();
        Ok(())
    }

    /// A token that no other chain has.
    pub(super) fn new_token(&mut self) -> IncarnationToken {
        use selkie_core::ports::RandomSource;
        IncarnationToken(self.random.array().expect("the seed's randomness"))
    }
}
