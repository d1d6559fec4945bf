//! No queue grows without bound, no run goes on for ever, and in the end nothing waits.

use crate::checkers::{Broken, holds};
use crate::sync::World;

pub fn check(world: &World) -> Result<(), Broken> {
    if let Some(exceeded) = world.exceeded.first() {
        return Err(exceeded.clone());
    }
    for (at, device) in world.devices.iter().enumerate() {
        let held = device.store.held.len();
        holds(held == 0, || format!("device {at} still holds {held} segments"))?;
        holds(!device.store.has_unsealed(), || format!("device {at} has not sealed all"))?;
    }
    Ok(())
}
