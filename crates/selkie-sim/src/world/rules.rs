//! What devices run: the core as it is, or the core with one bug planted.

use selkie_core::change::{Change, Dot, Operation, Registers, Seen, Writer, delete, put};
use selkie_core::clock::{Clock, Stamp};
use selkie_core::merge::{
    CollectionPolicy, Conflict, ConflictToken, Replica, Resolution, ResolveError, View, resolve,
    settle, view,
};
use selkie_core::record::Document;

/// What a view must not depend on; the right one does not look.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// The changes in the order in which they reached this device.
    pub arrivals: &'a [Dot],
    /// What the device's wall clock says.
    pub now_ms: u64,
}

/// Every rule of the core that a device uses; each can be replaced to plant a bug.
pub trait Rules: Sync {
    /// Takes in one change.
    fn apply(&self, replica: &mut Replica, change: Change) {
        replica.apply(change);
    }

    /// Takes in another replica.
    fn join(&self, replica: &mut Replica, other: Replica) {
        replica.join(other);
    }

    /// Shows a record.
    fn view(&self, registers: &Registers, policy: &CollectionPolicy, _glance: Glance<'_>) -> View {
        view(registers, policy)
    }

    /// Writes a document.
    fn put(
        &self,
        registers: &Registers,
        seen: Seen<'_>,
        wanted: &Document,
        writer: Writer<'_>,
    ) -> Vec<Operation> {
        put(registers, seen, wanted, writer)
    }

    /// Deletes a record.
    fn delete(&self, registers: &Registers) -> Vec<Operation> {
        delete(registers)
    }

    /// A person's answer.
    ///
    /// # Errors
    /// As the core's.
    fn resolve(
        &self,
        registers: &Registers,
        conflict: &Conflict,
        token: &ConflictToken,
        resolution: Resolution,
    ) -> Result<Vec<Operation>, ResolveError> {
        resolve(registers, conflict, token, resolution)
    }

    /// A machine's answer.
    fn settle(&self, registers: &Registers, conflict: &Conflict) -> Vec<Operation> {
        settle(registers, conflict, conflict.shown, "deadline")
    }

    /// Sees another device's stamp.
    fn observe(&self, clock: &mut Clock, stamp: Stamp, now_ms: u64) {
        clock.observe(stamp, now_ms);
    }
}

/// The core as it is.
#[derive(Clone, Copy, Debug)]
pub struct Right;

impl Rules for Right {}
