//! Sync without I/O: what to ask a relay next, and what to make of its answers.
//!
//! In: answers of a relay, and envelopes of other devices. Out: the next [`Action`] for a driver, and
//! a [`Verdict`] on each envelope. What never happens here: HTTP, SQL, a clock; trusting a relay's word
//! for anything but where to look next. Absence at a relay is never taken for deletion.

mod checkpoint;
mod engine;
mod inbox;

pub use checkpoint::{CheckpointsKnown, Standing};
pub use engine::{Action, Engine, EngineError, Known, Position};
pub use inbox::{HoldReason, Inbox, RefuseReason, Verdict};
