//! The writer thread: takes what waits, writes it in one transaction with a savepoint each, and
//! answers only after the commit is on disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::super::{Reply, Room, StoreError};
use crate::limits::{GROUP_COMMIT_BYTES_MAX, GROUP_COMMIT_WRITES_MAX, WRITER_QUEUE_MAX};

/// How a plan is written.
pub(super) type Apply<P, T> = fn(&Connection, &Room, &P) -> rusqlite::Result<T>;

/// A write that waits for its turn.
trait Write: Send {
    /// How much it adds to a group.
    fn bytes(&self) -> usize;
    /// Writes; on an error nothing of it may stay.
    fn run(&mut self, connection: &Connection, room: &Room) -> rusqlite::Result<()>;
    /// Tells the asker, after the commit.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A plan, how to apply it, and who waits for the outcome.
struct Task<P, T> {
    plan: P,
    bytes: usize,
    apply: Apply<P, T>,
    outcome: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<P: Send, T: Send> Write for Task<P, T> {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, connection: &Connection, room: &Room) -> rusqlite::Result<()> {
        let outcome = (self.apply)(connection, room, &self.plan);
        let result = outcome.as_ref().map(|_| ()).map_err(|_| rusqlite::Error::InvalidQuery);
        self.outcome = outcome.map_err(|error| StoreError::Failed(error.to_string()));
        result
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // The asker may have gone away; what was written stays, and its retry finds it.
        let _gone = self.reply.send(committed.and(self.outcome));
    }
}

/// The way to the writer thread.
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Write>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(connection: Connection, room: Room) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(WRITER_QUEUE_MAX);
        let healthy = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&healthy);
        let thread = std::thread::Builder::new()
            .name("selkie-relay-writer".to_owned())
            .spawn(move || run(connection, room, waiting, &state))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), healthy })
    }

    /// Queues a write, or says that the queue is full; the future waits for its commit.
    pub(super) fn submit<P: Send + 'static, T: Send + 'static>(
        &self,
        plan: P,
        bytes: usize,
        apply: Apply<P, T>,
    ) -> Reply<'static, T> {
        let (reply, outcome) = oneshot::channel();
        let unwritten = Err(StoreError::Failed("the write was not tried".to_owned()));
        let task = Box::new(Task { plan, bytes, apply, outcome: unwritten, reply });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queued = match queue.map(|queue| queue.try_send(task)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(StoreError::Busy),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Err(ended()),
        };
        Box::pin(async move {
            queued?;
            outcome.await.map_err(|_| ended())?
        })
    }

    pub(super) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Lets the thread finish what waits, and waits for it.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _panicked = thread.join();
        }
    }
}

fn ended() -> StoreError {
    StoreError::Failed("the writer has ended".to_owned())
}

fn run(
    mut connection: Connection,
    room: Room,
    mut waiting: mpsc::Receiver<Box<dyn Write>>,
    healthy: &AtomicBool,
) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = gather(first, &mut waiting);
        let committed = commit(&mut connection, &room, &mut group)
            .map_err(|error| StoreError::Failed(error.to_string()));
        healthy.store(committed.is_ok(), Ordering::Relaxed);
        for write in group {
            write.answer(committed.clone());
        }
    }
    healthy.store(false, Ordering::Relaxed);
}

/// Takes what waits already; waiting for more would only add delay.
fn gather(
    first: Box<dyn Write>,
    waiting: &mut mpsc::Receiver<Box<dyn Write>>,
) -> Vec<Box<dyn Write>> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_COMMIT_WRITES_MAX && bytes < GROUP_COMMIT_BYTES_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        bytes += next.bytes();
        group.push(next);
    }
    group
}

fn commit(
    connection: &mut Connection,
    room: &Room,
    group: &mut [Box<dyn Write>],
) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for write in group {
        let savepoint = transaction.savepoint()?;
        // A savepoint that is not committed takes back what one failed write did, and only that.
        if write.run(&savepoint, room).is_ok() {
            savepoint.commit()?;
        }
    }
    transaction.commit()
}
