//! Fills declared indexes in the background, a little at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Inner, Vault};
use crate::store::indexes::{any_unfinished, list};
use crate::{Error, ErrorKind, IndexInfo};

/// Between two steps, so that a write that waits comes first: a mutex promises no turns.
const PAUSE: Duration = Duration::from_millis(2);
/// After another process was in the way.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(500);

/// Whether a thread fills indexes now.
#[derive(Default)]
pub(super) struct Builder(AtomicBool);

impl Vault {
    /// Fills indexes that are not complete on a thread of its own, if there is something to fill. The
    /// thread ends with the work, or with the vault; what is left is gone on with when it is next
    /// opened.
    pub(crate) fn go_on_building(&self) -> Result<(), Error> {
        if !self.read_quickly(any_unfinished)? || self.inner.builder.0.swap(true, Ordering::AcqRel)
        {
            return Ok(());
        }
        let inner = Arc::downgrade(&self.inner);
        let thread = std::thread::Builder::new().name("selkie-indexes".to_owned());
        if thread.spawn(move || build(&inner)).is_err() {
            // Without a thread they are filled by `finish_indexes`, or another time.
            self.inner.builder.0.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Waits until all declared indexes are complete, and helps.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`], [`ErrorKind::DiskFull`], [`ErrorKind::Storage`].
    pub fn finish_indexes(&self) -> Result<(), Error> {
        while self.database().fill_some()? {}
        self.database().optimize()
    }

    /// The indexes that are declared on this device, by collection.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn indexes(&self) -> Result<Vec<IndexInfo>, Error> {
        self.read(|sql| list(sql, None))
    }
}

fn build(inner: &Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        let vault = Vault { inner };
        let filled = vault.database().fill_some();
        let pause = match filled {
            Ok(true) => PAUSE,
            Err(error) if error.kind() == ErrorKind::Busy => PAUSE_WHEN_BUSY,
            // Nothing waits here for an error. What is incomplete is not used, and stays listed so.
            Ok(false) | Err(_) => {
                let _next_time = vault.database().optimize();
                vault.inner.builder.0.store(false, Ordering::Release);
                // Declared between the last step and now?
                let more = vault.read_quickly(any_unfinished).unwrap_or(false);
                if !more || vault.inner.builder.0.swap(true, Ordering::AcqRel) {
                    return;
                }
                PAUSE_WHEN_BUSY
            }
        };
        drop(vault);
        std::thread::sleep(pause);
    }
}
