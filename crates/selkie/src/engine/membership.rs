//! Roster entries by an administrator: synced to the end first, posted so that they fall nowhere
//! but on the end of the chain, and only then stored here.

use selkie_core::keys::roster;
use selkie_core::keys::{AdminKey, EpochKey, KeySlots, RecoveryCode};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::RosterEntries;
use selkie_wire::roster::{ChainEnd, RosterEntry};
use selkie_wire::{DeviceId, Digest, FORMAT_VERSION, SegmentNumber};

use crate::finding::FindingKind;
use crate::store::{Database, Identity};
use crate::system::SystemRandom;
use crate::transport::{Transport, TransportError};
use crate::unlock::{OwnedCredential, RecoveryWords, Unlock};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// How often other administrators may be faster before the user is told.
const ATTEMPTS: u32 = 4;

/// What an administrator does to the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterChange {
    /// Removes a device, and begins a new epoch.
    Revoke(DeviceId),
    /// Begins a new epoch.
    Rotate,
    /// Raises the oldest format that a device may write.
    MinVersion(u32),
}

/// Makes one change.
pub(crate) fn change(
    vault: &Vault,
    name: &str,
    transport: &mut dyn Transport,
    admin: &AdminKey,
    change: RosterChange,
) -> Result<(), Error> {
    let leaving = match change {
        RosterChange::Revoke(device) => Some(device),
        _ => None,
    };
    append(vault, name, transport, leaving, &mut |identity, database| {
        let random = &mut SystemRandom;
        let roster = &identity.roster;
        Ok(match change {
            RosterChange::Revoke(device) => {
                let (last, chains) = last_of(identity, database, device)?;
                let key = identity.current_epoch_key()?;
                let made = roster::revoke_device(admin, roster, device, last, chains, key, random);
                vec![made?.0]
            }
            RosterChange::Rotate => {
                vec![roster::rotate(admin, roster, identity.current_epoch_key()?, random)?.0]
            }
            RosterChange::MinVersion(version) => {
                check_new_minimum(version, roster.min_version())?;
                vec![roster::raise_min_version(admin, roster, version)?]
            }
        })
    })
}

/// Replaces the recovery words in the roster, and in this store's slots.
pub(crate) fn replace_recovery(
    vault: &Vault,
    name: &str,
    transport: &mut dyn Transport,
    unlock: Unlock<'_>,
) -> Result<RecoveryWords, Error> {
    let admin = vault.admin_key(unlock)?;
    let code = RecoveryCode::generate(&mut SystemRandom)?;
    append(vault, name, transport, None, &mut |identity, _| {
        let current: &EpochKey = identity.current_epoch_key()?;
        let random = &mut SystemRandom;
        let made = roster::replace_recovery(&admin, &identity.roster, &code, current, random)?;
        Ok(made.0.to_vec())
    })?;
    let words = RecoveryWords(code.words());
    // The vault has the new words from here on. That the slot of this store cannot follow (a key-only
    // store, or the disk) must not keep them from the user.
    let slots: Result<KeySlots, Error> = vault.files().read_slots();
    if let (Ok(slots), Ok(credential)) = (slots, OwnedCredential::new(unlock)) {
        let replaced =
            slots.replace_recovery(&credential.as_credential(), &code, &mut SystemRandom);
        if let Ok(bytes) = replaced {
            vault.files().replace_slots(&bytes)?;
        }
    }
    Ok(words)
}

/// The last segments of a device that count, in its first chain and in further ones: the last ones taken
/// in here.
fn last_of(
    identity: &Identity,
    database: &Database,
    device: DeviceId,
) -> Result<((SegmentNumber, Digest), Vec<ChainEnd>), Error> {
    if device == identity.device_id() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a device cannot remove itself; do it on another device of the vault",
        ));
    }
    let member = identity.roster.member(device).filter(|member| member.revoked.is_none());
    let Some(member) = member else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "this device is no member of the vault, or was removed already",
        ));
    };
    let heads = database.heads()?;
    let further = database.incarnations(&identity.roster)?;
    let chains = further.iter().filter(|(_, known)| known.member == device);
    let ends = chains.filter_map(|(chain, _)| {
        let (last, last_digest) = *heads.get(&chain)?;
        Some(ChainEnd { chain, last, last_digest })
    });
    let last = heads.get(&device).copied().unwrap_or((SegmentNumber(0), member.added));
    Ok((last, ends.collect()))
}

