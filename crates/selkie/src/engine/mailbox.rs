//! Where two devices that pair leave each other messages: a relay's mailbox, or a folder that both
//! reach (a stick, a shared folder).

use std::fs;
use std::io::{ErrorKind as IoKind, Write as _};
use std::path::{Path, PathBuf};

use selkie_core::keys::PairingCode;
use selkie_wire::limits::MAILBOX_BYTES_MAX;

use crate::transport::Mailbox;
use crate::{Error, ErrorKind};

/// Largest roster that is read from a folder.
const ROSTER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The file of a roster that no grant can carry.
const ROSTER_SLOT: u8 = 3;

/// A mailbox of either kind.
pub(super) enum Place {
    Relay(Mailbox),
    Folder(Folder),
}

/// A mailbox of files, named after the code's mailbox id: who does not know the code cannot tell which
/// vault they are of, and each message is sealed under the code.
pub(super) struct Folder {
    prefix: PathBuf,
}

impl Folder {
    pub(super) fn new(folder: &Path, code: &PairingCode) -> Result<Self, Error> {
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(Error::new(ErrorKind::NotFound, format!("there is no folder {folder}")));
        }
        Ok(Self { prefix: folder.join(format!("selkie-pairing-{}", code.mailbox_id())) })
    }

    fn path(&self, slot: u8) -> PathBuf {
        let mut name = self.prefix.as_os_str().to_owned();
        name.push(format!(".{slot}"));
        PathBuf::from(name)
    }

    /// Writes a file that appears whole, and never replaces one.
    fn put(&self, slot: u8, message: &[u8]) -> Result<(), Error> {
        let path = self.path(slot);
        if fs::read(&path).is_ok_and(|there| there == message) {
            return Ok(());
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".part");
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(message)?;
        file.sync_all()?;
        drop(file);
        // A link would fail where a name is taken; not every stick knows links.
        if path.exists() {
            fs::remove_file(&unfinished)?;
            return Err(Error::new(
                ErrorKind::Pairing,
                "another device answered this code already",
            ));
        }
        Ok(fs::rename(&unfinished, &path)?)
    }

    fn get(&self, slot: u8, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(slot);
        match fs::metadata(&path) {
            Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(metadata) if metadata.len() > bytes_max => {
                return Err(Error::new(ErrorKind::Pairing, "a pairing file is too long"));
            }
            Ok(_) => {}
        }
        Ok(Some(fs::read(path)?))
    }

    fn delete(&self) -> Result<(), Error> {
        for slot in 0..=ROSTER_SLOT {
            match fs::remove_file(self.path(slot)) {
                Err(error) if error.kind() != IoKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Leaves a roster for a joiner whose grant cannot carry it; the grant names its digest.
    pub(super) fn put_roster(&self, roster: &[u8]) -> Result<(), Error> {
        self.put(ROSTER_SLOT, roster)
    }

    pub(super) fn roster(&self) -> Result<Vec<u8>, Error> {
        self.get(ROSTER_SLOT, ROSTER_BYTES_MAX)?
            .ok_or_else(|| Error::new(ErrorKind::Pairing, "the roster's file is not there"))
    }
}

impl Place {
    /// Leaves a message; the same message may be left again.
    pub(super) fn put(&mut self, slot: u8, message: &[u8]) -> Result<(), Error> {
        match self {
            Self::Relay(mailbox) => Ok(mailbox.put(slot, message)?),
            Self::Folder(folder) => folder.put(slot, message),
        }
    }

    /// A message, if it is there yet.
    pub(super) fn get(&mut self, slot: u8) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Relay(mailbox) => Ok(mailbox.get(slot)?),
            Self::Folder(folder) => folder.get(slot, MAILBOX_BYTES_MAX as u64),
        }
    }

    /// Ends the pairing.
    pub(super) fn delete(&mut self) -> Result<(), Error> {
        match self {
            Self::Relay(mailbox) => Ok(mailbox.delete()?),
            Self::Folder(folder) => folder.delete(),
        }
    }
}
