//! Writes of sets, counters and lists: element by element, so that concurrent ones come together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::limits::INTEGER_MAX;
use crate::record::{Element, Path, positions_between};

use super::entry::EntryValue;
use super::registers::{Registers, Sibling};
use super::write::Operations;

/// Longest middle part of two lists that is compared element by element: rows × columns.
const COMPARISON_CELLS_MAX: usize = 4_000_000;

/// The position of an element whose own a concurrent removal took: behind all others, as it is shown.
const LOST: &str = "~";

/// The newest of some siblings.
fn newest(siblings: &[Sibling]) -> Option<&Sibling> {
    siblings.iter().max_by_key(|sibling| (sibling.entry.stamp, sibling.dot))
}

/// What the elements of a counter add up to, by the newest value of each device.
fn counter_sum(registers: &Registers, path: &Path) -> i64 {
    let parts = registers.below(path).filter(|(below, _)| is_part(below, path));
    parts.filter_map(|(_, siblings)| counter_part(siblings)).fold(0, i64::saturating_add)
}

/// Whether this is a part of the counter at `path`, and not of one below it.
fn is_part(below: &Path, path: &Path) -> bool {
    matches!(below.last_element(), Some(Element::Counter(_)))
        && below.container().as_ref() == Some(path)
}

fn counter_part(siblings: &[Sibling]) -> Option<i64> {
    match &newest(siblings)?.entry.value {
        EntryValue::Value(value) => value.as_i64(),
        _ => None,
    }
}

impl Operations<'_> {
    /// Adds the members that are not there, and removes those not wanted.
    pub(super) fn write_set(&mut self, path: &Path, items: &[Value]) {
        let wanted: BTreeMap<Path, &Value> =
            items.iter().map(|item| (path.set_element(item), item)).collect();
        for (member, item) in &wanted {
            if self.registers.at(member).is_empty() {
                self.write(member, Some(EntryValue::Value((*item).clone())));
            }
        }
        self.become_container(path, items.is_empty(), |below| wanted.contains_key(below));
    }

    /// Adds the difference to this device's part.
    pub(super) fn write_counter(&mut self, path: &Path, wanted: i64) {
        let own = path.counter_element(self.writer.dot.device);
        let before = counter_part(self.registers.at(&own)).unwrap_or(0);
        let difference = wanted.saturating_sub(counter_sum(self.registers, path));
        let part = before.saturating_add(difference).clamp(-INTEGER_MAX, INTEGER_MAX);
        self.write(&own, Some(EntryValue::Value(part.into())));
        self.become_container(path, false, |below| is_part(below, path));
    }

    /// Clears what cannot stand beside the elements at `path`, and those not to be kept.
    fn become_container(&mut self, path: &Path, empty: bool, keep: impl Fn(&Path) -> bool) {
        let registers = self.registers;
        self.clear_above(path);
        if empty {
            self.write(path, Some(EntryValue::EmptyArray));
        } else if !registers.at(path).is_empty() {
            self.write(path, None);
        }
        for (below, _) in registers.below(path) {
            if !keep(below) {
                self.write(below, None);
            }
        }
    }

    /// Inserts, changes, moves and removes elements until the list is as wanted.
    pub(super) fn write_list(&mut self, path: &Path, shown: Option<&[Value]>, wanted: &[Value]) {
        let mut elements = list_elements(self.registers, path);
        // Of an item's concurrent values the writer saw the one that the policy shows.
        for (element, item) in elements.iter_mut().zip(shown.unwrap_or_default()) {
            let values = self.registers.at(&element.path.list_value());
            if values.iter().any(|sibling| sibling.entry.value == EntryValue::Value(item.clone())) {
                element.value = item.clone();
            }
        }
        let old: Vec<&Value> = elements.iter().map(|element| &element.value).collect();
        let origins = align(&old, wanted);
        let in_place = longest_increasing(&origins);
        let mut last: Option<String> = None;
        let mut run = Vec::new().into_iter();
        let mut inserted = 0;
        let mut kept = BTreeSet::new();
        for (at, (item, origin)) in wanted.iter().zip(&origins).enumerate() {
            let element = origin.and_then(|origin| elements.get(origin));
            let stays = element.filter(|element| {
                in_place.contains(&at)
                    && element.position != LOST
                    && last.as_deref() < Some(&element.position)
            });
            let position = match stays {
                Some(element) => element.position.clone(),
                None => run.next().unwrap_or_else(|| {
                    // All items up to the next one that stays get their positions together.
                    let next = in_place.range(at + 1..).find_map(|place| {
                        let element = elements.get((*origins.get(*place)?)?)?;
                        let position = element.position.as_str();
                        let after = position != LOST && last.as_deref() < Some(position);
                        after.then_some((*place, position))
                    });
                    let end = next.map_or(wanted.len(), |(place, _)| place);
                    let next = next.map(|(_, position)| position);
                    let mut positions =
                        positions_between(last.as_deref(), next, end - at).into_iter();
                    let first = positions.next().unwrap_or_default();
                    run = positions;
                    first
                }),
            };
            if stays.is_some() {
                run = Vec::new().into_iter();
            }
            let place = element.map_or_else(
                || {
                    inserted += 1;
                    path.list_element(
                        self.writer.dot.device,
                        self.writer.dot.number.0,
                        inserted - 1,
                    )
                },
                |element| element.path.clone(),
            );
            if element.is_none_or(|element| element.position != position) {
                self.write(&place, Some(EntryValue::Value(position.as_str().into())));
            }
            if element.is_none_or(|element| element.value != *item) {
                self.write(&place.list_value(), Some(EntryValue::Value(item.clone())));
            }
            kept.insert(place.list_value());
            kept.insert(place);
            last = Some(position);
        }
        self.become_container(path, wanted.is_empty(), |below| kept.contains(below));
    }
}

