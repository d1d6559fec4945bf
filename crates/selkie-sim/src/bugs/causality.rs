//! Bugs of what was seen: contexts, joins, stamps and kinds.

use selkie_core::change::{Change, Dot, EntryValue};
use selkie_core::clock::{Clock, Stamp};
use selkie_core::merge::{Context, DeadOnArrival, Replica};

use crate::world::{Rules, is_unknown};

fn rebuild(replica: &mut Replica, change: impl FnOnce(&mut Context, &mut DeadOnArrival)) {
    let (records, mut context, mut dead) = core::mem::take(replica).into_parts();
    change(&mut context, &mut dead);
    *replica = Replica::from_parts(records, context, dead);
}

/// Overwrites of what has not arrived are forgotten.
pub struct NoDead;

impl Rules for NoDead {
    fn apply(&self, replica: &mut Replica, change: Change) {
        replica.apply(change);
        rebuild(replica, |_, dead| *dead = DeadOnArrival::default());
    }

    fn join(&self, replica: &mut Replica, other: Replica) {
        replica.join(other);
        rebuild(replica, |_, dead| *dead = DeadOnArrival::default());
    }
}

/// A join takes what is missing for new, not for overwritten.
pub struct JoinIgnoresContext;

impl Rules for JoinIgnoresContext {
    fn join(&self, replica: &mut Replica, mut other: Replica) {
        let mut joined = replica.context().clone();
        joined.join(other.context());
        rebuild(replica, |context, _| *context = Context::default());
        rebuild(&mut other, |context, _| *context = Context::default());
        replica.join(other);
        rebuild(replica, |context, _| *context = joined);
    }
}

/// The highest number seen stands for all before it.
pub struct ContextJumpsGaps;

impl Rules for ContextJumpsGaps {
    fn apply(&self, replica: &mut Replica, change: Change) {
        let dot = change.dot;
        replica.apply(change);
        rebuild(replica, |context, _| {
            let mut vector = context.version_vector().clone();
            vector.advance(dot.device, dot.number.0);
            *context = Context::from_parts(vector, context.cloud().collect::<Vec<_>>());
        });
    }
}

/// What has a later stamp stays, though its overwriter had seen it: clocks before causality.
pub struct LateStampStays;

impl Rules for LateStampStays {
    fn apply(&self, replica: &mut Replica, mut change: Change) {
        for record in &mut change.records {
            let registers = replica.registers(&record.key);
            for operation in &mut record.operations {
                let siblings = registers.at(&operation.path);
                let is_later = |dot: &Dot| {
                    let mut same = siblings.iter().filter(|sibling| sibling.dot == *dot);
                    same.any(|sibling| sibling.entry.stamp > change.stamp)
                };
                operation.overwrites.retain(|dot| !is_later(dot));
            }
        }
        replica.apply(change);
    }
}

/// Any stamp is adopted, however far ahead.
pub struct ClockIsFollowed;

impl Rules for ClockIsFollowed {
    fn observe(&self, clock: &mut Clock, stamp: Stamp, _now_ms: u64) {
        *clock = Clock::new(clock.last().max(stamp));
    }
}

/// What this version does not know is not kept.
pub struct UnknownIsDropped;

impl Rules for UnknownIsDropped {
    fn apply(&self, replica: &mut Replica, mut change: Change) {
        for record in &mut change.records {
            for operation in &mut record.operations {
                let value = operation.written.as_ref().map(|written| &written.value);
                if is_unknown(&operation.path, value.unwrap_or(&EntryValue::Absent)) {
                    operation.written = None;
                }
            }
        }
        replica.apply(change);
    }
}
