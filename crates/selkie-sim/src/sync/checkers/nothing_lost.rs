//! Every write that a store or a relay had when the faults ended is on every device: seen, or replaced
//! by a write that had seen it.

use super::{standing, sum};
use crate::checkers::{Broken, holds};
use crate::sync::writes::{self, TYPED, key, shown};
use crate::sync::{Deed, World};

pub fn check(world: &World) -> Result<(), Broken> {
    let sum = sum(world);
    for (at, device) in world.devices.iter().enumerate() {
        let store = &device.store;
        let typed = shown(store, TYPED);
        let items = writes::items(&typed);
        for (number, deed) in standing(world) {
            let seen = match deed {
                Deed::Field(id, field, true) => {
                    writes::standing(&store.replica.registers(&key(id)), field).contains(&number)
                }
                Deed::Listed => items.contains(&number),
                _ => true,
            };
            holds(seen, || format!("write {number} ({deed:?}) is not on device {at}"))?;
        }
        let shown = writes::counter(&typed);
        holds(shown >= sum, || format!("device {at} counts {shown} of {sum}"))?;
    }
    Ok(())
}
