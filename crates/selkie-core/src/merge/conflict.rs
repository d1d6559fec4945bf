//! Open conflicts: what a person sees of them, and what their answer writes.

use core::fmt;

use serde_json::Value;

use crate::change::{Class, Dot, EntryValue, Sibling};
use crate::clock::Stamp;
use crate::record::Path;

use super::resolution::ResolveError;
use super::view::Shape;

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
    pub(super) path: Path,
    pub(super) dots: Vec<Dot>,
}

impl Conflict {
    /// Siblings at one path, if they differ and a plain write is among them.
    pub(super) fn of_register(
        at: &Path,
        own: &[Sibling],
        winner: Option<&Sibling>,
    ) -> Option<Self> {
        let plain = own.iter().any(|sibling| sibling.entry.class == Class::Plain);
        let differs =
            own.iter().zip(own.iter().skip(1)).any(|(a, b)| a.entry.value != b.entry.value);
        if !plain || !differs {
            return None;
        }
        let kind = ConflictKind::ConcurrentEdit;
        let mut sides: Vec<Side> = Vec::new();
        for sibling in own {
            add_to_side(&mut sides, content_of(&sibling.entry.value), sibling);
        }
        Some(Self::sorted(at, kind, sides, winner?.dot))
    }

    /// Different shapes at one place; the one shown is last.
    pub(super) fn of_shapes(at: &Path, shapes: &[Shape<'_>]) -> Option<Self> {
        let mut siblings = shapes.iter().flat_map(|shape| &shape.siblings);
        if !siblings.any(|sibling| sibling.entry.class == Class::Plain) {
            return None;
        }
        let mut sides: Vec<Side> = Vec::new();
        for shape in shapes {
            let is_single = |sibling: &Sibling| {
                matches!(&sibling.entry.value,
                EntryValue::Value(value) if *value == shape.shown.value)
            };
            let single = is_single(shape.shown.greatest);
            for sibling in &shape.siblings {
                let content = if single {
                    content_of(&sibling.entry.value)
                } else {
                    SideContent::Value(shape.shown.value.clone())
                };
                add_to_side(&mut sides, content, sibling);
            }
        }
        let shown = shapes.last()?.shown.greatest.dot;
        let value = SideContent::Value(shapes.last()?.shown.value.clone());
        let mut conflict = Self::sorted(at, ConflictKind::Shape, sides, shown);
        let at = conflict.sides.iter().position(|side| side.content == value);
        conflict.shown = at.unwrap_or(conflict.shown);
        Some(conflict)
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
        EntryValue::EmptyArray => SideContent::Value(Value::Array(Vec::new())),
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
