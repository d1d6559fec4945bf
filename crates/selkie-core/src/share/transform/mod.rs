//! The transforms: one file each, from a value of a record to the value that may be sent.
//!
//! In: a value that a rule names. Out: what is sent in its place, or why nothing is. What never happens here: a
//! value passed on because its type was not expected; a number or text that depends on anything but the value,
//! the rule, the key, the time and the random source.

mod bin;
mod date;
mod geo;
mod keep;
mod mask;
mod noise;
mod pseudonym;
mod scan_text;

use serde_json::{Map, Value};

pub(crate) use bin::Bin;
pub(crate) use date::Date;
pub(crate) use geo::Geo;
pub(crate) use keep::Keep;
pub(crate) use mask::Mask;
pub(crate) use noise::Noise;
pub(crate) use pseudonym::{Normalise, Pseudonym, context as pseudonym_context, derive_pseudonym};
pub(crate) use scan_text::ScanText;

use super::policy::{Epsilon, Kind, Node, PolicyProblem, Reader};
use crate::keys::UserShareKey;
use crate::ports::RandomSource;

/// What a rule does with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Transform {
    Keep(Keep),
    Drop,
    Mask(Mask),
    Pseudonym(Pseudonym),
    Bin(Bin),
    Date(Date),
    Geo(Geo),
    Noise(Noise),
    Scan(ScanText),
}

/// What became of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// This goes into the payload.
    Send(Value),
    /// The rule is not made for values of this type.
    UnknownType,
    /// `allow` does not list it, and there is no `else`.
    NotAllowed,
    /// The rule says so.
    Removed,
    /// The budget does not suffice, or no randomness is to be had: nothing of the record may be sent.
    Stop(Stop),
}

/// Why a whole record is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Budget(Epsilon),
    Random,
}

/// What the transforms of one record need beside its values.
pub(crate) struct Work<'a> {
    pub(crate) key: &'a UserShareKey,
    pub(crate) destination: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) now_ms: u64,
    pub(crate) random: &'a mut dyn RandomSource,
    /// What is left of the grant's budget before this record.
    pub(crate) left: Epsilon,
    /// What this record has taken so far.
    pub(crate) spent: Epsilon,
}

/// The keys of a rule that choose a transform; exactly one is there.
const KINDS: [&str; 9] =
    ["keep", "drop", "mask", "pseudonym", "bin", "date", "geo", "noise", "scan"];

impl Transform {
    /// Takes a rule's transform out of its table.
    pub(crate) fn read(rule: &mut Reader<'_, '_>) -> Option<Self> {
        let mut found = KINDS.iter().filter_map(|kind| Some((*kind, rule.optional(kind)?)));
        let found: Vec<_> = found.by_ref().collect();
        let [(kind, node)] = found.as_slice() else {
            let message = match found.as_slice() {
                [] => "the rule does not say what to do".to_owned(),
                all => {
                    let all: Vec<_> = all.iter().map(|(kind, _)| format!("`{kind}`")).collect();
                    format!("the rule says {} at once", all.join(" and "))
                }
            };
            let help = format!("one of {}", KINDS.join(", "));
            rule.problem(PolicyProblem::new(rule.line(), message).help(help));
            // So that what belongs to `keep` is not told as unknown on top.
            let _told = (rule.optional("allow"), rule.optional("else"));
            return None;
        };
        match *kind {
            "keep" => Keep::read(node, rule).map(Self::Keep),
            "drop" => said(node, "drop", rule).map(|()| Self::Drop),
            "mask" => Mask::read(node, rule).map(Self::Mask),
            "pseudonym" => Pseudonym::read(node, rule).map(Self::Pseudonym),
            "bin" => Bin::read(node, rule).map(Self::Bin),
            "date" => Date::read(node, rule).map(Self::Date),
            "geo" => Geo::read(node, rule).map(Self::Geo),
            "noise" => Noise::read(node, rule).map(Self::Noise),
            _ => ScanText::read(node, rule).map(Self::Scan),
        }
    }

    /// Adds the transform to the canonical form of its rule.
    pub(crate) fn write(&self, rule: &mut Map<String, Value>) {
        match self {
            Self::Keep(keep) => keep.write(rule),
            Self::Drop => drop(rule.insert("drop".to_owned(), true.into())),
            Self::Mask(mask) => drop(rule.insert("mask".to_owned(), mask.to_value())),
            Self::Pseudonym(it) => drop(rule.insert("pseudonym".to_owned(), it.to_value())),
            Self::Bin(bin) => drop(rule.insert("bin".to_owned(), bin.to_value())),
            Self::Date(date) => drop(rule.insert("date".to_owned(), date.to_value())),
            Self::Geo(geo) => drop(rule.insert("geo".to_owned(), geo.to_value())),
            Self::Noise(noise) => drop(rule.insert("noise".to_owned(), noise.to_value())),
            Self::Scan(scan) => drop(rule.insert("scan".to_owned(), scan.to_value())),
        }
    }

    /// What may be sent of `value`.
    pub(crate) fn apply(&self, value: &Value, work: &mut Work<'_>) -> Outcome {
        let sent = match self {
            Self::Keep(keep) => return keep.apply(value),
            Self::Drop => return Outcome::Removed,
            Self::Noise(noise) => return noise.apply(value, work),
            Self::Mask(mask) => mask.apply(value),
            Self::Pseudonym(pseudonym) => pseudonym.apply(value, work),
            Self::Bin(bin) => bin.apply(value),
            Self::Date(date) => date.apply(value),
            Self::Geo(geo) => geo.apply(value),
            Self::Scan(scan) => scan.apply(value),
        };
        sent.map_or(Outcome::UnknownType, Outcome::Send)
    }

    /// Whether what this sends is certain to be a function of what `older` sends, for every value.
    pub(crate) fn is_narrowing_of(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Drop, _) => true,
            (Self::Keep(new), Self::Keep(old)) => new.is_narrowing_of(old),
            (Self::Mask(new), Self::Mask(old)) => new.is_narrowing_of(old),
            (Self::Bin(new), Self::Bin(old)) => new.is_narrowing_of(old),
            (Self::Bin(_), Self::Keep(old)) => old.keeps_every_number(),
            (Self::Date(new), Self::Date(old)) => new.is_narrowing_of(old),
            (new, old) => new == old,
        }
    }
}

/// `key = true`; anything else is a fault.
fn said(node: &Node, key: &str, rule: &mut Reader<'_, '_>) -> Option<()> {
    if matches!(node.kind, Kind::Bool(true)) {
        return Some(());
    }
    rule.wrong(node, key, "true");
    None
}
