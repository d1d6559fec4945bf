//! `selkie invite`: adds another device to the vault, by a code that is typed there.

use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use crate::args::RelayUrl;
use crate::ask;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{BOLD, GOOD, TYPED};

/// How long the other device may take; the code ends then.
const WAIT: Duration = Duration::from_secs(10 * 60);

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie invite --relay https://relay.example
  selkie invite --relay https://relay.example --wait 60 --json

Type the code on the other device (selkie join). Then both show six digits: say yes only if they are
the same, or someone between the devices could join instead of yours. The code works once, for ten
minutes. A script answers y or n on standard input.";

/// What `selkie invite` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The relay.
    #[command(flatten)]
    relay: RelayUrl,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// Shows the code, waits, compares the digits, adds the device.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let url = arguments.relay.url;
    // Adding a device asks for the passphrase again, in the library; here it is typed once.
    let (vault, secret) = context.open_with_secret()?;
    let invitation = vault.invite(&url, secret.unlock())?;
    if out.json {
        out.value(&json!({ "event": "code", "code": invitation.code(), "relay": url }))?;
    } else {
        out.line(format!(
            "On the other device, run   {}",
            out.paint(TYPED, format!("selkie join --relay {url}"))
        ))?;
        out.line(format!("and type this code:        {}", out.paint(BOLD, invitation.code())))?;
    }
    let wait = arguments.wait.map_or(WAIT, Duration::from_secs).min(WAIT);
    let until = Instant::now() + wait;
    let bar = if out.is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.set_message("waiting for the other device");
    bar.enable_steady_tick(Duration::from_millis(120));
    let pending = invitation.wait(&mut || Instant::now() < until);
    bar.finish_and_clear();
    let pending = pending?;

    let digits = pending.digits().to_owned();
    if out.json {
        out.value(&json!({ "event": "digits", "digits": digits }))?;
    } else {
        out.line(format!("The other device must show: {}", out.paint(BOLD, &digits)))?;
    }
    if !ask::yes_or_no("Does it show the same six digits?")? {
        pending.refuse()?;
        let message = "the digits differ, or nobody said that they agree: no device was added";
        return Err(Failure::new(Exit::Relay, "digits_differ", message)
            .help("try again; if they differ again, do not trust this network or relay"));
    }
    let device = pending.confirm()?;
    let value = json!({ "event": "added", "device": device.to_string() });
    out.either(&value, out.paint(GOOD, format!("added device {}", device.short())))
}
