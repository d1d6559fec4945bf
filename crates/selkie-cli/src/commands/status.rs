//! `selkie status`: what the store holds and how its sync stands.

use clap::Args;
use selkie::{FindingKind, LastSync, Status, Vault};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, BOLD, GOOD, Output, WARNING};
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
        return out.value(&status_json(&status, digest.as_deref()));
    }
    let line = |name: &str, value: String| {
        out.line(format!("{} {value}", out.paint(BOLD, format!("{name:<11}"))))
    };
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
    if status.segments_held > 0 {
        let held = text::counted(status.segments_held, "segment");
        line("held", out.paint(WARNING, format!("{held} of other devices cannot be used yet")))?;
    }
    for finding in &status.findings {
        line("warning", out.paint(BAD, finding_text(&finding.kind)))?;
        out.line(format!("{:<11} {}", "", finding.kind.advice()))?;
    }
    line("last sync", last_sync_text(status.last_sync.as_ref(), out))?;
    digest.map_or(Ok(()), |digest| line("digest", digest))
}

fn finding_text(kind: &FindingKind) -> String {
    match kind {
        FindingKind::Fork { device, number, .. } => {
            format!("device {} has two histories, from segment {number} on", device.short())
        }
        FindingKind::Withheld { device, up_to, said_by } => format!(
            "segments of device {} up to {up_to} are missing here; device {} has them",
            device.short(),
            said_by.short()
        ),
        FindingKind::RosterFork { relay } => {
            format!("{} knows another history of the vault's members", text::plain(relay))
        }
        FindingKind::Rollback { relay } => {
            format!("{} shows less than it did before", text::plain(relay))
        }
        _ => "something that a newer version knows".to_owned(),
    }
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

fn last_sync_text(last: Option<&LastSync>, out: &Output) -> String {
    let Some(last) = last else { return "never".to_owned() };
    let (at, url) = (text::moment(last.at_ms), text::plain(&last.url));
    let outcome = match last.outcome.as_str() {
        "ok" => out.paint(GOOD, "ok"),
        code => out.paint(BAD, format!("failed ({})", text::plain(code))),
    };
    format!("{at} with {url}: {outcome}")
}

fn status_json(status: &Status, digest: Option<&str>) -> Value {
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
                "text": finding_text(&finding.kind),
                "advice": finding.kind.advice(),
                "since_ms": finding.since_ms,
            })
        })
        .collect();
    let last_sync = status
        .last_sync
        .as_ref()
        .map(|last| json!({ "at_ms": last.at_ms, "relay": last.url, "outcome": last.outcome }));
    json!({
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
