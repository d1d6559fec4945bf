//! `selkie conflicts`: what waits for a decision, the sides next to each other.

use clap::Args;
use selkie::{DeviceId, Vault};

use crate::conflict_view;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::TYPED;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie conflicts
  selkie conflicts penguins --json | jq -r .short_token

Each conflict has a short name for selkie resolve. It names exactly what is shown: if another device
writes meanwhile, the name ends and nothing is decided unseen.";

/// What `selkie conflicts` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Only those of one collection
    collection: Option<String>,
}

/// Prints the open conflicts.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    let open = vault.conflicts(arguments.collection.as_deref())?;
    let out = &context.out;
    let name_of = names(&vault);
    for conflict in &open {
        if out.json {
            out.value(&conflict_view::to_json(conflict))?;
        } else {
            out.line(conflict_view::lines(conflict, &name_of, out).join("\n") + "\n")?;
        }
    }
    if open.is_empty() {
        out.note("no open conflicts");
    } else {
        let count = text::counted(open.len() as u64, "open conflict");
        let all = out.paint_note(TYPED, "selkie resolve");
        out.note(format!("{count}; go through them with: {all}"));
    }
    Ok(())
}

/// Names devices for a person at this one.
pub fn names(vault: &Vault) -> impl Fn(&DeviceId) -> String + use<> {
    let this = vault.device_id();
    move |device| {
        if *device == this {
            "this device".to_owned()
        } else {
            format!("device {}", device.short())
        }
    }
}
