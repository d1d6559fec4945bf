//! `selkie status`: what the store holds and how its sync stands.

use clap::Args;
use selkie::{Link, RelayStatus, Status, SyncState, Vault};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, Output, WARNING};
use crate::{text, time_text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie status
  selkie status --json | jq .unsent_changes
  selkie status --digest                  compare two devices: equal digests, equal records";

/// What `selkie status` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Also compute a digest of all records; it is equal on devices that hold the same
    #[arg(long)]
    digest: bool,
}

/// Prints the status.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    let status = vault.status()?;
    let digest = if arguments.digest { Some(vault.digest()?.to_string()) } else { None };
    let out = &context.out;
    if out.json {
        return out.value(&status_json(&status, vault.initial_sync_complete()?, digest.as_deref()));
    }
    let line = |name: &str, value: String| {
        out.line(format!("{} {value}", out.paint(BOLD, format!("{name:<11}"))))
    };
    line("state", state_text(&status, out))?;
    line("store", format!("{} ({})", status.path.display(), text::bytes(status.database_bytes)))?;
    line("vault", status.vault.to_string())?;
    line("device", format!("{} of {}", status.device.short(), devices_text(&status)))?;
    line("records", records_text(&status))?;
    line("unsent", unsent_text(&status))?;
    line("conflicts", conflicts_text(&status, first_deadline(&vault)?, out))?;
    let clashes = vault.unique_clashes()?.len();
    if clashes > 0 {
        let clashes = text::counted(clashes as u64, "value");
        let told = format!("{clashes} in several records; see: selkie conflicts");
        line("unique", out.paint(WARNING, told))?;
    }
    for relay in &status.relays {
        line("relay", relay_text(relay, out))?;
        for more in relay_lines(relay) {
            line("", more)?;
        }
    }
    for notice in &status.notices {
        line("look at", out.paint(WARNING, text::plain(&notice.message)))?;
    }
    digest.map_or(Ok(()), |digest| line("digest", digest))
}

fn unsent_text(status: &Status) -> String {
    match status.unsent_changes {
        0 => "nothing".to_owned(),
        unsent => text::counted(unsent, "change"),
    }
}

fn devices_text(status: &Status) -> String {
    let active = status.devices.iter().filter(|device| !device.revoked).count();
    text::counted(active as u64, "device")
}

fn records_text(status: &Status) -> String {
    let collections: Vec<_> = status
        .collections
        .iter()
        .map(|info| format!("{} {}", text::plain(&info.name), text::count(info.records)))
        .collect();
    if collections.is_empty() {
        return "none".to_owned();
    }
    format!("{} ({})", text::count(status.records), collections.join(", "))
}

/// When the first open conflict is settled by itself, in milliseconds since 1970.
fn first_deadline(vault: &Vault) -> Result<Option<u64>, Failure> {
    Ok(vault.conflicts(None)?.iter().map(|open| open.deadline_ms).min())
}

fn conflicts_text(status: &Status, first: Option<u64>, out: &Output) -> String {
    if status.open_conflicts == 0 {
        return "none".to_owned();
    }
    let left_ms = first.and_then(|first| first.checked_sub(time_text::now_ms()));
    let settled = match left_ms {
        Some(left_ms) => format!(", the first settled in {}", time_text::about(left_ms)),
        None => String::new(),
    };
    let open = text::count(status.open_conflicts);
    out.paint(WARNING, format!("{open} open{settled}; see: selkie conflicts"))
}

fn state_text(status: &Status, out: &Output) -> String {
    let Some(relay) = status.relays.first() else {
        let told = "offline, and never synced; begin with: selkie sync --relay URL";
        return out.paint(DIM, told);
    };
    match (status.state, relay.link) {
        (SyncState::UpToDate, _) => out.paint(GOOD, "up to date"),
        (SyncState::Conflict, _) => {
            out.paint(WARNING, "up to date, with conflicts that wait for you")
        }
        (SyncState::Syncing, _) => {
            "syncing, or cut off; the next sync goes on from there".to_owned()
        }
        (SyncState::Error, Link::Backoff { until_ms, .. }) => {
            let left_ms = until_ms.saturating_sub(time_text::now_ms());
            let again = match left_ms {
                0 => "sync again now".to_owned(),
                _ => format!("a running sync tries again in {}", text::duration(left_ms)),
            };
            format!("{}; {again}", out.paint(BAD, "the last sync failed"))
        }
        (SyncState::Error, Link::Blocked(reason)) => {
            format!("{} {}", out.paint(BAD, "stopped:"), reason.advice())
        }
        (SyncState::Error, _) => out.paint(BAD, "the relay has no more room"),
        (_, Link::Paused) => "paused".to_owned(),
        _ => format!("{} to send", text::counted(status.unsent_changes, "change")),
    }
}

