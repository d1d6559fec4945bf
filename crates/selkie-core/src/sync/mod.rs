//! Sync without I/O: what to ask a relay next, and what to make of its answers.
//!
//! In: answers of a relay, and envelopes of other devices. Out: the next [`Action`] for a driver, and
//! a [`Verdict`] on each envelope. What never happens here: HTTP, SQL, a clock; trusting a relay's word
//! for anything but where to look next. Absence at a relay is never taken for deletion.

mod engine;
mod inbox;
mod pace;
mod shown;
mod state;

pub use engine::{Action, Engine, EngineError, Known, Position};
pub use inbox::{HoldReason, Inbox, RefuseReason, Verdict};
pub use pace::PushPace;
pub use shown::{Facts, SyncState};
pub use state::{
    BACKOFF_MS_BASE, BACKOFF_MS_MAX, BlockReason, Effect, Link, LinkEvent, Phase,
    RETRY_AFTER_MS_MAX, backoff_ms,
};
