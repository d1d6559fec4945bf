//! The database file: its layout, and the checks before it is used.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use selkie_wire::RelayEpoch;

use crate::error::RelayError;

/// Name of the database inside the data directory.
pub(crate) const FILE_NAME: &str = "relay.sqlite3";
const LOCK_NAME: &str = "relay.lock";
/// "SLKR": says whose file this is (`PRAGMA application_id`).
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"SLKR");
/// Version of the layout (`PRAGMA user_version`).
pub(crate) const FORMAT: i32 = 1;

/// One row a segment: a row a change is three times slower. `bytes` comes last, so that the columns
/// before it are read without touching the pages it overflows to.
const SCHEMA: &str = "
CREATE TABLE relay (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch BLOB NOT NULL CHECK (length(epoch) = 16)
) STRICT;
CREATE TABLE vaults (
    id INTEGER PRIMARY KEY,
    vault BLOB NOT NULL UNIQUE CHECK (length(vault) = 32),
    roster_last INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE roster_entries (
    vault_id INTEGER NOT NULL REFERENCES vaults (id),
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (vault_id, number)
) STRICT;
CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    vault_id INTEGER NOT NULL REFERENCES vaults (id),
    device BLOB NOT NULL CHECK (length(device) = 16),
    number INTEGER NOT NULL,
    digest BLOB CHECK (length(digest) = 32),
    UNIQUE (vault_id, device)
) STRICT;
CREATE TABLE segments (
    vault_id INTEGER NOT NULL REFERENCES vaults (id),
    cursor INTEGER NOT NULL,
    device_id INTEGER NOT NULL REFERENCES devices (id),
    number INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_cursor ON segments (vault_id, cursor, device_id);
CREATE UNIQUE INDEX segments_by_number ON segments (device_id, number);
CREATE TABLE messages (
    mailbox BLOB NOT NULL CHECK (length(mailbox) = 32),
    slot INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (mailbox, slot)
) STRICT;
CREATE INDEX messages_by_expiry ON messages (expires_ms);
";

/// Which vault's recovery words have a key. Beside the layout's version: a relay without it works on
/// the same file, and recovers nobody.
const RECOVERIES: &str = "
CREATE TABLE IF NOT EXISTS recoveries (
    key BLOB PRIMARY KEY CHECK (length(key) = 32),
    vault_id INTEGER NOT NULL UNIQUE REFERENCES vaults (id)
) STRICT;
";

/// A data directory that this process alone uses.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) writer: Connection,
    pub(super) epoch: RelayEpoch,
    /// Held until the store is closed; the system gives it back if the process dies.
    pub(super) lock: File,
}

/// Opens the storage of a directory, or makes it.
pub(super) fn open(data_dir: &Path, fresh_epoch: RelayEpoch) -> Result<Opened, RelayError> {
    let io = |source| RelayError::DataDir { path: data_dir.to_owned(), source };
    create_dir(data_dir).map_err(io)?;
    let lock = File::create(data_dir.join(LOCK_NAME)).map_err(io)?;
    if lock.try_lock().is_err() {
        return Err(RelayError::InUse { path: data_dir.to_owned() });
    }
    let path = data_dir.join(FILE_NAME);
    let (writer, epoch) = prepare(&path, fresh_epoch)?;
    // The names of new files must survive a power cut as their contents do.
    #[cfg(unix)]
    File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(io)?;
    Ok(Opened { path, writer, epoch, lock })
}

/// Sealed or not, who talks to whom and when is nobody else's business on this machine.
fn create_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

fn prepare(path: &Path, fresh_epoch: RelayEpoch) -> Result<(Connection, RelayEpoch), RelayError> {
    let failed = |source| RelayError::Database { path: path.to_owned(), source };
    let mut connection = Connection::open(path).map_err(failed)?;
    check_owner(&connection, path)?;
    configure(&connection).map_err(failed)?;
    let epoch = initialize(&mut connection, fresh_epoch).map_err(failed)?;
    Ok((connection, epoch))
}

/// Refuses what is not ours before anything is written.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), RelayError> {
    let foreign = || RelayError::NotARelayDatabase { path: path.to_owned() };
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    // SQLite looks into the file only now; a file that is no database fails here.
    let (id, format) = match (pragma("application_id"), pragma("user_version")) {
        (Ok(id), Ok(format)) => (id, format),
        (Err(rusqlite::Error::SqliteFailure(error, _)), _)
            if error.code == rusqlite::ErrorCode::NotADatabase =>
        {
            return Err(foreign());
        }
        (Err(source), _) | (_, Err(source)) => {
            return Err(RelayError::Database { path: path.to_owned(), source });
        }
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|source| RelayError::Database { path: path.to_owned(), source })?;
    match (id, format) {
        (0, 0) if tables == 0 => Ok(()),
        (APPLICATION_ID, FORMAT) => Ok(()),
        (APPLICATION_ID, found) if found > FORMAT => {
            Err(RelayError::NewerFormat { path: path.to_owned(), found, known: FORMAT })
        }
        _ => Err(foreign()),
    }
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With NORMAL a power cut may lose what was acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the tables of a new file in one transaction, with its epoch; else reads the epoch.
fn initialize(
    connection: &mut Connection,
    fresh_epoch: RelayEpoch,
) -> Result<RelayEpoch, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let format: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute(
            "INSERT INTO relay (id, epoch) VALUES (1, ?1)",
            params![fresh_epoch.as_bytes()],
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.execute_batch(RECOVERIES)?;
    let epoch: Option<[u8; 16]> =
        transaction.query_row("SELECT epoch FROM relay", [], |row| row.get(0)).optional()?;
    transaction.commit()?;
    epoch.map(RelayEpoch).ok_or(rusqlite::Error::QueryReturnedNoRows)
}
