//! `selkie policy`: what becomes of edits that two devices make without knowing of each other, and,
//! below it, what of a collection is shared with others.

use clap::Args;
use selkie::{CollectionPolicy, DeviceId, FieldPath, Policy, PriorityFrom};
use serde_json::{Map, Value, json};

use super::history::field_path;
use super::share_policy;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::BOLD;
use crate::{text, time_text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie policy notes                                     show it
  selkie policy notes --conflicts user_choice             ask me
  selkie policy notes --on-delete delete_wins             a delete wins over an edit
  selkie policy people --field address.city=user_choice   ask me about this field only
  selkie policy notes --deadline 3d --history 90d --learned on
  selkie policy tasks --conflicts priority --priority-from field:urgency
  selkie policy tasks --priority-from device:4f1c…=2,09ab…=1     ids: selkie devices --json
  selkie policy check share.toml                          what may be shared with others
  selkie policy -- check                                  a collection called check

--conflicts      timestamp    the newest edit of a field is shown (default)
                 user_choice  the newest is shown until you choose: selkie conflicts
                 merge        arrays are united; else as timestamp
                 priority     the highest priority; among equals as timestamp
                 custom:NAME  as user_choice, and an app's callback of that name may answer
--on-delete      edit_wins    a record that was edited elsewhere stays (default)
                 delete_wins  it goes
                 timestamp    whichever came later
                 user_choice  you choose
--priority-from  call         as the writing app says: selkie put --priority (default)
                 field:PATH   from a whole number in the record
                 device:ID=RANK,…  from the device that writes; others have 0

Edits of different fields never conflict. The policy itself syncs to your other devices.";

/// What `selkie policy` takes.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    share: Option<share_policy::Command>,
    /// The collection
    #[arg(required = true)]
    collection: Option<String>,
    /// What is shown where two devices edited one field
    #[arg(long, value_name = "RULE")]
    conflicts: Option<String>,
    /// What happens where one device deleted what another edited
    #[arg(long, value_name = "RULE")]
    on_delete: Option<String>,
    /// An exception for one field and those below it; may be given several times
    #[arg(long, value_name = "FIELD=RULE")]
    field: Vec<String>,
    /// Take the exception for a field away; may be given several times
    #[arg(long, value_name = "FIELD")]
    no_field: Vec<String>,
    /// Where the priority of a write comes from
    #[arg(long, value_name = "SOURCE")]
    priority_from: Option<String>,
    /// How long an open conflict waits before what is shown becomes the answer, as 24h or 3d
    #[arg(long, value_name = "SPAN")]
    deadline: Option<String>,
    /// How long overwritten values are kept, as 30d
    #[arg(long, value_name = "SPAN")]
    history: Option<String>,
    /// How long after its last change a record is deleted, as 30d, or never
    #[arg(long, value_name = "SPAN|never")]
    expire: Option<String>,
    /// Whether conflicts are answered at once as you have answered often enough
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    learned: Option<String>,
}

/// Sets what is named, then shows the policy.
pub fn run(mut arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if let Some(share) = arguments.share.take() {
        return share.run(context);
    }
    let collection = arguments.collection.clone().unwrap_or_default();
    let vault = context.open()?;
    let before = vault.policy(&collection)?;
    let wanted = changed(before.clone(), arguments)?;
    if wanted != before {
        vault.set_policy(&collection, wanted)?;
    }
    show(&collection, &vault.policy(&collection)?, context)
}

fn changed(
    mut policy: CollectionPolicy,
    arguments: Arguments,
) -> Result<CollectionPolicy, Failure> {
    if let Some(rule) = &arguments.conflicts {
        policy.default = parse(rule, "edit_wins")?.default;
    }
    if let Some(rule) = &arguments.on_delete {
        policy.on_delete = parse("timestamp", rule)?.on_delete;
    }
    for field in &arguments.no_field {
        if policy.paths.remove(&field_path(field)?).is_none() {
            let message = format!("there is no exception for {}", text::plain(field));
            return Err(Failure::new(Exit::NotFound, "field_not_found", message));
        }
    }
    for exception in &arguments.field {
        let (path, rule) = parse_exception(exception)?;
        policy.paths.insert(path, rule);
    }
    if let Some(source) = &arguments.priority_from {
        policy.priority_from = parse_priority(source)?;
    }
    if let Some(span) = &arguments.deadline {
        policy.deadline_ms = time_text::span(span)?;
    }
    if let Some(span) = &arguments.history {
        policy.history_ms = time_text::span(span)?;
    }
    if let Some(span) = &arguments.expire {
        policy.expire_after_ms = if span == "never" { None } else { Some(time_text::span(span)?) };
    }
    if let Some(learned) = &arguments.learned {
        policy.learned = learned == "on";
    }
    Ok(policy)
}

