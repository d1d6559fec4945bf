//! A disk that dies: SQLite's own file layer, with every write, truncation, sync and deletion counted.
//!
//! From the n-th of them on, all fail, as after a kill; told so, what was not synced by then is taken back,
//! as after a power cut; or the disk is just full. The layer is SQLite's, so it is replaced where SQLite
//! allows it, by its C interface, and this file alone has unsafe code. It is sound because each function
//! is called by SQLite with what SQLite's own layer opened, and hands on exactly that.

#![allow(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

use rusqlite::ffi::{
    SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE,
    SQLITE_IOERR_WRITE, SQLITE_OK, sqlite3_file, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

/// What happens to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed: the system still has what was written.
    Killed,
    /// The power fails: what was not synced is gone.
    PowerCut,
    /// There is no more room; syncing and deleting go on.
    Full,
}

/// One write that was not synced yet: what was there before.
struct Unsynced {
    path: PathBuf,
    offset: u64,
    before: Vec<u8>,
    len_before: u64,
}

#[derive(Default)]
struct Disk {
    /// Files of this directory are counted.
    watched: PathBuf,
    fault: Option<Fault>,
    /// Steps that still succeed.
    left: u64,
    happened: bool,
    files: HashMap<usize, PathBuf>,
    unsynced: Vec<Unsynced>,
}

static DISK: Mutex<Option<Disk>> = Mutex::new(None);
static VFS: OnceLock<usize> = OnceLock::new();
/// What reads, writes, cuts and syncs; the same for all kinds of files.
static BASE: OnceLock<sqlite3_io_methods> = OnceLock::new();
/// Ours, for each of SQLite's own: databases are locked, logs and journals are not.
static METHODS: Mutex<BTreeMap<usize, &'static sqlite3_io_methods>> = Mutex::new(BTreeMap::new());
static INSTALL: Once = Once::new();

fn disk() -> MutexGuard<'static, Option<Disk>> {
    DISK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this the file layer of all databases that the process opens from now on.
pub fn install() {
    INSTALL.call_once(|| {
        // SAFETY: the default layer is there once SQLite is initialised, which finding it does.
        let base = unsafe { sqlite3_vfs_find(std::ptr::null()) };
        assert!(!base.is_null());
        // SAFETY: it points to the default layer, which is never unregistered.
        let mut ours = unsafe { std::ptr::read(base) };
        ours.zName = c"dying".as_ptr();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        let ours = Box::leak(Box::new(ours));
        VFS.set(base as usize).expect("once");
        // SAFETY: leaked, so it lives as long as SQLite may use it.
        assert_eq!(unsafe { sqlite3_vfs_register(ours, 1) }, SQLITE_OK);
    });
}

/// From the `after + 1`-th step on files of a directory on, the fault happens.
pub fn arm(watched: &Path, fault: Fault, after: u64) {
    let watched = watched.to_owned();
    let files = disk().take().map(|disk| disk.files).unwrap_or_default();
    *disk() = Some(Disk { watched, fault: Some(fault), left: after, files, ..Disk::default() });
}

/// Everything works again; after a power cut, what was not synced is gone. Whether the fault happened.
/// To be called once the databases are closed.
pub fn disarm() -> bool {
    let Some(disk) = &mut *disk() else { return false };
    let cut = disk.fault == Some(Fault::PowerCut) && disk.happened;
    for Unsynced { path, offset, before, len_before } in disk.unsynced.drain(..).rev() {
        if !cut || !path.exists() {
            continue;
        }
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&before).unwrap();
        file.set_len(len_before).unwrap();
    }
    disk.fault = None;
    disk.happened
}

/// Counts a step on a file; the fault, if there is one now.
fn step(disk: &mut Disk, path: &Path) -> Option<Fault> {
    let fault = disk.fault.filter(|_| path.starts_with(&disk.watched))?;
    if disk.left > 0 {
        disk.left -= 1;
        return None;
    }
    disk.happened = true;
    Some(fault)
}

fn path_of(disk: &Disk, file: *mut sqlite3_file) -> PathBuf {
    disk.files.get(&(file as usize)).cloned().unwrap_or_default()
}

