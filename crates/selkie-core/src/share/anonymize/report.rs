//! What was taken out of a value: numbers only.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::Sensitive;
use crate::share::scan::Found;

/// A value without what was found in it, and what that was.
#[derive(Clone, Debug, PartialEq)]
pub struct Anonymized {
    /// The new value.
    pub value: Value,
    /// What was taken out.
    pub report: AnonymizeReport,
}

/// How much was taken out, by reason. It quotes nothing: names may be personal themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnonymizeReport {
    /// Values that were removed for the name of their field.
    pub by_name: BTreeMap<Sensitive, u64>,
    /// Values that were replaced by a pseudonym or a place on the grid, for the name of their field.
    pub replaced: BTreeMap<Sensitive, u64>,
    /// Parts of texts and names that the scanner replaced.
    pub by_form: BTreeMap<Found, u64>,
    /// Keys of objects that were replaced, since they held something personal.
    pub keys: u64,
    /// Stack traces that were reduced to listed frames.
    pub stack_traces: u64,
    /// Values that were removed since they were nested too deeply to look at.
    pub too_deep: u64,
}

impl AnonymizeReport {
    /// All that was taken out.
    #[must_use]
    pub fn total(&self) -> u64 {
        let named = self.by_name.values().chain(self.replaced.values()).sum::<u64>();
        named + self.by_form.values().sum::<u64>() + self.stack_traces + self.too_deep
    }
}
