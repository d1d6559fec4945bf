//! Selkie for Python: what the Rust library does, with Python's values and exceptions, and no logic of its own.
//!
//! This is the native module `selkie._selkie`; the package in `python/selkie` gives it its names and types.

mod conflicts;
mod convert;
mod errors;
mod json;
mod key;
mod manager;
mod pairing;
mod store;
mod sync;

use pyo3::prelude::*;

/// The native half of the package `selkie`.
#[pymodule]
mod _selkie {
    #[pymodule_export]
    use crate::conflicts::{
        attend, conflicts, history, merge, policy, register_resolver, resolve, set_policy, undo,
    };
    #[pymodule_export]
    use crate::manager::{Events, Manager, watch};
    #[pymodule_export]
    use crate::pairing::{Invitation, PendingDevice, invite, join, recover};
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::sync::{apply_sync_package, prepare_sync_package, sync, sync_point, unsent_changes};
}
