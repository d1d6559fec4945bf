//! Machines and people answer independently: everything closes after one more round, and no machine
//! stands over a person.

use selkie_core::change::{Change, Dot, EntryValue, Operation, Registers};
use selkie_core::merge::View;
use selkie_core::record::Path;
use serde_json::Value;

use super::{Broken, holds};
use crate::world::{Answer, Held, World, holds_unknown};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    all_is_closed(world)?;
    let states = world.samples.iter().chain([&world.answered, &world.devices[0].held]);
    for held in states {
        for answer in world.ledger.answers.iter().filter(|answer| !answer.by_machine) {
            person_stands(world, held, answer)?;
        }
    }
    no_machine_overwrites_a_person(world)
}

fn all_is_closed(world: &World<'_>) -> Result<(), Broken> {
    let held = &world.devices[0].held;
    for (key, registers) in held.replica.records() {
        let shown = held.view(world.rules, key, &world.policy, world.now_ms);
        for conflict in &shown.conflicts {
            // A version that does not know a side writes nothing in its place.
            let is_open = !holds_unknown(registers, conflict);
            let path = &conflict.path;
            holds(!is_open, || format!("{key} is still open after the deadline, at {path}"))?;
        }
    }
    Ok(())
}

/// Where one person's answer stands beside nothing but machines', the person's is shown.
fn person_stands(world: &World<'_>, held: &Held, answer: &Answer) -> Result<(), Broken> {
    let registers = held.replica.registers(&answer.key);
    let in_place =
        |path: &Path| path.starts_with(&answer.path) && path.is_root() == answer.path.is_root();
    // A machine that chose between another person's answer and an edit speaks for that person.
    let by_person = |dot: &Dot| world.ledger.answer(*dot).is_some_and(|other| !other.by_machine);
    let is_machine = |dot: Dot| {
        world
            .ledger
            .answer(dot)
            .is_some_and(|other| other.by_machine && !other.named.iter().any(by_person))
    };
    let mut place = registers.iter().filter(|(path, _)| in_place(path)).peekable();
    let alone = place.peek().is_some()
        && place.all(|(_, siblings)| {
            let mut dots = siblings.iter().map(|sibling| sibling.dot);
            dots.all(|dot| dot == answer.dot || is_machine(dot))
        });
    let hidden = answer.path.ancestors().any(|above| !registers.at(&above).is_empty());
    if !alone || hidden || answer.path.container().is_some() {
        return Ok(());
    }
    let shown = held.view(world.rules, &answer.key, &world.policy, world.now_ms);
    for operation in operations(world, answer.dot) {
        if in_place(&operation.path) && stands(&registers, &operation.path, answer.dot) {
            let says_so = shows(&shown, operation);
            let path = &operation.path;
            holds(says_so, || format!("a machine stands over a person, at {path}"))?;
        }
    }
    Ok(())
}

fn operations<'w>(world: &'w World<'_>, dot: Dot) -> impl Iterator<Item = &'w Operation> {
    let change = world.log.iter().find(move |change| change.dot == dot);
    change.into_iter().flat_map(|change: &Change| &change.records).flat_map(|r| &r.operations)
}

fn stands(registers: &Registers, path: &Path, dot: Dot) -> bool {
    registers.at(path).iter().any(|sibling| sibling.dot == dot)
}

fn shows(view: &View, operation: &Operation) -> bool {
    let Some(written) = &operation.written else { return true };
    let Some(document) = &view.document else {
        return !operation.path.is_root() || written.value == EntryValue::Dead;
    };
    let value = document.value_at(&operation.path);
    match &written.value {
        EntryValue::Alive => true,
        EntryValue::Dead => false,
        EntryValue::Value(wanted) => value == Some(wanted),
        // An empty object and fields written below it come together, whoever wrote them.
        EntryValue::EmptyObject => value.is_some_and(Value::is_object),
        // So do a value's removal and fields below it, which the answer did not name.
        EntryValue::Absent => value.is_none_or(Value::is_object),
        EntryValue::EmptyArray | EntryValue::Unknown { .. } => true,
    }
}

/// A machine overwrites a person's answer only together with an edit that came beside it.
fn no_machine_overwrites_a_person(world: &World<'_>) -> Result<(), Broken> {
    for answer in world.ledger.answers.iter().filter(|answer| answer.by_machine) {
        let by_person =
            |dot: &Dot| world.ledger.answer(*dot).is_some_and(|other| !other.by_machine);
        let is_edit = |dot: &Dot| world.ledger.answer(*dot).is_none();
        let overrides = !answer.path.is_root()
            && answer.named.iter().any(by_person)
            && !answer.named.iter().any(is_edit);
        holds(!overrides, || format!("a machine answered after a person, at {}", answer.path))?;
    }
    Ok(())
}
