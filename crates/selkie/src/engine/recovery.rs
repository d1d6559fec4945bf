//! A new device from the 24 words alone.

use std::path::Path;

use selkie_core::keys::roster::{add_device, admin_key_from_recovery, epoch_keys_from_recovery};
use selkie_core::keys::{DeviceSecrets, RecoveryCode};
use selkie_wire::relay::RosterEntries;
use selkie_wire::roster::RosterEntry;
use selkie_wire::{Roster, VaultId};

use crate::store::{NewIdentity, StoreFiles, create_store};
use crate::system::SystemRandom;
use crate::transport::{Http, Transport as _, TransportError, fetch_by_words};
use crate::unlock::{OwnedCredential, Unlock};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// How often other administrators may be faster before the user is told.
const ATTEMPTS: u32 = 4;

/// Fetches the roster by the words, adds a device to it, and makes its store.
pub(crate) fn recover(
    path: &Path,
    url: &str,
    words: &str,
    unlock: Unlock<'_>,
) -> Result<Vault, Error> {
    let code = RecoveryCode::from_words(words)?;
    let credential = OwnedCredential::new(unlock)?;
    if matches!(credential, OwnedCredential::Recovery(_)) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the new store is made with a passphrase or a key of its own; the words open it too",
        ));
    }
    let files = StoreFiles::at(path);
    files.check_absent()?;
    let device = DeviceSecrets::generate(&mut SystemRandom)?;
    for _ in 0..ATTEMPTS {
        let mut entries = fetch_by_words(url, &code).map_err(|error| match error {
            TransportError::Unknown => Error::new(
                ErrorKind::WrongKey,
                "this relay knows no vault with these words; check the address, and whether the \
                 words were replaced by newer ones",
            ),
            other => other.into(),
        })?;
        let mut roster = Roster::from_entries(entries.iter().cloned())?;
        let admin = admin_key_from_recovery(&roster, &code)?;
        let epoch_keys = epoch_keys_from_recovery(&roster, &code)?;
        let vault: VaultId = roster.vault();
        let added = add_device(&admin, &roster, device.public(), device.sign_consent(vault))?;
        roster.apply(&RosterEntry::parse(added.clone())?)?;
        entries.push(added);
        let posted = RosterEntries { entries: entries.iter().cloned().map(Into::into).collect() };
        match Http::new(url, vault, &device)?.publish_roster(&posted) {
            Ok(()) => {
                let new = NewIdentity {
                    device: &device,
                    roster: &roster,
                    roster_entries: &entries,
                    epoch_keys: &epoch_keys,
                };
                let database = create_store(&files, &credential, &admin, Some(&code), &new)?;
                return Vault::from_parts(files, database);
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
