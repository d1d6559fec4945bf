//! Opening SQLCipher so that nothing is ever written in the clear.
//!
//! The one file that knows the engine. The order of steps matters: a key comes before any access,
//! and is proved before anything is believed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use selkie_core::keys::DatabaseKey;
use zeroize::Zeroizing;

use super::readers::{Readers, Source};
use super::schema;
use super::vector_ffi::add_vectors;
use crate::{Error, ErrorKind};

/// How long a write waits for another process before it says [`ErrorKind::Busy`].
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Page cache in KiB: a working set in memory reads as fast as an unencrypted one.
pub(crate) const CACHE_KIB: u32 = 16 * 1024;
/// Prepared statements kept; more than the store has, and some of an app's queries.
const STATEMENTS_MAX: usize = 128;

/// An open, keyed, checked database, and what is remembered of it between transactions.
pub(crate) struct Database {
    pub(super) connection: Connection,
    pub(super) cache: super::rows::Cache,
    source: Option<Arc<Source>>,
    /// Where the store says how far it has sealed; not yet known while the store is being made.
    pub(super) chain_file: Option<super::chain_file::ChainFile>,
}

impl Database {
    /// Creates the database file; it must not exist.
    pub(crate) fn create(path: &Path, key: &DatabaseKey) -> Result<Self, Error> {
        let connection = open_keyed(path, key, OpenFlags::SQLITE_OPEN_CREATE)?;
        configure(&connection)?;
        schema::create(&connection)?;
        Ok(Self::of(connection, path, key))
    }

    /// Opens an existing database file.
    pub(crate) fn open(path: &Path, key: &DatabaseKey) -> Result<Self, Error> {
        let connection = open_keyed(path, key, OpenFlags::empty())?;
        schema::check(&connection)?;
        configure(&connection)?;
        Ok(Self::of(connection, path, key))
    }

    fn of(connection: Connection, path: &Path, key: &DatabaseKey) -> Self {
        let cache = super::rows::Cache::default();
        Self { connection, cache, source: Some(Source::new(path, key)), chain_file: None }
    }

    /// Connections that only read; they never wait for this one.
    pub(crate) fn readers(&self) -> Readers {
        Readers::new(self.source())
    }

    /// Where further connections come from; none while the store is locked.
    pub(super) fn source(&self) -> Option<Arc<Source>> {
        self.source.clone()
    }

    /// For reading what takes microseconds.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How long a write waits for another process, and how much of the file is kept in memory.
    pub(crate) fn set_options(&self, options: &crate::OpenOptions) -> Result<(), Error> {
        self.connection.busy_timeout(options.wait_for_writer)?;
        self.connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
        Ok(())
    }

    /// Lets SQLite look at how values are spread, where that has changed: without it, it may well
    /// pick a way that takes a hundred times as long. Looks at a part only, so this is quick.
    pub(crate) fn optimize(&self) -> Result<(), Error> {
        self.connection.execute_batch("PRAGMA analysis_limit = 1000; PRAGMA optimize;")?;
        Ok(())
    }

    /// What stands in the place of a locked store: it has nothing, and refuses every statement.
    pub(crate) fn locked() -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        connection.authorizer(Some(|_: AuthContext<'_>| Authorization::Deny))?;
        let cache = super::rows::Cache::default();
        Ok(Self { connection, cache, source: None, chain_file: None })
    }

    /// Whether this stands in the place of a locked store.
    pub(crate) fn is_locked(&self) -> bool {
        self.source.is_none()
    }

    /// Closes, and has SQLCipher wipe the memory that it gives back: pages, keys, statements.
    pub(crate) fn close_wiping(self) -> Result<(), Error> {
        if self.is_locked() || self.is_suspended() {
            return Ok(());
        }
        // From now on in this process; before, it would cost every statement.
        self.connection.pragma_update(None, "cipher_memory_security", true)?;
        self.close()
    }

    /// Writes the log back into the file and closes; the file is then complete by itself.
    pub(crate) fn close(self) -> Result<(), Error> {
        self.connection.pragma_query(None, "wal_checkpoint", |_| Ok(()))?;
        self.connection.close().map_err(|(_, error)| error.into())
    }

    /// What is wrong with the file, page by page; each page is read and authenticated.
    pub(crate) fn integrity_faults(&self) -> Result<Vec<String>, Error> {
        let mut faults = Vec::new();
        for check in ["PRAGMA cipher_integrity_check", "PRAGMA quick_check"] {
            let mut statement = self.connection.prepare(check)?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            for row in rows {
                let fault = row?;
                if fault != "ok" {
                    faults.push(fault);
                }
            }
        }
        Ok(faults)
    }

    /// The page where a table begins.
    #[cfg(test)]
    pub(crate) fn page_of(&self, table: &str) -> usize {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let page: i64 = self.connection.query_row(sql, [table], |row| row.get(0)).unwrap();
        usize::try_from(page).unwrap()
    }

    /// Lets the file grow no further, as a full disk does.
    #[cfg(test)]
    pub(crate) fn fill_disk(&self, full: bool) {
        let pages: i64 =
            self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let most = if full { pages } else { i64::from(i32::MAX) };
        self.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).unwrap();
    }

