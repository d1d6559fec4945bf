//! One run of sync with a relay.

pub use selkie_core::sync::Phase as SyncPhase;
use selkie_core::sync::{Action, Engine, Known, Link, PushPace};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    Head, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie_wire::roster::RosterEntry;
use selkie_wire::{Digest, SegmentNumber};

use crate::store::{EndedRun, Identity, TrackedPosition};
use crate::transport::{Transport, TransportError};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// Pages in a row that bring nothing to a relay that always has more.
const EMPTY_PAGES_MAX: u32 = 64;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// What it is doing.
    pub phase: SyncPhase,
    /// Segments sent and received so far.
    pub segments: u64,
    /// Changes sent and received so far.
    pub changes: u64,
    /// Bytes sent and received so far.
    pub bytes: u64,
    /// Own changes that were waiting when the run began; of these so many are sent when it ends.
    pub changes_to_send: u64,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Own changes the relay stored.
    pub changes_sent: u64,
    /// Own segments the relay stored.
    pub segments_sent: u64,
    /// Changes of other devices that were new.
    pub changes_received: u64,
    /// Segments of other devices opened.
    pub segments_received: u64,
    /// Bytes of requests.
    pub bytes_sent: u64,
    /// Bytes of answers.
    pub bytes_received: u64,
    /// Requests for segments, there and back.
    pub rounds: u64,
    /// Conflicts open after it, on this device.
    pub conflicts_open: u64,
    /// Conflicts that came up in it.
    pub conflicts_found: u64,
    /// Conflicts that were open before or came up in it, and are settled after it.
    pub conflicts_resolved: u64,
    /// Segments that wait sealed, for others before them or for an update.
    pub segments_held: u64,
    /// Envelopes that were not this vault's, or not intact.
    pub segments_refused: u64,
    /// Whether the relay has no more room for this vault: what is new stays here until it has.
    pub quota_exhausted: bool,
    /// The number of an own segment that the relay would not take; it and what follows stay here, and
    /// are tried again at the next run.
    pub parked: Option<u64>,
    /// How long it took.
    pub duration_ms: u64,
}

/// What a run tells and asks while it goes on.
pub(crate) struct Hooks<'a> {
    pub(crate) progress: &'a mut dyn FnMut(SyncProgress),
    /// Asked before each request: whether to stop.
    pub(crate) is_cut: &'a dyn Fn() -> bool,
}

/// One run over any transport, remembered under `url`; the link is the caller's affair, and `link` is
/// what it was before.
pub(crate) fn run_recorded(
    vault: &Vault,
    url: &str,
    transport: &mut dyn Transport,
    hooks: &mut Hooks<'_>,
    link: Link,
) -> Result<SyncReport, Error> {
    let (started, started_ms) = (std::time::Instant::now(), vault.now_ms());
    let database = vault.database();
    database.guard_run_begins(started_ms)?;
    let pace = PushPace::new(database.push_bytes(url)?);
    let before = database.conflict_places()?;
    let (identity, changes_to_send) = (database.identity()?, database.unsent_count()?);
    drop(database);
    let mut run = Run {
        identity,
        vault,
        url,
        traffic_before: transport.traffic_bytes(),
        transport,
        hooks,
        report: SyncReport::default(),
        page: Vec::new(),
        empty_pages: 0,
        // A relay that had no room is asked with one segment whether it has some now.
        push_bytes_max: if link == Link::Full { 0 } else { pace.bytes() },
        pace,
        changes_to_send,
    };
    let mut outcome = run.drive();
    let mut found = vault.database().conflict_places()?;
    // What a machine answers now need not wait for the next run.
    let attended = vault.attend();
    if outcome.is_ok() && matches!(attended, Ok(settled) if settled > 0) {
        outcome = run.drive();
    }
    let (mut report, pace) = (run.report, run.pace);
    let database = vault.database();
    let after = database.conflict_places()?;
    report.conflicts_open = after.len() as u64;
    report.conflicts_found =
        found.union(&after).filter(|place| !before.contains(place)).count() as u64;
    found.extend(before);
    report.conflicts_resolved = found.difference(&after).count() as u64;
    report.segments_held = database.held_count()?;
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ended_ms = vault.now_ms();
    if outcome.is_ok() {
        // A damaged or missing segment may be whole the next time.
        let whole = report.segments_refused == 0 && database.waiting_count()? == 0;
        database.note_wholeness(url, whole, ended_ms)?;
        database.guard_run_ends()?;
    }
    let (error, push_bytes) = (outcome.as_ref().err(), pace.bytes());
    // A run that was stopped says nothing; the one before it is still the last one.
    if error.is_none_or(|error| error.kind() != ErrorKind::Cancelled) {
        let ended = EndedRun { started_ms, ended_ms, report: &report, error, push_bytes };
        database.store_run(url, &ended)?;
    }
    outcome?;
    attended?;
    Ok(report)
}

