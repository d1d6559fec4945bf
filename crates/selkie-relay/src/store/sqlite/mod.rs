//! The store in one SQLite file: one writer thread that commits waiting writes together, and a few
//! connections that read beside it.

mod reads;
mod schema;
mod writer;
mod writes;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use selkie_wire::ids::RosterNumber;
use selkie_wire::{MailboxId, RelayEpoch, VaultId};
use tokio::sync::Semaphore;

use self::writer::Writer;
use super::{
    Judged, Message, MessageOutcome, PullPlan, Pulled, PushPlan, Pushed, Reply, Room,
    RosterOutcome, RosterPage, RosterPlan, Store, StoreError,
};
use crate::error::RelayError;
use crate::limits::READERS;

/// All vaults, in one file.
pub(crate) struct SqliteStore {
    epoch: RelayEpoch,
    writer: Writer,
    readers: Readers,
    /// Keeps other relays out of the directory.
    lock: Mutex<Option<File>>,
}

impl SqliteStore {
    /// Opens the storage of a directory, or makes it with a fresh epoch.
    pub(crate) fn open(
        data_dir: &Path,
        fresh_epoch: RelayEpoch,
        room: Room,
    ) -> Result<Self, RelayError> {
        let opened = schema::open(data_dir, fresh_epoch)?;
        let failed = |source| RelayError::Database { path: opened.path.clone(), source };
        let readers = (0..READERS)
            .map(|_| schema::reader(&opened.path))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let writer =
            Writer::start(opened.writer, room).map_err(|source| RelayError::Runtime { source })?;
        Ok(Self {
            epoch: opened.epoch,
            writer,
            readers: Readers::new(readers),
            lock: Mutex::new(Some(opened.lock)),
        })
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        Box::pin(self.readers.run(query))
    }
}

impl Store for SqliteStore {
    fn epoch(&self) -> RelayEpoch {
        self.epoch
    }

    fn roster(&self, vault: VaultId, from: RosterNumber) -> Reply<'_, Option<RosterPage>> {
        self.read(move |connection| reads::roster(connection, vault, from))
    }

    fn recovers(&self, key: [u8; 32]) -> Reply<'_, Option<VaultId>> {
        self.read(move |connection| reads::recovers(connection, &key))
    }

    fn extend_roster(&self, plan: RosterPlan) -> Reply<'_, RosterOutcome> {
        let bytes = plan.entries.iter().map(Vec::len).sum();
        self.writer.submit(plan, bytes, writes::extend_roster)
    }

    fn push(&self, plan: PushPlan) -> Reply<'_, Judged<Pushed>> {
        let bytes = plan.offers.iter().flatten().map(|offer| offer.bytes.len()).sum();
        self.writer.submit(plan, bytes, writes::push)
    }

    fn pull(&self, plan: PullPlan) -> Reply<'_, Judged<Pulled>> {
        let epoch = self.epoch;
        self.read(move |connection| reads::pull(connection, &plan, epoch))
    }

    fn has_news(&self, plan: PullPlan) -> Reply<'_, Judged<bool>> {
        let epoch = self.epoch;
        self.read(move |connection| reads::has_news(connection, &plan, epoch))
    }

    fn put_message(&self, message: Message) -> Reply<'_, MessageOutcome> {
        let bytes = message.bytes.len();
        self.writer.submit(message, bytes, writes::put_message)
    }

    fn message(&self, mailbox: MailboxId, slot: u8, now_ms: u64) -> Reply<'_, Option<Vec<u8>>> {
        self.read(move |connection| reads::message(connection, mailbox, slot, now_ms))
    }

    fn remove_mailbox(&self, mailbox: MailboxId) -> Reply<'_, ()> {
        self.writer.submit(mailbox, 0, writes::remove_mailbox)
    }

    fn healthy(&self) -> bool {
        self.writer.healthy()
    }

    fn close(&self) {
        // The connection that is closed last folds the log into the file; a reader could not.
        self.readers.close();
        self.writer.stop();
        // Only now may another relay come in.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// A few connections, lent one at a time.
struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    fn new(connections: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self { free: Arc::new(Mutex::new(connections)), permits }
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = || StoreError::Failed("the store is closed".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| ended())?;
        let (free, permits) = (Arc::clone(&self.free), Arc::clone(&self.permits));
        let work = move || {
            // Given back with the connection, even if the asker went away meanwhile.
            let _permit = permit;
            let lend = || free.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(connection) = lend().pop() else { return Err(ended()) };
            let answer = query(&connection);
            if !permits.is_closed() {
                lend().push(connection);
            }
            answer.map_err(|error| StoreError::Failed(error.to_string()))
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ended())?
    }

    fn close(&self) {
        self.permits.close();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{GROUP_COMMIT_WRITES_MAX, WRITER_QUEUE_MAX};

    const ROOM: Room = Room { vault_bytes_max: 1 << 20, vaults_max: 1, mailbox_messages_max: 1 };

    fn open(dir: &tempfile::TempDir) -> SqliteStore {
        SqliteStore::open(dir.path(), RelayEpoch([7; 16]), ROOM).unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_is_told_and_what_was_queued_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        // Someone else holds the database, so the writer waits with one group in its hands.
        let mut other = Connection::open(dir.path().join(schema::FILE_NAME)).unwrap();
        let held =
            other.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
        let all = WRITER_QUEUE_MAX + GROUP_COMMIT_WRITES_MAX + 1;
        let waiting: Vec<_> = (0..all).map(|_| store.remove_mailbox(MailboxId([1; 32]))).collect();
        held.commit().unwrap();
        let (mut written, mut busy) = (0, 0);
        for write in waiting {
            match write.await {
                Ok(()) => written += 1,
                Err(StoreError::Busy) => busy += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(busy >= 1 && written >= WRITER_QUEUE_MAX, "{written} written, {busy} busy");
        assert!(store.healthy());
    }

    #[tokio::test]
    async fn a_closed_store_fails_instead_of_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let queued = store.remove_mailbox(MailboxId([1; 32]));
        store.close();
        assert_eq!(queued.await, Ok(()), "what was queued is written before the end");
        let late = store.remove_mailbox(MailboxId([1; 32])).await;
        assert!(matches!(late, Err(StoreError::Failed(_))), "{late:?}");
        let read = store.roster(VaultId([1; 32]), RosterNumber(0)).await;
        assert!(matches!(read, Err(StoreError::Failed(_))), "{read:?}");
        assert!(!store.healthy());
    }

    #[tokio::test]
    async fn one_failed_write_takes_only_itself_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let broken: writer::Apply<(), ()> = |connection, room, ()| {
            let plan = RosterPlan {
                vault: VaultId([2; 32]),
                after: None,
                entries: vec![vec![1]],
                recovery: None,
            };
            writes::extend_roster(connection, room, &plan)?;
            connection.execute_batch("no SQL at all")
        };
        let good = RosterPlan {
            vault: VaultId([1; 32]),
            after: None,
            entries: vec![vec![1]],
            recovery: None,
        };
        let (before, after) = (store.writer.submit((), 0, broken), store.extend_roster(good));
        assert!(matches!(before.await, Err(StoreError::Failed(_))));
        assert_eq!(after.await, Ok(RosterOutcome::Stored));
        assert_eq!(store.roster(VaultId([2; 32]), RosterNumber(0)).await, Ok(None));
        assert!(store.healthy());
    }
}
