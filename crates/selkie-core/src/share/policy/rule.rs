//! One rule, and the tree that a record is walked along.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::{RulePath, Step};
use crate::share::transform::Transform;

/// One `[[field]]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) path: RulePath,
    /// The keys that `*` stands for, ascending; empty without one.
    pub(crate) keys: Vec<String>,
    pub(crate) transform: Transform,
}

impl Rule {
    pub(super) fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("path".to_owned(), self.path.to_string().into());
        if !self.keys.is_empty() {
            map.insert("keys".to_owned(), self.keys.iter().map(String::as_str).collect());
        }
        self.transform.write(&mut map);
        Value::Object(map)
    }

    /// The steps of every path it stands for: `None` is "each element".
    pub(super) fn paths(&self) -> Vec<Vec<Option<&str>>> {
        let listed =
            if self.keys.is_empty() { vec![None] } else { self.keys.iter().map(Some).collect() };
        listed
            .into_iter()
            .map(|listed: Option<&String>| {
                let step = |step| match step {
                    &Step::Each => None,
                    Step::Listed => listed.map(String::as_str),
                    Step::Key(key) => Some(key.as_str()),
                };
                self.path.steps().iter().map(step).collect()
            })
            .collect()
    }
}

/// A rule as a person is shown it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleView<'a> {
    /// Where it applies.
    pub path: &'a RulePath,
    /// The keys that `*` stands for.
    pub keys: &'a [String],
    /// `keep`, `drop`, `mask`, `pseudonym`, `bin`, `date`, `geo`, `noise` or `scan`.
    pub kind: &'static str,
    /// The rule's canonical form.
    pub form: Value,
}

impl<'a> RuleView<'a> {
    pub(super) fn of(rule: &'a Rule) -> Self {
        let kind = match rule.transform {
            Transform::Keep(_) => "keep",
            Transform::Drop => "drop",
            Transform::Mask(_) => "mask",
            Transform::Pseudonym(_) => "pseudonym",
            Transform::Bin(_) => "bin",
            Transform::Date(_) => "date",
            Transform::Geo(_) => "geo",
            Transform::Noise(_) => "noise",
            Transform::Scan(_) => "scan",
        };
        Self { path: &rule.path, keys: &rule.keys, kind, form: rule.to_value() }
    }
}

/// All rules, by the steps of their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    pub(crate) keys: BTreeMap<String, Tree>,
    /// Whether the keys were listed for a `*`: then other keys are those of a map.
    pub(crate) is_map: bool,
    pub(crate) each: Option<Box<Tree>>,
    pub(crate) transform: Option<Transform>,
}

impl Tree {
    /// Adds a rule; `false` if one of its paths ends at, above or below another rule's, or reads
    /// as an array what another reads as an object.
    pub(super) fn insert(&mut self, rule: &Rule) -> bool {
        self.insert_at(rule.path.steps(), rule)
    }

    fn insert_at(&mut self, steps: &[Step], rule: &Rule) -> bool {
        let Some((step, rest)) = steps.split_first() else {
            let is_free = self.transform.is_none() && self.keys.is_empty() && self.each.is_none();
            self.transform = Some(rule.transform.clone());
            return is_free;
        };
        if self.transform.is_some() {
            return false;
        }
        match step {
            Step::Each => {
                self.keys.is_empty() && self.each.get_or_insert_default().insert_at(rest, rule)
            }
            Step::Key(key) => {
                let below = self.keys.entry(key.clone()).or_default();
                below.insert_at(rest, rule) && self.each.is_none()
            }
            Step::Listed => {
                self.is_map = true;
                let mut fits = self.each.is_none();
                for key in &rule.keys {
                    fits &= self.keys.entry(key.clone()).or_default().insert_at(rest, rule);
                }
                fits
            }
        }
    }
}
