//! One run of sync with a relay.

use selkie_core::sync::{Action, Engine, Known};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{Head, PullResponse, PushOutcome, PushRequest, RosterEntries};
use selkie_wire::roster::RosterEntry;
use selkie_wire::{Cursor, Digest, SegmentNumber};

use crate::store::{Identity, TrackedPosition};
use crate::transport::{Transport, TransportError};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// Pages in a row that bring nothing to a relay that always has more.
const EMPTY_PAGES_MAX: u32 = 64;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPhase {
    /// Bringing the roster in step.
    Hello,
    /// Sending what is new here.
    Push,
    /// Receiving what is new elsewhere.
    Pull,
}

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
    /// Segments that wait sealed, for others before them or for an update.
    pub segments_held: u64,
    /// Envelopes that were not this vault's, or not intact.
    pub segments_refused: u64,
    /// Whether the relay has no more room for this vault: what is new stays here until it has.
    pub quota_exhausted: bool,
    /// How long it took.
    pub duration_ms: u64,
}

/// Runs sync over HTTP.
#[cfg(feature = "http")]
pub(crate) fn run(
    vault: &Vault,
    url: &str,
    progress: &mut dyn FnMut(SyncProgress),
) -> Result<SyncReport, Error> {
    let identity = vault.database().identity()?;
    let mut transport =
        crate::transport::Http::new(url, identity.roster.vault(), &identity.device)?;
    run_over(vault, url, &mut transport, progress)
}

/// Runs sync over any transport; `url` names the relay in what is remembered of it.
pub(crate) fn run_over(
    vault: &Vault,
    url: &str,
    transport: &mut dyn Transport,
    progress: &mut dyn FnMut(SyncProgress),
) -> Result<SyncReport, Error> {
    let started = std::time::Instant::now();
    let mut run = Run {
        identity: vault.database().identity()?,
        vault,
        url,
        transport,
        progress,
        report: SyncReport::default(),
        page: Vec::new(),
        empty_pages: 0,
        unkept: 0,
        from_beginning: false,
    };
    let mut outcome = run.drive();
    if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Fork) {
        outcome = super::fork::heal(vault, url, &mut run.identity, &mut *run.transport)
            .and_then(|()| run.drive());
    }
    // What a machine answers now need not wait for the next run.
    let attended = vault.attend();
    if outcome.is_ok() && matches!(attended, Ok(settled) if settled > 0) {
        outcome = run.drive();
    }
    let (mut report, unkept, from_beginning) = (run.report, run.unkept, run.from_beginning);
    let database = vault.database();
    report.conflicts_open = database.conflict_count()?;
    report.segments_held = database.held_count()?;
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if outcome.is_ok() {
        // A damaged or missing segment may be whole the next time.
        let whole = report.segments_refused == 0 && unkept == 0 && database.waiting_count()? == 0;
        database.note_wholeness(url, whole, from_beginning, vault.now_ms())?;
    }
    let word = outcome.as_ref().err().map_or("ok", |error: &Error| error.code());
    database.store_last_sync(url, vault.now_ms(), word)?;
    outcome?;
    attended?;
    Ok(report)
}

struct Run<'a> {
    vault: &'a Vault,
    url: &'a str,
    transport: &'a mut dyn Transport,
    progress: &'a mut dyn FnMut(SyncProgress),
    identity: Identity,
    report: SyncReport,
    /// Pulled, and not yet applied.
    page: Vec<Vec<u8>>,
    empty_pages: u32,
    /// Segments that there was no room to keep: they are still at the relay.
    unkept: u64,
    /// Whether the relay's list is read from its beginning.
    from_beginning: bool,
}

impl Run<'_> {
    fn drive(&mut self) -> Result<(), Error> {
        let known = self.known()?;
        self.from_beginning |= known.position.cursor == Cursor(0);
        let mut engine = Engine::new(known);
        loop {
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
            incarnation: database.incarnation()?,
            own: database.own_head()?,
            unsealed: database.unsealed_count()? > 0,
            roster: self.identity.roster.last(),
        })
    }

    fn tell(&mut self, phase: SyncPhase) {
        let (sent, received) = self.transport.traffic_bytes();
        self.report.bytes_sent = sent;
        self.report.bytes_received = received;
        (self.progress)(SyncProgress {
            phase,
            segments: self.report.segments_sent + self.report.segments_received,
            changes: self.report.changes_sent + self.report.changes_received,
            bytes: sent + received,
        });
    }

    fn push(&mut self, engine: &mut Engine, after: SegmentNumber) -> Result<(), Failure> {
        let (outgoing, own, incarnation) = {
            let mut database = self.vault.database();
            database.seal_waiting(&self.identity)?;
            (database.outgoing(after)?, database.own_head()?, database.incarnation()?)
        };
        if outgoing.envelopes.is_empty() {
            engine.pushed(own, &[], None)?;
            return Ok(());
        }
        self.report.rounds += 1;
        let envelopes = outgoing.envelopes.into_iter().map(Into::into).collect();
        let request = PushRequest { envelopes, incarnation };
        let response = self.transport.push(&request).map_err(Error::from_transport)?;
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
        self.tell(SyncPhase::Push);
        Ok(())
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
        self.unkept += applied.unkept;
        self.empty_pages =
            if applied.segments + applied.duplicates > 0 { 0 } else { self.empty_pages + 1 };
        if self.empty_pages > EMPTY_PAGES_MAX {
            return Err(selkie_core::sync::EngineError::Inconsistent.into());
        }
        engine.applied();
        self.tell(SyncPhase::Pull);
        Ok(())
    }

    fn fetch_roster(&mut self, engine: &mut Engine, from: RosterNumber) -> Result<(), Failure> {
        let fetched = self.transport.roster(from).map_err(Error::from_transport)?;
        let last = learn_roster(self.vault, &mut self.identity, fetched)?;
        engine.roster_fetched(last)?;
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
