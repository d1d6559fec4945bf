//! Nothing is there twice, and nothing that was replaced comes back.

use std::collections::BTreeSet;

use super::{standing, sum};
use crate::checkers::{Broken, holds};
use crate::sync::writes::{self, FIELDS, RECORDS, TYPED, key, shown};
use crate::sync::{Deed, World};

pub fn check(world: &World) -> Result<(), Broken> {
    let sum = sum(world);
    let standing: BTreeSet<u64> =
        standing(world).filter(|(_, deed)| **deed != Deed::Unlisted).map(|one| one.0).collect();
    for (at, device) in world.devices.iter().enumerate() {
        let store = &device.store;
        for (id, field) in RECORDS.iter().flat_map(|id| FIELDS.iter().map(move |field| (id, field)))
        {
            let registers = store.replica.registers(&key(id));
            let count = registers.at(&selkie_core::record::Path::root().child(field)).len();
            let values = writes::standing(&registers, field);
            holds(values.is_subset(&standing), || {
                format!("device {at} shows replaced values at {id}.{field}: {values:?}")
            })?;
            holds(count <= values.len() + removals(world), || {
                format!("device {at} has a value of {id}.{field} twice")
            })?;
        }
        let typed = shown(store, TYPED);
        let items = writes::items(&typed);
        let distinct: BTreeSet<u64> = items.iter().copied().collect();
        holds(distinct.len() == items.len(), || {
            format!("device {at} lists an item twice: {items:?}")
        })?;
        holds(distinct.is_subset(&standing), || {
            format!("device {at} lists what was taken out: {items:?}")
        })?;
        let shown = writes::counter(&typed);
        holds(shown <= sum, || format!("device {at} counts {shown}, more than {sum}"))?;
    }
    Ok(())
}

/// Marks of removed fields may stand beside values.
fn removals(world: &World) -> usize {
    let removed = |deed: &Deed| matches!(deed, Deed::Field(_, _, false));
    world.ledger.acts.values().filter(|act| removed(&act.deed)).count()
}
