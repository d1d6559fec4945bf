//! `selkie revoke`: removes a device from the vault.

use clap::Args;
use selkie::{DeviceId, Status};
use serde_json::json;

use crate::args::RelayUrl;
use crate::ask;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::GOOD;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie revoke 3f9a2c --relay https://relay.example        the first characters of its id do
  selkie revoke 3f9a2c --relay https://relay.example --yes

See the ids with: selkie devices. Syncs first, and stops if anything is missing here. From then on the
device gets nothing new, and what it still sends is kept aside and shown. What it has read, it keeps:
a revocation is no remote wipe.";

/// What `selkie revoke` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The device's id, or its first characters
    device: String,
    /// The relay.
    #[command(flatten)]
    relay: RelayUrl,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Finds the device, asks, and removes it.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let (vault, secret) = context.open_with_secret()?;
    let device = find(&vault.status()?, &arguments.device)?;
    if !arguments.yes {
        let question = format!("Remove device {} from the vault, for good?", device.short());
        if !ask::yes_or_no(&question)? {
            return Err(Failure::refused("not_confirmed", "nothing was changed"));
        }
    }
    vault.revoke(&arguments.relay.url, device, secret.unlock())?;
    let value = json!({ "device": device.to_string(), "revoked": true });
    out.either(&value, out.paint(GOOD, format!("removed device {}", device.short())))
}

/// The one device whose id begins so.
pub fn find(status: &Status, prefix: &str) -> Result<DeviceId, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    let mut found = status.devices.iter().map(|device| device.id);
    let mut found = found.by_ref().filter(|id| id.to_string().starts_with(&prefix));
    let shown = text::plain(&prefix);
    match (found.next(), found.next()) {
        (Some(device), None) if !prefix.is_empty() => Ok(device),
        (Some(_), _) => Err(Failure::refused(
            "device_ambiguous",
            format!("several devices begin with {shown}; give more of the id"),
        )),
        (None, _) => Err(Failure::new(
            Exit::NotFound,
            "device_not_found",
            format!("no device of the vault begins with {shown}"),
        )
        .help("list them with: selkie devices")),
    }
}
