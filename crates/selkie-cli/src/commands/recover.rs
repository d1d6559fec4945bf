//! `selkie recover`: makes this device part of a vault, with nothing but the recovery words.

use std::path::PathBuf;

use clap::Args;
use selkie::Vault;
use serde_json::json;

use super::sync;
use crate::args::RelayUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::passphrase;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie recover --relay https://relay.example
  selkie recover --relay https://relay.example --words-file words.txt --store ~/field.db

For when every device is lost. The relay gives what it holds only to who proves the words, and learns
nothing of them. Afterwards, remove the devices that are gone: selkie devices, selkie revoke. If you
only forgot the passphrase, use: selkie passphrase change --recovery-words FILE";

/// What `selkie recover` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The relay.
    #[command(flatten)]
    relay: RelayUrl,
    /// Read the 24 words from FILE
    #[arg(long, value_name = "FILE")]
    words_file: Option<PathBuf>,
    /// Do not fetch the records now
    #[arg(long)]
    no_sync: bool,
}

/// Reads the words and a new passphrase, makes the store and fetches the records.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let url = arguments.relay.url;
    let path = context.new_store_path()?;
    let words = passphrase::read_words(arguments.words_file.as_deref())?;
    let secret = context.secret.read_new()?;
    let vault = Vault::recover(&path, &url, &words, secret.unlock())?;
    let value = json!({
        "event": "recovered",
        "store": path,
        "vault": vault.id().to_string(),
        "device": vault.device_id().to_string(),
    });
    out.either(&value, out.paint(GOOD, format!("recovered; the store is {}", path.display())))?;
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
