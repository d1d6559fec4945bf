//! Connections that only read: reads never wait for a write, nor for a page of sync being applied.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use selkie_core::keys::DatabaseKey;

use super::database::{Database, open_reader};
use crate::Error;

/// Connections kept open for the next read.
const IDLE_MAX: usize = 4;

/// Where the database is, and what opens it. The key is wiped when the last holder is gone.
pub(crate) struct Source {
    path: PathBuf,
    key: DatabaseKey,
}

impl Source {
    pub(super) fn new(path: &Path, key: &DatabaseKey) -> Arc<Self> {
        Arc::new(Self { path: path.to_owned(), key: DatabaseKey::from_bytes(*key.expose()) })
    }

    /// The database, opened once more.
    pub(super) fn database(&self) -> Result<Database, Error> {
        Database::open(&self.path, &self.key)
    }

    /// One more connection, which cannot write.
    pub(super) fn open(&self) -> Result<Connection, Error> {
        open_reader(&self.path, &self.key)
    }
}

/// Whether there is anything to read.
enum State {
    Open(Arc<Source>),
    Locked,
    Suspended,
}

/// A pool of connections that only read.
pub(crate) struct Readers {
    source: Mutex<State>,
    idle: Mutex<Vec<Connection>>,
}

impl State {
    fn of(source: Option<Arc<Source>>) -> Self {
        source.map_or(Self::Locked, Self::Open)
    }
}

impl Readers {
    pub(crate) fn new(source: Option<Arc<Source>>) -> Self {
        Self { source: Mutex::new(State::of(source)), idle: Mutex::default() }
    }

    /// Closes the connections that are idle, and lets no new one be opened.
    pub(crate) fn lock(&self) {
        *self.source() = State::Locked;
        self.idle().clear();
    }

    /// The same, for a while.
    pub(crate) fn suspend(&self) {
        *self.source() = State::Suspended;
        self.idle().clear();
    }

    /// Reads from a store that was opened again.
    pub(crate) fn open_as(&self, database: &Database) {
        *self.source() = State::of(database.source());
    }

    fn source(&self) -> MutexGuard<'_, State> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on one state of the store, the last that was committed: all that it reads belongs
    /// together.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_apart()?,
        };
        let done = read_once(&connection, work);
        if !matches!(*self.source(), State::Open(_)) {
            return done;
        }
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX && connection.is_autocommit() {
            idle.push(connection);
        }
        done
    }

    /// A connection of its own that cannot write, for what changes the connection's settings.
    pub(crate) fn open_apart(&self) -> Result<Connection, Error> {
        let source = match &*self.source() {
            State::Open(source) => Arc::clone(source),
            State::Locked => return Err(Error::locked()),
            State::Suspended => return Err(Error::suspended()),
        };
        source.open()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_once<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    // Kept statements: what is read often takes less time than to read SQL text.
    connection.prepare_cached("BEGIN")?.execute([])?;
    let done = work(connection);
    let ended = connection.prepare_cached("COMMIT")?.execute([]);
    let done = done?;
    ended?;
    Ok(done)
}
