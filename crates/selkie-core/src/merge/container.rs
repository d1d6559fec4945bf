//! Sets, counters and lists, put together from their elements.

use serde_json::Value;

use crate::change::{EntryValue, Sibling};
use crate::limits::INTEGER_MAX;
use crate::record::{Element, Path};

use super::conflict::Conflict;
use super::policy::Policy;
use super::view::{Register, Shape, Shown};

/// The elements found at one place; those of different field types compete as shapes.
pub(super) struct Container<'a> {
    /// Member, with its oldest writer first.
    set: Vec<(&'a Sibling, Value)>,
    set_siblings: Vec<&'a Sibling>,
    sum: i64,
    counter_siblings: Vec<&'a Sibling>,
    /// Position, element, value.
    list: Vec<(String, Path, Value)>,
    list_siblings: Vec<&'a Sibling>,
}

impl<'a> Container<'a> {
    pub(super) fn none() -> Self {
        Self {
            set: Vec::new(),
            set_siblings: Vec::new(),
            sum: 0,
            counter_siblings: Vec::new(),
            list: Vec::new(),
            list_siblings: Vec::new(),
        }
    }

    /// Takes in the registers of one element, at `path` and below.
    pub(super) fn add(
        &mut self,
        path: &Path,
        group: &[Register<'a>],
        policy: &Policy,
        conflicts: &mut Vec<Conflict>,
    ) {
        let own = match group.first() {
            Some((first, siblings)) if *first == path => *siblings,
            _ => &[],
        };
        match path.last_element() {
            Some(Element::Set(_)) => {
                let by_age = |sibling: &&Sibling| (sibling.entry.stamp, sibling.dot);
                let Some(oldest) = own.iter().min_by_key(by_age) else { return };
                if let EntryValue::Value(member) = &oldest.entry.value {
                    self.set.push((oldest, member.clone()));
                    self.set_siblings.extend(own);
                }
            }
            Some(Element::Counter(_)) => {
                let newest = Policy::Timestamp.winner(own);
                if let Some(EntryValue::Value(part)) = newest.map(|newest| &newest.entry.value) {
                    self.sum = self.sum.saturating_add(part.as_i64().unwrap_or(0));
                    self.counter_siblings.extend(own);
                }
            }
            Some(Element::List(_)) => self.add_list_element(path, own, group, policy, conflicts),
            Some(Element::ListValue) | None => {}
        }
    }

    /// An element is there while its value is; one whose position is gone stands last.
    fn add_list_element(
        &mut self,
        path: &Path,
        positions: &'a [Sibling],
        group: &[Register<'a>],
        policy: &Policy,
        conflicts: &mut Vec<Conflict>,
    ) {
        let value_path = path.list_value();
        let values = group.iter().find(|(place, _)| **place == value_path);
        let Some((_, values)) = values else { return };
        let winner = policy.winner(values);
        let Some(EntryValue::Value(value)) = winner.map(|winner| &winner.entry.value) else {
            return;
        };
        if policy.asks() {
            conflicts.extend(Conflict::of_register(&value_path, values, winner));
        }
        let position = Policy::Timestamp.winner(positions).map(|newest| &newest.entry.value);
        let position = match position {
            Some(EntryValue::Value(Value::String(position))) => position.clone(),
            // Greater than every position.
            _ => "~".to_owned(),
        };
        self.list.push((position, path.clone(), value.clone()));
        self.list_siblings.extend(positions.iter().chain(*values));
    }

    /// What the elements make, one shape for each field type found.
    pub(super) fn into_shapes(mut self, policy: &Policy) -> Vec<Shape<'a>> {
        self.set.sort_by_key(|(oldest, _)| (oldest.entry.stamp, oldest.dot));
        self.list.sort_by(|(a, a_path, _), (b, b_path, _)| (a, a_path).cmp(&(b, b_path)));
        let set = self.set.into_iter().map(|(_, member)| member).collect();
        let list = self.list.into_iter().map(|(_, _, value)| value).collect();
        let sum = self.sum.clamp(-INTEGER_MAX, INTEGER_MAX);
        [
            (Value::Array(set), self.set_siblings),
            (Value::from(sum), self.counter_siblings),
            (Value::Array(list), self.list_siblings),
        ]
        .into_iter()
        .filter_map(|(value, siblings)| {
            let greatest = policy.greatest(siblings.iter().copied())?;
            Some(Shape { shown: Shown { value, greatest }, siblings })
        })
        .collect()
    }
}
