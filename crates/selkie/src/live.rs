//! Live queries: what a query finds now, and again whenever that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::collection::Record;
use crate::store::{Query, query};
use crate::vault::{Vault, WeakVault};
use crate::{Collection, Error};

/// The records of a query, and how they differ from what was told before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveResult {
    /// All of them, in the query's order.
    pub records: Vec<Record>,
    /// Ids of records that were not there before.
    pub added: Vec<String>,
    /// Ids of records that were there, and have changed.
    pub changed: Vec<String>,
    /// Ids of records that are not there any more: deleted, or no longer what the query asks for.
    pub removed: Vec<String>,
}

/// A query that is asked again when its collection changes: here, on any thread, or by sync. It tells
/// the result first, then each difference once it is durable. Changes that come faster than they are
/// taken become one. Ends when the vault is closed.
///
/// ```
/// # use selkie::{Filter, Query, Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let notes = vault.collection("notes")?;
/// let mut open = notes.live(&Query::new().filter(Filter::parse("done = false")?));
/// assert_eq!(open.next().unwrap()?.records, []);
/// notes.put("milk", &json!({"done": false}))?;
/// notes.put("tea", &json!({"done": false}))?;
/// assert_eq!(open.next().unwrap()?.added, ["milk", "tea"]);
/// notes.patch("milk", &json!({"done": true}))?;
/// assert_eq!(open.next().unwrap()?.removed, ["milk"]);
/// assert!(open.try_next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LiveQuery {
    vault: WeakVault,
    collection: String,
    query: Query,
    signal: Receiver<()>,
    /// What was told last; `None` before the first time.
    told: Option<Vec<Record>>,
}

impl fmt::Debug for LiveQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveQuery").field("collection", &self.collection).finish_non_exhaustive()
    }
}

impl Collection {
    /// Asks a query now, and again whenever its result changes; see [`LiveQuery`].
    #[must_use]
    pub fn live(&self, query: &Query) -> LiveQuery {
        LiveQuery {
            // Listening begins before the first result is read, so nothing falls between.
            signal: self.vault().signal_of(self.name()),
            vault: self.vault().downgrade(),
            collection: self.name().to_owned(),
            query: query.clone(),
            told: None,
        }
    }
}

impl LiveQuery {
    /// The next difference, if there is one already; the result itself the first time.
    ///
    /// # Errors
    /// As [`Collection::query`].
    pub fn try_next(&mut self) -> Option<Result<LiveResult, Error>> {
        self.next_within(Duration::ZERO)
    }

    /// As [`next`](Iterator::next), waiting at most so long.
    ///
    /// # Errors
    /// As [`Collection::query`].
    pub fn next_within(&mut self, timeout: Duration) -> Option<Result<LiveResult, Error>> {
        let end = Instant::now().checked_add(timeout);
        loop {
            if self.told.is_some() {
                let waited = match end {
                    Some(end) => {
                        self.signal.recv_timeout(end.saturating_duration_since(Instant::now()))
                    }
                    None => self.signal.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                waited.ok()?;
            }
            if let Some(told) = self.ask(self.vault.upgrade()?).transpose() {
                return Some(told);
            }
        }
    }

    /// Asks once more; `None` if nothing differs.
    fn ask(&mut self, vault: Vault) -> Result<Option<LiveResult>, Error> {
        let records =
            vault.read(|sql| query::query_page(sql, &self.collection, &self.query))?.records;
        let is_first = self.told.is_none();
        let before = self.told.take().unwrap_or_default();
        let difference = difference(&before, &records);
        let differs = before != records;
        self.told = Some(records.clone());
        Ok((is_first || differs).then_some(LiveResult { records, ..difference }))
    }
}

impl Iterator for LiveQuery {
    type Item = Result<LiveResult, Error>;

    /// Waits for the next difference.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(Duration::MAX)
    }
}

fn difference(before: &[Record], now: &[Record]) -> LiveResult {
    let known: BTreeMap<&str, &Record> =
        before.iter().map(|record| (record.id.as_str(), record)).collect();
    let left: BTreeSet<&str> = now.iter().map(|record| record.id.as_str()).collect();
    let mut difference = LiveResult::default();
    for record in now {
        match known.get(record.id.as_str()) {
            None => difference.added.push(record.id.clone()),
            Some(old) if *old != record => difference.changed.push(record.id.clone()),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|record| !left.contains(record.id.as_str()));
    difference.removed.extend(gone.map(|record| record.id.clone()));
    difference
}
