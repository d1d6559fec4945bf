//! The document an app sees: a pure, total function of registers and policy.

use serde_json::{Map, Value};

use crate::change::{Class, EntryValue, Registers, Sibling};
use crate::record::{Component, Document, Path};

use super::conflict::Conflict;
use super::container::Container;
use super::policy::{CollectionPolicy, OnDelete, Policy};

/// What an app sees of one record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The document; `None` if the record is deleted, or was never there.
    pub document: Option<Document>,
    /// The conflicts that wait for a person.
    pub conflicts: Vec<Conflict>,
}

/// Shows a record by its collection's policy.
///
/// Of concurrent values the policy picks one. Where different shapes stand at one place (a single
/// value, an object, a set, a counter, a list), the side shown is the one with the greatest value by
/// the policy's order. Element components of later versions are not shown.
#[must_use]
pub fn view(registers: &Registers, policy: &CollectionPolicy) -> View {
    let mut conflicts = Vec::new();
    let alive = is_alive(registers.at(&Path::root()), policy, &mut conflicts);
    let fields: Vec<_> = registers.iter().filter(|(path, _)| !path.is_root()).collect();
    let mut viewer = Viewer { policy, conflicts };
    let map = match viewer.node(&fields, &Path::root()) {
        Some(Shown { value: Value::Object(map), .. }) => map,
        _ => Map::new(),
    };
    if !alive {
        viewer.conflicts.retain(|conflict| conflict.path.is_root());
    }
    View { document: alive.then(|| Document::from_checked_map(map)), conflicts: viewer.conflicts }
}

fn is_alive(
    siblings: &[Sibling],
    policy: &CollectionPolicy,
    conflicts: &mut Vec<Conflict>,
) -> bool {
    let lives = |sibling: &Sibling| sibling.entry.value == EntryValue::Alive;
    if siblings.iter().all(lives) {
        return !siblings.is_empty();
    }
    if !siblings.iter().any(lives) {
        return false;
    }
    let newest_lives = Policy::Timestamp.winner(siblings).is_some_and(lives);
    // A decision stands until someone edits or deletes without having seen it.
    if siblings.iter().all(|sibling| sibling.entry.class != Class::Plain) {
        return newest_lives;
    }
    match policy.on_delete {
        OnDelete::EditWins => true,
        OnDelete::DeleteWins => false,
        OnDelete::Timestamp => newest_lives,
        OnDelete::UserChoice => {
            // Shown while it is asked about: an edit must not make a record vanish.
            conflicts.push(Conflict::of_liveness(siblings, true));
            true
        }
    }
}

/// A value to show, and the sibling by which it competes with other shapes.
pub(super) struct Shown<'a> {
    pub(super) value: Value,
    pub(super) greatest: &'a Sibling,
}

/// One of the shapes that stand at a place, with everything that was written for it.
pub(super) struct Shape<'a> {
    pub(super) shown: Shown<'a>,
    pub(super) siblings: Vec<&'a Sibling>,
}

pub(super) struct Viewer<'p> {
    policy: &'p CollectionPolicy,
    pub(super) conflicts: Vec<Conflict>,
}

pub(super) type Register<'a> = (&'a Path, &'a [Sibling]);

