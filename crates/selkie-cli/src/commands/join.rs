//! `selkie join`: makes this device part of a vault, with the code that another device shows.

use clap::Args;
use selkie::Vault;
use serde_json::json;
use zeroize::Zeroizing;

use super::invite::Place;
use super::sync;
use crate::ask;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BOLD, GOOD};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie join --relay https://relay.example
  selkie join --relay https://relay.example --store ~/field.db
  selkie join --folder /media/stick

First, on a device that is in the vault: selkie invite. Type its code here, then compare six digits.
The passphrase protects the store on this device; it may differ from that of your other devices.
A script gives the code and then y or n, each on a line of standard input.";

/// What `selkie join` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The relay, or a folder.
    #[command(flatten)]
    place: Place,
    /// Do not fetch the records now
    #[arg(long)]
    no_sync: bool,
}

/// Asks for the code, compares the digits, makes the store and fetches the records.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let place = arguments.place.checked()?;
    let path = context.new_store_path()?;
    let secret = context.secret.read_new()?;
    // Not from the command line: other programs could read it there, and be faster.
    let code = ask::line("Code shown by the other device: ")?.map(Zeroizing::new);
    let Some(code) = code.filter(|code| !code.is_empty()) else {
        return Err(Failure::refused("no_code", "no code was typed")
            .help("get one on a device of the vault with: selkie invite"));
    };
    let mut trouble = None;
    let mut confirm = |digits: &str| {
        agree(digits, context).unwrap_or_else(|failure| {
            trouble = Some(failure);
            false
        })
    };
    let joined = match &place {
        Place { folder: Some(folder), .. } => {
            Vault::join_in(&path, folder, &code, secret.unlock(), &mut confirm)
        }
        Place { relay, .. } => {
            let url = relay.as_deref().unwrap_or_default();
            Vault::join(&path, url, &code, secret.unlock(), &mut confirm)
        }
    };
    if let Some(failure) = trouble {
        return Err(failure);
    }
    let vault = joined?;
    if out.json {
        out.value(&json!({
            "event": "joined",
            "store": path,
            "vault": vault.id().to_string(),
            "device": vault.device_id().to_string(),
        }))?;
    } else {
        out.line(out.paint(GOOD, format!("joined; the store is {}", path.display())))?;
    }
    let Place { relay: Some(url), folder: None } = place else { return Ok(()) };
    if arguments.no_sync {
        return Ok(());
    }
    let report = sync::with_progress(&vault, &url, context)?;
    let mut value = sync::report_json(&report);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("event".to_owned(), "synced".into());
    }
    out.either(&value, format!("synced: {}", sync::report_text(&report)))
}

fn agree(digits: &str, context: &Context) -> Result<bool, Failure> {
    let out = &context.out;
    if out.json {
        out.value(&json!({ "event": "digits", "digits": digits }))?;
    } else {
        out.line(format!("The other device must show: {}", out.paint(BOLD, digits)))?;
    }
    ask::yes_or_no("Does it show the same six digits?")
}