struct Run<'a, 'b> {
    vault: &'a Vault,
    url: &'a str,
    transport: &'a mut dyn Transport,
    hooks: &'a mut Hooks<'b>,
    identity: Identity,
    report: SyncReport,
    /// What the transport had sent and received before this run.
    traffic_before: (u64, u64),
    pace: PushPace,
    /// Bytes the next push may take, beyond its first segment.
    push_bytes_max: usize,
    changes_to_send: u64,
    /// Pulled, and not yet applied.
    page: Vec<Vec<u8>>,
    empty_pages: u32,
}

impl Run<'_, '_> {
    fn drive(&mut self) -> Result<(), Error> {
        let mut engine = Engine::new(self.known()?);
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
                Action::Done => return Ok(()),
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
        Ok(Known {
            position: state.position,
            acknowledged: state.acknowledged,
            own: database.own_head()?,
            unsealed: database.unsealed_count()? > 0,
            roster: self.identity.roster.last(),
        })
    }

    fn tell(&mut self, phase: SyncPhase) {
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
        });
    }

    fn push(&mut self, engine: &mut Engine, after: SegmentNumber) -> Result<(), Failure> {
        let (outgoing, own) = {
            let mut database = self.vault.database();
            database.seal_waiting(&self.identity, self.pace.bytes())?;
            (database.outgoing(after, self.push_bytes_max)?, database.own_head()?)
        };
        if outgoing.envelopes.is_empty() {
            engine.pushed(own, &[], None)?;
            return Ok(());
        }
        self.report.rounds += 1;
        let Some(response) = self.send(engine, &outgoing.numbers, outgoing.envelopes)? else {
            return Ok(());
        };
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
        envelopes: Vec<Vec<u8>>,
    ) -> Result<Option<PushResponse>, Failure> {
        let size_bytes: usize = envelopes.iter().map(Vec::len).sum();
        let envelopes = envelopes.into_iter().map(Into::into).collect();
        let started = std::time::Instant::now();
        match self.transport.push(&PushRequest { envelopes }) {
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
        self.vault.database().store_acknowledged(self.url, engine.acknowledged())?;
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
        self.empty_pages =
            if applied.segments + applied.duplicates > 0 { 0 } else { self.empty_pages + 1 };
        if self.empty_pages > EMPTY_PAGES_MAX {
            return Err(selkie_core::sync::EngineError::Inconsistent.into());
        }
        engine.applied();
        self.tell(SyncPhase::Pull);
        Ok(())
    }

    /// Fetches and verifies entries; nothing is stored unless it continues the chain known here.
    fn fetch_roster(&mut self, engine: &mut Engine, from: RosterNumber) -> Result<(), Failure> {
        let fetched = self.transport.roster(from).map_err(Error::from_transport)?;
        let entries: Vec<Vec<u8>> = fetched.entries.into_iter().map(Into::into).collect();
        let mut roster = self.identity.roster.clone();
        for entry in &entries {
            roster
                .apply(&RosterEntry::parse(entry.clone()).map_err(Error::from)?)
                .map_err(Error::from)?;
        }
        let identity = {
            let mut database = self.vault.database();
            database.append_roster(&roster, &entries)?;
            database.identity()?
        };
        self.identity = identity;
        engine.roster_fetched(roster.last())?;
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

/// Why a step did not succeed.
enum Failure {
    /// The relay does not know the vault: it can be told.
    Unknown,
    /// The run ends.
    Final(Error),
}

impl Error {
    fn from_transport(error: TransportError) -> Failure {
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
