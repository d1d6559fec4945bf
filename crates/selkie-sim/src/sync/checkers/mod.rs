//! What must hold in every sync world: one file for each promise.
//!
//! In: a [`World`] after its schedule and its calm. Out: what is broken. What never happens here: a
//! change of the world.

mod bounded;
mod converged;
mod nothing_doubled;
mod nothing_lost;
mod quiescent;

use super::{Deed, World};
use crate::checkers::Broken;

/// A checker: its name, and its judgement of a world.
pub type Checker = (&'static str, fn(&World) -> Result<(), Broken>);

/// All of them.
pub const CHECKERS: [Checker; 5] = [
    ("nothing_lost", nothing_lost::check),
    ("nothing_doubled", nothing_doubled::check),
    ("converged", converged::check),
    ("bounded", bounded::check),
    ("quiescent", quiescent::check),
];

/// Whether a write that is alive was replaced by another one that is.
fn is_replaced(world: &World, number: u64) -> bool {
    let alive = world.calm.alive.iter().filter_map(|other| world.ledger.acts.get(other));
    alive.into_iter().any(|act| act.replaces.contains(&number))
}

/// The writes that must be seen in the end, with what they did.
fn standing(world: &World) -> impl Iterator<Item = (u64, &Deed)> {
    let alive = world.calm.alive.iter();
    let acts = alive.filter_map(|number| Some((*number, &world.ledger.acts.get(number)?.deed)));
    acts.filter(|(number, _)| !is_replaced(world, *number))
}

/// What the counter must show.
fn sum(world: &World) -> i64 {
    let alive = world.calm.alive.iter().filter_map(|number| world.ledger.acts.get(number));
    alive.map(|act| if let Deed::Counted(by) = act.deed { by } else { 0 }).sum()
}
