//! Sync by a relay or folder in one call, and by packages.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use selkie::{SyncPoint, SyncProgress};
use serde_json::json;

use crate::convert::to_python;
use crate::errors::raise;
use crate::json;
use crate::store::Store;

/// A Python callable that is told how far a run has come. What it raises, Ctrl-C included, is raised again
/// when the run has ended: what is stored then stays.
struct Listener {
    call: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Listener {
    fn tell(&mut self, progress: SyncProgress) {
        if self.raised.is_some() {
            return;
        }
        self.raised = Python::attach(|py| {
            py.check_signals()?;
            if let Some(call) = &self.call {
                call.call1(py, (to_python(py, &json::progress(progress))?,))?;
            }
            Ok(())
        })
        .err();
    }
}

/// Syncs with a relay's address, or with `folder:` and a path.
#[pyfunction]
#[pyo3(signature = (store, url, progress))]
pub fn sync<'py>(
    py: Python<'py>,
    store: &Store,
    url: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let vault = store.vault()?;
    let mut listener = Listener { call: progress, raised: None };
    let told = &mut listener;
    let outcome = py.detach(move || vault.sync(url, &mut |progress| told.tell(progress)));
    if let Some(raised) = listener.raised {
        return Err(raised);
    }
    to_python(py, &json::report(&outcome.map_err(raise)?))
}

/// Packs what is new since a point: the bytes, and what is to be known of them.
#[pyfunction]
#[pyo3(signature = (store, since))]
pub fn prepare_sync_package<'py>(
    py: Python<'py>,
    store: &Store,
    since: Option<&str>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyAny>)> {
    let since = since.map(str::parse::<SyncPoint>).transpose().map_err(raise)?;
    let package = store.run(py, |vault| vault.prepare_sync_package(since.as_ref()))?;
    let about = json!({
        "segments": package.segments,
        "changes": package.changes,
        "point": package.point.to_string(),
        "is_complete": package.is_complete,
    });
    Ok((PyBytes::new(py, &package.bytes), to_python(py, &about)?))
}

/// Applies a package.
#[pyfunction]
pub fn apply_sync_package<'py>(
    py: Python<'py>,
    store: &Store,
    package: Vec<u8>,
) -> PyResult<Bound<'py, PyAny>> {
    store.run_json(py, |vault| {
        let report = vault.apply_sync_package(&package, &mut |_| {})?;
        Ok(json!({
            "changes_applied": report.changes_applied,
            "segments_held": report.segments_held,
            "segments_refused": report.segments_refused,
            "conflicts": report.conflicts.iter().map(json::open_conflict).collect::<Vec<_>>(),
        }))
    })
}

/// What this device has, as text.
#[pyfunction]
pub fn sync_point(py: Python<'_>, store: &Store) -> PyResult<String> {
    Ok(store.run(py, selkie::Vault::sync_point)?.to_string())
}

/// The oldest changes that no relay or folder is known to have.
#[pyfunction]
pub fn unsent_changes<'py>(
    py: Python<'py>,
    store: &Store,
    limit: usize,
) -> PyResult<Bound<'py, PyAny>> {
    store.run_json(py, |vault| {
        let changes = vault.unsent_changes(limit)?;
        let one = |change: &selkie::UnsentChange| {
            json!({
                "collection": change.collection,
                "id": change.id,
                "deleted": change.kind == selkie::EventKind::Deleted,
                "at_ms": change.at_ms,
                "change": change.change,
            })
        };
        Ok(changes.iter().map(one).collect())
    })
}
