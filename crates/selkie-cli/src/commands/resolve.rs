//! `selkie resolve`: decides a conflict, by its name or its place, or asks about each.

use clap::Args;
use selkie::{OpenConflict, Record, Resolution, Vault};
use serde_json::json;

use super::conflicts;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{BOLD, GOOD, Output};
use crate::{ask, conflict_view, json, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie resolve                                     ask about each open conflict
  selkie resolve 3fa94c21d0 --side 2                 take side 2 of the conflict of that name
  selkie resolve penguins/gentoo-042/body_mass_g --value 5100
  selkie resolve penguins/gentoo-042 --side 1        where the record has one conflict

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
}

/// Resolves one conflict, or goes through them with the person.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { conflict: wanted, side, value } = arguments;
    let answer = match (side, value) {
        (Some(side), _) => Some(Resolution::Side(side_at(side)?)),
        (None, Some(value)) => Some(Resolution::Value(json::parse(value.as_bytes())?)),
        (None, None) => None,
    };
    if answer.is_none() && (context.out.json || !ask::is_person_there()) {
        return Err(Failure::usage("nobody is there to ask").help(
            "name a conflict and give --side N or --value JSON; list them: selkie conflicts",
        ));
    }
    let vault = context.open()?;
    let open = vault.conflicts(None)?;
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
        (None, chosen) => ask_about(&vault, chosen, context),
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
    let place = text::plain(&conflict_view::place(open));
    let value = json!({
        "collection": open.collection,
        "id": open.id,
        "field": open.conflict.path.to_string(),
        "resolved": true,
        "document": record.as_ref().map(|record| &record.document),
        "conflicts": record.as_ref().map_or(0, |record| record.conflicts),
    });
    let done = context.out.paint(GOOD, format!("resolved {place}"));
    context.out.either(&value, format!("{done}{}", after(record.as_ref(), open)))
}

/// What stands there now.
fn after(record: Option<&Record>, open: &OpenConflict) -> String {
    match record {
        None => ": the record is deleted".to_owned(),
        Some(_) if open.conflict.path.is_root() => ": the record is kept".to_owned(),
        Some(_) => String::new(),
    }
}

fn ask_about(vault: &Vault, chosen: &[&OpenConflict], context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    for (at, open) in chosen.iter().enumerate() {
        out.line(out.paint(BOLD, format!("conflict {} of {}", at + 1, chosen.len())))?;
        let lines = conflicts::lines(vault, open, context)?;
        // The last line says what to type in a shell; here the question does.
        for line in lines.iter().take(lines.len().saturating_sub(1)) {
            out.line(line)?;
        }
        match ask_side(open, out)? {
            Answer::Take(answer) => answer_one(vault, open, answer, context)?,
            Answer::Skip => out.line("left open")?,
            Answer::Quit => break,
        }
    }
    Ok(())
}

enum Answer {
    Take(Resolution),
    Skip,
    Quit,
}

/// Asks until the answer makes sense.
fn ask_side(open: &OpenConflict, out: &Output) -> Result<Answer, Failure> {
    let sides = open.conflict.sides.len();
    loop {
        let question = format!("side 1-{sides}, v (another value), s (skip) or q (quit)? ");
        let Some(answer) = ask::line(&question)? else { return Ok(Answer::Quit) };
        match answer.as_str() {
            "s" | "S" | "" => return Ok(Answer::Skip),
            "q" | "Q" => return Ok(Answer::Quit),
            "v" | "V" => {
                let typed = ask::line("value in JSON: ")?.unwrap_or_default();
                match json::parse(typed.as_bytes()) {
                    Ok(value) => return Ok(Answer::Take(Resolution::Value(value))),
                    Err(failure) => out.note(failure.message),
                }
            }
            number => {
                let side = number.parse::<usize>().ok().filter(|side| (1..=sides).contains(side));
                match side.and_then(|side| side.checked_sub(1)) {
                    Some(side) => return Ok(Answer::Take(Resolution::Side(side))),
                    None => out.note(format!("there is no side {}", text::plain(number))),
                }
            }
        }
    }
}
