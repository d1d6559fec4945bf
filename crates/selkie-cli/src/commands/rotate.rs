//! `selkie rotate`: new keys for everything that is sent from now on.

use clap::Args;
use serde_json::json;

use crate::args::RelayUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::GOOD;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie rotate --relay https://relay.example
  selkie rotate --relay https://relay.example --min-version 1

Do this when a device may have been read by someone, and is still yours. Whoever copied keys reads
nothing that comes now; what is older stays readable to them. Syncs first, and stops if anything is
missing here. To shut a device out, use: selkie revoke.";

/// What `selkie rotate` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The relay.
    #[command(flatten)]
    relay: RelayUrl,
    /// Also stop devices whose app writes an older format, until they are updated; never lowered
    #[arg(long, value_name = "N")]
    min_version: Option<u32>,
}

/// Rotates.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let (vault, secret) = context.open_with_secret()?;
    let url = arguments.relay.url;
    if let Some(version) = arguments.min_version {
        vault.raise_min_version(&url, version, secret.unlock())?;
    }
    vault.rotate(&url, secret.unlock())?;
    out.either(&json!({ "rotated": true }), out.paint(GOOD, "new keys are in use"))
}
