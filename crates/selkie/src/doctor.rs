//! What may be wrong with a vault, looked for one thing after the other, with what to do about it.

use std::time::Duration;

use selkie_wire::{Envelope, SegmentNumber};

use crate::Error;
use crate::status::Status;
use crate::system;
use crate::vault::Vault;

/// Less free space than this is too little for the store to work well.
const FREE_BYTES_LOW: u64 = 200 * 1024 * 1024;
/// A clock that is off by more is worth a word.
const CLOCK_OFF_MS: u64 = 5 * 60 * 1000;
/// Own segments read at once.
const SEGMENTS_AT_ONCE: u64 = 64;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckLevel {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Broken.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A stable word: `store`, `chain`, `keys`, `clock`, `space`, `sync`, `relay` and the like.
    pub name: &'static str,
    /// How it came out.
    pub level: CheckLevel,
    /// What was found.
    pub message: String,
    /// What to do; none when all is well.
    pub advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, level: CheckLevel::Ok, message: message.into(), advice: None }
    }

    fn bad(
        name: &'static str,
        level: CheckLevel,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (message, advice) = (message.into(), Some(advice.into()));
        Self { name, level, message, advice }
    }

    /// What a part that could not be looked at means.
    fn of(name: &'static str, looked: Result<Self, Error>) -> Self {
        looked.unwrap_or_else(|error| {
            let advice = "restore the store from a backup, or pair this device anew";
            Self::bad(name, CheckLevel::Fail, error.to_string(), advice)
        })
    }
}

impl Vault {
    /// Looks at the store, this device's own chain, its keys, its clock, the free space and what waits,
    /// and at a relay if one is named. Changes nothing. Reads the whole store file once.
    pub fn examine(&self, relay: Option<&str>) -> Vec<Check> {
        let mut checks = vec![
            Check::of("store", self.examine_store()),
            Check::of("chain", self.examine_chain()),
            Check::of("keys", self.examine_keys()),
            Check::of("clock", self.examine_clock()),
            self.examine_space(),
        ];
        match self.status() {
            Ok(status) => checks.extend(examine_sync(&status)),
            Err(error) => checks.push(Check::of("sync", Err(error))),
        }
        #[cfg(feature = "http")]
        if let Some(url) = relay {
            checks.extend(self.examine_relay(url));
        }
        #[cfg(not(feature = "http"))]
        let _ = relay;
        checks
    }

    fn examine_store(&self) -> Result<Check, Error> {
        let faults = self.database().integrity_faults()?;
        Ok(match faults.first() {
            None => Check::ok("store", "every page of the store file is intact"),
            Some(first) => Check::bad(
                "store",
                CheckLevel::Fail,
                format!("the store file is damaged in {} places ({first})", faults.len()),
                "copy both files aside, then restore a backup or pair this device anew",
            ),
        })
    }

