//! The document an app sees: a pure, total function of registers and policy.

use serde_json::{Map, Value};

use crate::change::{Class, EntryValue, Registers, Sibling};
use crate::record::{Component, Document, Path};

use super::conflict::{Conflict, ConflictKind};
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
/// Of concurrent values the policy picks one; of a scalar and an object at the same place, the side
/// that has the greatest value by the policy's order. Element components of paths (field types of
/// later versions) are not shown.
#[must_use]
pub fn view(registers: &Registers, policy: &CollectionPolicy) -> View {
    let mut conflicts = Vec::new();
    let alive = is_alive(registers.at(&Path::root()), policy, &mut conflicts);
    let fields: Vec<_> = registers.iter().filter(|(path, _)| !path.is_root()).collect();
    let mut viewer = Viewer { policy, conflicts };
    let shown = viewer.node(&fields, &Path::root());
    let map = match shown {
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
    let mut resolved = siblings.iter();
    if siblings.iter().all(lives) {
        return !siblings.is_empty();
    }
    if !siblings.iter().any(lives) {
        return false;
    }
    // A person's decision stands until someone edits or deletes after it.
    if resolved.all(|sibling| sibling.entry.class != Class::Plain) {
        return Policy::Timestamp.winner(siblings).is_some_and(lives);
    }
    match policy.on_delete {
        OnDelete::EditWins => true,
        OnDelete::DeleteWins => false,
        OnDelete::Timestamp => Policy::Timestamp.winner(siblings).is_some_and(lives),
        OnDelete::UserChoice => {
            let alive = Policy::Timestamp.winner(siblings).is_some_and(lives);
            conflicts.push(Conflict::of_liveness(siblings, alive));
            alive
        }
    }
}

/// A value to show, and the sibling by which it competes with other shapes.
struct Shown<'a> {
    value: Value,
    greatest: &'a Sibling,
}

struct Viewer<'p> {
    policy: &'p CollectionPolicy,
    conflicts: Vec<Conflict>,
}

type Register<'a> = (&'a Path, &'a [Sibling]);

impl Viewer<'_> {
    /// Shows what stands at `at`: `fields` are the registers there and below, in order of path.
    fn node<'a>(&mut self, fields: &[Register<'a>], at: &Path) -> Option<Shown<'a>> {
        let (own, below) = match fields.split_first() {
            Some(((path, siblings), below)) if *path == at => (*siblings, below),
            _ => (&[][..], fields),
        };
        let policy = self.policy.at(at).clone();
        let object = self.object(below, at, &policy);
        let winner = policy.winner(own);
        let is_object = |sibling: &Sibling| sibling.entry.value == EntryValue::EmptyObject;
        let scalar = winner.filter(|sibling| matches!(sibling.entry.value, EntryValue::Value(_)));
        if policy == Policy::UserChoice {
            let shape =
                own.iter().any(|sibling| matches!(sibling.entry.value, EntryValue::Value(_)));
            match &object {
                Some(object) if shape => {
                    let scalar_shown = scalar
                        .is_some_and(|scalar| policy.compare(scalar, object.greatest).is_gt());
                    let conflict = Conflict::of_shape(at, own, below, &object.value, scalar_shown);
                    self.conflicts.extend(conflict);
                }
                _ => self.conflicts.extend(Conflict::of_register(at, own, winner)),
            }
        }
        match (scalar, object) {
            (Some(scalar), Some(object)) if policy.compare(scalar, object.greatest).is_gt() => {
                Some(shown_scalar(scalar))
            }
            (_, Some(object)) => Some(object),
            (Some(scalar), None) => Some(shown_scalar(scalar)),
            (None, None) => winner
                .filter(|winner| is_object(winner))
                .map(|winner| Shown { value: Value::Object(Map::new()), greatest: winner }),
        }
    }

    /// Shows the keys below `at` as an object; `None` if nothing of them shows.
    fn object<'a>(
        &mut self,
        below: &[Register<'a>],
        at: &Path,
        policy: &Policy,
    ) -> Option<Shown<'a>> {
        let mut map = Map::new();
        let mut greatest: Option<&'a Sibling> = None;
        let prefix_len = at.as_bytes().len();
        let mut rest = below;
        while let Some((first, _)) = rest.first() {
            let key_end = prefix_len + first.next_component_len(prefix_len)?;
            let key_bytes = first.as_bytes().get(..key_end)?;
            let group_len =
                rest.iter().take_while(|(path, _)| path.as_bytes().starts_with(key_bytes)).count();
            let (group, after) = rest.split_at_checked(group_len)?;
            rest = after;
            let path = Path::from_bytes(key_bytes)?;
            let Some(Component::Key(key)) = path.components().last() else { continue };
            let Some(shown) = self.node(group, &path) else { continue };
            map.insert(key.to_owned(), shown.value);
            greatest = match greatest {
                Some(known) if policy.compare(known, shown.greatest).is_gt() => Some(known),
                _ => Some(shown.greatest),
            };
        }
        greatest.map(|greatest| Shown { value: Value::Object(map), greatest })
    }
}

fn shown_scalar(sibling: &Sibling) -> Shown<'_> {
    let value = match &sibling.entry.value {
        EntryValue::Value(value) => value.clone(),
        _ => Value::Null,
    };
    Shown { value, greatest: sibling }
}

/// The kind of difference between concurrent siblings at one path, if a person should see it.
pub(super) fn open_kind(siblings: &[Sibling]) -> Option<ConflictKind> {
    let plain = siblings.iter().any(|sibling| sibling.entry.class == Class::Plain);
    let differs = siblings.iter().any(|sibling| {
        siblings.first().is_some_and(|first| first.entry.value != sibling.entry.value)
    });
    (plain && differs).then_some(ConflictKind::ConcurrentEdit)
}
