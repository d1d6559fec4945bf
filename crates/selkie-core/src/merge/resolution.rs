//! Answers to conflicts, as operations: a person's, or a machine's when nobody answered in time.

use core::fmt;

use serde_json::Value;

use crate::change::{Class, Dot, EntryValue, Operation, Registers, Sibling, Written, alive};
use crate::clock::Stamp;
use crate::record::{Component, Document, Element, Leaf, Path, leaves, value::canonicalise};

use super::conflict::{Conflict, ConflictKind, ConflictToken, Side, SideContent};

/// A person's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// One of the sides shown, by its place.
    Side(usize),
    /// Another value.
    Value(Value),
}

/// Why a conflict was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// Not a token.
    BadToken,
    /// None of what was shown is there any more: someone resolved or edited it meanwhile.
    Stale,
    /// There is no side of that number.
    NoSuchSide,
    /// The value cannot be stored, or a delete cannot be answered with a value.
    BadValue,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadToken => "that is no conflict token; list the conflicts again",
            Self::Stale => "the conflict has changed since it was shown; list the conflicts again",
            Self::NoSuchSide => "the conflict has no side of that number",
            Self::BadValue => "that value cannot stand there",
        })
    }
}

impl core::error::Error for ResolveError {}

/// The operations of a person's answer: they overwrite exactly what `token` names, and nothing else.
///
/// `conflict` is the conflict as it stands now; its sides are looked up by the token's dots.
///
/// # Errors
/// [`ResolveError`]; nothing is to be written then.
pub fn resolve(
    registers: &Registers,
    conflict: &Conflict,
    token: &ConflictToken,
    resolution: Resolution,
) -> Result<Vec<Operation>, ResolveError> {
    let named = |dot: &Dot| token.dots.contains(dot);
    if token.path != conflict.path || !conflict.token().dots.iter().any(named) {
        return Err(ResolveError::Stale);
    }
    let content = match resolution {
        Resolution::Value(mut value) => {
            canonicalise(&mut value, 2).map_err(|_| ResolveError::BadValue)?;
            SideContent::Value(value)
        }
        Resolution::Side(at) => {
            // Sides are numbered among those the person saw.
            let seen = |side: &&Side| side.written_by.iter().any(|(dot, _)| named(dot));
            let side =
                conflict.sides.iter().filter(seen).nth(at).ok_or(ResolveError::NoSuchSide)?;
            side.content.clone()
        }
    };
    let values = values_of(content, conflict, registers)?;
    let answer = |value| Written::human(value, None);
    Ok(answer_operations(registers, conflict, named, values, answer))
}

/// What an answer leaves, and where.
fn values_of(
    content: SideContent,
    conflict: &Conflict,
    registers: &Registers,
) -> Result<Vec<(Path, EntryValue)>, ResolveError> {
    Ok(match (content, conflict.kind) {
        (SideContent::Kept, ConflictKind::EditVsDelete) => {
            vec![(Path::root(), EntryValue::Alive)]
        }
        (SideContent::Deleted, ConflictKind::EditVsDelete) => {
            vec![(Path::root(), EntryValue::Dead)]
        }
        (_, ConflictKind::EditVsDelete) => return Err(ResolveError::BadValue),
        (SideContent::Value(value), _) => {
            values_at(&conflict.path, value, is_whole(registers, &conflict.path))
        }
        (_, _) => vec![(conflict.path.clone(), EntryValue::Absent)],
    })
}

/// Whether an object was written whole at a path: an answer then is, too, or two answers could end
/// half one's and half the other's.
fn is_whole(registers: &Registers, path: &Path) -> bool {
    let is_object =
        |sibling: &Sibling| matches!(&sibling.entry.value, EntryValue::Value(Value::Object(_)));
    registers.at(path).iter().any(is_object)
}

/// The leaves that a value becomes at a path.
fn values_at(path: &Path, value: Value, is_whole: bool) -> Vec<(Path, EntryValue)> {
    let map = match value {
        // An element of a list is one value, whatever its shape.
        Value::Object(map) if path.last_element().is_none() && !is_whole => map,
        other => return vec![(path.clone(), EntryValue::Value(other))],
    };
    if map.is_empty() {
        return vec![(path.clone(), EntryValue::EmptyObject)];
    }
    let below = leaves(Document::from_checked_map(map).as_map());
    let join = |below: Path| Path::from_bytes(&[path.as_bytes(), below.as_bytes()].concat());
    below
        .into_iter()
        .filter_map(|(below, leaf): (Path, Leaf)| Some((join(below)?, leaf.into())))
        .collect()
}