fn relay_text(relay: &RelayStatus, out: &Output) -> String {
    let ago = |at_ms: u64| {
        let ago = time_text::about(time_text::now_ms().saturating_sub(at_ms));
        format!("{} ({ago} ago)", text::moment(at_ms))
    };
    let url = text::plain(&relay.url);
    let last = relay.last_run_ms.map_or_else(|| "never".to_owned(), ago);
    let outcome = match &relay.error_code {
        None => out.paint(GOOD, "ok"),
        Some(code) => out.paint(BAD, format!("failed ({})", text::plain(code))),
    };
    format!("{url}, last sync {last}: {outcome}")
}

/// What the last run did, and what it said if it failed.
fn relay_lines(relay: &RelayStatus) -> Vec<String> {
    let mut lines = vec![format!(
        "sent {} ({}), received {} ({}), in {}",
        text::counted(relay.changes_sent, "change"),
        text::bytes(relay.bytes_sent),
        text::counted(relay.changes_received, "change"),
        text::bytes(relay.bytes_received),
        text::duration(relay.duration_ms),
    )];
    if relay.conflicts_found + relay.conflicts_resolved > 0 {
        let found = text::counted(relay.conflicts_found, "conflict");
        lines.push(format!("{found} found, {} settled", text::count(relay.conflicts_resolved)));
    }
    if let Some(message) = &relay.error_message {
        lines.push(text::plain(message));
        let good = relay.last_success_ms.map_or_else(|| "never".to_owned(), text::moment);
        lines.push(format!("last good sync {good}"));
    }
    lines
}

fn relay_json(relay: &RelayStatus) -> Value {
    let reason = if let Link::Blocked(reason) = relay.link { Some(reason.name()) } else { None };
    json!({
        "relay": relay.url,
        "link": relay.link.name(),
        "blocked_by": reason,
        "next_retry_ms": relay.link.next_retry_ms(),
        "network": relay.network.name(),
        "last_run_ms": relay.last_run_ms,
        "last_success_ms": relay.last_success_ms,
        "duration_ms": relay.duration_ms,
        "changes_sent": relay.changes_sent,
        "changes_received": relay.changes_received,
        "bytes_sent": relay.bytes_sent,
        "bytes_received": relay.bytes_received,
        "conflicts_found": relay.conflicts_found,
        "conflicts_resolved": relay.conflicts_resolved,
        "error_code": relay.error_code,
        "error_message": relay.error_message,
        "parked": relay.parked,
        "unsent_changes": relay.unsent_changes,
    })
}

fn held_json(status: &Status) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let held = status.held.iter().map(|held| {
        json!({
            "device": held.device.to_string(),
            "reason": held.reason,
            "segments": held.segments,
            "first": held.first,
            "since_ms": held.since_ms,
        })
    });
    let deletions = status.held_deletions.iter().map(|held| {
        json!({
            "device": held.device.to_string(),
            "collection": held.collection,
            "deletions": held.deletions,
            "records": held.records,
        })
    });
    let notices = status.notices.iter();
    let notices = notices.map(|notice| json!({ "code": notice.code, "message": notice.message }));
    (held.collect(), deletions.collect(), notices.collect())
}

fn status_json(status: &Status, initial: bool, digest: Option<&str>) -> Value {
    let collections: Vec<_> = status
        .collections
        .iter()
        .map(|info| json!({ "collection": info.name, "records": info.records }))
        .collect();
    let devices: Vec<_> = status
        .devices
        .iter()
        .map(|device| {
            json!({
                "device": device.id.to_string(),
                "this_device": device.is_this,
                "revoked": device.revoked,
                "last_heard_ms": device.last_heard_ms,
            })
        })
        .collect();
    let quarantined: Vec<_> = status
        .quarantined
        .iter()
        .map(|kept| json!({ "device": kept.device.to_string(), "segments": kept.segments }))
        .collect();
    let findings: Vec<_> = status
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.kind.code(),
                "text": finding.kind.to_string(),
                "advice": finding.kind.advice(),
                "since_ms": finding.since_ms,
            })
        })
        .collect();
    let last_sync = status
        .last_sync
        .as_ref()
        .map(|last| json!({ "at_ms": last.at_ms, "relay": last.url, "outcome": last.outcome }));
    let (held, held_deletions, notices) = held_json(status);
    json!({
        "state": status.state.name(),
        "initial_sync_complete": initial,
        "relays": status.relays.iter().map(relay_json).collect::<Vec<_>>(),
        "held": held,
        "held_deletions": held_deletions,
        "notices": notices,
        "store": status.path,
        "vault": status.vault.to_string(),
        "device": status.device.to_string(),
        "devices": devices,
        "records": status.records,
        "collections": collections,
        "unsent_changes": status.unsent_changes,
        "open_conflicts": status.open_conflicts,
        "segments_held": status.segments_held,
        "quarantined": quarantined,
        "findings": findings,
        "database_bytes": status.database_bytes,
        "last_sync": last_sync,
        "digest": digest,
    })
}
