//! Files of a folder that others write too: whole or absent when written, bounded when read.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use selkie_core::ports::RandomSource;
use selkie_wire::limits::FOLDER_NAMES_MAX;

use crate::system::{SystemRandom, now_ms};

/// How a file is called while it is written.
const TEMPORARY_SUFFIX: &str = ".tmp";
/// A temporary file this old has no writer any more.
const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// A folder that changed within this time may change again and keep its time: file systems count in
/// steps of up to two seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Puts a whole file at `path`, or nothing: under a name of its own, to the disk, renamed, and the
/// folder to the disk. Whoever else writes the same name writes the same bytes.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let random: [u8; 8] = SystemRandom.array().map_err(|_| io::Error::other("no randomness"))?;
    let name = format!(".{:016x}{TEMPORARY_SUFFIX}", u64::from_le_bytes(random));
    let temporary = folder.join(name);
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(folder)
    })();
    if written.is_err() {
        let _it_may_not_be_there = fs::remove_file(&temporary);
    }
    written
}

/// Makes a folder and those above it, up to `root`, which must be there.
pub(super) fn make_folders(root: &Path, below: &[&str]) -> io::Result<()> {
    let mut folder = root.to_owned();
    for name in below {
        let above = folder.clone();
        folder.push(name);
        match fs::create_dir(&folder) {
            Ok(()) => sync_folder(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A rename is on the disk once its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Names in a folder, in no order; none if it is not there or cannot be read. Names that are no text
/// are no names of ours.
pub(super) fn list(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map_while(Result::ok).take(FOLDER_NAMES_MAX);
    names.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A file's length; `None` if there is no such plain file.
pub(super) fn len(path: &Path) -> Option<u64> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// A whole plain file of at most `bytes_max`; `None` if it is anything else, or gone. A link or a pipe
/// could lead out of the folder or never end.
pub(super) fn read(path: &Path, bytes_max: usize) -> Option<Vec<u8>> {
    let bytes_max = bytes_max as u64;
    let (file, len) = open(path).filter(|(_, len)| *len <= bytes_max)?;
    let mut bytes = Vec::with_capacity(usize::try_from(len).ok()?);
    file.take(bytes_max + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= bytes_max).then_some(bytes)
}

/// Opens a plain file, and tells its length.
pub(super) fn open(path: &Path) -> Option<(File, u64)> {
    let len = len(path)?;
    Some((File::open(path).ok()?, len))
}

/// Removes what a killed writer left behind. Time only decides when; nothing rests on it.
pub(super) fn clear_temporary(folder: &Path, names: &[String]) {
    for name in names.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)) {
        let path = folder.join(name);
        if age(&path).is_some_and(|(age, _)| age > TEMPORARY_AGE_MAX) {
            let _another_may_have = fs::remove_file(&path);
        }
    }
}

/// When a folder last changed, in nanoseconds since 1970, if that was long enough ago to tell.
pub(super) fn settled_at(folder: &Path) -> Option<u128> {
    let (age, modified) = age(folder)?;
    (age > SETTLED_AFTER).then_some(modified.as_nanos())
}

/// How long ago something changed, and when; `None` if that is in the future, or unknown.
fn age(path: &Path) -> Option<(Duration, Duration)> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    let modified = modified.duration_since(UNIX_EPOCH).ok()?;
    Some((Duration::from_millis(now_ms()).checked_sub(modified)?, modified))
}
