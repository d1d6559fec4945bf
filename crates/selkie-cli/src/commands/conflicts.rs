//! `selkie conflicts`: what waits for a decision, the sides next to each other.

use clap::Args;
use selkie::{DeviceId, OpenConflict, UniqueClash, Vault};
use serde_json::Value;

use crate::conflict_view::{self, KINDS, Scene, UNIQUE_KEY};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::TYPED;
use crate::{text, time_text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie conflicts
  selkie conflicts --collection penguins --kind edit_vs_delete
  selkie conflicts penguins --json | jq -r .short_token

Each conflict has a short name for selkie resolve. It names exactly what is shown: if another device
writes meanwhile, the name ends and nothing is decided unseen.

Kinds: concurrent_edit  two devices edited one field
       edit_vs_delete   one deleted what another edited
       shape            one wrote a single value, another an object
       unique_key       several records have a value that must be unique; edit or delete one of them

What nobody answers is settled at the deadline by what is shown, see: selkie policy --help";

/// What `selkie conflicts` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Only those of one collection; as --collection
    #[arg(value_name = "COLLECTION", conflicts_with = "collection")]
    only: Option<String>,
    /// Which ones.
    #[command(flatten)]
    filter: Filter,
}

/// Which conflicts a command is about.
#[derive(Args, Debug, Default)]
pub struct Filter {
    /// Only those of one collection
    #[arg(long, value_name = "COLLECTION")]
    pub collection: Option<String>,
    /// Only those of one kind
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    pub kind: Option<String>,
}

impl Filter {
    /// Whether conflicts of this kind are meant.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
    }

    /// The open conflicts that are meant, oldest first.
    pub fn conflicts(&self, vault: &Vault) -> Result<Vec<OpenConflict>, Failure> {
        let mut open = vault.conflicts(self.collection.as_deref())?;
        open.retain(|open| self.is_kind(open.conflict.kind.name()));
        Ok(open)
    }

    fn clashes(&self, vault: &Vault) -> Result<Vec<UniqueClash>, Failure> {
        let mut clashes = vault.unique_clashes()?;
        let is_meant = |clash: &UniqueClash| {
            self.collection.as_ref().is_none_or(|wanted| *wanted == clash.collection)
        };
        clashes.retain(|clash| self.is_kind(UNIQUE_KEY) && is_meant(clash));
        Ok(clashes)
    }
}

/// Prints the open conflicts.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { only, mut filter } = arguments;
    filter.collection = filter.collection.or(only);
    let vault = context.open()?;
    let (open, clashes) = (filter.conflicts(&vault)?, filter.clashes(&vault)?);
    let out = &context.out;
    for conflict in &open {
        if out.json {
            let document = document_of(&vault, conflict)?;
            out.value(&conflict_view::to_json(conflict, document.as_ref()))?;
        } else {
            out.line(lines(&vault, conflict, context)?.join("\n") + "\n")?;
        }
    }
    for clash in &clashes {
        let text = conflict_view::clash_lines(clash, out).join("\n") + "\n";
        out.either(&conflict_view::clash_json(clash), text)?;
    }
    if open.is_empty() && clashes.is_empty() {
        out.note("no open conflicts");
    }
    if !open.is_empty() {
        let count = text::counted(open.len() as u64, "open conflict");
        let all = out.paint_note(TYPED, "selkie resolve");
        out.note(format!("{count}; go through them with: {all}"));
    }
    Ok(())
}

/// The record's document as it is shown now.
pub fn document_of(vault: &Vault, open: &OpenConflict) -> Result<Option<Value>, Failure> {
    Ok(vault.collection(&open.collection)?.get(&open.id)?.map(|record| record.document))
}

/// A conflict as a person at this device sees it.
pub fn lines(
    vault: &Vault,
    open: &OpenConflict,
    context: &Context,
) -> Result<Vec<String>, Failure> {
    let document = document_of(vault, open)?;
    let name_of = names(vault);
    let scene =
        Scene { name_of: &name_of, document: document.as_ref(), now_ms: time_text::now_ms() };
    Ok(conflict_view::lines(open, &scene, &context.out))
}

/// Names devices for a person at this one.
pub fn names(vault: &Vault) -> impl Fn(&DeviceId) -> String + use<> {
    let (this, vault) = (vault.device_id(), vault.clone());
    move |device| {
        // A name that cannot be looked up now is still a name.
        let device = vault.device_of(*device).unwrap_or(*device);
        if device == this { "this device".to_owned() } else { format!("device {}", device.short()) }
    }
}
