//! The laptop joins: a code typed by hand, six digits compared, everything fetched.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use selkie::{DeviceId, Invitation, Unlock, Vault};

use super::search::Needle;
use super::{COLLECTION, LAPTOP_PASSPHRASE, PHONE_PASSPHRASE, Stage};
use crate::commands::sync::report_text;
use crate::exit::{Exit, Failure};
use crate::output::BOLD;

/// For each half of the pairing; it takes a moment, and a demo must not hang.
const PATIENCE: Duration = Duration::from_secs(60);

impl Stage {
    pub(super) fn join_laptop(&mut self) -> Result<(), Failure> {
        self.story.step("The laptop joins")?;
        self.story.say(
            "The phone shows a code; you type it on the laptop. Both show six digits, and you compare them:\n\
             nobody between the two, the relay included, can slip in a device of their own.",
        )?;
        fs::create_dir_all(self.folder("laptop"))?;
        let (url, store) = (self.url()?, self.store("laptop"));
        let invitation = self.phone()?.invite(&url, Unlock::Passphrase(PHONE_PASSPHRASE))?;
        let code = invitation.code().to_owned();
        let out = *self.story.out();
        self.story.say(&format!("code     {}", out.paint(BOLD, &code)))?;
        let (laptop, digits) = pair(invitation, &store, &url, &code)?;
        self.story.say(&format!("digits   {}   the same on both", out.paint(BOLD, &digits)))?;
        self.secrets.push(Needle { what: "pairing code", text: code });
        self.story.done(&format!("device {} belongs to the vault", laptop.device_id().short()))?;

        self.story.step("The laptop fetches everything")?;
        let report = laptop.sync(&url, &mut |_| {})?;
        let count = laptop.collection(COLLECTION)?.count()?;
        self.laptop = Some(laptop);
        self.story.done(&report_text(&report))?;
        self.story.prove(
            "first sync",
            count == 344,
            format!("{count} of 344 records are on the laptop"),
        )
    }
}

/// The phone's half in a thread, the laptop's in this one, as two people would do it.
fn pair(
    invitation: Invitation,
    store: &std::path::Path,
    url: &str,
    code: &str,
) -> Result<(Vault, String), Failure> {
    let (phone_says, phone_heard) = mpsc::channel::<String>();
    let (laptop_says, laptop_heard) = mpsc::channel::<String>();
    let sponsor = thread::spawn(move || sponsor(invitation, &phone_says, &laptop_heard));
    let mut digits = String::new();
    let unlock = Unlock::Passphrase(LAPTOP_PASSPHRASE);
    let joined = Vault::join(store, url, code, unlock, &mut |shown| {
        digits = shown.to_owned();
        let _phone_gave_up = laptop_says.send(shown.to_owned());
        phone_heard.recv_timeout(PATIENCE).is_ok_and(|phone| phone == shown)
    });
    // Lets the phone go on if the laptop failed before it showed anything.
    drop(laptop_says);
    let sponsored =
        sponsor.join().map_err(|_| trouble("the phone's half of the pairing failed"))?;
    let laptop = joined?;
    if sponsored? != laptop.device_id() {
        return Err(trouble("the phone added another device than the one that joined"));
    }
    Ok((laptop, digits))
}

fn sponsor(
    invitation: Invitation,
    says: &mpsc::Sender<String>,
    heard: &mpsc::Receiver<String>,
) -> Result<DeviceId, Failure> {
    let until = Instant::now() + PATIENCE;
    let pending = invitation.wait(&mut || Instant::now() < until)?;
    let digits = pending.digits().to_owned();
    let _laptop_gave_up = says.send(digits.clone());
    if heard.recv_timeout(PATIENCE).is_ok_and(|laptop| laptop == digits) {
        return Ok(pending.confirm()?);
    }
    pending.refuse()?;
    Err(trouble("the six digits differ"))
}

fn trouble(message: &str) -> Failure {
    Failure::new(Exit::Relay, "pairing", message)
}
