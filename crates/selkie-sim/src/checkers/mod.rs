//! What must hold in every world, whatever its schedule: one file for each promise.
//!
//! In: a [`World`] after its schedule. Out: what is broken. What never happens here: a change of the
//! world, or a look at how the core computes what is checked.

mod algebra;
mod atomic;
mod clock;
mod conflicts;
mod converged;
mod counters;
mod deadline;
mod lists;
mod older_reader;
mod oracle;
mod sets;
mod view_pure;

use selkie_core::merge::View;

use crate::world::{World, typed_record};

/// A promise that is broken, and how.
pub type Broken = String;

/// A checker: its name, and its judgement of a world.
pub type Checker = (&'static str, fn(&World<'_>) -> Result<(), Broken>);

/// All of them.
pub const CHECKERS: [Checker; 12] = [
    ("oracle", oracle::check),
    ("converged", converged::check),
    ("algebra", algebra::check),
    ("view_pure", view_pure::check),
    ("conflicts", conflicts::check),
    ("deadline", deadline::check),
    ("clock", clock::check),
    ("older_reader", older_reader::check),
    ("counters", counters::check),
    ("sets", sets::check),
    ("lists", lists::check),
    ("atomic", atomic::check),
];

/// Ends the check with a message unless the promise holds.
pub(crate) fn holds(promise: bool, broken: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if promise { Ok(()) } else { Err(broken()) }
}

/// The typed record as the first device shows it in the end.
fn typed_view(world: &World<'_>) -> View {
    world.devices[0].held.view(world.rules, &typed_record(), &world.policy, world.now_ms)
}
