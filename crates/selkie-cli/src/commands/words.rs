//! `selkie words`: the vault's recovery words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::RelayUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;
use crate::passphrase;
use crate::words_out::{self, WordsOut};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie words replace --relay https://relay.example
  selkie words enable                                let the words open the store on this device too

Replace them when someone may have seen them: the old ones then recover and administer nothing, and
what is sent from then on is under new keys.";

/// What `selkie words` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make new recovery words; the old ones end
    #[command(after_help = EXAMPLES)]
    Replace {
        /// The relay.
        #[command(flatten)]
        relay: RelayUrl,
        /// Where they go.
        #[command(flatten)]
        words: WordsOut,
    },
    /// Let the vault's words open the store on this device, if it was joined from another one
    #[command(after_help = EXAMPLES)]
    Enable {
        /// Read the 24 words from FILE
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
}

/// Replaces or enables them.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    match arguments.command {
        What::Replace { relay, words } => {
            let file = words.prepare(context)?;
            let (vault, secret) = context.open_with_secret()?;
            let new = vault.replace_recovery(&relay.url, secret.unlock())?;
            let written = file.fill(new.as_str()).map_err(|failure| {
                failure.help("the old words ended and the new ones are lost: replace them again")
            })?;
            if out.json {
                return out.value(&json!({
                    "recovery_words": words.printed(new.as_str()),
                    "recovery_words_file": written,
                }));
            }
            words_out::show(new.as_str(), written, context)
        }
        What::Enable { words_file } => {
            let (vault, secret) = context.open_with_secret()?;
            let words = passphrase::read_words(words_file.as_deref())?;
            vault.enable_recovery(secret.unlock(), &words)?;
            let done = out.paint(GOOD, "the recovery words open this store too");
            out.either(&json!({ "enabled": true }), done)
        }
    }
}
