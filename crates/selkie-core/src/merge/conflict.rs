//! Open conflicts: what a person sees of them, and what their answer writes.

use core::fmt;

use serde_json::Value;

use crate::change::{Class, Dot, EntryValue, Operation, Registers, Sibling, Written, alive};
use crate::clock::Stamp;
use crate::record::{Document, Leaf, Path, leaves, value::canonicalise};

use super::view::open_kind;

/// How concurrent writes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictKind {
    /// Two values of one field.
    ConcurrentEdit,
    /// One device deleted the record, another edited it.
    EditVsDelete,
    /// One device wrote a single value where another wrote an object.
    Shape,
}

impl ConflictKind {
    /// Its name in CLI and JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConcurrentEdit => "concurrent_edit",
            Self::EditVsDelete => "edit_vs_delete",
            Self::Shape => "shape",
        }
    }
}

/// A difference that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Where; the root for a delete against an edit.
    pub path: Path,
    /// How they differ.
    pub kind: ConflictKind,
    /// The answers to choose from, each once, oldest first.
    pub sides: Vec<Side>,
    /// Which of them is shown meanwhile.
    pub shown: usize,
}

/// One answer to a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// What would stand there.
    pub content: SideContent,
    /// The writes that say so, each with its stamp.
    pub written_by: Vec<(Dot, Stamp)>,
}

/// What one side of a conflict would leave.
#[derive(Clone, Debug, PartialEq)]
pub enum SideContent {
    /// This value (an object, for the object side of a shape conflict).
    Value(Value),
    /// No such field.
    Removed,
    /// The record.
    Kept,
    /// No record.
    Deleted,
}

/// Names exactly the siblings that were shown; what arrives later stays open.
///
/// Its text is what a UI hands back: hexadecimal of the path and dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictToken {
    path: Path,
    dots: Vec<Dot>,
}

impl Conflict {
    /// Siblings at one path, if they differ and a plain write is among them.
    pub(super) fn of_register(
        at: &Path,
        own: &[Sibling],
        winner: Option<&Sibling>,
    ) -> Option<Self> {
        let kind = open_kind(own)?;
        let mut sides: Vec<Side> = Vec::new();
        for sibling in own {
            add_to_side(&mut sides, content_of(&sibling.entry.value), sibling);
        }
        Some(Self::sorted(at, kind, sides, winner?.dot))
    }

    /// Single values at a path against an object below it.
    pub(super) fn of_shape(
        at: &Path,
        own: &[Sibling],
        below: &[(&Path, &[Sibling])],
        object: &Value,
        scalar_shown: bool,
    ) -> Option<Self> {
        let below_siblings = || below.iter().flat_map(|(_, siblings)| siblings.iter());
        let plain = |sibling: &Sibling| sibling.entry.class == Class::Plain;
        if !own.iter().any(plain) && !below_siblings().any(plain) {
            return None;
        }
        let mut sides: Vec<Side> = Vec::new();
        for sibling in own {
            if sibling.entry.value != EntryValue::EmptyObject {
                add_to_side(&mut sides, content_of(&sibling.entry.value), sibling);
            }
        }
        for sibling in below_siblings() {
            add_to_side(&mut sides, SideContent::Value(object.clone()), sibling);
        }
        let newest = |siblings: &mut dyn Iterator<Item = &Sibling>| {
            siblings.map(|sibling| (sibling.entry.stamp, sibling.dot)).max().map(|(_, dot)| dot)
        };
        let shown =
            if scalar_shown { newest(&mut own.iter()) } else { newest(&mut below_siblings()) };
        Some(Self::sorted(at, ConflictKind::Shape, sides, shown?))
    }

    /// Alive against dead.
    pub(super) fn of_liveness(siblings: &[Sibling], alive: bool) -> Self {
        let mut sides: Vec<Side> = Vec::new();
        for sibling in siblings {
            add_to_side(&mut sides, content_of(&sibling.entry.value), sibling);
        }
        let shown =
            siblings.iter().find(|sibling| (sibling.entry.value == EntryValue::Alive) == alive);
        let shown = shown.or(siblings.first()).map(|sibling| sibling.dot);
        let mut conflict =
            Self { path: Path::root(), kind: ConflictKind::EditVsDelete, sides, shown: 0 };
        if let Some(shown) = shown {
            conflict = Self::sorted(&Path::root(), conflict.kind, conflict.sides, shown);
        }
        conflict
    }

