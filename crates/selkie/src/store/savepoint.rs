//! Savepoints: parts of a transaction that can be taken back.
//!
//! A transaction's writes are gathered in memory and only its end touches the database, so a savepoint
//! is what the records were to become before it.

use std::collections::BTreeMap;

use selkie_core::record::RecordKey;

use super::touched::Mark;
use super::transaction::Transaction;
use crate::{Error, ErrorKind};

/// Savepoints inside each other.
const DEPTH_MAX: usize = 64;

/// What the records touched since the savepoint were to become before it.
#[derive(Default)]
pub(super) struct Savepoints(Vec<BTreeMap<RecordKey, Mark>>);

impl Savepoints {
    pub(super) fn are_open(&self) -> bool {
        !self.0.is_empty()
    }

    /// Remembers a record before it is written the first time since the innermost savepoint.
    pub(super) fn remember(&mut self, key: &RecordKey, mark: impl FnOnce() -> Mark) {
        if let Some(innermost) = self.0.last_mut()
            && !innermost.contains_key(key)
        {
            innermost.insert(key.clone(), mark());
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        if self.0.len() >= DEPTH_MAX {
            let message =
                format!("a transaction has at most {DEPTH_MAX} savepoints inside each other");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        self.0.push(BTreeMap::new());
        Ok(())
    }

    /// Ends the innermost savepoint; the one around it takes back more than it did.
    fn release(&mut self) {
        let Some(done) = self.0.pop() else { return };
        if let Some(around) = self.0.last_mut() {
            for (key, mark) in done {
                around.entry(key).or_insert(mark);
            }
        }
    }

    fn take_back(&mut self) -> BTreeMap<RecordKey, Mark> {
        self.0.pop().unwrap_or_default()
    }
}

impl Transaction<'_> {
    /// Runs a part of the transaction: if it fails, what it wrote is taken back, and the transaction
    /// may go on as if it had never begun. Savepoints may stand inside each other.
    ///
    /// ```
    /// # use selkie::{Unlock, Vault};
    /// # use serde_json::json;
    /// # let directory = tempfile::tempdir()?;
    /// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
    /// vault.transaction(|tx| {
    ///     let notes = tx.collection("notes")?;
    ///     notes.put("kept", &json!({}))?;
    ///     let failed = tx.savepoint(|tx| {
    ///         tx.collection("notes")?.put("taken back", &json!({}))?;
    ///         tx.collection("notes")?.patch("missing", &json!({}))
    ///     });
    ///     assert!(failed.is_err());
    ///     Ok(())
    /// })?;
    /// assert_eq!(vault.collection("notes")?.count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Whatever `work` returns; [`ErrorKind::InvalidInput`] for more than 64 inside each other.
    pub fn savepoint<T>(&self, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        self.inner.borrow_mut().savepoints.open()?;
        let done = work(self);
        let mut inner = self.inner.borrow_mut();
        match done {
            Ok(_) => inner.savepoints.release(),
            Err(_) => {
                for (key, mark) in inner.savepoints.take_back() {
                    if let Some(touched) = inner.touched.get_mut(&key) {
                        touched.go_back(mark);
                    }
                }
            }
        }
        done
    }
}
