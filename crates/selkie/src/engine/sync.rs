//! One run of sync with a relay.

use std::collections::BTreeSet;

pub use selkie_core::sync::Phase as SyncPhase;
use selkie_core::sync::{Link, PushPace};
use selkie_wire::SegmentNumber;

use super::checkpoint::CheckpointFault;
use super::steps::{Read, Run};
use crate::store::{Database, EndedRun};
use crate::transport::Transport;
use crate::vault::Vault;
use crate::watch::Event;
use crate::{Error, ErrorKind};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// What it is doing.
    pub phase: SyncPhase,
    /// Segments sent and received so far.
    pub segments: u64,
    /// Changes sent and received so far.
    pub changes: u64,
    /// Chunks of a checkpoint sent or received so far.
    pub chunks: u64,
    /// Of how many; a run that goes on where an earlier one stopped needs fewer.
    pub chunks_total: u64,
    /// Records of a checkpoint taken over so far.
    pub records: u64,
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
    /// Checkpoints taken over.
    pub checkpoints_applied: u64,
    /// Checkpoints of other devices that were compared, found right, and co-signed.
    pub checkpoints_cosigned: u64,
    /// Checkpoints made and sent.
    pub checkpoints_made: u64,
    /// Chunks of checkpoints sent and received.
    pub checkpoint_chunks: u64,
    /// Of how many.
    pub checkpoint_chunks_total: u64,
    /// Records of checkpoints sent and taken over.
    pub checkpoint_records: u64,
    /// What is wrong with the relay's checkpoints.
    pub checkpoint_faults: Vec<CheckpointFault>,
    /// Whether everything there is has arrived for the first time with this run.
    pub initial_sync_completed: bool,
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
        relay_had: SegmentNumber(0),
        read: Read::default(),
        // A relay that had no room is asked with one segment whether it has some now.
        push_bytes_max: if link == Link::Full { 0 } else { pace.bytes() },
        pace,
        changes_to_send,
        summary: Default::default(),
        epoch: None,
        incoming: None,
    };
    let found_before = vault.database().findings()?;
    let mut outcome = run.drive();
    let forked = |error: &Error| error.kind() == ErrorKind::Fork && !error.is_roster_fork();
    if outcome.as_ref().is_err_and(forked) {
        outcome = super::fork::heal(vault, url, &mut run.identity, &mut *run.transport)
            .and_then(|()| run.drive());
    }
    let found = vault.database().conflict_places()?;
    // What a machine answers now need not wait for the next run.
    let attended = vault.attend();
    if outcome.is_ok() && matches!(attended, Ok(settled) if settled > 0) {
        outcome = run.drive();
    }
    let (mut report, pace, read) = (run.report, run.pace, run.read);
    let mut database = vault.database();
    count_conflicts(&mut report, before, found, &database.conflict_places()?);
    report.segments_held = database.held_count()?;
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ended_ms = vault.now_ms();
    note_end(&mut database, url, (&outcome, &mut report), &read, ended_ms)?;
    let found_after = database.findings()?;
    let (error, push_bytes) = (outcome.as_ref().err(), pace.bytes());
    // A run that was stopped says nothing; the one before it is still the last one.
    if error.is_none_or(|error| error.kind() != ErrorKind::Cancelled) {
        let ended = EndedRun { started_ms, ended_ms, report: &report, error, push_bytes };
        database.store_run(url, &ended)?;
    }
    drop(database);
    if report.initial_sync_completed {
        vault.tell(&[Event::initial_sync_completed()]);
    }
    vault.tell(&Event::of_findings(&found_before, &found_after));
    outcome?;
    attended?;
    Ok(report)
}

/// Records and paths.
type Places = BTreeSet<(i64, Vec<u8>)>;

/// Counts the conflicts that were open before a run, during it and after it.
fn count_conflicts(report: &mut SyncReport, before: Places, mut found: Places, after: &Places) {
    report.conflicts_open = after.len() as u64;
    report.conflicts_found =
        found.union(after).filter(|place| !before.contains(place)).count() as u64;
    found.extend(before);
    report.conflicts_resolved = found.difference(after).count() as u64;
}

/// Remembers of a run that ended what the next one, and a person, should know.
fn note_end(
    database: &mut Database,
    url: &str,
    (outcome, report): (&Result<(), Error>, &mut SyncReport),
    read: &Read,
    ended_ms: u64,
) -> Result<(), Error> {
    if outcome.is_ok() {
        // A damaged or missing segment may be whole the next time.
        let whole =
            report.segments_refused == 0 && read.unkept == 0 && database.waiting_count()? == 0;
        database.note_wholeness(url, whole, read.from_beginning, ended_ms)?;
        report.initial_sync_completed =
            whole && !database.is_ahead()? && database.complete_initial_sync(ended_ms)?;
        database.guard_run_ends()?;
        let roster = database.identity()?.roster;
        database.note_withheld(&roster, ended_ms)?;
        if !read.went_back {
            database.heal_rollback(url)?;
        }
    }
    if outcome.as_ref().is_err_and(Error::is_roster_fork) {
        database.note_roster_fork(url, true, ended_ms)?;
    }
    Ok(())
}