fn parse(conflicts: &str, on_delete: &str) -> Result<CollectionPolicy, Failure> {
    CollectionPolicy::from_names(conflicts, on_delete)
        .map_err(|error| Failure::refused("unknown_policy", error.to_string()))
}

fn parse_exception(text: &str) -> Result<(FieldPath, Policy), Failure> {
    let parts =
        text.rsplit_once('=').and_then(|(path, rule)| Some((FieldPath::parse(path)?, rule)));
    let (path, rule) = parts.ok_or_else(|| {
        Failure::usage(format!("{text:?} is not FIELD=RULE"))
            .help("for example: --field address.city=user_choice")
    })?;
    Ok((path, parse(rule, "edit_wins")?.default))
}

fn parse_priority(text: &str) -> Result<PriorityFrom, Failure> {
    let parsed = match text.split_once(':') {
        None if text == "call" => Some(PriorityFrom::Call),
        Some(("field", path)) => FieldPath::parse(path).map(PriorityFrom::Field),
        Some(("device", ranks)) => {
            ranks.split(',').map(parse_rank).collect::<Option<_>>().map(PriorityFrom::Device)
        }
        _ => None,
    };
    parsed.ok_or_else(|| {
        Failure::usage(format!("{text:?} is no source of priorities"))
            .help("write call, field:PATH, or device:ID=RANK,ID=RANK with whole ids")
    })
}

fn parse_rank(text: &str) -> Option<(DeviceId, i32)> {
    let (device, rank) = text.split_once('=')?;
    Some((DeviceId::from_hex(device.trim())?, rank.trim().parse().ok()?))
}

/// The source as it is typed.
fn priority_text(source: &PriorityFrom) -> String {
    match source {
        PriorityFrom::Call => "call".to_owned(),
        PriorityFrom::Field(path) => format!("field:{path}"),
        PriorityFrom::Device(ranks) => {
            let ranks: Vec<_> =
                ranks.iter().map(|(device, rank)| format!("{device}={rank}")).collect();
            format!("device:{}", ranks.join(","))
        }
    }
}

fn show(collection: &str, policy: &CollectionPolicy, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let priority_from = priority_text(&policy.priority_from);
    if out.json {
        let fields: Map<String, Value> = policy
            .paths
            .iter()
            .map(|(path, rule)| (path.to_string(), rule.name().into()))
            .collect();
        return out.value(&json!({
            "collection": collection,
            "conflicts": policy.default.name(),
            "on_delete": policy.on_delete.name(),
            "fields": fields,
            "priority_from": priority_from,
            "deadline_ms": policy.deadline_ms,
            "history_ms": policy.history_ms,
            "learned": policy.learned,
            "expire_after_ms": policy.expire_after_ms,
            "version": policy.version,
        }));
    }
    out.line(out.paint(BOLD, text::plain(collection)))?;
    let line = |name: &str, value: &str| out.line(format!("  {name:<13}  {}", text::plain(value)));
    line("conflicts", &policy.default.name())?;
    for (path, rule) in &policy.paths {
        line("field", &format!("{path}: {}", rule.name()))?;
    }
    line("on delete", policy.on_delete.name())?;
    line("priority from", &priority_from)?;
    let deadline = time_text::typed(policy.deadline_ms);
    line("deadline", &format!("{deadline}, then what is shown becomes the answer"))?;
    let learned =
        if policy.learned { "on, answered as you mostly do" } else { "off, suggested only" };
    line("learned", learned)?;
    if let Some(after) = policy.expire_after_ms {
        line("expire", &format!("{} after a record's last change", time_text::typed(after)))?;
    }
    line("history", &format!("{}, then overwritten values go", time_text::typed(policy.history_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_names_a_field_and_a_rule() {
        let (path, rule) = parse_exception("address.city=user_choice").unwrap();
        assert_eq!((path.to_string(), rule), ("address.city".to_owned(), Policy::UserChoice));
        for (text, code) in
            [("address.city", "usage"), ("=user_choice", "usage"), ("a=best", "unknown_policy")]
        {
            assert_eq!(parse_exception(text).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn a_priority_source_reads_as_it_is_written() {
        let ranks = format!("device:{}=2,{}=-1", "ab".repeat(16), "cd".repeat(16));
        for text in ["call", "field:a.b", ranks.as_str()] {
            assert_eq!(priority_text(&parse_priority(text).unwrap()), text);
        }
        for text in ["", "calls", "field:", "device:", "device:ab=1", "device", "other:x"] {
            assert_eq!(parse_priority(text).unwrap_err().code, "usage", "{text}");
        }
    }
}
