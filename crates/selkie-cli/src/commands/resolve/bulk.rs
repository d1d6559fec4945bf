//! One answer for many conflicts.

use selkie::{ErrorKind, OpenConflict, Resolution, Vault};
use serde_json::{Value, json};

use crate::conflict_view::{self, Word};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{DIM, GOOD};
use crate::text;

/// What became of one conflict.
enum Fate {
    /// Answered with this side, or to be answered.
    Side(usize),
    /// It has no such side.
    NoSuchSide,
    /// Another device or program was faster.
    Changed,
}

/// Answers all that have such a side, each exactly as it was listed, and tells what it did.
pub fn run(
    vault: &Vault,
    open: &[OpenConflict],
    word: Word,
    dry_run: bool,
    context: &Context,
) -> Result<(), Failure> {
    let mut fates = Vec::with_capacity(open.len());
    for conflict in open {
        let fate = match word.side_of(conflict) {
            None => Fate::NoSuchSide,
            Some(side) if dry_run => Fate::Side(side),
            Some(side) => answer(vault, conflict, side)?,
        };
        fates.push((conflict, fate));
    }
    tell(&fates, word, dry_run, context)
}

fn answer(vault: &Vault, open: &OpenConflict, side: usize) -> Result<Fate, Failure> {
    match vault.resolve(&open.collection, &open.id, &open.token, Resolution::Side(side)) {
        Ok(_) => Ok(Fate::Side(side)),
        Err(error) if matches!(error.kind(), ErrorKind::Stale | ErrorKind::NotFound) => {
            Ok(Fate::Changed)
        }
        Err(error) => Err(error.into()),
    }
}

fn tell(
    fates: &[(&OpenConflict, Fate)],
    word: Word,
    dry_run: bool,
    context: &Context,
) -> Result<(), Failure> {
    let out = &context.out;
    let answered = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Side(_))).count() as u64;
    let left = fates.len() as u64 - answered;
    if out.json {
        let conflicts: Vec<Value> = fates.iter().map(|(open, fate)| to_json(open, fate)).collect();
        return out.value(&json!({
            "answer": word.name(),
            "dry_run": dry_run,
            "resolved": answered,
            "left_open": left,
            "conflicts": conflicts,
        }));
    }
    for (open, fate) in fates {
        let place = text::plain(&conflict_view::place(open));
        let what = match fate {
            Fate::Side(side) => side_text(open, *side),
            Fate::NoSuchSide => {
                out.paint(DIM, format!("stays open: it has no side {}", word.name()))
            }
            Fate::Changed => out.paint(DIM, "stays open: it changed meanwhile"),
        };
        out.line(format!("{place}  {what}"))?;
    }
    let count = text::counted(answered, "conflict");
    let verb = if dry_run { "would resolve" } else { "resolved" };
    let summary = out.paint(GOOD, format!("{verb} {count} ({})", word.name()));
    let left = if left > 0 { format!(", {left} left open") } else { String::new() };
    out.line(format!("{summary}{left}"))
}

fn side_text(open: &OpenConflict, side: usize) -> String {
    let content =
        open.conflict.sides.get(side).map(|side| conflict_view::content_json(&side.content));
    match content {
        Some(("value", value)) => text::cut(&text::compact(&value), 60),
        Some((name, _)) => name.to_owned(),
        None => String::new(),
    }
}

fn to_json(open: &OpenConflict, fate: &Fate) -> Value {
    let (side, left_because) = match fate {
        Fate::Side(side) => (Some(side + 1), None),
        Fate::NoSuchSide => (None, Some("no_such_side")),
        Fate::Changed => (None, Some("changed")),
    };
    json!({
        "collection": open.collection,
        "id": open.id,
        "field": open.conflict.path.to_string(),
        "kind": open.conflict.kind.name(),
        "token": open.token,
        "side": side,
        "left_because": left_because,
    })
}
