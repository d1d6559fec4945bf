//! The steps of a run: what the engine asks for is done here, and its answers are handed back.

use selkie_core::sync::{Action, CheckpointsKnown, Engine, Known, PushPace};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    CheckpointSummary, Head, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie_wire::roster::RosterEntry;
use selkie_wire::{Cursor, Digest, RelayEpoch, SegmentNumber};

use super::sync::{Hooks, SyncPhase, SyncProgress, SyncReport};
use crate::store::{Identity, Incoming, TrackedPosition};
use crate::transport::{Transport, TransportError};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// Pages in a row that bring nothing to a relay that always has more.
const EMPTY_PAGES_MAX: u32 = 64;

/// A run: what it works with, and what it has done.
pub(super) struct Run<'a, 'b> {
    pub(super) vault: &'a Vault,
    pub(super) url: &'a str,
    pub(super) transport: &'a mut dyn Transport,
    pub(super) hooks: &'a mut Hooks<'b>,
    pub(super) identity: Identity,
    pub(super) report: SyncReport,
    /// What the transport had sent and received before this run.
    pub(super) traffic_before: (u64, u64),
    pub(super) pace: PushPace,
    /// Bytes the next push may take, beyond its first segment.
    pub(super) push_bytes_max: usize,
    pub(super) changes_to_send: u64,
    /// Pulled, and not yet applied.
    pub(super) page: Vec<Vec<u8>>,
    pub(super) empty_pages: u32,
    /// What the relay said last of its checkpoints, and in which life of its storage.
    pub(super) summary: CheckpointSummary,
    pub(super) epoch: Option<RelayEpoch>,
    /// A manifest that was judged.
    pub(super) incoming: Option<Incoming>,
    /// The last own segment that the relay had before.
    pub(super) relay_had: SegmentNumber,
    pub(super) read: Read,
}

/// What a run found of the relay's list.
#[derive(Default)]
pub(super) struct Read {
    /// Segments that there was no room to keep: they are still at the relay.
    pub(super) unkept: u64,
    /// Whether the list was read from its beginning.
    pub(super) from_beginning: bool,
    /// Whether the relay shows less than before.
    pub(super) went_back: bool,
}

