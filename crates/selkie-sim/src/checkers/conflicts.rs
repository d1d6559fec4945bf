//! A conflict is open exactly while values differ and an edit is among them; an answer takes exactly
//! what it names, on every device; answers among themselves are no conflict.

use std::collections::BTreeSet;

use selkie_core::change::{Class, Dot, EntryValue, Registers, Sibling};
use selkie_core::merge::{OnDelete, View};
use selkie_core::record::{Component, Element, Path};

use super::{Broken, holds};
use crate::world::{AnswerApplied, World};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let states = world.samples.iter().chain([&world.answered, &world.devices[0].held]);
    for held in states {
        for (key, registers) in held.replica.records() {
            let shown = held.view(world.rules, key, &world.policy, world.now_ms);
            check_root(world, registers, &shown).map_err(|broken| format!("{key}: {broken}"))?;
            if shown.document.is_some() {
                check_fields(world, registers, &shown)
                    .map_err(|broken| format!("{key}: {broken}"))?;
            }
            answers_do_not_reopen(world, registers, &shown)?;
        }
    }
    world.ledger.applied.iter().try_for_each(|applied| check_answer(world, applied))
}

fn is_open(shown: &View, path: &Path) -> bool {
    shown.conflicts.iter().any(|conflict| conflict.path == *path)
}

fn has_plain(siblings: &[Sibling]) -> bool {
    siblings.iter().any(|sibling| sibling.entry.class == Class::Plain)
}

fn check_root(world: &World<'_>, registers: &Registers, shown: &View) -> Result<(), Broken> {
    let root = registers.at(&Path::root());
    let has = |value| root.iter().any(|sibling| sibling.entry.value == value);
    let mixed = has(EntryValue::Alive) && has(EntryValue::Dead);
    let expected = world.policy.on_delete == OnDelete::UserChoice && mixed && has_plain(root);
    holds(is_open(shown, &Path::root()) == expected, || "a delete is open or not".to_owned())
}

/// Every field where nothing of another shape stands above or below.
fn check_fields(world: &World<'_>, registers: &Registers, shown: &View) -> Result<(), Broken> {
    for (path, siblings) in registers.iter().filter(|(path, _)| !path.is_root()) {
        let above = path.ancestors().any(|ancestor| !registers.at(&ancestor).is_empty());
        let below = registers.below(path).next().is_some();
        let is_item = path.last_element() == Some(Element::ListValue);
        let is_field = path.components().all(|step| matches!(step, Component::Key(_)));
        let unknown = |sibling: &Sibling| matches!(sibling.entry.value, EntryValue::Unknown { .. });
        if above && !is_item || below || !is_field && !is_item || siblings.iter().any(unknown) {
            continue;
        }
        if is_item && !only_elements_above(registers, path) {
            continue;
        }
        // The policy of an item is its list's.
        let place = path.container().unwrap_or_else(|| path.clone());
        let values: BTreeSet<String> =
            siblings.iter().map(|sibling| format!("{:?}", sibling.entry.value)).collect();
        let expected = world.policy.at(&place).asks() && values.len() > 1 && has_plain(siblings);
        let found = is_open(shown, path);
        holds(found == expected, || format!("{path} is open: {found}, expected: {expected}"))?;
    }
    Ok(())
}

/// Above a list's item stands its position, and nothing else that could hide it.
fn only_elements_above(registers: &Registers, path: &Path) -> bool {
    let container = path.container();
    let has_element = path.components().filter(|step| matches!(step, Component::Element(_)));
    has_element.count() == 2
        && container.is_some_and(|container| {
            registers.at(&container).is_empty()
                && container.ancestors().all(|above| registers.at(&above).is_empty())
        })
}

/// Where only answers to a place stand, nothing is asked again, whatever class they claim.
fn answers_do_not_reopen(
    world: &World<'_>,
    registers: &Registers,
    shown: &View,
) -> Result<(), Broken> {
    for conflict in &shown.conflicts {
        let mut dots = registers
            .iter()
            .filter(|(path, _)| path.starts_with(&conflict.path))
            .filter(|(path, _)| path.is_root() == conflict.path.is_root())
            .flat_map(|(_, siblings)| siblings);
        let all_answers = dots.all(|sibling| {
            let answer = world.ledger.answer(sibling.dot);
            answer.is_some_and(|answer| {
                conflict.path.starts_with(&answer.path)
                    && answer.path.is_root() == conflict.path.is_root()
            })
        });
        holds(!all_answers, || format!("answers are asked about again: {}", conflict.path))?;
    }
    Ok(())
}

/// What an answer took is what it named, as far as it was there: no more and no less.
fn check_answer(world: &World<'_>, applied: &AnswerApplied) -> Result<(), Broken> {
    let Some(answer) = world.ledger.answer(applied.dot) else { return Ok(()) };
    let in_place =
        |path: &Path| path.starts_with(&answer.path) && path.is_root() == answer.path.is_root();
    for (path, dot) in &applied.before {
        // Whoever answers about a field also says that the record is there.
        if path.is_root() && !answer.path.is_root() {
            continue;
        }
        let named = in_place(path) && answer.named.contains(dot);
        let gone = !applied.after.contains(&(path.clone(), *dot));
        if gone && !named {
            return Err(format!("an answer removed what it did not name, at {path}"));
        }
        if !gone && named && is_seen(world, answer.dot, path, *dot) {
            return Err(format!("an answer left what it named, at {path}"));
        }
    }
    Ok(())
}

/// Whether the answering device had that sibling when it answered.
fn is_seen(world: &World<'_>, answer: Dot, path: &Path, dot: Dot) -> bool {
    let first = world.ledger.applied.iter().find(|applied| applied.dot == answer);
    first.is_some_and(|first| first.before.contains(&(path.clone(), dot)))
}
