//! The two files of a store: the database, and the key slots beside it.
//!
//! A store appears whole: the database is made under another name, the key slots are written, then
//! the database takes its name. Whatever is interrupted, no key is ever overwritten.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use selkie_core::keys::{AdminKey, KdfParameters, KeySlots, RecoveryCode, StoreKey};

use super::chain_file::ChainFile;
use super::database::Database;
use super::identity::NewIdentity;
use super::slot_file::{self, Disk as _, SystemDisk};
use crate::system::SystemRandom;
use crate::unlock::OwnedCredential;
use crate::{Error, ErrorKind};

/// Largest key-slot file that is read.
const SLOTS_BYTES_MAX: u64 = 64 * 1024;

/// Where a store's files are.
#[derive(Clone, Debug)]
pub(crate) struct StoreFiles {
    pub(crate) database: PathBuf,
    slots: PathBuf,
    unfinished: PathBuf,
}

impl StoreFiles {
    pub(crate) fn at(database: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self {
            database: database.to_owned(),
            slots: beside(".keys"),
            unfinished: beside(".unfinished"),
        }
    }

    /// Reads the key slots. If a creation was interrupted at its last step, that step is done now.
    pub(crate) fn read_slots(&self) -> Result<KeySlots, Error> {
        if !self.database.exists() {
            if self.slots.exists() && self.unfinished.exists() {
                fs::rename(&self.unfinished, &self.database)?;
                SystemDisk.sync_directory(&self.database)?;
            } else {
                let path = self.database.display();
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no store at {path}"),
                ));
            }
        }
        let missing = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let path = self.slots.display();
                Error::new(
                    ErrorKind::Storage,
                    format!(
                        "the key file {path} is missing; without it the store cannot be opened"
                    ),
                )
            }
            _ => error.into(),
        };
        if fs::metadata(&self.slots).map_err(missing)?.len() > SLOTS_BYTES_MAX {
            return Err(Error::new(ErrorKind::Storage, "the key file is damaged: it is too long"));
        }
        Ok(KeySlots::parse(&fs::read(&self.slots)?)?)
    }

    /// Puts a key-slot file in the place of the one there, or makes it; never half.
    pub(crate) fn replace_slots(&self, bytes: &[u8]) -> Result<(), Error> {
        Ok(slot_file::replace(&mut SystemDisk, &self.slots, bytes)?)
    }

    /// Opens the database with a credential.
    pub(crate) fn open(&self, credential: &OwnedCredential) -> Result<(Database, StoreKey), Error> {
        let slots = self.read_slots()?;
        let store_key = slots.unlock(&credential.as_credential())?;
        let mut database = Database::open(&self.database, &store_key.derive_database_key())?;
        if database.store_id()? != slots.store_id() {
            return Err(Error::new(ErrorKind::Storage, "the key file belongs to another store"));
        }
        database.chain_file = Some(ChainFile::of(&self.database, slots.store_id()));
        database.notice_copy()?;
        Ok((database, store_key))
    }

    /// Size of the database and its write-ahead log.
    pub(crate) fn size_bytes(&self) -> u64 {
        let mut log = self.database.as_os_str().to_owned();
        log.push("-wal");
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        size(&self.database) + size(Path::new(&log))
    }

    /// Makes sure that nothing here would be overwritten.
    pub(crate) fn check_absent(&self) -> Result<(), Error> {
        // A log left by a store that was removed would be replayed into the new one.
        let logs = ["-wal", "-shm", "-journal"].map(|suffix| {
            let mut name = self.database.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        });
        for path in [&self.database, &self.slots].into_iter().chain(&logs) {
            if path.exists() {
                let path = path.display();
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("{path} exists already; choose another place, or move it away"),
                ));
            }
        }
        Ok(())
    }
}

/// Creates a store that `credential` opens (and the recovery words, where they are made), and that
/// begins with `new`.
pub(crate) fn create_store(
    files: &StoreFiles,
    credential: &OwnedCredential,
    admin: &AdminKey,
    recovery: Option<&RecoveryCode>,
    new: &NewIdentity<'_>,
) -> Result<Database, Error> {
    let store_key = StoreKey::generate(&mut SystemRandom)?;
    let slots = KeySlots::create(
        &store_key,
        admin,
        credential.passphrase(),
        recovery,
        credential.key(),
        KdfParameters::RECOMMENDED,
        &mut SystemRandom,
    )?;
    create_files(files, &slots, &store_key, |database| {
        database.insert_identity(slots.store_id(), new)
    })
}

/// Creates both files; `fill` puts the first rows into the database.
fn create_files(
    files: &StoreFiles,
    slots: &KeySlots,
    store_key: &StoreKey,
    fill: impl FnOnce(&mut Database) -> Result<(), Error>,
) -> Result<Database, Error> {
    files.check_absent()?;
    if let Some(directory) = files.database.parent().filter(|path| !path.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    remove_unfinished(&files.unfinished)?;
    let key = store_key.derive_database_key();
    let mut database = Database::create(&files.unfinished, &key)?;
    restrict(&files.unfinished)?;
    fill(&mut database)?;
    database.close()?;
    File::open(&files.unfinished)?.sync_all()?;
    files.replace_slots(&slots.to_bytes())?;
    fs::rename(&files.unfinished, &files.database)?;
    SystemDisk.sync_directory(&files.database)?;
    let mut database = Database::open(&files.database, &key)?;
    database.chain_file = Some(ChainFile::of(&files.database, slots.store_id()));
    database.write_chain_file()?;
    Ok(database)
}

/// What an interrupted creation left was never acknowledged: nobody has its key.
fn remove_unfinished(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn restrict(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