    /// The own segments again: each follows the one before, and is what was signed.
    fn examine_chain(&self) -> Result<Check, Error> {
        let identity = self.database().identity()?;
        let member = identity.roster.member(self.device_id());
        let Some(member) = member else {
            return Ok(Check::bad(
                "chain",
                CheckLevel::Fail,
                "this device is not in its vault's roster",
                "pair this device anew",
            ));
        };
        let (mut previous, mut number) = (member.added, SegmentNumber(0));
        loop {
            // A few at a time, so that the app's own calls come in between.
            let page = self.database().own_segments(number, SEGMENTS_AT_ONCE)?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                number = SegmentNumber(number.0 + 1);
                let envelope = Envelope::parse(bytes).ok().filter(|envelope| {
                    let header = envelope.header();
                    let follows = header.number == number && header.previous == previous;
                    follows && envelope.verify(&member.keys.signing_key).is_ok()
                });
                let Some(envelope) = envelope else {
                    return Ok(Check::bad(
                        "chain",
                        CheckLevel::Fail,
                        format!("this device's segment {number} does not follow the one before"),
                        "restore the store from a backup, or pair this device anew",
                    ));
                };
                previous = envelope.digest();
            }
        }
        Ok(Check::ok("chain", format!("all {number} segments of this device verify")))
    }

    fn examine_keys(&self) -> Result<Check, Error> {
        let identity = self.database().identity()?;
        let member = identity.roster.member(self.device_id());
        let public = identity.device.public();
        let fault = match member {
            None => Some("this device is not in its vault's roster"),
            Some(member) if member.revoked.is_some() => {
                Some("this device was removed from the vault")
            }
            Some(member) if member.keys != public => {
                Some("this device's keys are not those in the roster")
            }
            Some(_) if identity.current_epoch_key().is_err() => {
                Some("the key of the vault's current epoch is not on this device")
            }
            Some(_) => None,
        };
        Ok(match fault {
            None => Check::ok("keys", "this device's keys are those in the vault's roster"),
            Some(fault) => Check::bad(
                "keys",
                CheckLevel::Fail,
                fault,
                "sync once more; if it stays so, pair this device anew",
            ),
        })
    }

    fn examine_clock(&self) -> Result<Check, Error> {
        let (seen_ms, now_ms) = (self.database().last_stamp()?.unix_ms(), self.now_ms());
        let ahead_ms = seen_ms.saturating_sub(now_ms);
        Ok(if ahead_ms > CLOCK_OFF_MS {
            let minutes = ahead_ms / 60_000;
            Check::bad(
                "clock",
                CheckLevel::Warn,
                format!("the clock is {minutes} minutes behind what the store has seen"),
                "set the clock of this device, or of the one that is ahead; nothing is lost by it",
            )
        } else {
            Check::ok("clock", "the clock agrees with what the store has seen")
        })
    }

    fn examine_space(&self) -> Check {
        let path = &self.files().database;
        let Some(free_bytes) = system::free_bytes(path) else {
            return Check::ok("space", "the free space cannot be told on this system");
        };
        let free = format!("{} MiB are free", free_bytes / (1024 * 1024));
        let needed = FREE_BYTES_LOW.max(self.files().size_bytes() / 4);
        if free_bytes < needed {
            let advice = "free some space: without it writes are refused, and nothing is lost";
            return Check::bad("space", CheckLevel::Warn, free, advice);
        }
        Check::ok("space", free)
    }

    #[cfg(feature = "http")]
    fn examine_relay(&self, url: &str) -> Vec<Check> {
        let health = match crate::transport::health(url) {
            Ok(health) => health,
            Err(error) => {
                let advice = "check the address and the network; the store works on without it";
                return vec![Check::bad("relay", CheckLevel::Fail, error.to_string(), advice)];
            }
        };
        let took_ms = health.took.min(Duration::from_secs(3600)).as_millis();
        let mut checks = vec![if health.protocol == selkie_wire::relay::PROTOCOL_VERSION {
            Check::ok("relay", format!("{url} answers, in {took_ms} ms"))
        } else {
            let message = format!("{url} speaks protocol {}", health.protocol);
            Check::bad("relay", CheckLevel::Fail, message, "update the app or the relay")
        }];
        if let Some(theirs_ms) = health.date_ms {
            let off_ms = theirs_ms.abs_diff(self.now_ms());
            checks.push(if off_ms > CLOCK_OFF_MS {
                let message =
                    format!("this device and the relay differ by {} minutes", off_ms / 60_000);
                Check::bad("relay_clock", CheckLevel::Warn, message, "set this device's clock")
            } else {
                Check::ok("relay_clock", "this device and the relay agree about the time")
            });
        }
        checks
    }
}

/// What waits, and what the last runs ended with.
fn examine_sync(status: &Status) -> Vec<Check> {
    let mut checks: Vec<_> = status
        .notices
        .iter()
        .map(|finding| {
            let blocked = matches!(finding.code, "fork" | "damaged" | "credentials" | "disk_full");
            let level = if blocked { CheckLevel::Fail } else { CheckLevel::Warn };
            Check { name: finding.code, level, message: finding.message.clone(), advice: None }
        })
        .collect();
    for relay in &status.relays {
        if let (Some(code), Some(message)) = (&relay.error_code, &relay.error_message) {
            let told = format!("the last sync with {} failed ({code}): {message}", relay.url);
            checks.push(Check::bad("sync", CheckLevel::Warn, told, "sync again"));
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok("sync", "nothing waits for a person or for another device"));
    }
    checks
}
