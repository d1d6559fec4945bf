//! A device that knows neither schema nor policy nor what later versions write harms nothing: what
//! they wrote survives edits of other fields and the machines' answers.

use std::collections::BTreeSet;

use selkie_core::change::{Dot, EntryValue};
use selkie_core::merge::{CollectionPolicy, View};
use selkie_core::record::{Path, RecordKey};

use super::{Broken, holds};
use crate::world::{Deed, FUTURE, Held, World, as_an_older_app_reads, is_unknown, typed_record};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    unknown_writes_survive(world)?;
    no_machine_overwrites_the_unknown(world)?;
    let held = &world.devices[0].held;
    held.replica.records().keys().try_for_each(|key| shows_the_newest(world, held, key))
}

/// What a later version wrote is there, byte for byte, until one writes it again.
fn unknown_writes_survive(world: &World<'_>) -> Result<(), Broken> {
    let mut expected: BTreeSet<(Path, Dot, String)> = BTreeSet::new();
    for act in &world.ledger.acts {
        let Deed::WroteUnknown(path) = &act.deed else { continue };
        let same = |deed: &Deed| matches!(deed, Deed::WroteUnknown(other) if other == path);
        if !world.ledger.is_replaced(act.dot, same) {
            expected.insert((path.clone(), act.dot, value_written(world, act.dot, path)));
        }
    }
    let field = Path::root().child(FUTURE);
    for device in &world.devices {
        let registers = device.held.replica.registers(&typed_record());
        let mut found = BTreeSet::new();
        for (path, siblings) in registers.iter().filter(|(path, _)| path.starts_with(&field)) {
            let by_later =
                siblings.iter().filter(|sibling| world.ledger.answer(sibling.dot).is_none());
            found.extend(
                by_later.map(|sibling| {
                    (path.clone(), sibling.dot, format!("{:?}", sibling.entry.value))
                }),
            );
        }
        let lost = || format!("of what a later version wrote, {expected:?}, there is {found:?}");
        holds(found == expected || by_person(world, &field), lost)?;
    }
    Ok(())
}

/// A person may decide about anything that is shown.
fn by_person(world: &World<'_>, field: &Path) -> bool {
    let mut answers = world.ledger.answers.iter().filter(|answer| !answer.by_machine);
    answers.any(|answer| answer.path.starts_with(field))
}

fn value_written(world: &World<'_>, dot: Dot, path: &Path) -> String {
    let changes = world.log.iter().filter(|change| change.dot == dot);
    let mut operations =
        changes.flat_map(|change| &change.records).flat_map(|record| &record.operations);
    let operation = operations.find(|operation| operation.path == *path);
    let value = operation.and_then(|operation| operation.written.as_ref()).map(|w| &w.value);
    value.map(|value| format!("{value:?}")).unwrap_or_default()
}

fn no_machine_overwrites_the_unknown(world: &World<'_>) -> Result<(), Broken> {
    let mut unknown: BTreeSet<(&RecordKey, &Path, Dot)> = BTreeSet::new();
    for change in &world.log {
        for record in &change.records {
            for operation in &record.operations {
                let value = operation.written.as_ref().map(|written| &written.value);
                if is_unknown(&operation.path, value.unwrap_or(&EntryValue::Absent)) {
                    unknown.insert((&record.key, &operation.path, change.dot));
                }
            }
        }
    }
    for change in &world.log {
        if !world.ledger.answer(change.dot).is_some_and(|answer| answer.by_machine) {
            continue;
        }
        for record in &change.records {
            for operation in &record.operations {
                let path = &operation.path;
                let mut overwritten = operation.overwrites.iter();
                let harms = overwritten.any(|dot| unknown.contains(&(&record.key, path, *dot)));
                holds(!harms, || format!("a machine overwrote a later version's {path}"))?;
            }
        }
    }
    Ok(())
}

/// An app that knows none of the policy's names shows what `timestamp` shows, and asks nothing.
fn shows_the_newest(world: &World<'_>, held: &Held, key: &RecordKey) -> Result<(), Broken> {
    let older = as_an_older_app_reads(&world.policy);
    let shown = held.view(world.rules, key, &older, world.now_ms);
    let expected = held.view(world.rules, key, &CollectionPolicy::default(), world.now_ms);
    let expected = View { conflicts: Vec::new(), ..expected };
    holds(shown == expected, || format!("an older app shows {key} otherwise than the newest"))
}
