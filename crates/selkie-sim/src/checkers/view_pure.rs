//! A view depends on registers and policy alone: not on the order of deliveries, nor on that in which
//! siblings came in, nor on the wall clock; and it survives packing.

use selkie_core::merge::{Replica, pack, unpack};

use super::{Broken, holds};
use crate::world::{Glance, Held, World, as_an_older_app_reads};

/// Thirty years: no view may care.
const LATER_MS: u64 = 30 * 365 * 24 * 60 * 60 * 1000;

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let states = world.samples.iter().take(2).chain([&world.answered, &world.devices[0].held]);
    for held in states {
        check_state(world, held)?;
    }
    let mut backwards = Held::default();
    for change in world.log.iter().rev() {
        backwards.apply(world.rules, change.clone());
    }
    same_views(world, &world.devices[0].held, &backwards, "depends on the order of changes")
}

fn check_state(world: &World<'_>, held: &Held) -> Result<(), Broken> {
    let mut reversed = held.clone();
    reversed.arrivals.reverse();
    same_views(world, held, &reversed, "depends on the order of deliveries")?;
    let older = as_an_older_app_reads(&world.policy);
    for (key, registers) in held.replica.records() {
        for policy in [&world.policy, &older] {
            let glance = Glance { arrivals: &held.arrivals, now_ms: world.now_ms };
            let shown = world.rules.view(registers, policy, glance);
            for now_ms in [0, world.now_ms + LATER_MS] {
                let again = world.rules.view(registers, policy, Glance { now_ms, ..glance });
                holds(again == shown, || format!("the view of {key} depends on the wall clock"))?;
            }
            let blob = pack(registers, shown.document.as_ref());
            let unpacked = unpack(&blob, shown.document.as_ref())
                .map_err(|_| format!("the state of {key} does not unpack"))?;
            holds(unpacked == *registers, || format!("packing {key} loses something"))?;
            let again = world.rules.view(&unpacked, policy, glance);
            holds(again == shown, || format!("unpacked, {key} is shown differently"))?;
        }
    }
    rejoined(world, held)
}

/// The same siblings inserted in the order in which a join inserts them.
fn rejoined(world: &World<'_>, held: &Held) -> Result<(), Broken> {
    let mut again = Held { replica: Replica::default(), ..held.clone() };
    world.rules.join(&mut again.replica, held.replica.clone());
    same_views(world, held, &again, "depends on the order of siblings")
}

fn same_views(world: &World<'_>, one: &Held, other: &Held, why: &str) -> Result<(), Broken> {
    for key in one.replica.records().keys() {
        let show = |held: &Held| held.view(world.rules, key, &world.policy, world.now_ms);
        holds(show(one) == show(other), || format!("the view of {key} {why}"))?;
    }
    Ok(())
}
