//! A few rounds after the faults end, all devices hold the same, know the same, and no run fails.

use crate::checkers::{Broken, holds};
use crate::sync::World;

pub fn check(world: &World) -> Result<(), Broken> {
    if let Some(failed) = world.calm.failed.first() {
        return Err(format!("a run without any fault failed: {failed}"));
    }
    let (first, others) = world.devices.split_first().expect("a world has devices");
    for (at, other) in (1..).zip(others) {
        let (one, other) = (&first.store, &other.store);
        let same = one.replica.records() == other.replica.records();
        holds(same, || format!("devices 0 and {at} hold different records"))?;
        let same = one.replica.context() == other.replica.context();
        holds(same, || format!("devices 0 and {at} know different changes"))?;
        let same = one.replica.dead() == other.replica.dead() && one.entries == other.entries;
        holds(same, || format!("devices 0 and {at} wait for different things"))?;
    }
    Ok(())
}
