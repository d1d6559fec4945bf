//! What the library reports, as JSON for Python's data classes.

use selkie::{
    Conflict, HistoryEntry, OpenConflict, Record, RelayStatus, SideContent, Status, SyncEvent,
    SyncProgress, SyncReport, SyncStatus,
};
use serde_json::{Value, json};

/// A record with its times.
pub fn record(record: Record) -> Value {
    json!({
        "id": record.id,
        "document": record.document,
        "created_at_ms": record.created_at_ms,
        "updated_at_ms": record.updated_at_ms,
        "updated_by": record.updated_by.map(|device| device.to_string()),
        "conflicts": record.conflicts,
    })
}

/// A conflict without its place.
pub fn conflict(conflict: &Conflict) -> Value {
    let sides = conflict.sides.iter().enumerate().map(|(index, side)| {
        let mut side_json = content(&side.content);
        if let Some(object) = side_json.as_object_mut() {
            object.insert("index".to_owned(), index.into());
            let by = side.written_by.iter();
            let by = by.map(|(dot, stamp)| json!([dot.device.to_string(), stamp.unix_ms()]));
            object.insert("written_by".to_owned(), by.collect());
        }
        side_json
    });
    json!({
        "path": conflict.path.to_string(),
        "kind": conflict.kind.name(),
        "sides": sides.collect::<Value>(),
        "shown": conflict.shown,
    })
}

fn content(content: &SideContent) -> Value {
    match content {
        SideContent::Value(value) => json!({ "content": "value", "value": value }),
        SideContent::Removed => json!({ "content": "removed", "value": null }),
        SideContent::Kept => json!({ "content": "kept", "value": null }),
        SideContent::Deleted => json!({ "content": "deleted", "value": null }),
    }
}

/// A conflict that waits in a store.
pub fn open_conflict(open: &OpenConflict) -> Value {
    json!({
        "collection": open.collection,
        "id": open.id,
        "token": open.token,
        "since_ms": open.since_ms,
        "deadline_ms": open.deadline_ms,
        "suggestion": open.suggestion.as_ref().map(|suggestion| suggestion.side),
        "conflict": conflict(&open.conflict),
    })
}

/// One value in a record's history.
pub fn history(entry: &HistoryEntry) -> Value {
    let decided_by = match &entry.decided_by {
        selkie::Decider::Write => "write".to_owned(),
        selkie::Decider::Person => "person".to_owned(),
        selkie::Decider::Machine(why) => why.clone(),
    };
    let mut told = content(&entry.content);
    if let Some(object) = told.as_object_mut() {
        object.insert("at_ms".to_owned(), entry.at_ms.into());
        object.insert("device".to_owned(), entry.device.to_string().into());
        object.insert("path".to_owned(), entry.path.to_string().into());
        object.insert("decided_by".to_owned(), decided_by.into());
        object.insert("stands".to_owned(), entry.replaced_by.is_none().into());
        object.insert("lost".to_owned(), entry.lost.into());
    }
    told
}

/// What a run did.
pub fn report(report: &SyncReport) -> Value {
    json!({
        "changes_sent": report.changes_sent,
        "changes_received": report.changes_received,
        "bytes_sent": report.bytes_sent,
        "bytes_received": report.bytes_received,
        "conflicts_open": report.conflicts_open,
        "conflicts_found": report.conflicts_found,
        "conflicts_resolved": report.conflicts_resolved,
        "segments_held": report.segments_held,
        "quota_exhausted": report.quota_exhausted,
        "duration_ms": report.duration_ms,
    })
}

/// How far a run has come.
pub fn progress(progress: SyncProgress) -> Value {
    json!({
        "phase": progress.phase.name(),
        "changes": progress.changes,
        "changes_to_send": progress.changes_to_send,
        "bytes": progress.bytes,
    })
}

fn relay(relay: &RelayStatus) -> Value {
    json!({
        "url": relay.url,
        "network": relay.network.name(),
        "last_run_ms": relay.last_run_ms,
        "last_success_ms": relay.last_success_ms,
        "duration_ms": relay.duration_ms,
        "changes_sent": relay.changes_sent,
        "changes_received": relay.changes_received,
        "conflicts_found": relay.conflicts_found,
        "conflicts_resolved": relay.conflicts_resolved,
        "error_code": relay.error_code,
        "error_message": relay.error_message,
    })
}

/// The vault at a glance.
pub fn status(status: &Status) -> Value {
    let device = |device: &selkie::DeviceInfo| {
        json!({
            "id": device.id.to_string(),
            "is_this": device.is_this,
            "revoked": device.revoked,
            "last_heard_ms": device.last_heard_ms,
        })
    };
    let notice =
        |notice: &selkie::Notice| json!({ "code": notice.code, "message": notice.message });
    json!({
        "state": status.state.name(),
        "records": status.records,
        "collections": status.collections.iter().map(|c| (c.name.clone(), Value::from(c.records)))
            .collect::<serde_json::Map<_, _>>(),
        "devices": status.devices.iter().map(device).collect::<Value>(),
        "unsent_changes": status.unsent_changes,
        "open_conflicts": status.open_conflicts,
        "segments_held": status.segments_held,
        "database_bytes": status.database_bytes,
        "relays": status.relays.iter().map(relay).collect::<Value>(),
        "notices": status.notices.iter().map(notice).collect::<Value>(),
    })
}

/// How sync with one relay stands.
pub fn sync_status(status: &SyncStatus) -> Value {
    json!({
        "state": status.state.name(),
        "network": status.network.name(),
        "open_conflicts": status.open_conflicts,
        "unsent_changes": status.unsent_changes,
        "next_retry_ms": status.next_retry_ms,
        "progress": status.progress.map(progress),
        "relay": status.relay.as_ref().map(relay),
    })
}

/// Something that happened in sync, under its name.
pub fn event(event: &SyncEvent) -> Value {
    match event {
        SyncEvent::State(status) => json!({ "event": "state", "status": sync_status(status) }),
        SyncEvent::Progress(done) => json!({ "event": "progress", "progress": progress(*done) }),
        SyncEvent::Finished(done) => json!({ "event": "finished", "report": report(done) }),
        SyncEvent::Failed { code, message, next_retry_ms } => json!({
            "event": "failed", "code": code, "message": message, "next_retry_ms": next_retry_ms,
        }),
        _ => json!({ "event": "other" }),
    }
}
