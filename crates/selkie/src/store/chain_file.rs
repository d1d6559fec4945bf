//! The chain file: what tells a store that it is a copy, or has gone back in time.
//!
//! It lies beside the database, and says which chain this very file writes and how far it has sealed
//! it. It is written before anything sealed leaves the device. A database that does not agree with it
//! was copied, or restored from a backup: its numbers may be used elsewhere, so it begins a new chain.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use selkie_core::keys::StoreId;
use selkie_wire::envelope::{MAGIC, SUITE_1};
use selkie_wire::relay::Head;
use selkie_wire::{Digest, IncarnationToken, SegmentNumber};

use super::slot_file::{Disk, SystemDisk};
use crate::Error;

/// Among the types of `docs/FORMAT.md`.
const TYPE: u8 = 8;
const VERSION: u16 = 1;
const LEN: usize = 138;

/// Where a chain file is, and whose it is.
pub(crate) struct ChainFile {
    path: PathBuf,
    database: PathBuf,
    store: StoreId,
}

/// What a chain file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainState {
    /// The chain; `None` for the one that has the device's own id.
    pub(crate) incarnation: Option<IncarnationToken>,
    /// How far it is sealed.
    pub(crate) head: Head,
}

impl ChainFile {
    pub(crate) fn of(database: &Path, store: StoreId) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".chain");
        Self { path: PathBuf::from(name), database: database.to_owned(), store }
    }

    /// What it says of this database; none if it is missing, damaged or of another file.
    pub(crate) fn read(&self) -> Option<ChainState> {
        let bytes: [u8; LEN] = fs::read(&self.path).ok()?.try_into().ok()?;
        let (content, checksum) = bytes.split_last_chunk::<32>()?;
        if Digest::of(content).0 != *checksum {
            return None;
        }
        let (header, rest) = content.split_first_chunk::<26>()?;
        let (token, rest) = rest.split_first_chunk::<32>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (digest, file) = rest.split_first_chunk::<32>()?;
        if *header != self.header() || *file != file_id(&self.database).to_le_bytes() {
            return None;
        }
        let number = SegmentNumber(u64::from_le_bytes(*number));
        let digest = (number.0 > 0).then_some(Digest(*digest));
        let incarnation = (*token != [0; 32]).then_some(IncarnationToken(*token));
        Some(ChainState { incarnation, head: Head { number, digest } })
    }

    /// Replaces it, durably.
    pub(crate) fn write(&self, state: &ChainState) -> Result<(), Error> {
        let token = state.incarnation.map_or([0; 32], |token| token.0);
        let digest = state.head.digest.map_or([0; 32], |digest| digest.0);
        let number = state.head.number.0.to_le_bytes();
        let file = file_id(&self.database).to_le_bytes();
        let mut bytes = [&self.header()[..], &token, &number, &digest, &file].concat();
        let checksum = Digest::of(&bytes);
        bytes.extend_from_slice(&checksum.0);
        let mut unfinished = self.path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let mut new = File::create(&unfinished)?;
        new.write_all(&bytes)?;
        new.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        Ok(SystemDisk.sync_directory(&self.path)?)
    }

    fn header(&self) -> [u8; 26] {
        let mut header = [0; 26];
        let parts = [&MAGIC[..], &[TYPE, SUITE_1, 0, 0], &VERSION.to_le_bytes(), &self.store.0];
        for (slot, byte) in header.iter_mut().zip(parts.concat()) {
            *slot = byte;
        }
        header
    }
}

/// Tells one file from a copy of it, where the file system can: the copy has another number.
fn file_id(path: &Path) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).map_or(0, |metadata| metadata.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_it_was_written_for_is_recognised() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a.db"), "a").unwrap();
        let file = ChainFile::of(&at("a.db"), StoreId([1; 16]));
        assert_eq!(file.read(), None);
        let head = Head { number: SegmentNumber(3), digest: Some(Digest([7; 32])) };
        for incarnation in [None, Some(IncarnationToken([9; 32]))] {
            let state = ChainState { incarnation, head };
            file.write(&state).unwrap();
            assert_eq!(file.read(), Some(state));
        }
        assert_eq!(ChainFile::of(&at("a.db"), StoreId([2; 16])).read(), None, "another store");
        fs::copy(at("a.db"), at("b.db")).unwrap();
        fs::copy(at("a.db.chain"), at("b.db.chain")).unwrap();
        assert_eq!(ChainFile::of(&at("b.db"), StoreId([1; 16])).read(), None, "a copy");
        let mut bytes = fs::read(at("a.db.chain")).unwrap();
        assert_eq!(bytes.len(), LEN);
        for place in 0..LEN {
            bytes[place] ^= 1;
            fs::write(at("a.db.chain"), &bytes).unwrap();
            assert_eq!(file.read(), None, "byte {place}");
            bytes[place] ^= 1;
        }
    }
}
