//! `selkie init`: makes a vault, and shows its recovery words once.

use clap::Args;
use selkie::{NewVault, Vault};
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{GOOD, TYPED};
use crate::words_out::{self, WordsOut};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie init                                        asks for a passphrase, shows the recovery words
  selkie init --store ~/field.db
  selkie init --passphrase-file p.txt --recovery-words-file words.txt      in a script

The 24 recovery words are the only way in if the passphrase is lost. They are shown once, on a
terminal or in a new file that only you can read. Write them on paper; keep them off this device.";

/// What `selkie init` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Where the recovery words go.
    #[command(flatten)]
    words: WordsOut,
}

/// Makes the vault. All that could go wrong with the recovery words is tried before.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let file = arguments.words.prepare(context)?;
    let path = context.new_store_path()?;
    let secret = context.secret.read_new()?;

    let NewVault { vault, recovery_words } = Vault::create(&path, secret.unlock())?;
    let words = recovery_words.as_str();
    let written = file.fill(words).map_err(|failure| {
        failure.help(format!(
            "the store was made, but its recovery words are lost: remove {} and begin again",
            path.display()
        ))
    })?;
    if out.json {
        return out.value(&json!({
            "store": path,
            "vault": vault.id().to_string(),
            "device": vault.device_id().to_string(),
            "recovery_words": arguments.words.printed(words),
            "recovery_words_file": written,
        }));
    }
    out.line(format!("{} {}", out.paint(GOOD, "made the store"), path.display()))?;
    words_out::show(words, written, context)?;
    out.line(format!(
        "\nnext: {}",
        out.paint(TYPED, "selkie put notes milk '{\"title\": \"Milk\"}'")
    ))
}
