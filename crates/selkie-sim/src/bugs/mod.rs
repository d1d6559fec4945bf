//! Planted bugs: the core with one rule replaced, through its public face. Each must be caught.

mod causality;
mod fields;
mod people;

use crate::world::Rules;

/// A bug to plant, and the checker whose promise it breaks.
pub struct Bug {
    /// What is wrong.
    pub name: &'static str,
    /// Whose promise that breaks first of all.
    pub checker: &'static str,
    /// The rules with the bug.
    pub rules: &'static dyn Rules,
}

/// All of them.
pub const BUGS: [Bug; 15] = [
    bug("overwrites of what has not arrived are forgotten", "oracle", &causality::NoDead),
    bug("a join takes what is missing for new", "oracle", &causality::JoinIgnoresContext),
    bug("the highest number stands for all before it", "oracle", &causality::ContextJumpsGaps),
    bug("a later stamp is not overwritten", "oracle", &causality::LateStampStays),
    bug("every clock is followed", "clock", &causality::ClockIsFollowed),
    bug("unknown kinds are dropped", "older_reader", &causality::UnknownIsDropped),
    bug("the view shows what arrived last", "view_pure", &people::ShowsTheLastArrived),
    bug("the view leaves out the future", "view_pure", &people::ShowsNoFuture),
    bug("an answer removes siblings not seen", "conflicts", &people::AnswersTakeAll),
    bug("an open conflict of a decided value is not shown", "conflicts", &people::OneAnswerCloses),
    bug("a machine answers as a person edits", "deadline", &people::MachinesEdit),
    bug("counters merge by the greatest part", "counters", &fields::CountersByMax),
    bug("a removal takes concurrent members along", "sets", &fields::RemovalWins),
    bug("a list is numbered anew by every write", "lists", &fields::ListsRenumbered),
    bug("atomic objects are written field by field", "atomic", &fields::NothingIsAtomic),
];

const fn bug(name: &'static str, checker: &'static str, rules: &'static dyn Rules) -> Bug {
    Bug { name, checker, rules }
}
