//! `selkie devices`: who belongs to the vault.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, DIM, GOOD};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie devices
  selkie devices --json | jq -r .device";

/// What `selkie devices` takes.
#[derive(Args, Debug)]
pub struct Arguments {}

/// Prints a device a line.
pub fn run(_arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    for device in context.open()?.status()?.devices {
        let value = json!({
            "device": device.id.to_string(),
            "this_device": device.is_this,
            "revoked": device.revoked,
        });
        let state = match (device.is_this, device.revoked) {
            (true, false) => out.paint(GOOD, "this device"),
            (false, false) => "member".to_owned(),
            (true, true) => out.paint(BAD, "this device, revoked"),
            (false, true) => out.paint(BAD, "revoked"),
        };
        let (short, long) = (device.id.short(), device.id.to_string());
        out.either(&value, format!("{short}  {state}  {}", out.paint(DIM, long)))?;
    }
    Ok(())
}
