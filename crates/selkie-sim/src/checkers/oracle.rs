//! The state is all writes less all named overwrites: in the end, and of what is known in between.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::{Change, Dot};
use selkie_core::record::{Path, RecordKey};

use super::{Broken, holds};
use crate::world::{Held, World};

type Dots = BTreeMap<(RecordKey, Path), BTreeSet<Dot>>;

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let expected = expected(world.log.iter());
    for (index, device) in world.devices.iter().enumerate() {
        let replica = &device.held.replica;
        holds(dots(&device.held) == expected, || format!("device {index} differs in the end"))?;
        let waits = !replica.dead().is_empty() || replica.context().cloud().next().is_some();
        holds(!waits, || format!("something still waits on device {index}"))?;
    }
    for held in &world.samples {
        let known = world.log.iter().filter(|change| held.known.contains(&change.dot));
        holds(dots(held) == self::expected(known), || "differs in between".to_owned())?;
    }
    Ok(())
}

fn dots(held: &Held) -> Dots {
    let mut all = Dots::new();
    for (key, registers) in held.replica.records() {
        for (path, siblings) in registers.iter() {
            let dots = siblings.iter().map(|sibling| sibling.dot).collect();
            all.insert((key.clone(), path.clone()), dots);
        }
    }
    all
}

/// Computed without any of the code under test.
fn expected<'c>(log: impl Iterator<Item = &'c Change>) -> Dots {
    let mut all = Dots::new();
    let mut overwritten: BTreeSet<(&RecordKey, &Path, Dot)> = BTreeSet::new();
    for change in log {
        for record in &change.records {
            for operation in &record.operations {
                let (key, path) = (&record.key, &operation.path);
                overwritten.extend(operation.overwrites.iter().map(|dot| (key, path, *dot)));
                if operation.written.is_some() {
                    all.entry((key.clone(), path.clone())).or_default().insert(change.dot);
                }
            }
        }
    }
    all.retain(|(key, path), dots| {
        dots.retain(|dot| !overwritten.contains(&(key, path, *dot)));
        !dots.is_empty()
    });
    all
}