impl Run<'_, '_> {
    /// Does what the engine says, until it says that all is done.
    pub(super) fn drive(&mut self) -> Result<(), Error> {
        self.identity.check_version()?;
        let session = self.vault.database().session(&self.identity)?;
        self.transport.begin(&session)?;
        let known = self.known()?;
        self.relay_had = known.acknowledged;
        self.read.from_beginning |= known.position.cursor == Cursor(0);
        let mut engine = Engine::new(known);
        self.tell(SyncPhase::Hello);
        loop {
            if (self.hooks.is_cut)() {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    "the sync was stopped; nothing is lost",
                ));
            }
            let action = engine.next();
            let done = match action {
                Action::Done => {
                    // A checkpoint may have stood in for segments that were never pushed.
                    let database = self.vault.database();
                    return database.store_acknowledged(self.url, engine.acknowledged());
                }
                Action::Push(after) => self.push(&mut engine, after),
                Action::Pull(request) => {
                    self.report.rounds += 1;
                    self.transport
                        .pull(&request)
                        .map_err(Error::from_transport)
                        .and_then(|response| self.pulled(&mut engine, response))
                }
                Action::Apply(position) => self.apply(&mut engine, position),
                Action::FetchRoster(from) => self.fetch_roster(&mut engine, from),
                Action::PublishRoster => self.publish_roster(&mut engine),
                Action::LookAtCheckpoint(digest) => self.look(&mut engine, digest),
                Action::ApplyCheckpoint(digest) => self.join_checkpoint(&mut engine, digest),
                Action::Cosign(digest) => self.cosign(&mut engine, digest),
                Action::MakeCheckpoint => self.make_checkpoint(&mut engine),
            };
            match done {
                Ok(()) => {}
                Err(Failure::Unknown) => engine.vault_unknown()?,
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    fn known(&self) -> Result<Known, Error> {
        let database = self.vault.database();
        let state = database.relay_state(self.url)?;
        let checkpoint = database.relay_checkpoint(self.url)?;
        Ok(Known {
            position: state.position,
            acknowledged: state.acknowledged,
            incarnation: database.incarnation()?,
            own: database.own_head()?,
            unsealed: database.unsealed_count()? > 0,
            roster: self.identity.roster.last(),
            checkpoints: CheckpointsKnown {
                settled: checkpoint.settled,
                candidate: checkpoint.candidate,
                retained_from: database.retained_from()?,
                log_bytes_min: self.vault.checkpoint_log_bytes_min(),
                alone: self.identity.roster.live_members().take(2).count() == 1,
            },
        })
    }

    pub(super) fn tell(&mut self, phase: SyncPhase) {
        let (sent, received) = self.transport.traffic_bytes();
        let (sent, received) = (sent - self.traffic_before.0, received - self.traffic_before.1);
        self.report.bytes_sent = sent;
        self.report.bytes_received = received;
        (self.hooks.progress)(SyncProgress {
            phase,
            segments: self.report.segments_sent + self.report.segments_received,
            changes: self.report.changes_sent + self.report.changes_received,
            bytes: sent + received,
            changes_to_send: self.changes_to_send,
            chunks: self.report.checkpoint_chunks,
            chunks_total: self.report.checkpoint_chunks_total,
            records: self.report.checkpoint_records,
        });
    }

    fn push(&mut self, engine: &mut Engine, after: SegmentNumber) -> Result<(), Failure> {
        let (outgoing, own, incarnation) = {
            let mut database = self.vault.database();
            database.seal_waiting(&self.identity, self.pace.bytes())?;
            let outgoing = database.outgoing(after, self.push_bytes_max)?;
            (outgoing, database.own_head()?, database.incarnation()?)
        };
        if outgoing.envelopes.is_empty() {
            engine.pushed(own, &[], None)?;
            return Ok(());
        }
        self.report.rounds += 1;
        let request = PushRequest {
            envelopes: outgoing.envelopes.into_iter().map(Into::into).collect(),
            incarnation,
        };
        let Some(response) = self.send(engine, &outgoing.numbers, &request)? else {
            return Ok(());
        };
        self.read.went_back |= response.head.number < self.relay_had;
        let outcome = engine.pushed(own, &outgoing.numbers, Some(&response));
        self.report.quota_exhausted |= response.outcomes.contains(&PushOutcome::Quota);
        let database = self.vault.database();
        for (number, outcome) in outgoing.numbers.iter().zip(&response.outcomes) {
            if *outcome == PushOutcome::Stored {
                self.report.segments_sent += 1;
                self.report.changes_sent += database.changes_in(*number)?;
            }
        }
        database.store_acknowledged(self.url, engine.acknowledged())?;
        drop(database);
        outcome?;
        if response.outcomes.contains(&PushOutcome::Stored) {
            self.push_bytes_max = self.pace.bytes();
        }
        self.report.parked = engine.parked().map(|number| number.0);
        self.tell(SyncPhase::Push);
        Ok(())
    }

    /// Sends envelopes; `None` if they were too many at once, and fewer are to be sent next.
    fn send(
        &mut self,
        engine: &mut Engine,
        numbers: &[SegmentNumber],
        request: &PushRequest,
    ) -> Result<Option<PushResponse>, Failure> {
        let size_bytes: usize = request.envelopes.iter().map(|envelope| envelope.len()).sum();
        let started = std::time::Instant::now();
        match self.transport.push(request) {
            Ok(response) => {
                let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.pace.sent(size_bytes, elapsed_ms);
                Ok(Some(response))
            }
            Err(TransportError::TooLarge) => {
                self.pace.halve();
                match numbers {
                    [only] => {
                        engine.park(*only);
                        self.report.parked = engine.parked().map(|number| number.0);
                    }
                    _ => self.push_bytes_max = size_bytes / 2,
                }
                Ok(None)
            }
            Err(error) => {
                if matches!(error, TransportError::Busy { .. } | TransportError::Unreachable(_)) {
                    self.pace.halve();
                }
                Err(Error::from_transport(error))
            }
        }
    }

    fn pulled(&mut self, engine: &mut Engine, response: PullResponse) -> Result<(), Failure> {
        let (own, own_digest): (Head, Option<Digest>) = {
            let database = self.vault.database();
            (database.own_head()?, database.own_digest(response.head.number)?)
        };
        engine.pulled(&response, own, |_| own_digest)?;
        self.summary = response.checkpoints.unwrap_or_default();
        self.epoch = Some(response.epoch);
        self.vault.database().store_acknowledged(self.url, engine.acknowledged())?;
        self.read.went_back |= response.head.number < self.relay_had;
        self.relay_had = response.head.number;
        if !response.more {
            let stands = (response.cursor, response.roster);
            self.read.went_back |= self.vault.database().note_relay_stands(
                self.url,
                stands,
                self.read.went_back,
                self.vault.now_ms(),
            )?;
        }
        self.page = response.envelopes.into_iter().map(Into::into).collect();
        Ok(())
    }

    fn apply(
        &mut self,
        engine: &mut Engine,
        position: selkie_core::sync::Position,
    ) -> Result<(), Failure> {
        let page = std::mem::take(&mut self.page);
        let at = TrackedPosition { url: self.url, position };
        let applied = self.vault.database().apply_page(
            &self.identity,
            Some(&at),
            page,
            self.vault.now_ms(),
        )?;
        self.vault.tell(&applied.events);
        self.report.segments_received += applied.segments;
        self.report.changes_received += applied.changes;
        self.report.segments_refused += applied.refused;
        self.read.unkept += applied.unkept;
        let used = applied.segments + applied.duplicates + applied.held + applied.unkept;
        self.empty_pages = if used > 0 { 0 } else { self.empty_pages + 1 };
        if self.empty_pages > EMPTY_PAGES_MAX {
            return Err(selkie_core::sync::EngineError::Inconsistent.into());
        }
        engine.applied()?;
        self.tell(SyncPhase::Pull);
        Ok(())
    }

    fn fetch_roster(&mut self, engine: &mut Engine, from: RosterNumber) -> Result<(), Failure> {
        let fetched = self.transport.roster(from).map_err(Error::from_transport)?;
        let last = learn_roster(self.vault, &mut self.identity, fetched)?;
        engine.roster_fetched(last)?;
        self.identity.check_version()?;
        self.tell(SyncPhase::Hello);
        Ok(())
    }

    fn publish_roster(&mut self, engine: &mut Engine) -> Result<(), Failure> {
        let entries = self.vault.database().roster_entries(RosterNumber(0))?;
        let entries = RosterEntries { entries: entries.into_iter().map(Into::into).collect() };
        self.transport.publish_roster(&entries).map_err(|error| match error {
            // Not to be mistaken for a vault that could be published.
            TransportError::Unknown => Failure::Final(error.into()),
            error => Error::from_transport(error),
        })?;
        engine.published();
        self.tell(SyncPhase::Hello);
        Ok(())
    }
}

/// Verifies and keeps roster entries; nothing is stored unless it continues the chain known here.
pub(super) fn learn_roster(
    vault: &Vault,
    identity: &mut Identity,
    fetched: RosterEntries,
) -> Result<RosterNumber, Error> {
    let entries: Vec<Vec<u8>> = fetched.entries.into_iter().map(Into::into).collect();
    let mut roster = identity.roster.clone();
    for entry in &entries {
        roster.apply(&RosterEntry::parse(entry.clone())?)?;
    }
    let mut database = vault.database();
    database.append_roster(&roster, &entries)?;
    *identity = database.identity()?;
    Ok(roster.last())
}

/// Why a step did not succeed.
pub(super) enum Failure {
    /// The relay does not know the vault: it can be told.
    Unknown,
    /// The run ends.
    Final(Error),
}

impl Error {
    pub(super) fn from_transport(error: TransportError) -> Failure {
        match error {
            TransportError::Unknown => Failure::Unknown,
            other => Failure::Final(other.into()),
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}
