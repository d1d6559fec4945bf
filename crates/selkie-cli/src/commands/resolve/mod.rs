//! `selkie resolve`: decides a conflict by its name or its place, many at once, or with the person, key
//! by key. In: answers. Out: ordinary edits. Never: an answer to what was not shown.

mod bulk;
mod terminal;
mod walk;

use clap::Args;
use selkie::{OpenConflict, Record, Resolution, Vault};
use serde_json::json;

use super::conflicts::Filter;
use crate::conflict_view::{UNIQUE_KEY, Word};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::GOOD;
use crate::{ask, conflict_view, json, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie resolve                                     go through the open conflicts, key by key
  selkie resolve 3fa94c21d0 --side 2                 take side 2 of the conflict of that name
  selkie resolve penguins/gentoo-042/body_mass_g --value 5100
  selkie resolve penguins/gentoo-042 --side 1        where the record has one conflict
  selkie resolve --all newest --dry-run              what the newest would be everywhere
  selkie resolve --all kept --collection penguins --kind edit_vs_delete

Keys: 1-9 take a side, n newest, o oldest, s suggestion, v type a value, k skip, u take the last
answer back, q quit, ? help. An answer is written when the next one is given or you quit.

A decision is an edit like any other: it reaches your other devices with the next sync.";

/// What `selkie resolve` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A conflict's name or token, COLLECTION/ID or COLLECTION/ID/FIELD; without it, all are asked about
    conflict: Option<String>,
    /// Take this side, as numbered by `selkie conflicts`
    #[arg(long, value_name = "N", requires = "conflict", conflicts_with = "value")]
    side: Option<usize>,
    /// Take another value, in JSON
    #[arg(long, value_name = "JSON", requires = "conflict", allow_hyphen_values = true)]
    value: Option<String>,
    /// Answer every conflict alike; where a conflict has no such side, it stays open
    #[arg(long, value_name = "ANSWER", conflicts_with_all = ["conflict", "side", "value"])]
    all: Option<Word>,
    /// Only tell what would be answered
    #[arg(long, requires = "all")]
    dry_run: bool,
    /// Which ones.
    #[command(flatten)]
    filter: Filter,
}

/// Resolves one conflict or all, or goes through them with the person.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { conflict: wanted, side, value, all, dry_run, filter } = arguments;
    if filter.kind.as_deref() == Some(UNIQUE_KEY) {
        return Err(Failure::usage("a unique value is settled by the records that have it").help(
            "edit or delete one of them; list them with: selkie conflicts --kind unique_key",
        ));
    }
    if let Some(word) = all {
        let vault = context.open()?;
        return bulk::run(&vault, &filter.conflicts(&vault)?, word, dry_run, context);
    }
    let answer = match (side, value) {
        (Some(side), _) => Some(Resolution::Side(side_at(side)?)),
        (None, Some(value)) => Some(Resolution::Value(json::parse(value.as_bytes())?)),
        (None, None) => None,
    };
    if answer.is_none() && (context.out.json || !ask::is_person_there()) {
        return Err(Failure::usage("nobody is there to ask").help(
            "name a conflict and give --side N or --value JSON, or --all ANSWER; \
             list them: selkie conflicts",
        ));
    }
    let vault = context.open()?;
    let open = filter.conflicts(&vault)?;
    let chosen = match &wanted {
        Some(wanted) => find(&open, wanted)?,
        None => open.iter().collect(),
    };
    match (answer, chosen.as_slice()) {
        (Some(answer), [conflict]) => answer_one(&vault, conflict, answer, context),
        (Some(_), several) => {
            let names: Vec<_> = several.iter().map(|open| one_line(open)).collect();
            Err(Failure::refused("ambiguous", "several conflicts are meant")
                .help(format!("name one of: {}", names.join(", "))))
        }
        (None, []) => {
            context.out.note("no open conflicts");
            Ok(())
        }
        (None, chosen) => {
            let mut desk = terminal::Desk::new(&vault, context);
            let outcome = walk::walk(chosen, &mut desk)?;
            context.out.line(outcome.text())
        }
    }
}

fn one_line(open: &OpenConflict) -> String {
    let short = conflict_view::short_token(&open.token);
    format!("{short} ({})", text::plain(&conflict_view::place(open)))
}

/// Sides are numbered from 1 for people.
fn side_at(number: usize) -> Result<usize, Failure> {
    number.checked_sub(1).ok_or_else(|| Failure::usage("sides are numbered from 1"))
}

/// The conflicts that a name, token or place means; at least one.
fn find<'a>(open: &'a [OpenConflict], wanted: &str) -> Result<Vec<&'a OpenConflict>, Failure> {
    let is_meant = |open: &&OpenConflict| {
        wanted == open.token
            || wanted == conflict_view::short_token(&open.token)
            || wanted == conflict_view::place(open)
    };
    let of_record = |open: &&OpenConflict| wanted == format!("{}/{}", open.collection, open.id);
    let mut found: Vec<_> = open.iter().filter(is_meant).collect();
    if found.is_empty() {
        found = open.iter().filter(of_record).collect();
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let message = format!("no open conflict is called {}", text::plain(wanted));
    Err(Failure::new(Exit::NotFound, "conflict_not_found", message)
        .help("it may be resolved, or look different now; list them with: selkie conflicts"))
}

fn answer_one(
    vault: &Vault,
    open: &OpenConflict,
    answer: Resolution,
    context: &Context,
) -> Result<(), Failure> {
    let record = vault.resolve(&open.collection, &open.id, &open.token, answer)?;
    let value = json!({
        "collection": open.collection,
        "id": open.id,
        "field": open.conflict.path.to_string(),
        "resolved": true,
        "document": record.as_ref().map(|record| &record.document),
        "conflicts": record.as_ref().map_or(0, |record| record.conflicts),
    });
    context.out.either(&value, done(open, record.as_ref(), context))
}

/// What stands there now.
fn done(open: &OpenConflict, record: Option<&Record>, context: &Context) -> String {
    let place = text::plain(&conflict_view::place(open));
    let after = match record {
        None => ": the record is deleted",
        Some(_) if open.conflict.path.is_root() => ": the record is kept",
        Some(_) => "",
    };
    format!("{}{after}", context.out.paint(GOOD, format!("resolved {place}")))
}
