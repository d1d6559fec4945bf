//! Recovery words on their way out: to a terminal, or to a new file that only the user can read.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::commands::export::new_private_file;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::BOLD;

/// Where new recovery words go.
#[derive(Args, Debug)]
pub struct WordsOut {
    /// Write the recovery words to a new file instead of the terminal
    #[arg(long, value_name = "FILE", conflicts_with = "print_recovery_words")]
    recovery_words_file: Option<PathBuf>,
    /// Print the recovery words even where nobody watches, or as part of the --json output
    #[arg(long)]
    print_recovery_words: bool,
}

impl WordsOut {
    /// Tries all that could go wrong, before words are made that could get lost.
    pub fn prepare(&self, context: &Context) -> Result<WordsFile<'_>, Failure> {
        let somebody_reads = !context.out.json && io::stdout().is_terminal();
        if self.recovery_words_file.is_none() && !self.print_recovery_words && !somebody_reads {
            return Err(Failure::usage(
                "the recovery words would be lost: nobody reads the output",
            )
            .help("name a file with --recovery-words-file FILE, or say --print-recovery-words"));
        }
        let path = self.recovery_words_file.as_deref();
        let file = path
            .map(|path| new_private_file(path).map_err(|error| Failure::file(path, &error)))
            .transpose()?;
        Ok(WordsFile { path, file })
    }

    /// The words, if they are to be part of the JSON output.
    pub fn printed<'w>(&self, words: &'w str) -> Option<&'w str> {
        self.print_recovery_words.then_some(words)
    }
}

/// The file for the words, if there is to be one: made before them, so that they cannot come to be
/// without a place.
pub struct WordsFile<'a> {
    path: Option<&'a Path>,
    file: Option<File>,
}

impl<'a> WordsFile<'a> {
    /// Writes the words; gives the file's path if there is one.
    pub fn fill(mut self, words: &str) -> Result<Option<&'a Path>, Failure> {
        let (Some(mut file), Some(path)) = (self.file.take(), self.path) else { return Ok(None) };
        let written = writeln!(file, "{words}").and_then(|()| file.sync_all());
        written.map_err(|error| Failure::file(path, &error))?;
        Ok(Some(path))
    }
}

impl Drop for WordsFile<'_> {
    /// Leaves no empty file behind where no words were made.
    fn drop(&mut self) {
        if let (Some(_), Some(path)) = (self.file.take(), self.path) {
            let _stays_empty_then = fs::remove_file(path);
        }
    }
}

/// Shows the words, or says where they were written.
pub fn show(words: &str, written: Option<&Path>, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    if let Some(file) = written {
        return out.line(format!("wrote the recovery words to {}", file.display()));
    }
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