fn base() -> &'static sqlite3_io_methods {
    BASE.get().expect("a file is open")
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let vfs = *VFS.get().expect("installed") as *mut sqlite3_vfs;
    // SAFETY: SQLite's arguments, handed on to its own layer, whose files are as large as ours.
    let code = unsafe { (*vfs).xOpen.expect("a layer opens")(vfs, name, file, flags, out) };
    // SAFETY: opened just now; SQLite sets the methods of a file that is open.
    let methods = unsafe { (*file).pMethods };
    if code != SQLITE_OK || methods.is_null() || name.is_null() {
        return code;
    }
    let mut known = METHODS.lock().unwrap_or_else(PoisonError::into_inner);
    let ours = *known.entry(methods as usize).or_insert_with(|| {
        // SAFETY: the methods of an open file are valid, and are constants of SQLite's layer.
        let mut ours = unsafe { std::ptr::read(methods) };
        BASE.get_or_init(|| ours);
        ours.xWrite = Some(write);
        ours.xTruncate = Some(truncate);
        ours.xSync = Some(sync);
        Box::leak(Box::new(ours))
    });
    // SAFETY: a C string for as long as the call; and a file of ours from now on, whose other methods
    // are those it had.
    let path = unsafe {
        (*file).pMethods = &raw const *ours;
        CStr::from_ptr(name).to_string_lossy().into_owned()
    };
    let mut disk = disk();
    disk.get_or_insert_default().files.insert(file as usize, PathBuf::from(path));
    code
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    if let Some(disk) = &mut *disk() {
        let path = path_of(disk, file);
        match step(disk, &path) {
            Some(Fault::Full) => return SQLITE_FULL,
            Some(_) => return SQLITE_IOERR_WRITE,
            None => note(disk, file, path, offset, len),
        }
    }
    // SAFETY: SQLite's arguments, handed on.
    unsafe { base().xWrite.expect("files are written")(file, bytes, len, offset) }
}

/// Notes what a write is about to replace.
fn note(disk: &mut Disk, file: *mut sqlite3_file, path: PathBuf, offset: i64, len: c_int) {
    if disk.fault != Some(Fault::PowerCut) || !path.starts_with(&disk.watched) {
        return;
    }
    let mut size = 0;
    // SAFETY: an open file, and a place for its size.
    let code = unsafe { base().xFileSize.expect("files have a size")(file, &raw mut size) };
    assert_eq!(code, SQLITE_OK);
    let kept = (size - offset).clamp(0, i64::from(len)) as usize;
    let mut before = vec![0u8; kept];
    if kept > 0 {
        let place = before.as_mut_ptr().cast();
        // SAFETY: as many bytes as there is room for.
        let code =
            unsafe { base().xRead.expect("files are read")(file, place, kept as c_int, offset) };
        assert_eq!(code, SQLITE_OK);
    }
    disk.unsynced.push(Unsynced { path, offset: offset as u64, before, len_before: size as u64 });
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    if let Some(disk) = &mut *disk() {
        let path = path_of(disk, file);
        if matches!(step(disk, &path), Some(Fault::Killed | Fault::PowerCut)) {
            return SQLITE_IOERR_TRUNCATE;
        }
    }
    // SAFETY: SQLite's arguments, handed on.
    unsafe { base().xTruncate.expect("files are cut")(file, size) }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    if let Some(disk) = &mut *disk() {
        let path = path_of(disk, file);
        if matches!(step(disk, &path), Some(Fault::Killed | Fault::PowerCut)) {
            return SQLITE_IOERR_FSYNC;
        }
        disk.unsynced.retain(|write| write.path != path);
    }
    // The test's own disk need not survive a real power cut.
    let _ = flags;
    SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int) -> c_int {
    // SAFETY: a C string for as long as the call.
    let path = unsafe { CStr::from_ptr(name).to_string_lossy().into_owned() };
    if let Some(disk) = &mut *disk()
        && matches!(step(disk, Path::new(&path)), Some(Fault::Killed | Fault::PowerCut))
    {
        return SQLITE_IOERR_DELETE;
    }
    let vfs = *VFS.get().expect("installed") as *mut sqlite3_vfs;
    // SAFETY: SQLite's arguments, handed on.
    unsafe { (*vfs).xDelete.expect("files are deleted")(vfs, name, flags) }
}
