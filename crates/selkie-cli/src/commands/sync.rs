//! `selkie sync`: exchanges changes with the other devices, through a relay or a shared folder.

use clap::Args;
use indicatif::ProgressBar;
use selkie::{SyncPhase, SyncProgress, SyncReport, Vault};
use serde_json::{Value, json};

use crate::args::Meeting;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{GOOD, TYPED, WARNING};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie sync --relay https://relay.example
  SELKIE_RELAY=https://relay.example selkie sync --json
  selkie sync --folder ~/Sync/notes          a folder that Syncthing or iCloud keeps in step
  selkie sync --watch --relay https://relay.example     keep syncing, until ^C

Only changes travel, sealed before they leave. It may be interrupted at any time and run again:
nothing is lost or doubled. Without a network the store works on; sync when there is one.";

/// What `selkie sync` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Where the devices meet.
    #[command(flatten)]
    meeting: Meeting,
    /// Keep syncing until ^C: after each change here, and when another device has sent something
    #[arg(long)]
    watch: bool,
}

/// Syncs, with a moving line on a terminal.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let address = arguments.meeting.address()?;
    let vault = context.open()?;
    if arguments.watch {
        return super::watch::watch(&vault, &address, context);
    }
    let report = with_progress(&vault, &address, context)?;
    if out.json {
        return out.value(&report_json(&report));
    }
    out.line(format!("{} {}", out.paint(GOOD, "synced:"), report_text(&report)))?;
    if report.segments_held > 0 {
        let held = text::counted(report.segments_held, "segment");
        out.warn(format!("{held} of other devices cannot be used yet; see: selkie status"));
    }
    if report.segments_refused > 0 {
        let refused = text::counted(report.segments_refused, "segment");
        out.warn(format!("{refused} came that are not intact; they were not used"));
    }
    if report.quota_exhausted {
        out.warn("the relay has no more room for this vault: what is new stays here until it has");
    }
    if let Some(parked) = report.parked {
        out.warn(format!(
            "the relay does not take segment {parked}; it waits here, see: selkie doctor"
        ));
    }
    if report.conflicts_open > 0 {
        let open = text::counted(report.conflicts_open, "open conflict");
        let see = out.paint(TYPED, "selkie conflicts");
        out.line(format!("{}: see them with {see}", out.paint(WARNING, open)))?;
    }
    Ok(())
}

/// Syncs and shows how far it is.
pub fn with_progress(vault: &Vault, url: &str, context: &Context) -> Result<SyncReport, Failure> {
    let bar =
        if context.out.is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let report = vault.sync(url, &mut |progress| {
        bar.set_message(progress_text(&progress));
        bar.tick();
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// How far a run has come, on one line.
pub fn progress_text(progress: &SyncProgress) -> String {
    let what = match progress.phase {
        SyncPhase::Hello => return "saying hello".to_owned(),
        SyncPhase::Push => "sending",
        SyncPhase::Pull => "receiving",
        SyncPhase::Checkpoint => "compacting",
    };
    let changes = match (progress.phase, progress.changes_to_send) {
        (SyncPhase::Push, of) if of > 0 => {
            format!("{} of {}", text::count(progress.changes), text::counted(of, "change"))
        }
        _ => text::counted(progress.changes, "change"),
    };
    format!("{what}: {changes}, {}", text::bytes(progress.bytes))
}

/// A report on one line.
pub fn report_text(report: &SyncReport) -> String {
    let way = |verb: &str, changes: u64, segments: u64, bytes: u64| {
        if segments == 0 {
            return format!("{verb} nothing");
        }
        let (changes, segments) =
            (text::counted(changes, "change"), text::counted(segments, "segment"));
        format!("{verb} {changes} in {segments} ({})", text::bytes(bytes))
    };
    let sent = way("sent", report.changes_sent, report.segments_sent, report.bytes_sent);
    let received =
        way("received", report.changes_received, report.segments_received, report.bytes_received);
    let took = text::duration(report.duration_ms);
    format!("{sent}, {received}, in {took}")
}

/// A report as `--json` prints it.
pub fn report_json(report: &SyncReport) -> Value {
    json!({
        "changes_sent": report.changes_sent,
        "segments_sent": report.segments_sent,
        "bytes_sent": report.bytes_sent,
        "changes_received": report.changes_received,
        "segments_received": report.segments_received,
        "bytes_received": report.bytes_received,
        "rounds": report.rounds,
        "conflicts_open": report.conflicts_open,
        "conflicts_found": report.conflicts_found,
        "conflicts_resolved": report.conflicts_resolved,
        "parked": report.parked,
        "segments_held": report.segments_held,
        "segments_refused": report.segments_refused,
        "quota_exhausted": report.quota_exhausted,
        "duration_ms": report.duration_ms,
    })
}
