//! A further device: invitation on one side, joining on the other.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use selkie::{Unlock, Vault};

use crate::errors::{raise, used};
use crate::key::Key;
use crate::store::Store;

/// Where devices meet to pair: an address, or a folder after `folder:`.
fn folder_of(place: &str) -> Option<PathBuf> {
    place.strip_prefix("folder:").map(PathBuf::from)
}

/// A device is awaited.
#[pyclass(frozen, module = "selkie._selkie")]
pub struct Invitation {
    code: String,
    invitation: Mutex<Option<selkie::Invitation>>,
}

/// Invites a device; asks for the passphrase or the words again.
#[pyfunction]
#[pyo3(signature = (store, place, user_key, recovery_words))]
pub fn invite(
    py: Python<'_>,
    store: &Store,
    place: &str,
    user_key: Option<&Bound<'_, PyAny>>,
    recovery_words: Option<&str>,
) -> PyResult<Invitation> {
    let key = Key::new(user_key, recovery_words)?;
    let invitation = store.run(py, |vault| match folder_of(place) {
        Some(folder) => vault.invite_in(folder, key.unlock()),
        None => vault.invite(place, key.unlock()),
    })?;
    let code = invitation.code().to_owned();
    Ok(Invitation { code, invitation: Mutex::new(Some(invitation)) })
}

#[pymethods]
impl Invitation {
    #[getter]
    fn code(&self) -> &str {
        &self.code
    }

    /// Waits for the device that types the code, at most so many seconds. Ctrl-C ends it.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<PendingDevice> {
        let taken = self.invitation.lock().unwrap_or_else(PoisonError::into_inner).take();
        let invitation = taken.ok_or_else(used)?;
        let at_most = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
        let (began, mut interrupted) = (Instant::now(), None);
        let stopped = &mut interrupted;
        let pending = py.detach(move || {
            invitation.wait(&mut || {
                *stopped = Python::attach(|py| py.check_signals()).err();
                stopped.is_none() && began.elapsed() < at_most
            })
        });
        if let Some(interrupted) = interrupted {
            return Err(interrupted);
        }
        let pending = pending.map_err(raise)?;
        let digits = pending.digits().to_owned();
        Ok(PendingDevice { digits, pending: Mutex::new(Some(pending)) })
    }
}

/// A device that asks to be let in.
#[pyclass(frozen, module = "selkie._selkie")]
pub struct PendingDevice {
    digits: String,
    pending: Mutex<Option<selkie::PendingDevice>>,
}

impl PendingDevice {
    fn take(&self) -> PyResult<selkie::PendingDevice> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(used)
    }
}

#[pymethods]
impl PendingDevice {
    #[getter]
    fn digits(&self) -> &str {
        &self.digits
    }

    fn confirm(&self, py: Python<'_>) -> PyResult<String> {
        let pending = self.take()?;
        let device = py.detach(move || pending.confirm()).map_err(raise)?;
        Ok(device.to_string())
    }

    fn refuse(&self, py: Python<'_>) -> PyResult<()> {
        let pending = self.take()?;
        py.detach(move || pending.refuse()).map_err(raise)
    }
}

/// Joins the vault of another device with the code it shows. `confirm` is given six digits.
#[pyfunction]
pub fn join(
    py: Python<'_>,
    path: PathBuf,
    place: &str,
    code: &str,
    user_key: &Bound<'_, PyAny>,
    confirm: Py<PyAny>,
) -> PyResult<Store> {
    let key = Key::new(Some(user_key), None)?;
    let mut raised = None;
    let asked = &mut raised;
    let joined = py.detach(move || {
        let mut ask = |digits: &str| {
            let same = Python::attach(|py| confirm.call1(py, (digits,))?.is_truthy(py));
            same.unwrap_or_else(|error| {
                *asked = Some(error);
                false
            })
        };
        join_at(path, place, code, key.unlock(), &mut ask)
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    Ok(Store::new(joined.map_err(raise)?, None))
}

fn join_at(
    path: PathBuf,
    place: &str,
    code: &str,
    unlock: Unlock<'_>,
    confirm: &mut dyn FnMut(&str) -> bool,
) -> Result<Vault, selkie::Error> {
    match folder_of(place) {
        Some(folder) => Vault::join_in(path, folder, code, unlock, confirm),
        None => Vault::join(path, place, code, unlock, confirm),
    }
}

/// Makes a store for a new device from the recovery words alone.
#[pyfunction]
pub fn recover(
    py: Python<'_>,
    path: PathBuf,
    url: &str,
    recovery_words: &str,
    user_key: &Bound<'_, PyAny>,
) -> PyResult<Store> {
    let key = Key::new(Some(user_key), None)?;
    let vault = py.detach(|| Vault::recover(path, url, recovery_words, key.unlock()));
    Ok(Store::new(vault.map_err(raise)?, None))
}
