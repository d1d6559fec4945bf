//! The world: devices, their clocks, what they write and answer, and how changes travel.
//!
//! In: a seed and the [`Rules`] by which devices write, merge and show. Out: a [`World`] after one
//! schedule, with everything that happened in it as plain data. What never happens here: judging.

mod answers;
mod device;
mod documents;
mod ledger;
mod policies;
mod random;
mod rules;
mod schedule;
mod typed;

pub use answers::{holds_unknown, is_unknown};
pub use device::{Device, Held};
pub use documents::{ATOMIC, COUNTER, FUTURE, LIST, SET, label_of, typed_record};
pub use ledger::{Act, Answer, AnswerApplied, Deed, Ledger, Put};
pub use policies::as_an_older_app_reads;
pub use random::Random;
pub use rules::{Glance, Right, Rules};
pub use schedule::World;