/// An element of a list as it stands.
struct ListElement {
    path: Path,
    position: String,
    value: Value,
}

/// The elements that have a value, in order.
fn list_elements(registers: &Registers, path: &Path) -> Vec<ListElement> {
    let mut elements: Vec<_> = registers
        .below(path)
        .filter(|(place, _)| place.container().as_ref() == Some(path))
        .filter_map(|(place, _)| {
            // An element whose position a concurrent removal took still has its value's path.
            match place.last_element()? {
                Element::List(_) => Some(place.clone()),
                Element::ListValue => place.parent(),
                _ => None,
            }
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|place| {
            let EntryValue::Value(value) = &newest(registers.at(&place.list_value()))?.entry.value
            else {
                return None;
            };
            let position = newest(registers.at(&place)).map(|sibling| &sibling.entry.value);
            let position = match position {
                Some(EntryValue::Value(Value::String(position))) => position.clone(),
                _ => LOST.to_owned(),
            };
            Some(ListElement { position, value: value.clone(), path: place })
        })
        .collect();
    elements.sort_by(|a, b| (&a.position, &a.path).cmp(&(&b.position, &b.path)));
    elements
}

/// For each wanted item the old element it continues, if any: unchanged ones by a longest common
/// subsequence, then moved ones by value, then changed ones by their place between neighbours.
fn align(old: &[&Value], wanted: &[Value]) -> Vec<Option<usize>> {
    let same = |(old, new): &(&&Value, &Value)| **old == *new;
    let head = old.iter().zip(wanted).take_while(same).count();
    let (old_rest, new_rest) = (old.iter().skip(head), wanted.iter().skip(head));
    let tail = old_rest.rev().zip(new_rest.rev()).take_while(same).count();
    let (old_end, new_end) = (old.len() - tail, wanted.len() - tail);
    let mut origins: Vec<Option<usize>> = (0..wanted.len())
        .map(|at| {
            if at < head {
                Some(at)
            } else if at >= new_end {
                Some(at + old.len() - wanted.len())
            } else {
                None
            }
        })
        .collect();
    let old_middle = old.get(head..old_end).unwrap_or_default();
    let new_middle = wanted.get(head..new_end).unwrap_or_default();
    for (old_at, new_at) in common_subsequence(old_middle, new_middle) {
        if let Some(origin) = origins.get_mut(head + new_at) {
            *origin = Some(head + old_at);
        }
    }
    let mut free: BTreeSet<usize> = (head..old_end).collect();
    for used in origins.iter().flatten() {
        free.remove(used);
    }
    for (origin, item) in origins.iter_mut().zip(wanted) {
        if origin.is_none()
            && let Some(moved) = free.iter().copied().find(|at| old.get(*at) == Some(&item))
        {
            free.remove(&moved);
            *origin = Some(moved);
        }
    }
    continue_in_gaps(&mut origins, &mut free);
    origins
}

/// The places of as many items as possible that stand in their old order: the others were moved.
/// (Longest increasing subsequence, by the least end of each length.)
fn longest_increasing(origins: &[Option<usize>]) -> BTreeSet<usize> {
    // For each length the place that ends the least such sequence; for each place the one before.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; origins.len()];
    for (place, origin) in origins.iter().enumerate() {
        let Some(origin) = *origin else { continue };
        let len = ends.partition_point(|(end, _)| *end < origin);
        if let Some(slot) = before.get_mut(place) {
            *slot = len.checked_sub(1).and_then(|at| ends.get(at)).map(|(_, place)| *place);
        }
        match ends.get_mut(len) {
            Some(end) => *end = (origin, place),
            None => ends.push((origin, place)),
        }
    }
    let last = ends.last().map(|(_, place)| *place);
    core::iter::successors(last, |place| before.get(*place).copied().flatten()).collect()
}

/// Pairs what is left of both sides between the same neighbours: those elements were changed.
fn continue_in_gaps(origins: &mut [Option<usize>], free: &mut BTreeSet<usize>) {
    let mut before = None;
    for origin in origins {
        if origin.is_none() {
            let next = before.map_or(0, |before: usize| before + 1);
            if free.remove(&next) {
                *origin = Some(next);
            }
        }
        before = (*origin).or(before);
    }
}

/// The index pairs of a longest common subsequence; none where the parts are too large to compare.
fn common_subsequence(old: &[&Value], new: &[Value]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    if old.len().saturating_mul(width) > COMPARISON_CELLS_MAX {
        return Vec::new();
    }
    // lengths[row × width + column]: the longest from here to both ends.
    let mut lengths = vec![0u32; (old.len() + 1) * width];
    let cell = |lengths: &[u32], row: usize, column: usize| {
        lengths.get(row * width + column).copied().unwrap_or(0)
    };
    for (row, old_item) in old.iter().enumerate().rev() {
        for (column, new_item) in new.iter().enumerate().rev() {
            let length = if **old_item == *new_item {
                cell(&lengths, row + 1, column + 1) + 1
            } else {
                cell(&lengths, row + 1, column).max(cell(&lengths, row, column + 1))
            };
            if let Some(slot) = lengths.get_mut(row * width + column) {
                *slot = length;
            }
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while let (Some(old_item), Some(new_item)) = (old.get(row), new.get(column)) {
        if **old_item == *new_item {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if cell(&lengths, row + 1, column) >= cell(&lengths, row, column + 1) {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}
