//! Open conflicts as `--json` prints them: everything that a UI needs to show one and answer it.

use selkie::{OpenConflict, SideContent, UniqueClash};
use serde_json::{Value, json};

use super::{answers, short_token};

/// A value, a missing field, or a decision about the record, as two JSON values: its name and its value.
pub fn content(content: &SideContent) -> (&'static str, Value) {
    match content {
        SideContent::Value(value) => ("value", value.clone()),
        SideContent::Removed => ("removed", Value::Null),
        SideContent::Kept => ("kept", Value::Null),
        SideContent::Deleted => ("deleted", Value::Null),
    }
}

/// A conflict; `now` is the record's document as it is shown.
pub fn conflict(open: &OpenConflict, now: Option<&Value>) -> Value {
    let sides = open.conflict.sides.iter().enumerate();
    let sides: Vec<_> = sides.map(|(at, _)| side(open, at, now)).collect();
    let suggestion = open.suggestion.as_ref().map(|suggestion| {
        json!({
            "side": suggestion.side + 1,
            "answer": suggestion.answer,
            "support": suggestion.support,
            "of": suggestion.of,
        })
    });
    json!({
        "collection": open.collection,
        "id": open.id,
        "field": open.conflict.path.to_string(),
        "kind": open.conflict.kind.name(),
        "sides": sides,
        "suggestion": suggestion,
        "token": open.token,
        "short_token": short_token(&open.token),
        "since_ms": open.since_ms,
        "deadline_ms": open.deadline_ms,
    })
}

fn side(open: &OpenConflict, at: usize, now: Option<&Value>) -> Value {
    let Some(side) = open.conflict.sides.get(at) else { return Value::Null };
    let written_by: Vec<_> = side
        .written_by
        .iter()
        .map(|(dot, stamp)| json!({ "device": dot.device.to_string(), "at_ms": stamp.unix_ms() }))
        .collect();
    let (content, value) = content(&side.content);
    let after = answers::document_after(open, &side.content, now);
    json!({
        "side": at + 1,
        "content": content,
        "value": value,
        "shown": at == open.conflict.shown,
        "written_by": written_by,
        "deletes": after.is_none(),
        "document_after": after.flatten(),
    })
}

/// A unique value that several records have.
pub fn clash(clash: &UniqueClash) -> Value {
    json!({
        "collection": clash.collection,
        "field": clash.path.to_string(),
        "kind": super::UNIQUE_KEY,
        "value": clash.value,
        "ids": clash.ids,
    })
}
