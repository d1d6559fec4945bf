//! `selkie init`: makes a vault, and shows its recovery words once.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use selkie::{NewVault, Vault};
use serde_json::json;

use super::export::new_private_file;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BOLD, GOOD, TYPED};

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
    /// Write the recovery words to a new file instead of the terminal
    #[arg(long, value_name = "FILE", conflicts_with = "print_recovery_words")]
    recovery_words_file: Option<PathBuf>,
    /// Print the recovery words even where nobody watches, or as part of the --json output
    #[arg(long)]
    print_recovery_words: bool,
}

/// Makes the vault. All that could go wrong with the recovery words is tried before.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let Arguments { recovery_words_file, print_recovery_words } = arguments;
    let somebody_reads = !out.json && io::stdout().is_terminal();
    if recovery_words_file.is_none() && !print_recovery_words && !somebody_reads {
        return Err(Failure::usage("the recovery words would be lost: nobody reads the output")
            .help("name a file with --recovery-words-file FILE, or say --print-recovery-words"));
    }
    let path = context.new_store_path()?;
    let secret = context.secret.read_new()?;
    let file = recovery_words_file.as_deref().map(WordsFile::make).transpose()?;

    let NewVault { vault, recovery_words } = Vault::create(&path, secret.unlock())?;
    let written = file.map(|file| file.fill(recovery_words.as_str())).transpose().map_err(|e| {
        e.help(format!(
            "the store was made, but its recovery words are lost: remove {} and begin again",
            path.display()
        ))
    })?;
    if out.json {
        let words = print_recovery_words.then(|| recovery_words.as_str());
        return out.value(&json!({
            "store": path,
            "vault": vault.id().to_string(),
            "device": vault.device_id().to_string(),
            "recovery_words": words,
            "recovery_words_file": written,
        }));
    }
    out.line(format!("{} {}", out.paint(GOOD, "made the store"), path.display()))?;
    match written {
        Some(file) => out.line(format!("wrote the recovery words to {}", file.display()))?,
        None => show(recovery_words.as_str(), context)?,
    }
    out.line(format!(
        "\nnext: {}",
        out.paint(TYPED, "selkie put notes milk '{\"title\": \"Milk\"}'")
    ))
}

fn show(words: &str, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    out.line(out.paint(BOLD, "\nRecovery words"))?;
    out.line(
        "They open this vault when the passphrase is lost or every device is gone. Whoever has",
    )?;
    out.line("them can read everything. Write them on paper now; they are not shown again.\n")?;
    let words: Vec<&str> = words.split_whitespace().collect();
    for (row, line) in words.chunks(6).enumerate() {
        let numbered = line.iter().enumerate().map(|(column, word)| {
            let number = row * 6 + column + 1;
            format!("{number:>2} {word:<10}")
        });
        out.line(format!("  {}", numbered.collect::<String>().trim_end()))?;
    }
    Ok(())
}

/// The file for the words: made before the vault, so that a vault without words cannot come to be.
struct WordsFile<'a> {
    path: &'a Path,
    file: Option<File>,
}

impl<'a> WordsFile<'a> {
    fn make(path: &'a Path) -> Result<Self, Failure> {
        let file = new_private_file(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Self { path, file: Some(file) })
    }

    fn fill(mut self, words: &str) -> Result<&'a Path, Failure> {
        let Some(mut file) = self.file.take() else { return Ok(self.path) };
        let written = writeln!(file, "{words}").and_then(|()| file.sync_all());
        written.map_err(|error| Failure::file(self.path, &error))?;
        Ok(self.path)
    }
}

impl Drop for WordsFile<'_> {
    /// Leaves no empty file behind where no vault was made.
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _stays_empty_then = fs::remove_file(self.path);
        }
    }
}