    fn sorted(at: &Path, kind: ConflictKind, mut sides: Vec<Side>, shown: Dot) -> Self {
        let newest = |side: &Side| side.written_by.iter().map(|(dot, stamp)| (*stamp, *dot)).max();
        sides.sort_by_key(newest);
        let holds = |side: &Side| side.written_by.iter().any(|(dot, _)| *dot == shown);
        let shown = sides.iter().position(holds).unwrap_or(0);
        Self { path: at.clone(), kind, sides, shown }
    }

    /// The token to resolve it with.
    #[must_use]
    pub fn token(&self) -> ConflictToken {
        let written_by = self.sides.iter().flat_map(|side| &side.written_by);
        let mut dots: Vec<_> = written_by.map(|(dot, _)| *dot).collect();
        dots.sort_unstable();
        dots.dedup();
        ConflictToken { path: self.path.clone(), dots }
    }
}

fn content_of(value: &EntryValue) -> SideContent {
    match value {
        EntryValue::Value(value) => SideContent::Value(value.clone()),
        EntryValue::EmptyObject => SideContent::Value(Value::Object(serde_json::Map::new())),
        EntryValue::Alive => SideContent::Kept,
        EntryValue::Dead => SideContent::Deleted,
        EntryValue::Absent | EntryValue::Unknown { .. } => SideContent::Removed,
    }
}

fn add_to_side(sides: &mut Vec<Side>, content: SideContent, sibling: &Sibling) {
    let written = (sibling.dot, sibling.entry.stamp);
    match sides.iter_mut().find(|side| side.content == content) {
        Some(side) => side.written_by.push(written),
        None => sides.push(Side { content, written_by: vec![written] }),
    }
}

impl ConflictToken {
    /// Where the conflict is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for ConflictToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dot in &self.dots {
            write!(f, "{}{:016x}", dot.device, dot.number.0)?;
        }
        f.write_str("-")?;
        self.path.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::str::FromStr for ConflictToken {
    type Err = ResolveError;

    fn from_str(text: &str) -> Result<Self, ResolveError> {
        const DOT_DIGITS: usize = 48;
        let parse = || {
            let (dots, path) = text.split_once('-')?;
            if !text.is_ascii()
                || !dots.len().is_multiple_of(DOT_DIGITS)
                || !path.len().is_multiple_of(2)
            {
                return None;
            }
            let dots: Option<Vec<_>> = (0..dots.len() / DOT_DIGITS)
                .map(|at| {
                    let (device, number) =
                        dots.get(at * DOT_DIGITS..)?.get(..DOT_DIGITS)?.split_at(32);
                    Some(Dot {
                        device: selkie_wire::DeviceId::from_hex(device)?,
                        number: crate::change::ChangeNumber(u64::from_str_radix(number, 16).ok()?),
                    })
                })
                .collect();
            let path: Option<Vec<_>> = (0..path.len() / 2)
                .map(|at| u8::from_str_radix(path.get(at * 2..at * 2 + 2)?, 16).ok())
                .collect();
            Some(Self { dots: dots?, path: Path::from_bytes(&path?)? })
        };
        parse().filter(|token: &Self| !token.dots.is_empty()).ok_or(ResolveError::BadToken)
    }
}

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
    let values = match (content, conflict.kind) {
        (SideContent::Kept, ConflictKind::EditVsDelete) => vec![(Path::root(), EntryValue::Alive)],
        (SideContent::Deleted, ConflictKind::EditVsDelete) => {
            vec![(Path::root(), EntryValue::Dead)]
        }
        (_, ConflictKind::EditVsDelete) => return Err(ResolveError::BadValue),
        (SideContent::Value(value), _) => values_at(&conflict.path, value),
        (_, _) => vec![(conflict.path.clone(), EntryValue::Absent)],
    };
    Ok(human_operations(registers, &conflict.path, named, values))
}

/// The leaves that a value becomes at a path.
fn values_at(path: &Path, value: Value) -> Vec<(Path, EntryValue)> {
    let Value::Object(map) = value else { return vec![(path.clone(), EntryValue::Value(value))] };
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

fn human_operations(
    registers: &Registers,
    at: &Path,
    named: impl Fn(&Dot) -> bool,
    values: Vec<(Path, EntryValue)>,
) -> Vec<Operation> {
    let overwritten = |path: &Path| registers.dots_at(path).filter(|dot| named(dot)).collect();
    let mut operations: Vec<Operation> = values
        .into_iter()
        .map(|(path, value)| Operation {
            overwrites: overwritten(&path),
            path,
            written: Some(Written::human(value, None)),
        })
        .collect();
    let below = registers.below(at).map(|(path, _)| path).filter(|_| !at.is_root());
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
