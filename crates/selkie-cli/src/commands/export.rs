//! `selkie export`: all records as plain JSON lines, for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use selkie::Vault;
use serde_json::json;

use super::list::each_record;
use crate::context::Context;
use crate::exit::Failure;
use crate::{records, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie export --plain > everything.ndjson
  selkie export --plain --collection notes --output notes.ndjson
  selkie import notes notes.ndjson --document-field document      read it back

The output is NOT encrypted: whoever has the file can read it.";

/// What `selkie export` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Say that you want unencrypted text
    #[arg(long)]
    plain: bool,
    /// Export only this collection; may be given several times
    #[arg(long, value_name = "NAME")]
    collection: Vec<String>,
    /// Write to a new file that only you can read, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes one JSON object a line: collection, id, times and document.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if !arguments.plain {
        return Err(Failure::usage("an export is plain text that anyone can read")
            .help("if that is what you want, say so: selkie export --plain"));
    }
    let vault = context.open()?;
    let mut collections = arguments.collection;
    if collections.is_empty() {
        collections = vault.collections()?.into_iter().map(|info| info.name).collect();
    }
    let written = match &arguments.output {
        Some(path) => {
            let file = new_private_file(path).map_err(|error| Failure::file(path, &error))?;
            let mut writer = BufWriter::new(file);
            let written = write_all(&vault, &collections, &mut writer)?;
            let file = writer.into_inner().map_err(|error| error.into_error());
            file.and_then(|file| file.sync_all()).map_err(|error| Failure::file(path, &error))?;
            if context.out.json {
                context.out.value(&json!({ "records": written, "file": path }))?;
            }
            written
        }
        None => write_all(&vault, &collections, &mut BufWriter::new(io::stdout().lock()))?,
    };
    let records = text::counted(written, "record");
    context.out.warn(format!("{records} exported without encryption: keep the output safe"));
    Ok(())
}

fn write_all(vault: &Vault, collections: &[String], to: &mut impl Write) -> Result<u64, Failure> {
    let mut written = 0;
    for collection in collections {
        each_record(vault, collection, None, u64::MAX, |record| {
            writeln!(to, "{}", records::to_json(collection, record))?;
            written += 1;
            Ok(())
        })?;
    }
    to.flush()?;
    Ok(written)
}

/// A file that did not exist, readable by its owner only.
pub fn new_private_file(path: &std::path::Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
