//! `selkie fingerprint`: words that are equal on devices that know the same members.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::BOLD;
use crate::qr;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie fingerprint                     read it out to the person at the other device
  selkie fingerprint --qr

Sync both devices first. Different words on two devices that just synced mean that the relay shows them
different members of the vault: do not trust it.";

/// What `selkie fingerprint` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Also draw it as a QR code
    #[arg(long)]
    qr: bool,
}

/// Prints it.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let fingerprint = context.open()?.fingerprint()?;
    let value = json!({ "words": fingerprint.words(), "qr": fingerprint.qr_text() });
    out.either(&value, out.paint(BOLD, fingerprint.words()))?;
    if arguments.qr && !out.json { qr::show(&fingerprint.qr_text(), context) } else { Ok(()) }
}
