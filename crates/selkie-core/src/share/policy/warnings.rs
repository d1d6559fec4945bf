//! What a policy may not do with values whose names say that they are personal, and what it had better not.

use super::SharePolicy;
use super::path::{RulePath, Step};
use super::problem::PolicyProblem;
use super::rule::Rule;
use crate::share::anonymize::{Sensitive, sensitive_name};
use crate::share::transform::Transform;

/// What the path's names say, the last one that says something.
fn meaning(path: &RulePath) -> Option<Sensitive> {
    let key = |step: &Step| match step {
        Step::Key(key) => sensitive_name(key),
        Step::Each | Step::Listed => None,
    };
    path.steps().iter().rev().find_map(key)
}

/// What is refused, whoever asks.
pub(super) fn refusals(rule: &Rule) -> Vec<PolicyProblem> {
    let Some(sensitive) = meaning(&rule.path) else { return Vec::new() };
    let (path, name) = (&rule.path, sensitive.name());
    let refuse = |help: &str| {
        let message = format!("`{path}` sounds like {name}, and the rule would send it");
        vec![PolicyProblem::new(0, message).help(help)]
    };
    match (&rule.transform, sensitive) {
        (Transform::Drop, _) => Vec::new(),
        (_, Sensitive::Biometric) => {
            refuse("what a body gives away cannot be changed afterwards: only drop is possible")
        }
        // Of a number of tokens; neither sends any text.
        (Transform::Bin(_) | Transform::Noise(_), Sensitive::Secret) => Vec::new(),
        (_, Sensitive::Secret) => {
            refuse("keys and passwords are for nobody: only drop is possible")
        }
        (Transform::Keep(keep), _) if !keep.is_listed() => refuse(
            "list harmless values with allow, or use drop, pseudonym, bin, geo or another transform",
        ),
        _ => Vec::new(),
    }
}

pub(super) fn of(policy: &SharePolicy) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in &policy.rules {
        let path = &rule.path;
        match (&rule.transform, meaning(path)) {
            (Transform::Scan(_), Some(sensitive)) => warnings.push(format!(
                "{path}: sounds like {}; the scanner does not see names or addresses",
                sensitive.name()
            )),
            (Transform::Scan(_), None) => warnings.push(format!(
                "{path}: free text; a scan is a backstop and sees a small part of what is personal"
            )),
            (
                Transform::Mask(_),
                Some(Sensitive::Name | Sensitive::Location | Sensitive::Address),
            ) => {
                warnings.push(format!("{path}: the ends of a name or place often tell the rest"));
            }
            (Transform::Pseudonym(it), _) if !it.rotates() => warnings.push(format!(
                "{path}: without rotate_days the destination can follow one person for ever"
            )),
            _ => {}
        }
    }
    warnings
}
