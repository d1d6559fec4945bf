//! The key-slot file is replaced so that, cut off at any step, the old file or the new one is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The steps that replacing a file takes; tests stop at each of them.
pub(super) trait Disk {
    /// Removes a file, if it is there.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a file that only its owner can read, and fills it.
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's content durable.
    fn sync_file(&mut self, path: &Path) -> io::Result<()>;
    /// Gives a file another's name; whoever had it is gone.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a file's directory durable.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
}

/// The system's files.
pub(super) struct SystemDisk;

impl Disk for SystemDisk {
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(bytes)
    }

    fn sync_file(&mut self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        {
            let directory = match path.parent() {
                Some(directory) if !directory.as_os_str().is_empty() => directory,
                _ => Path::new("."),
            };
            File::open(directory)?.sync_all()?;
        }
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }
}

/// Puts `bytes` in the place of the file at `path`, or makes it.
pub(super) fn replace(disk: &mut dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = next_to(path);
    // Left by a replacement that was cut off; the file itself is whole.
    disk.remove(&next)?;
    disk.write_new(&next, bytes)?;
    disk.sync_file(&next)?;
    disk.rename(&next, path)?;
    disk.sync_directory(path)
}

fn next_to(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use selkie_core::keys::{
        AdminKey, Credential, KdfParameters, KeySlots, Passphrase, RecoveryCode, StoreKey,
    };

    use super::*;
    use crate::system::SystemRandom;

    /// Does `left` steps on the real disk, then fails; afterwards [`cut_power`](Self::cut_power)
    /// takes back what no sync had made durable.
    struct StoppingDisk {
        left: usize,
        unsynced_file: Option<PathBuf>,
        unsynced_rename: Option<(PathBuf, PathBuf, Option<Vec<u8>>)>,
    }

    impl StoppingDisk {
        fn new(left: usize) -> Self {
            Self { left, unsynced_file: None, unsynced_rename: None }
        }

        fn step(&mut self) -> io::Result<()> {
            self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("stopped"))?;
            Ok(())
        }

        /// `lost`: whether what was not yet synced is gone (a system may have written it or not).
        fn cut_power(self, lost: bool) {
            if !lost {
                return;
            }
            if let Some((from, to, before)) = self.unsynced_rename {
                fs::rename(&to, &from).unwrap();
                if let Some(before) = before {
                    fs::write(&to, before).unwrap();
                }
            }
            if let Some(path) = self.unsynced_file {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
    }

    impl Disk for StoppingDisk {
        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.step()?;
            SystemDisk.remove(path)
        }
        fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            if self.left == 0 {
                // Stopped in the middle of writing.
                SystemDisk.write_new(path, &bytes[..bytes.len() / 3])?;
            }
            self.step()?;
            SystemDisk.write_new(path, bytes)?;
            self.unsynced_file = Some(path.to_owned());
            Ok(())
        }
        fn sync_file(&mut self, path: &Path) -> io::Result<()> {
            self.step()?;
            self.unsynced_file = None;
            SystemDisk.sync_file(path)
        }
        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.step()?;
            assert_eq!(self.unsynced_file, None, "a name is given to synced bytes only");
            self.unsynced_rename = Some((from.to_owned(), to.to_owned(), fs::read(to).ok()));
            SystemDisk.rename(from, to)
        }
        fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
            self.step()?;
            self.unsynced_rename = None;
            SystemDisk.sync_directory(path)
        }
    }

    const STEPS: usize = 5;

    struct World {
        path: PathBuf,
        old: Passphrase,
        new: Passphrase,
        store_key: StoreKey,
        changed: Vec<u8>,
        _directory: tempfile::TempDir,
    }

    /// A key-slot file, and the bytes in which another passphrase opens it.
    fn world() -> World {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db.keys");
        let (store_key, admin) = (StoreKey::from_bytes([1; 32]), AdminKey::from_bytes([2; 32]));
        let (old, new) = (Passphrase::new("old").unwrap(), Passphrase::new("new").unwrap());
        let code = RecoveryCode::from_bytes([3; 32]);
        let floor = KdfParameters::FLOOR;
        let random = &mut SystemRandom;
        let slots =
            KeySlots::create(&store_key, &admin, Some(&old), Some(&code), None, floor, random);
        let slots = slots.unwrap();
        fs::write(&path, slots.to_bytes()).unwrap();
        let changed =
            slots.replace_passphrase(&Credential::Passphrase(&old), &new, floor, random).unwrap();
        World { path, old, new, store_key, changed, _directory: directory }
    }

    #[test]
    fn stopped_at_any_step_the_old_or_the_new_passphrase_opens() {
        for steps in 0..=STEPS {
            for lost in [false, true] {
                let World { path, old, new, store_key, changed, .. } = &world();
                let mut disk = StoppingDisk::new(steps);
                let replaced = replace(&mut disk, path, changed);
                assert_eq!(replaced.is_ok(), steps == STEPS, "{steps}");
                disk.cut_power(lost);
                let slots = KeySlots::parse(&fs::read(path).unwrap()).unwrap();
                let opens = [old, new].map(|passphrase| {
                    let key = slots.unlock(&Credential::Passphrase(passphrase));
                    key.is_ok_and(|key| key.expose() == store_key.expose())
                });
                assert!(opens[0] != opens[1], "after {steps} steps, lost {lost}: {opens:?}");
                assert!(opens[1] || steps < STEPS, "what was acknowledged stands");
                // And the change can be made again.
                replace(&mut SystemDisk, path, changed).unwrap();
                let slots = KeySlots::parse(&fs::read(path).unwrap()).unwrap();
                assert!(slots.unlock(&Credential::Passphrase(new)).is_ok());
            }
        }
    }
}
