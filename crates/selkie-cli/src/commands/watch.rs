//! `selkie sync --watch`: keeps syncing until it is told to stop, and shows how it goes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use selkie::{Link, SyncEvent, SyncManager, SyncState, SyncStatus, Vault};
use serde_json::{Value, json};

use super::sync::{progress_text, report_json, report_text};
use crate::context::Context;
use crate::exit::Failure;
use crate::interrupt::interrupted;
use crate::output::{BAD, DIM, GOOD, Output, WARNING};
use crate::{text, time_text};

/// How often what another program wrote to the store is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Syncs until told to stop. A line for each run that did something; on a terminal also a moving one.
pub fn watch(vault: &Vault, url: &str, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let stopped = interrupted()?;
    let manager = SyncManager::new(vault, url)?;
    let events = manager.subscribe();
    let bar = if out.is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    manager.start()?;
    let mut unsent = 0;
    while stopped.try_recv().is_err() {
        let Some(event) = events.next_within(LOOK) else {
            let now = vault.unsent_count()?;
            if now > unsent && manager.state().link == Link::Idle {
                manager.sync_now();
            }
            unsent = now;
            bar.set_message(state_text(&manager.state(), out));
            bar.tick();
            continue;
        };
        if out.json {
            out.value(&event_json(&event))?;
            continue;
        }
        bar.set_message(match &event {
            SyncEvent::Progress(progress) => progress_text(progress),
            _ => state_text(&manager.state(), out),
        });
        bar.tick();
        if let Some(line) = line_of(&event, out) {
            bar.suspend(|| out.line(line))?;
        }
    }
    bar.finish_and_clear();
    // Not waited for: a request under way may take its time, and whatever is stored is whole.
    drop(manager);
    out.note("stopped; what is new here is sent the next time");
    Ok(())
}

/// What stays on the screen: runs that did something, and failures.
fn line_of(event: &SyncEvent, out: &Output) -> Option<String> {
    let now = out.paint(DIM, text::moment(time_text::now_ms()));
    match event {
        SyncEvent::Finished(report) => {
            let idle = report.changes_sent + report.changes_received == 0;
            (!idle).then(|| format!("{now} {} {}", out.paint(GOOD, "synced:"), report_text(report)))
        }
        SyncEvent::Failed { message, next_retry_ms, .. } => {
            let failed = out.paint(BAD, "failed:");
            let again = retry_text(*next_retry_ms);
            Some(format!("{now} {failed} {}{again}", text::plain(message)))
        }
        _ => None,
    }
}

fn retry_text(next_retry_ms: Option<u64>) -> String {
    let left_ms = next_retry_ms.map(|at_ms| at_ms.saturating_sub(time_text::now_ms()));
    left_ms.map_or_else(String::new, |left_ms| {
        format!("; tried again in {} s", left_ms.div_ceil(1_000))
    })
}

/// The state on one line.
fn state_text(status: &SyncStatus, out: &Output) -> String {
    let name = match status.state {
        SyncState::UpToDate => out.paint_note(GOOD, "up to date"),
        SyncState::Conflict => {
            let open = text::counted(status.open_conflicts, "open conflict");
            out.paint_note(WARNING, format!("up to date, {open}"))
        }
        SyncState::Error => out.paint_note(BAD, "waiting"),
        SyncState::Syncing => "syncing".to_owned(),
        SyncState::Offline => "offline".to_owned(),
    };
    let unsent = match status.unsent_changes {
        0 => String::new(),
        unsent => format!(", {} to send", text::counted(unsent, "change")),
    };
    format!("{name}{unsent}{}", retry_text(status.next_retry_ms))
}

fn event_json(event: &SyncEvent) -> Value {
    match event {
        SyncEvent::State(status) => json!({
            "event": "state",
            "state": status.state.name(),
            "link": status.link.name(),
            "unsent_changes": status.unsent_changes,
            "open_conflicts": status.open_conflicts,
            "next_retry_ms": status.next_retry_ms,
        }),
        SyncEvent::Progress(progress) => json!({
            "event": "progress",
            "phase": progress.phase.name(),
            "segments": progress.segments,
            "changes": progress.changes,
            "bytes": progress.bytes,
            "changes_to_send": progress.changes_to_send,
        }),
        SyncEvent::Finished(report) => {
            json!({ "event": "finished", "report": report_json(report) })
        }
        SyncEvent::Failed { code, message, next_retry_ms } => json!({
            "event": "failed",
            "code": code,
            "message": message,
            "next_retry_ms": next_retry_ms,
        }),
        _ => json!({ "event": "other" }),
    }
}
