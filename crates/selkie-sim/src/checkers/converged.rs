//! The same changes and the same policy: equal registers, view and packed blob on every device.

use selkie_core::merge::pack;

use super::{Broken, holds};
use crate::world::World;

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let (first, others) = world.devices.split_first().expect("a world has devices");
    for (index, other) in others.iter().enumerate() {
        let index = index + 1;
        let same = first.held.replica == other.held.replica;
        holds(same, || format!("devices 0 and {index} differ"))?;
        for (key, registers) in first.held.replica.records() {
            let show = |device: &crate::world::Device| {
                let now_ms = device.wall_ms(world.now_ms);
                device.held.view(world.rules, key, &world.policy, now_ms)
            };
            let (mine, theirs) = (show(first), show(other));
            holds(mine == theirs, || format!("devices 0 and {index} show {key} differently"))?;
            let their_registers = other.held.replica.registers(key);
            let same = pack(registers, mine.document.as_ref())
                == pack(&their_registers, theirs.document.as_ref());
            holds(same, || format!("devices 0 and {index} pack {key} differently"))?;
        }
    }
    same_knowledge_same_state(world)
}

/// Whoever knows the same changes has the same state, also in the middle of a schedule.
fn same_knowledge_same_state(world: &World<'_>) -> Result<(), Broken> {
    for (at, one) in world.samples.iter().enumerate() {
        for other in world.samples.iter().skip(at + 1).filter(|other| other.known == one.known) {
            let same = one.replica.records() == other.replica.records();
            holds(same, || "the same changes, another state in between".to_owned())?;
        }
    }
    Ok(())
}
