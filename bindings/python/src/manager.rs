//! The sync manager, and what it and a store tell of.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use selkie::{EventKind, Network, SyncEvents, SyncManager, Watch};
use serde_json::json;

use crate::convert::to_python;
use crate::errors::{forked, invalid, raise};
use crate::json;
use crate::store::Store;

/// Keeps a store in step with one relay or folder.
#[pyclass(frozen, module = "selkie._selkie")]
pub struct Manager {
    /// Always there until it is dropped.
    manager: Option<SyncManager>,
    process: u32,
}

impl Manager {
    fn get(&self) -> PyResult<&SyncManager> {
        let here = self.manager.as_ref().filter(|_| self.process == std::process::id());
        here.ok_or_else(forked)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Its thread is the parent's, and so are the locks that stopping would wait for.
            std::mem::forget(self.manager.take());
        }
    }
}

#[pymethods]
impl Manager {
    #[new]
    fn new(py: Python<'_>, store: &Store, url: &str) -> PyResult<Self> {
        let manager = store.run(py, |vault| SyncManager::new(vault, url))?;
        Ok(Self { manager: Some(manager), process: std::process::id() })
    }

    fn start(&self) -> PyResult<()> {
        self.get()?.start().map_err(raise)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let manager = self.get()?;
        py.detach(|| manager.stop());
        Ok(())
    }

    fn turn(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let manager = self.get()?;
        Ok(py.detach(|| manager.turn()))
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let manager = self.get()?;
        let status = py.detach(|| manager.state());
        to_python(py, &json::sync_status(&status))
    }

    fn sync_now(&self, py: Python<'_>) -> PyResult<()> {
        let manager = self.get()?;
        py.detach(|| manager.sync_now());
        Ok(())
    }

    fn pause(&self, py: Python<'_>) -> PyResult<()> {
        let manager = self.get()?;
        py.detach(|| manager.pause());
        Ok(())
    }

    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        let manager = self.get()?;
        py.detach(|| manager.resume()).map_err(raise)
    }

    fn suspend(&self, py: Python<'_>) -> PyResult<()> {
        let manager = self.get()?;
        py.detach(|| manager.suspend()).map_err(raise)
    }

    fn set_network(&self, py: Python<'_>, network: &str) -> PyResult<()> {
        let manager = self.get()?;
        let known = Network::ALL.into_iter().find(|known| known.name() == network);
        let network = known
            .ok_or_else(|| invalid("a network is unknown, wired, wifi, cellular or offline"))?;
        py.detach(|| manager.set_network(network));
        Ok(())
    }

    fn wait_for_initial_sync(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let manager = self.get()?;
        let at_most = seconds(timeout);
        Ok(py.detach(|| manager.wait_for_initial_sync(at_most)))
    }

    fn subscribe(&self) -> PyResult<Events> {
        Ok(Events(Mutex::new(Source::Sync(self.get()?.subscribe()))))
    }
}

/// A stream of events.
#[pyclass(frozen, module = "selkie._selkie")]
pub struct Events(Mutex<Source>);

enum Source {
    Sync(SyncEvents),
    Records(Watch),
}

/// Events of a store's records from now on, of one collection or all.
#[pyfunction]
#[pyo3(signature = (store, collection))]
pub fn watch(store: &Store, collection: Option<&str>) -> PyResult<Events> {
    let vault = store.vault()?;
    let watch = match collection {
        Some(name) => vault.collection(name).map_err(raise)?.watch(),
        None => vault.watch(),
    };
    Ok(Events(Mutex::new(Source::Records(watch))))
}

#[pymethods]
impl Events {
    /// The next event, waited for so many seconds at most.
    fn next<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let at_most = seconds(timeout);
        let event = py.detach(|| {
            let source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*source {
                Source::Sync(events) => events.next_within(at_most).as_ref().map(json::event),
                Source::Records(watch) => watch.next_within(at_most).map(|event| {
                    json!({
                        "collection": event.collection,
                        "id": event.id,
                        "kind": match event.kind {
                            EventKind::Put => "put",
                            EventKind::Deleted => "deleted",
                            EventKind::Finding => "finding",
                            EventKind::InitialSyncCompleted => "initial_sync_completed",
                        },
                        "remote": event.remote,
                    })
                }),
            }
        });
        to_python(py, &event.unwrap_or_default())
    }
}

fn seconds(timeout: f64) -> Duration {
    // A day stands for ever: longer waits are not told apart, and some systems refuse them.
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    Duration::try_from_secs_f64(timeout.max(0.0)).map_or(DAY, |wanted| wanted.min(DAY))
}
