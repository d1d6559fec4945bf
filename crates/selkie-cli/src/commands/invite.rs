//! `selkie invite`: adds another device to the vault, by a code that is typed there.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use selkie::Invitation;
use serde_json::json;

use crate::ask;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{BOLD, GOOD, TYPED};
use crate::qr;

/// How long the other device may take; the code ends then.
const WAIT: Duration = Duration::from_secs(10 * 60);

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie invite --relay https://relay.example
  selkie invite --relay https://relay.example --wait 60 --json
  selkie invite --folder /media/stick                without a relay: by files that both can reach

Type the code on the other device (selkie join), or scan it. Then both show six digits: say yes only if they are
the same, or someone between the devices could join instead of yours. The code works once, for ten
minutes. A script answers y or n on standard input.";

/// Where the two devices leave each other messages.
#[derive(Args, Debug)]
pub struct Place {
    /// The relay's address
    #[arg(long, env = "SELKIE_RELAY", hide_env_values = true, value_name = "URL")]
    pub relay: Option<String>,
    /// Use a folder that both devices reach instead of a relay
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl Place {
    /// One of the two; a folder that is named wins over a relay from the environment.
    pub fn checked(self) -> Result<Self, Failure> {
        if self.relay.is_none() && self.folder.is_none() {
            return Err(Failure::usage("name a relay with --relay URL, or a --folder FOLDER"));
        }
        Ok(self)
    }
}

/// What `selkie invite` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The relay, or a folder.
    #[command(flatten)]
    place: Place,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// Shows the code, waits, compares the digits, adds the device.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let place = arguments.place.checked()?;
    // Adding a device asks for the passphrase again, in the library; here it is typed once.
    let (vault, secret) = context.open_with_secret()?;
    let invitation = match &place {
        Place { folder: Some(folder), .. } => vault.invite_in(folder, secret.unlock())?,
        Place { relay, .. } => {
            vault.invite(relay.as_deref().unwrap_or_default(), secret.unlock())?
        }
    };
    show_code(&invitation, &place, context)?;
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

fn show_code(invitation: &Invitation, place: &Place, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    if out.json {
        return out.value(&json!({
            "event": "code",
            "code": invitation.code(),
            "relay": place.relay,
            "folder": place.folder,
        }));
    }
    let join = match place {
        Place { folder: Some(folder), .. } => {
            format!("selkie join --folder {}", folder.display())
        }
        Place { relay, .. } => {
            format!("selkie join --relay {}", relay.as_deref().unwrap_or_default())
        }
    };
    if out.is_watched() {
        qr::show(&invitation.qr_text(), context)?;
    }
    out.line(format!("On the other device, run   {}", out.paint(TYPED, join)))?;
    out.line(format!("and type this code:        {}", out.paint(BOLD, invitation.code())))
}
