//! `selkie demo`: the whole product in a few seconds, on this machine, with nothing to set up.

use clap::Args;

use crate::context::Context;
use crate::demo;
use crate::exit::Failure;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie demo
  selkie demo --keep          leave the stores and the relay's files, to look into them
  selkie demo --json          a summary for scripts; exit code 1 if a proof fails

It makes everything in a temporary folder, runs a relay on a free port of this machine, needs no
network, and leaves nothing behind.";

/// What `selkie demo` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Leave the files
    #[arg(long)]
    keep: bool,
}

/// Plays the demo.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    demo::play(context.out, arguments.keep)
}
