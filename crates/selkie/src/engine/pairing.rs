//! Letting a new device in: a typed code, a relay's mailbox, six digits that two people (or one
//! person with two screens) compare.

use std::path::Path;
use std::time::Duration;

use selkie_core::keys::EpochKey;
use selkie_core::keys::pairing::JoinRequest;
use selkie_core::keys::roster::add_device;
use selkie_core::keys::{AdminKey, DeviceSecrets, Joiner, PairingCode, PairingError, Sponsor};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::RosterEntries;
use selkie_wire::roster::RosterEntry;
use selkie_wire::{DeviceId, VaultId, cbor};
use zeroize::Zeroizing;

use super::mailbox::{Folder, Place};
use crate::store::{NewIdentity, StoreFiles, create_store};
use crate::system::{SystemRandom, now_ms};
use crate::transport::{Http, Mailbox, Transport};

use crate::unlock::{OwnedCredential, Unlock};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// The mailbox slots of the three messages.
const OFFER: u8 = 0;
const REQUEST: u8 = 1;
const GRANT: u8 = 2;
/// What a QR code begins with, so that a camera app can tell whose it is.
const QR_PREFIX: &str = "SELKIE:";
/// How often a mailbox is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// An open invitation: show its code to the person at the new device.
pub struct Invitation {
    vault: Vault,
    /// Of the relay, if the messages go through one.
    url: Option<String>,
    code: Zeroizing<String>,
    mailbox: Place,
    sponsor: Sponsor,
    admin: AdminKey,
}

/// A device that asks to be let in. Confirm it only if it shows the same six digits.
pub struct PendingDevice {
    invitation: Invitation,
    request: JoinRequest,
    digits: String,
}

impl Invitation {
    pub(crate) fn new(vault: &Vault, url: &str, unlock: Unlock<'_>) -> Result<Self, Error> {
        let admin = vault.admin_key(unlock)?;
        // The relay must know the vault before the new device asks there, and roster and relay must
        // agree before an entry is added.
        crate::engine::run(vault, url, &mut |_| {})?;
        let code = PairingCode::generate(&mut SystemRandom)?;
        let mailbox = Place::Relay(Mailbox::new(url, code.mailbox_id())?);
        Self::open(vault, Some(url.to_owned()), &code, mailbox, admin)
    }

    /// An invitation by files in a folder, without a relay.
    pub(crate) fn in_folder(
        vault: &Vault,
        folder: &Path,
        unlock: Unlock<'_>,
    ) -> Result<Self, Error> {
        let admin = vault.admin_key(unlock)?;
        let code = PairingCode::generate(&mut SystemRandom)?;
        let mailbox = Place::Folder(Folder::new(folder, &code)?);
        Self::open(vault, None, &code, mailbox, admin)
    }

    fn open(
        vault: &Vault,
        url: Option<String>,
        code: &PairingCode,
        mut mailbox: Place,
        admin: AdminKey,
    ) -> Result<Self, Error> {
        let (sponsor, offer) = Sponsor::offer(code, vault.id(), now_ms(), &mut SystemRandom)?;
        mailbox.put(OFFER, &offer)?;
        Ok(Self { vault: vault.clone(), url, code: code.text(), mailbox, sponsor, admin })
    }

    /// The code to type at the new device. Good once, for ten minutes.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The text of a QR code that says the same; [`Vault::join`] takes it in place of the code.
    #[must_use]
    pub fn qr_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(QR_PREFIX.len() + self.code.len()));
        text.push_str(QR_PREFIX);
        text.extend(self.code.chars().filter(|character| *character != '-'));
        text
    }

    /// Waits until a device asks to be let in, as long as `keep_waiting` says so.
    ///
    /// # Errors
    /// [`ErrorKind::Pairing`] when nobody came or what came was no proper request;
    /// [`ErrorKind::Network`].
    pub fn wait(mut self, keep_waiting: &mut dyn FnMut() -> bool) -> Result<PendingDevice, Error> {
        let message = wait_for(&mut self.mailbox, REQUEST, keep_waiting)?;
        let request = self.sponsor.read_request(&message, now_ms())?;
        let digits = request.digits.to_string();
        Ok(PendingDevice { invitation: self, request, digits })
    }
}

impl PendingDevice {
    /// Six digits, to be compared with those on the new device.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Lets the device in: adds it to the roster, and sends it the keys.
    ///
    /// # Errors
    /// [`ErrorKind::Network`], [`ErrorKind::Relay`]; the device is then not a member, or can be
    /// invited again.
    pub fn confirm(self) -> Result<DeviceId, Error> {
        let Self { invitation, request, .. } = self;
        let Invitation { vault, url, mut mailbox, sponsor, admin, .. } = invitation;
        let device = request.keys.device_id();
        let identity = vault.database().identity()?;
        let entry = add_device(&admin, &identity.roster, request.keys, request.consent)?;
        let mut roster = identity.roster.clone();
        roster.apply(&RosterEntry::parse(entry.clone())?)?;
        let mut entries = vault.database().roster_entries(RosterNumber(0))?;
        entries.push(entry.clone());
        let posted = RosterEntries { entries: entries.iter().cloned().map(Into::into).collect() };
        // The relay first: an entry it refuses, because another device added one, never stands here.
        if let Some(url) = &url {
            Http::new(url, vault.id(), &identity.device)?.publish_roster(&posted)?;
        }
        vault.database().append_roster(&roster, &[entry])?;
        if let Place::Folder(folder) = &mailbox {
            folder.put_roster(&cbor::encode(&posted))?;
        }
        let heads = vault.database().heads_with_own(identity.device_id())?;
        let keys: Vec<(u32, EpochKey)> = (0..).zip(identity.epoch_keys).collect();
        let grant = sponsor.grant(&admin, &entries, &keys, &heads, now_ms(), &mut SystemRandom)?;
        mailbox.put(GRANT, &grant)?;
        Ok(device)
    }

