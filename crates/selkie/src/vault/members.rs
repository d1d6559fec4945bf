//! Who belongs to the vault: removing a device, rotating keys, new recovery words, recovering.

use std::path::Path;

use selkie_wire::DeviceId;

use super::Vault;
use crate::Error;
use crate::engine::Invitation;
use crate::engine::membership::{self, RosterChange};
use crate::transport::Transport;
use crate::unlock::{RecoveryWords, Unlock};

impl Vault {
    /// Removes a device from the vault, and begins an epoch whose key it does not get. What it sends
    /// afterwards is kept aside and shown ([`Status::quarantined`](crate::Status::quarantined)). What
    /// it has read stays read.
    ///
    /// Syncs first, and refuses unless nothing is missing here, so that no segment of the device that
    /// another one has taken in falls behind the line.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`](crate::ErrorKind::WrongKey): ask again.
    /// [`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete) says what is missing.
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a device that is no other
    /// member. As [`sync`](Self::sync). Nothing was changed then.
    #[cfg(feature = "http")]
    pub fn revoke(&self, url: &str, device: DeviceId, unlock: Unlock<'_>) -> Result<(), Error> {
        self.change_roster(url, RosterChange::Revoke(device), unlock)
    }

    /// Begins a new epoch: whoever holds a copied key of before reads nothing that comes now.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    #[cfg(feature = "http")]
    pub fn rotate(&self, url: &str, unlock: Unlock<'_>) -> Result<(), Error> {
        self.change_roster(url, RosterChange::Rotate, unlock)
    }

    /// Raises the oldest format that a device may write; devices with an older app then stop syncing
    /// until they are updated. Never lowers it.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke); [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a
    /// version that this app itself does not write.
    #[cfg(feature = "http")]
    pub fn raise_min_version(
        &self,
        url: &str,
        version: u32,
        unlock: Unlock<'_>,
    ) -> Result<(), Error> {
        self.change_roster(url, RosterChange::MinVersion(version), unlock)
    }

    /// Invites a device without a relay: the messages are files in a folder that both devices reach, a
    /// stick for example. Until it has synced, this device alone knows of the new member; do not let
    /// two devices administer the vault apart from each other.
    ///
    /// # Errors
    /// As [`invite`](Self::invite); [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) without the folder.
    #[cfg(feature = "http")]
    pub fn invite_in(
        &self,
        folder: impl AsRef<Path>,
        unlock: Unlock<'_>,
    ) -> Result<Invitation, Error> {
        Invitation::in_folder(self, folder.as_ref(), unlock)
    }

    /// [`join`](Self::join) by files in a folder; see [`invite_in`](Self::invite_in).
    ///
    /// # Errors
    /// As [`join`](Self::join).
    #[cfg(feature = "http")]
    pub fn join_in(
        path: impl AsRef<Path>,
        folder: impl AsRef<Path>,
        code: &str,
        unlock: Unlock<'_>,
        confirm: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, Error> {
        let way = crate::engine::Way::Folder(folder.as_ref());
        crate::engine::join(path.as_ref(), way, code, unlock, confirm)
    }

    #[cfg(feature = "http")]
    fn change_roster(
        &self,
        url: &str,
        change: RosterChange,
        unlock: Unlock<'_>,
    ) -> Result<(), Error> {
        let identity = self.database().identity()?;
        let mut transport = crate::transport::Http::new(url, self.id(), &identity.device)?;
        self.change_roster_over(url, &mut transport, change, unlock)
    }

    /// [`revoke`](Self::revoke), [`rotate`](Self::rotate) or
    /// [`raise_min_version`](Self::raise_min_version) over a transport of the app's own.
    ///
    /// # Errors
    /// As these.
    pub fn change_roster_over(
        &self,
        name: &str,
        transport: &mut dyn Transport,
        change: RosterChange,
        unlock: Unlock<'_>,
    ) -> Result<(), Error> {
        let admin = self.admin_key(unlock)?;
        membership::change(self, name, transport, &admin, change)
    }

    /// Replaces the recovery words, and rotates, since whoever found the old ones could read the
    /// current epoch. Show the new ones once. The old ones administer and recover nothing any more;
    /// a store they opened, on this device, opens with the new ones.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    #[cfg(feature = "http")]
    pub fn replace_recovery(&self, url: &str, unlock: Unlock<'_>) -> Result<RecoveryWords, Error> {
        let identity = self.database().identity()?;
        let mut transport = crate::transport::Http::new(url, self.id(), &identity.device)?;
        membership::replace_recovery(self, url, &mut transport, unlock)
    }

    /// Makes a store at `path` for a new device, from the 24 recovery words alone: fetches the vault
    /// from the relay, becomes a member of it, and opens with `unlock` from then on. Sync next, and
    /// remove the devices that are lost.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`](crate::ErrorKind::WrongKey) if the relay knows no vault with these
    /// words (they were replaced, or it is another relay); [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput)
    /// for words that are none; [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists),
    /// [`ErrorKind::Network`](crate::ErrorKind::Network). Nothing is left behind then.
    #[cfg(feature = "http")]
    pub fn recover(
        path: impl AsRef<Path>,
        url: &str,
        words: &str,
        unlock: Unlock<'_>,
    ) -> Result<Self, Error> {
        crate::engine::recovery::recover(path.as_ref(), url, words, unlock)
    }
}