fn check_new_minimum(version: u32, current: u32) -> Result<(), Error> {
    let why = if version > FORMAT_VERSION {
        format!("this app itself writes format {FORMAT_VERSION}; it cannot ask others for more")
    } else if version < current {
        format!("the minimum is {current} already, and is never lowered")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, why))
}

/// Makes entries that follow what there is now.
type Make<'a> = dyn FnMut(&Identity, &Database) -> Result<Vec<Vec<u8>>, Error> + 'a;

/// Syncs to the end, has entries made, and posts them. A relay takes entries only on the end of the
/// chain it has; if another administrator was faster, they are made anew on what there is now.
fn append(
    vault: &Vault,
    name: &str,
    transport: &mut dyn Transport,
    leaving: Option<DeviceId>,
    make: &mut Make<'_>,
) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        sync_completely(vault, name, transport, leaving)?;
        check_same_roster(vault, name, transport)?;
        let (identity, entries, new) = {
            let database = vault.database();
            let identity = database.identity()?;
            let new = make(&identity, &database)?;
            (identity, database.roster_entries(RosterNumber(0))?, new)
        };
        let mut roster = identity.roster;
        for entry in &new {
            roster.apply(&RosterEntry::parse(entry.clone())?)?;
        }
        let all = entries.into_iter().chain(new.iter().cloned()).map(Into::into).collect();
        match transport.publish_roster(&RosterEntries { entries: all }) {
            // Cut off here, the next sync fetches what was posted, with its key.
            Ok(()) => {
                let mut database = vault.database();
                database.append_roster(&roster, &new)?;
                drop(database);
                return Ok(());
            }
            Err(TransportError::RosterFork) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(
        ErrorKind::Busy,
        "other devices kept changing the vault's members meanwhile; try again",
    ))
}

/// That the relay's chain ends with the very entry that the one here ends with: numbers alone are equal
/// too when two administrators each added one.
fn check_same_roster(
    vault: &Vault,
    name: &str,
    transport: &mut dyn Transport,
) -> Result<(), Error> {
    let last = vault.database().identity()?.roster.last();
    let theirs = transport.roster(last)?;
    let ours = vault.database().roster_entries(last)?;
    let theirs = theirs.entries.first().map(|entry| entry.as_slice());
    let forked = theirs != ours.first().map(Vec::as_slice);
    vault.database().note_roster_fork(name, forked, vault.now_ms())?;
    if forked { Err(Error::roster_fork()) } else { Ok(()) }
}

/// Syncs, and refuses unless it is certain that nothing is missing here. What a device that is about
/// to leave says of others is not believed: it could keep itself in the vault for ever.
fn sync_completely(
    vault: &Vault,
    name: &str,
    transport: &mut dyn Transport,
    leaving: Option<DeviceId>,
) -> Result<(), Error> {
    let report = crate::engine::run_over(vault, name, transport, &mut |_| {})?;
    let database = vault.database();
    let withheld = database.findings()?.into_iter().find_map(|finding| match finding.kind {
        FindingKind::Withheld { device, up_to, said_by } if Some(said_by) != leaving => {
            Some((device, up_to))
        }
        _ => None,
    });
    let why = if report.quota_exhausted {
        "the relay has no more room, so what is new here did not reach it".to_owned()
    } else if report.segments_refused > 0 {
        "the relay sent segments that are not intact".to_owned()
    } else if database.waiting_for_more()? {
        "segments of other devices are here that cannot be opened yet; see: status".to_owned()
    } else if let Some((device, up_to)) = withheld {
        let device = device.short();
        format!("the relay holds back segments of device {device} (up to number {up_to})")
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Incomplete,
        format!(
            "{why}; the vault's keys are changed only when nothing is missing. Sync again later"
        ),
    ))
}
