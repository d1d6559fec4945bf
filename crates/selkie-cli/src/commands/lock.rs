//! `selkie lock`: the system's keystore opens this store no longer.

use clap::Args;
use selkie::Vault;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::keystore::SystemKeyStore;
use crate::output::GOOD;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie lock

Removes the key that selkie unlock --remember put into the system's keystore. Without such a key there
is nothing to lock: every command reads the passphrase, and keeps nothing when it ends.";

/// What `selkie lock` takes.
#[derive(Args, Debug)]
pub struct Arguments {}

/// Forgets the key. Opened by that very key, so nothing is asked.
pub fn run(_arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let path = context.store_path()?;
    let was_remembered = match Vault::open_remembered(&path, &mut SystemKeyStore) {
        Ok(vault) => {
            vault.forget(&mut SystemKeyStore)?;
            vault.lock()?;
            true
        }
        Err(error) if error.kind() == selkie::ErrorKind::WrongKey => false,
        Err(error) => return Err(error.into()),
    };
    let value = json!({ "locked": true, "was_remembered": was_remembered });
    let text = if was_remembered { "locked" } else { "it was locked already" };
    out.either(&value, out.paint(GOOD, text))
}
