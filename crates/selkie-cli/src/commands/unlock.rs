//! `selkie unlock --remember`: commands open the store without the passphrase for a while.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::keystore::SystemKeyStore;
use crate::output::GOOD;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie unlock --remember               then: selkie list notes --keystore
  selkie unlock                          only check that the passphrase is right

A random key that opens this store goes into the system's keystore: macOS Keychain, Windows Credential
Manager, or Linux's kernel keyring, which forgets it at a restart. With --keystore other commands use
it. It administers nothing: inviting, removing and rotating still ask. End it with: selkie lock";

/// What `selkie unlock` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Keep a key in the system's keystore
    #[arg(long)]
    remember: bool,
}

/// Opens the store, and remembers a key if asked to.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let (vault, secret) = context.open_with_secret()?;
    if arguments.remember {
        vault.remember(secret.unlock(), &mut SystemKeyStore)?;
    }
    let value = json!({ "unlocked": true, "remembered": arguments.remember });
    let text = if arguments.remember { "the keystore opens the store now" } else { "it opens" };
    out.either(&value, out.paint(GOOD, text))
}
