//! Joining is associative, commutative and idempotent, and applying is joining a delta.

use selkie_core::merge::Replica;

use super::{Broken, holds};
use crate::world::World;

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let joined = |one: &Replica, other: &Replica| {
        let mut joined = one.clone();
        world.rules.join(&mut joined, other.clone());
        joined
    };
    let mut states = world.samples.iter().map(|held| &held.replica);
    let (Some(a), Some(b)) = (states.next(), states.next()) else { return Ok(()) };
    let c = states.next().unwrap_or(&world.answered.replica);
    holds(joined(a, a) == *a, || "join is not idempotent".to_owned())?;
    let ab = joined(a, b);
    holds(ab == joined(b, a), || "join is not commutative".to_owned())?;
    holds(joined(&ab, b) == ab, || "join is not idempotent for a part".to_owned())?;
    let associative = joined(&ab, c) == joined(a, &joined(b, c));
    holds(associative, || "join is not associative".to_owned())?;
    for change in world.log.iter().rev().take(3) {
        let mut delta = Replica::default();
        world.rules.apply(&mut delta, change.clone());
        let mut applied = a.clone();
        world.rules.apply(&mut applied, change.clone());
        let same = applied == joined(a, &delta);
        holds(same, || "applying a change is not joining its delta".to_owned())?;
    }
    Ok(())
}
