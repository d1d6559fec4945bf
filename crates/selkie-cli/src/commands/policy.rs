//! `selkie policy`: what becomes of edits that two devices make without knowing of each other.

use clap::Args;
use selkie::{CollectionPolicy, FieldPath, Policy};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::Failure;
use crate::output::BOLD;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie policy notes                                     show it
  selkie policy notes --conflicts user_choice             ask me
  selkie policy notes --on-delete delete_wins             a delete wins over an edit
  selkie policy people --field address.city=user_choice   ask me about this field only

--conflicts  timestamp    the newest edit of a field is shown (default)
             user_choice  the newest is shown until you choose: selkie conflicts
             merge        arrays are united; else as timestamp
             priority     the highest priority, as an app stamped it; else as timestamp
--on-delete  edit_wins    a record that was edited elsewhere stays (default)
             delete_wins  it goes
             timestamp    whichever came later
             user_choice  you choose

Edits of different fields never conflict. The policy itself syncs to your other devices.";

/// What `selkie policy` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// What is shown where two devices edited one field
    #[arg(long, value_name = "RULE")]
    conflicts: Option<String>,
    /// What happens where one device deleted what another edited
    #[arg(long, value_name = "RULE")]
    on_delete: Option<String>,
    /// An exception for one field and those below it; may be given several times
    #[arg(long, value_name = "FIELD=RULE")]
    field: Vec<String>,
}

/// Sets what is named, then shows the policy.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, conflicts, on_delete, field } = arguments;
    let vault = context.open()?;
    let mut policy = vault.policy(&collection)?;
    if conflicts.is_some() || on_delete.is_some() || !field.is_empty() {
        let named = parse(
            conflicts.as_deref().unwrap_or("timestamp"),
            on_delete.as_deref().unwrap_or("edit_wins"),
        )?;
        if conflicts.is_some() {
            policy.default = named.default;
        }
        if on_delete.is_some() {
            policy.on_delete = named.on_delete;
        }
        for exception in &field {
            let (path, rule) = parse_exception(exception)?;
            policy.paths.insert(path, rule);
        }
        vault.set_policy(&collection, policy)?;
        policy = vault.policy(&collection)?;
    }
    show(&collection, &policy, context)
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

fn show(collection: &str, policy: &CollectionPolicy, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
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
            "version": policy.version,
        }));
    }
    out.line(out.paint(BOLD, text::plain(collection)))?;
    out.line(format!("  conflicts  {}", text::plain(&policy.default.name())))?;
    out.line(format!("  on delete  {}", policy.on_delete.name()))?;
    for (path, rule) in &policy.paths {
        let (path, rule) = (text::plain(&path.to_string()), text::plain(&rule.name()));
        out.line(format!("  field      {path}: {rule}"))?;
    }
    Ok(())
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
}