/// The operations of a machine's answer: one of the sides becomes the value, carrying the stamp of
/// the one it chose, so that it wins no more ties than that one did. Several devices may settle the same
/// conflict; machines' answers among themselves are no conflict, and a person's outranks them.
///
/// None where something of a later version stands among what would be overwritten: this version
/// cannot keep what it does not know.
#[must_use]
pub fn settle(
    registers: &Registers,
    conflict: &Conflict,
    side: usize,
    why: &str,
) -> Vec<Operation> {
    let Some(side) = conflict.sides.get(side) else { return Vec::new() };
    let origin = side.written_by.iter().map(|(_, stamp)| *stamp).max();
    machine_answer(registers, conflict, side.content.clone(), (origin, why)).unwrap_or_default()
}

/// The operations of a machine's answer with a value of its own; see [`settle`].
///
/// # Errors
/// [`ResolveError::BadValue`].
pub fn settle_with(
    registers: &Registers,
    conflict: &Conflict,
    mut value: Value,
    why: &str,
) -> Result<Vec<Operation>, ResolveError> {
    canonicalise(&mut value, 2).map_err(|_| ResolveError::BadValue)?;
    machine_answer(registers, conflict, SideContent::Value(value), (None, why))
}

fn machine_answer(
    registers: &Registers,
    conflict: &Conflict,
    content: SideContent,
    (origin, why): (Option<Stamp>, &str),
) -> Result<Vec<Operation>, ResolveError> {
    let dots = conflict.token().dots;
    if overwrites_unknown(registers, &conflict.path, &dots) {
        return Ok(Vec::new());
    }
    let answer = |value| Written {
        class: Class::Auto,
        origin,
        why: Some(why.to_owned()),
        ..Written::plain(value)
    };
    let values = values_of(content, conflict, registers)?;
    let mut operations =
        answer_operations(registers, conflict, |dot| dots.contains(dot), values, answer);
    // A machine has seen nothing: only a person's answer says that the record is to be there.
    operations.retain(|operation| operation.path.is_root() == conflict.path.is_root());
    Ok(operations)
}

fn overwrites_unknown(registers: &Registers, at: &Path, dots: &[Dot]) -> bool {
    let unknown_step = |step| match step {
        Component::Element(bytes) => Element::parse(bytes).is_none(),
        Component::Key(_) => false,
    };
    registers.below(at).chain([(at, registers.at(at))]).any(|(path, siblings)| {
        siblings.iter().filter(|sibling| dots.contains(&sibling.dot)).any(|sibling| {
            matches!(sibling.entry.value, EntryValue::Unknown { .. })
                || path.components().any(unknown_step)
        })
    })
}

fn answer_operations(
    registers: &Registers,
    conflict: &Conflict,
    named: impl Fn(&Dot) -> bool,
    values: Vec<(Path, EntryValue)>,
    answer: impl Fn(EntryValue) -> Written,
) -> Vec<Operation> {
    let overwritten = |path: &Path| registers.dots_at(path).filter(|dot| named(dot)).collect();
    let mut operations: Vec<Operation> = values
        .into_iter()
        .map(|(path, value)| Operation {
            overwrites: overwritten(&path),
            path,
            written: Some(answer(value)),
        })
        .collect();
    let at = &conflict.path;
    // Only a conflict of shapes is also about what stands below.
    let shapes = conflict.kind == ConflictKind::Shape;
    let below = registers.below(at).map(|(path, _)| path).filter(|_| shapes);
    let around = below.chain([at]);
    for path in around {
        let overwrites: Vec<Dot> = overwritten(path);
        if !overwrites.is_empty() && !operations.iter().any(|operation| operation.path == *path) {
            operations.push(Operation { path: path.clone(), overwrites, written: None });
        }
    }
    // Whoever decides about a field has seen the record alive; a contested delete stays open.
    if !at.is_root() {
        operations.push(alive(registers, true));
    }
    operations.sort_by(|a, b| a.path.cmp(&b.path));
    operations
}