impl Viewer<'_> {
    /// Shows what stands at `at`: `fields` are the registers there and below, in order of path.
    fn node<'a>(&mut self, fields: &[Register<'a>], at: &Path) -> Option<Shown<'a>> {
        let (own, below) = match fields.split_first() {
            Some(((path, siblings), below)) if *path == at => (*siblings, below),
            _ => (&[][..], fields),
        };
        let policy = self.policy.at(at);
        let winner = policy.winner(own);
        let mut shapes = self.shapes_below(below, at, policy);
        // Beside an object, that the field was removed is no answer: of the single values the best
        // one competes.
        let single = |sibling: &&Sibling| matches!(sibling.entry.value, EntryValue::Value(_));
        let best = match shapes.as_slice() {
            [] => winner,
            _ => policy.greatest(own.iter().filter(single)),
        };
        let shown_below = !shapes.is_empty();
        shapes.extend(single_value(own, best, policy));
        // The greatest last; there are at most five, and no two of them share their greatest.
        let class = |shape: &Shape<'_>| shape.shown.greatest.entry.class;
        let decided = shapes.iter().any(|shape| class(shape) == Class::Human);
        // A machine's answer stands behind a person's here, too.
        let outranked = |shape: &Shape<'_>| decided && class(shape) == Class::Auto;
        shapes.sort_by(|a, b| {
            let by_policy = || policy.compare(a.shown.greatest, b.shown.greatest);
            outranked(b).cmp(&outranked(a)).then_with(by_policy)
        });
        if policy.asks() {
            let conflict = match shapes.as_slice() {
                [_, _, ..] => Conflict::of_shapes(at, &shapes),
                _ if shown_below => None,
                _ => Conflict::of_register(at, own, winner),
            };
            self.conflicts.extend(conflict);
        }
        shapes.pop().map(|shape| shape.shown).or_else(|| empty(winner?))
    }

    /// Shows the keys below `at` as an object, and the elements as what they are elements of.
    fn shapes_below<'a>(
        &mut self,
        below: &[Register<'a>],
        at: &Path,
        policy: &Policy,
    ) -> Vec<Shape<'a>> {
        let mut map = Map::new();
        let mut of_map: Vec<&'a Sibling> = Vec::new();
        let mut greatest: Vec<&'a Sibling> = Vec::new();
        let mut containers = Container::none();
        let prefix_len = at.as_bytes().len();
        let mut rest = below;
        while let Some((path, group, after)) = next_group(rest, prefix_len) {
            rest = after;
            match path.components().last() {
                Some(Component::Key(key)) => {
                    let Some(shown) = self.node(group, &path) else { continue };
                    map.insert(key.to_owned(), shown.value);
                    of_map.extend(group.iter().flat_map(|(_, siblings)| siblings.iter()));
                    greatest.push(shown.greatest);
                }
                Some(Component::Element(_)) => {
                    containers.add(&path, group, policy, &mut self.conflicts);
                }
                None => {}
            }
        }
        let object = policy.greatest(greatest.into_iter()).map(|greatest| Shape {
            shown: Shown { value: Value::Object(map), greatest },
            siblings: of_map,
        });
        containers.into_shapes(policy).into_iter().chain(object).collect()
    }
}

/// The registers that share the first step after a prefix, and those after them.
fn next_group<'r, 'a>(
    rest: &'r [Register<'a>],
    prefix_len: usize,
) -> Option<(Path, &'r [Register<'a>], &'r [Register<'a>])> {
    let (first, _) = rest.first()?;
    let end = prefix_len + first.next_component_len(prefix_len)?;
    let bytes = first.as_bytes().get(..end)?;
    let len = rest.iter().take_while(|(path, _)| path.as_bytes().starts_with(bytes)).count();
    let (group, after) = rest.split_at_checked(len)?;
    Some((Path::from_bytes(bytes)?, group, after))
}

/// The single value at a place; under `merge`, concurrent arrays united.
fn single_value<'a>(
    own: &'a [Sibling],
    winner: Option<&'a Sibling>,
    policy: &Policy,
) -> Option<Shape<'a>> {
    let greatest = winner?;
    let EntryValue::Value(value) = &greatest.entry.value else { return None };
    let value = match (policy, value) {
        (Policy::Merge, Value::Array(items)) => union(own, greatest, items),
        _ => value.clone(),
    };
    let single = |sibling: &&Sibling| sibling.entry.value != EntryValue::EmptyObject;
    Some(Shape { shown: Shown { value, greatest }, siblings: own.iter().filter(single).collect() })
}

/// The winner's items in their order, then the others' that it does not have, oldest writer first.
fn union(own: &[Sibling], winner: &Sibling, items: &[Value]) -> Value {
    let mut united = items.to_vec();
    let mut others: Vec<&Sibling> = own.iter().filter(|other| other.dot != winner.dot).collect();
    others.sort_by(|a, b| Policy::Timestamp.compare(a, b));
    for other in others {
        if let EntryValue::Value(Value::Array(items)) = &other.entry.value {
            let missing: Vec<_> =
                items.iter().filter(|item| !united.contains(item)).cloned().collect();
            united.extend(missing);
        }
    }
    Value::Array(united)
}

fn empty(winner: &Sibling) -> Option<Shown<'_>> {
    let value = match winner.entry.value {
        EntryValue::EmptyObject => Value::Object(Map::new()),
        EntryValue::EmptyArray => Value::Array(Vec::new()),
        _ => return None,
    };
    Some(Shown { value, greatest: winner })
}
