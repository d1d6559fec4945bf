//! Settings of an open store.

use std::time::Duration;

#[cfg(doc)]
use crate::ErrorKind;
use crate::store::{BUSY_TIMEOUT, CACHE_KIB};

/// How a store is opened.
///
/// ```
/// use selkie::{ErrorKind, OpenOptions, Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("s.db");
/// let key = Unlock::Key(&[7; 32]);
/// let one = Vault::create(&path, key)?.vault;
/// let other = Vault::open_with(&path, Unlock::Key(&[7; 32]), &OpenOptions::new().fail_when_busy())?;
/// one.transaction(|_| {
///     let refused = other.collection("notes")?.put("n", &json!({})).unwrap_err();
///     assert_eq!(refused.kind(), ErrorKind::Busy);
///     assert_eq!(other.collection("notes")?.count()?, 0, "reads never wait");
///     Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    pub(crate) wait_for_writer: Duration,
    pub(crate) cache_kib: u32,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { wait_for_writer: BUSY_TIMEOUT, cache_kib: CACHE_KIB }
    }
}

impl OpenOptions {
    /// What [`Vault::open`](crate::Vault::open) does: wait five seconds, keep 16 MiB in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a write waits while another process writes, before it fails with
    /// [`ErrorKind::Busy`]. Writes of this process wait for each other as long as it takes; reads wait
    /// for nobody.
    #[must_use]
    pub fn wait_for_writer(mut self, at_most: Duration) -> Self {
        self.wait_for_writer = at_most;
        self
    }

    /// A write fails with [`ErrorKind::Busy`] at once while another process writes.
    #[must_use]
    pub fn fail_when_busy(self) -> Self {
        self.wait_for_writer(Duration::ZERO)
    }

    /// How much of the file is kept in memory, in KiB: a working set that fits reads as fast as an
    /// unencrypted one. A phone is content with 16 MiB, a desktop can well spare 64.
    #[must_use]
    pub fn cache_kib(mut self, kib: u32) -> Self {
        self.cache_kib = kib;
        self
    }
}
