//! `selkie devices`: who belongs to the vault.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, DIM, GOOD};
use crate::{text, time_text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie devices
  selkie devices --json | jq -r .device";

/// What `selkie devices` takes.
#[derive(Args, Debug)]
pub struct Arguments {}

/// Prints a device a line, and what is wrong with it under it.
pub fn run(_arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let status = context.open()?.status()?;
    for device in &status.devices {
        let kept = status.quarantined.iter().find(|kept| kept.device == device.id);
        let value = json!({
            "device": device.id.to_string(),
            "this_device": device.is_this,
            "revoked": device.revoked,
            "last_heard_ms": device.last_heard_ms,
            "quarantined": kept.map_or(0, |kept| kept.segments),
        });
        let state = match (device.is_this, device.revoked) {
            (true, false) => out.paint(GOOD, "this device"),
            (false, false) => "member".to_owned(),
            (true, true) => out.paint(BAD, "this device, removed"),
            (false, true) => out.paint(BAD, "removed"),
        };
        let heard = match device.last_heard_ms {
            _ if device.is_this => String::new(),
            None => "  nothing heard yet".to_owned(),
            Some(at_ms) => {
                let age_ms = time_text::now_ms().saturating_sub(at_ms);
                format!("  last heard {} ago", time_text::about(age_ms))
            }
        };
        let (short, long) = (device.id.short(), device.id.to_string());
        out.either(&value, format!("{short}  {state}{heard}  {}", out.paint(DIM, long)))?;
        if let Some(kept) = kept {
            let (first, last) = kept.numbers;
            out.warn(format!(
                "{} of device {short} (numbers {first} to {last}) kept aside, not used",
                text::counted(kept.segments, "segment"),
            ));
        }
    }
    Ok(())
}