    /// Ends the pairing; the code is void.
    ///
    /// # Errors
    /// [`ErrorKind::Network`]; without a grant the device is not let in all the same.
    pub fn refuse(mut self) -> Result<(), Error> {
        self.invitation.mailbox.delete()
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Invitation(<redacted>)")
    }
}

impl std::fmt::Debug for PendingDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingDevice(<redacted>)")
    }
}

fn wait_for(
    mailbox: &mut Place,
    slot: u8,
    keep_waiting: &mut dyn FnMut() -> bool,
) -> Result<Vec<u8>, Error> {
    let deadline_ms = now_ms().saturating_add(selkie_wire::limits::MAILBOX_TTL_MS);
    loop {
        if let Some(message) = mailbox.get(slot)? {
            return Ok(message);
        }
        if now_ms() > deadline_ms {
            return Err(Error::new(
                ErrorKind::Pairing,
                "nobody answered in ten minutes; invite again",
            ));
        }
        if !keep_waiting() {
            return Err(Error::new(ErrorKind::Pairing, "the pairing was broken off"));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Waits for the other side's answer. A refusal, or ten minutes, empties the mailbox.
fn wait_for_grant(mailbox: &mut Place) -> Result<Vec<u8>, Error> {
    loop {
        if let Some(grant) = mailbox.get(GRANT)? {
            return Ok(grant);
        }
        if mailbox.get(OFFER)?.is_none() {
            return Err(Error::new(
                ErrorKind::Pairing,
                "the other device did not let this one in; nothing was joined",
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// How a new device reaches the one that invites it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    Relay(&'a str),
    Folder(&'a Path),
}

/// Joins a vault from a new device, and creates its store.
pub(crate) fn join(
    path: &Path,
    way: Way<'_>,
    code: &str,
    unlock: Unlock<'_>,
    confirm: &mut dyn FnMut(&str) -> bool,
) -> Result<Vault, Error> {
    let credential = OwnedCredential::new(unlock)?;
    if matches!(credential, OwnedCredential::Recovery(_)) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a new store is made with a passphrase or a key",
        ));
    }
    let files = StoreFiles::at(path);
    files.check_absent()?;
    let code = PairingCode::parse(code.trim().strip_prefix(QR_PREFIX).unwrap_or(code))?;
    let mut mailbox = match way {
        Way::Relay(url) => Place::Relay(Mailbox::new(url, code.mailbox_id())?),
        Way::Folder(folder) => Place::Folder(Folder::new(folder, &code)?),
    };
    let offer = mailbox.get(OFFER)?.ok_or_else(|| {
        Error::new(ErrorKind::Pairing, "no invitation waits under this code: it was mistyped, used, or is over ten minutes old")
    })?;
    let device = DeviceSecrets::generate(&mut SystemRandom)?;
    let (joiner, request) = Joiner::request(&code, &offer, &device, now_ms(), &mut SystemRandom)?;
    mailbox.put(REQUEST, &request)?;
    if !confirm(&joiner.digits().to_string()) {
        mailbox.delete()?;
        return Err(Error::new(
            ErrorKind::Pairing,
            "the digits were not the same; nothing was joined",
        ));
    }
    let message = wait_for_grant(&mut mailbox)?;
    let grant = match joiner.read_grant(&message, &device, None) {
        Err(PairingError::RosterNeeded) => {
            let entries = fetch_roster(&mailbox, way, joiner.vault(), &device)?;
            joiner.read_grant(&message, &device, Some(entries))?
        }
        other => other?,
    };
    let new = NewIdentity {
        device: &device,
        roster: &grant.roster,
        roster_entries: &grant.roster_entries,
        epoch_keys: &grant.epoch_keys,
    };
    let mut database = create_store(&files, &credential, &grant.admin_key, None, &new)?;
    database.note_grant(device.device_id(), &grant.heads)?;
    // Over: the keys are here, and the code must not serve a second device.
    let _expires_by_itself = mailbox.delete();
    Vault::from_parts(files, database)
}

/// A roster that was too long for the grant.
fn fetch_roster(
    mailbox: &Place,
    way: Way<'_>,
    vault: VaultId,
    device: &DeviceSecrets,
) -> Result<Vec<Vec<u8>>, Error> {
    let entries: RosterEntries = match (way, mailbox) {
        (Way::Relay(url), _) => Http::new(url, vault, device)?.roster(RosterNumber(0))?,
        (Way::Folder(_), Place::Folder(folder)) => cbor::decode(&folder.roster()?)
            .map_err(|_| Error::new(ErrorKind::Pairing, "the roster's file is damaged"))?,
        (Way::Folder(_), Place::Relay(_)) => return Err(PairingError::RosterNeeded.into()),
    };
    Ok(entries.entries.into_iter().map(Into::into).collect())
}
