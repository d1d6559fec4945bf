//! The one call into C of this crate: gives a connection the vector tables of `sqlite-vec`.
//!
//! `sqlite-vec` has no safe door, and `sqlite3_auto_extension`, which its own documentation proposes,
//! would change every SQLite connection of the whole process, the host app's too. So its entry point
//! is called for our own connections only.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use rusqlite::Connection;
use rusqlite::ffi::{SQLITE_OK, sqlite3, sqlite3_api_routines, sqlite3_free};

use crate::{Error, ErrorKind};

/// The entry point as every SQLite extension has it (`sqlite-vec.h`); the Rust binding leaves its
/// arguments out.
type EntryPoint =
    unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const sqlite3_api_routines) -> c_int;

/// Adds the module `vec0` and its functions to a connection.
pub(super) fn add_vectors(connection: &Connection) -> Result<(), Error> {
    // SAFETY: the symbol is a C function of exactly this type; only the binding declares it without
    // arguments. A function pointer has the size of a thin pointer on every target we build for.
    let entry = unsafe {
        std::mem::transmute::<*const (), EntryPoint>(sqlite_vec::sqlite3_vec_init as *const ())
    };
    let mut message: *mut c_char = std::ptr::null_mut();
    // SAFETY: the handle is open for as long as `connection` is borrowed, and used by this thread
    // alone. The extension is compiled into this binary (`SQLITE_CORE`), where it calls SQLite
    // directly and never reads the third argument. What it registers, SQLite frees on closing.
    let code = unsafe { entry(connection.handle(), &raw mut message, std::ptr::null()) };
    if !message.is_null() {
        // SAFETY: SQLite allocated the message, and nobody else has it.
        unsafe { sqlite3_free(message.cast()) };
    }
    if code == SQLITE_OK {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "vector search could not be set up in this build"))
}
