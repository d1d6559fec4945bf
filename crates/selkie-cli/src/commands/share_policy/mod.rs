//! `selkie policy check`, `try` and `lint`: the policies of what is shared with others. No store is opened.

mod check;
mod lint;
mod try_out;

use std::fs;
use std::path::Path;

use clap::Subcommand;
use selkie::share::{PolicyProblems, SharePolicy};

use crate::context::Context;
use crate::exit::Failure;
use crate::json;
use crate::text;

/// A policy file is far shorter; the library has the last word.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// What can be done with a policy file.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Check a file of share policies, and tell every fault with its line
    #[command(after_help = check::EXAMPLES)]
    Check(check::Arguments),
    /// Show what a share policy would send of a sample record
    #[command(after_help = try_out::EXAMPLES)]
    Try(try_out::Arguments),
    /// Tell how far a share policy's payloads tell the people of a sample apart
    #[command(after_help = lint::EXAMPLES)]
    Lint(lint::Arguments),
}

impl Command {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Check(arguments) => check::run(&arguments, context),
            Self::Try(arguments) => try_out::run(&arguments, context),
            Self::Lint(arguments) => lint::run(&arguments, context),
        }
    }
}

/// Reads a file, but not one that is far too long.
fn read(file: &Path, size_bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    if size > size_bytes_max {
        let message = format!("{}: longer than {}", file.display(), text::bytes(size_bytes_max));
        return Err(Failure::refused("file_too_long", message));
    }
    fs::read(file).map_err(|error| Failure::file(file, &error))
}

fn read_policies(file: &Path) -> Result<Result<Vec<SharePolicy>, PolicyProblems>, Failure> {
    let bytes = read(file, POLICY_BYTES_MAX)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::refused("invalid_utf8", "not UTF-8 text").at(file.display()))?;
    Ok(SharePolicy::parse_all(&text))
}

/// The one policy of a file, or the one that is named.
fn choose(file: &Path, name: Option<&str>) -> Result<SharePolicy, Failure> {
    let mut policies = read_policies(file)?.map_err(|problems| {
        Failure::refused("invalid_policy", problems.to_string())
            .at(file.display())
            .help(format!("see all faults with: selkie policy check {}", file.display()))
    })?;
    if let Some(name) = name {
        policies.retain(|policy| policy.name() == name);
    }
    match (policies.pop(), policies.is_empty()) {
        (Some(policy), true) => Ok(policy),
        (Some(_), false) => Err(Failure::usage(format!("{} has several policies", file.display()))
            .help("name one with --policy NAME")),
        (None, _) => {
            let message = format!("there is no policy {:?}", text::plain(name.unwrap_or_default()));
            Err(Failure::new(crate::exit::Exit::NotFound, "policy_not_found", message)
                .at(file.display()))
        }
    }
}

fn read_json(file: &Path) -> Result<serde_json::Value, Failure> {
    let bytes = read(file, json::TEXT_BYTES_MAX as u64)?;
    json::parse(&bytes).map_err(|failure| failure.at(file.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
