//! `selkie passphrase change`: another passphrase for this store.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::passphrase;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie passphrase change
  selkie passphrase change --recovery-words words.txt        the old one is forgotten
  selkie passphrase change --passphrase-file old.txt --new-passphrase-file new.txt

It protects the store on this device only; your other devices keep theirs. It revokes nobody: who has a
copy of the store's two files and the old passphrase can still read that copy.";

/// What `selkie passphrase` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Set another passphrase
    #[command(after_help = EXAMPLES)]
    Change {
        /// Read the new passphrase from FILE
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

/// Changes it; cut off at any moment, the old or the new one opens the store.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let What::Change { new_passphrase_file } = arguments.command;
    let (vault, secret) = context.open_with_secret()?;
    let new = passphrase::read_another(new_passphrase_file.as_deref())?;
    vault.change_passphrase(secret.unlock(), &new)?;
    let out = &context.out;
    out.either(&json!({ "passphrase_changed": true }), out.paint(GOOD, "changed the passphrase"))
}