    /// Closes the files, so that no lock on them is held, until [`resume`](Self::resume). Every use in
    /// between ends in [`ErrorKind::Suspended`].
    pub(crate) fn suspend(&mut self) -> Result<(), Error> {
        // Nothing can be done with this one, since no statement is short enough; nothing is in it.
        let nothing = Connection::open_in_memory()?;
        nothing.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 1)?;
        let connection = std::mem::replace(&mut self.connection, nothing);
        self.cache.forget();
        // Closing writes the log back into the file, unless another process has it open.
        connection.close().map_err(|(_, error)| error.into())
    }

    /// Whether the files are closed.
    pub(crate) fn is_suspended(&self) -> bool {
        self.source.is_some() && self.connection.path().is_none_or(str::is_empty)
    }

    /// Opens the files again.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        let source = self.source.clone().filter(|_| self.is_suspended());
        let Some(source) = source else { return Ok(()) };
        self.connection = source.database()?.connection;
        // They may have been put back meanwhile.
        self.notice_copy()
    }
}

fn open_keyed(path: &Path, key: &DatabaseKey, create: OpenFlags) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path, flags)?;
    // ATTACH could create a second, unencrypted database.
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    // SQLCipher logs to standard error unless told not to.
    connection.pragma_update(None, "cipher_log_level", "NONE")?;
    connection.key(None::<&str>, raw_key_text(key)?.as_bytes(), false)?;
    let status: String = connection
        .pragma_query_value(None, "cipher_status", |row| row.get(0))
        .map_err(|_| not_encrypted())?;
    if status != "1" {
        return Err(not_encrypted());
    }
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    add_vectors(&connection)?;
    Ok(connection)
}

/// One more connection to a database that is open already. It cannot write.
pub(super) fn open_reader(path: &Path, key: &DatabaseKey) -> Result<Connection, Error> {
    let connection = open_keyed(path, key, OpenFlags::empty())?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn not_encrypted() -> Error {
    Error::new(ErrorKind::Internal, "this build cannot encrypt; nothing was written")
}

/// `x'<64 hexadecimal digits>'`: any other text would silently be taken for a passphrase, and an
/// empty one would create a plaintext file, so the form is checked here.
fn raw_key_text(key: &DatabaseKey) -> Result<Zeroizing<String>, Error> {
    use std::fmt::Write;
    const LEN: usize = 2 + 64 + 1;
    let mut text = Zeroizing::new(String::with_capacity(LEN));
    text.push_str("x'");
    for byte in key.expose() {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text.push('\'');
    if text.len() == LEN { Ok(text) } else { Err(not_encrypted()) }
}

fn configure(connection: &Connection) -> Result<(), Error> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::new(
            ErrorKind::Storage,
            "the file system does not allow a write-ahead log",
        ));
    }
    // NORMAL would lose the last writes when the power fails; an acknowledged write is kept.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -i64::from(CACHE_KIB))?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Otherwise a statement is planned anew for each value bound to it, which costs more than to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let key = DatabaseKey::from_bytes([7; 32]);
        let database = Database::create(&directory.path().join("store.db"), &key).unwrap();
        (directory, database)
    }

    #[test]
    fn no_second_database_can_be_attached() {
        let (directory, database) = database();
        let beside = directory.path().join("plain.db");
        for key in ["", "KEY ''", "KEY 'secret'"] {
            let sql = format!("ATTACH '{}' AS plain {key}", beside.display());
            assert!(database.connection.execute_batch(&sql).is_err(), "{key}");
        }
        assert!(!beside.exists());
    }

    #[test]
    fn a_suspended_store_holds_no_file_and_comes_back() {
        let (directory, mut database) = database();
        let log = directory.path().join("store.db-wal");
        assert!(log.exists() && !database.is_suspended());
        database.suspend().unwrap();
        assert!(!log.exists() && database.is_suspended());
        let error = database.store_id().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Suspended, "{error}");
        assert!(database.connection.execute_batch("CREATE TABLE plain (x)").is_err());
        database.resume().unwrap();
        let tables: i64 = database
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert!(tables > 10);
    }

    #[test]
    fn the_raw_key_has_the_one_form_that_is_no_passphrase() {
        let key = DatabaseKey::from_bytes([0xab; 32]);
        let text = raw_key_text(&key).unwrap();
        assert_eq!(*text, format!("x'{}'", "ab".repeat(32)));
    }

    #[test]
    fn the_settings_that_keep_data_safe_are_on() {
        let (_directory, database) = database();
        let number = |pragma: &str| -> i64 {
            database.connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
        };
        assert_eq!(
            (number("synchronous"), number("temp_store"), number("secure_delete")),
            (2, 2, 1)
        );
        assert_eq!(number("mmap_size"), 0);
        let status: String = database
            .connection
            .pragma_query_value(None, "cipher_status", |row| row.get(0))
            .unwrap();
        assert_eq!(status, "1");
    }
}
