//! `selkie package`: sync by files, for mail, a stick, or any way that carries bytes.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use selkie::{PackageReport, SyncPackage, SyncPoint};
use serde_json::{Value, json};

use super::export::new_private_file;
use super::sync::progress_text;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{DIM, GOOD, TYPED, WARNING};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie package make news.slk                 all that this device wrote
  selkie package apply news.slk                on another device
  selkie package point                         what this device has; for the other's --since

A package is sealed: only the vault's devices can read it. It may be lost, copied twice or come after a
later one; what has a gap before it waits.";

const MAKE_EXAMPLES: &str = "\
Examples:
  selkie package make news.slk
  selkie package make news.slk --since 0f3a…:12      only what is newer than that
  selkie package make - | ssh laptop selkie package apply -";

const APPLY_EXAMPLES: &str = "\
Examples:
  selkie package apply news.slk
  selkie package apply - --json < news.slk";

const POINT_EXAMPLES: &str = "\
Examples:
  selkie package point
  selkie package make news.slk --since \"$(ssh laptop selkie package point)\"";

/// More is no package; as the library's limit.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What `selkie package` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Pack what other devices lack
    #[command(after_help = MAKE_EXAMPLES)]
    Make(Make),
    /// Take in a package of another device
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Apply),
    /// Show what this device has, for `make --since` on another
    #[command(after_help = POINT_EXAMPLES)]
    Point,
}

#[derive(Args, Debug)]
struct Make {
    /// A new file, or - for standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Only what is newer: what an earlier package ended with, or what the other device has
    #[arg(long, value_name = "POINT")]
    since: Option<String>,
}

#[derive(Args, Debug)]
struct Apply {
    /// The package, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Makes or applies a package.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    match arguments.command {
        Command::Make(arguments) => make(&arguments, context),
        Command::Apply(arguments) => apply(&arguments, context),
        Command::Point => {
            let point = context.open()?.sync_point()?.to_string();
            context.out.either(&json!({ "point": point }), &point)
        }
    }
}

fn make(arguments: &Make, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let to_stdout = is_stream(&arguments.file);
    if to_stdout && (out.json || io::stdout().is_terminal()) {
        return Err(Failure::usage("a package is bytes, not text")
            .help("name a file to write it to: selkie package make FILE"));
    }
    let since = arguments.since.as_deref().map(str::parse::<SyncPoint>).transpose()?;
    let package = context.open()?.prepare_sync_package(since.as_ref())?;
    if to_stdout {
        io::stdout().lock().write_all(&package.bytes)?;
        io::stdout().lock().flush()?;
        out.note(package_text(&package));
        return Ok(());
    }
    let written = new_private_file(&arguments.file)
        .and_then(|mut file| file.write_all(&package.bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::file(&arguments.file, &error))?;
    if out.json {
        return out.value(&package_json(&package, &arguments.file));
    }
    out.line(format!("{} {}", out.paint(GOOD, "packed:"), package_text(&package)))?;
    out.line(out.paint(DIM, format!("the next one after it: --since {}", package.point)))?;
    if !package.is_complete {
        out.warn("it does not hold all; make the next one with the --since above");
    }
    Ok(())
}

fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}

fn package_text(package: &SyncPackage) -> String {
    let changes = text::counted(package.changes, "change");
    let segments = text::counted(package.segments, "segment");
    format!("{changes} in {segments} ({})", text::bytes(package.bytes.len() as u64))
}

fn package_json(package: &SyncPackage, file: &Path) -> Value {
    json!({
        "file": file,
        "bytes": package.bytes.len(),
        "segments": package.segments,
        "changes": package.changes,
        "point": package.point.to_string(),
        "complete": package.is_complete,
    })
}

fn apply(arguments: &Apply, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let bytes = if is_stream(&arguments.file) {
        read(io::stdin().lock())?
    } else {
        let file = File::open(&arguments.file).and_then(read);
        file.map_err(|error| Failure::file(&arguments.file, &error))?
    };
    let vault = context.open()?;
    let bar = if out.is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let report = vault.apply_sync_package(&bytes, &mut |progress| {
        bar.set_message(progress_text(&progress));
        bar.tick();
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::from(error).at(arguments.file.display()))?;
    if out.json {
        return out.value(&report_json(&report));
    }
    let changes = text::counted(report.changes_applied, "new change");
    let segments = text::counted(report.segments_applied, "segment");
    out.line(format!("{} {changes} in {segments}", out.paint(GOOD, "applied:")))?;
    if report.segments_held > 0 {
        let held = text::counted(report.segments_held, "segment");
        out.warn(format!("{held} wait for an earlier package, or for an update"));
    }
    if report.segments_refused > 0 {
        let refused = text::counted(report.segments_refused, "segment");
        out.warn(format!("the package held {refused} that are not intact; they were not used"));
    }
    if !report.conflicts.is_empty() {
        let open = text::counted(report.conflicts.len() as u64, "open conflict");
        let see = out.paint(TYPED, "selkie conflicts");
        out.line(format!("{}: see them with {see}", out.paint(WARNING, open)))?;
    }
    Ok(())
}

/// All of it, or one byte more than a package may have, so that the library refuses it.
fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn report_json(report: &PackageReport) -> Value {
    let conflicts: Vec<_> = report
        .conflicts
        .iter()
        .map(|open| json!({ "collection": open.collection, "id": open.id, "token": open.token }))
        .collect();
    json!({
        "changes_applied": report.changes_applied,
        "segments_applied": report.segments_applied,
        "segments_known": report.segments_known,
        "segments_held": report.segments_held,
        "segments_refused": report.segments_refused,
        "conflicts": conflicts,
    })
}
