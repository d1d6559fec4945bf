//! Keep: booleans and numbers as they are, or listed values only.

use serde_json::{Map, Value};

use super::{Outcome, said};
use crate::record::value::{canonicalise, to_bytes};
use crate::share::policy::{Node, PolicyProblem, Reader};

/// Values that `allow` may list.
const ALLOW_MAX: usize = 256;

/// Sends a value unchanged. Without `allow`, a text is never sent: who lists no texts has not
/// said which ones are harmless.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keep {
    /// Ascending by their canonical bytes; `None`: every boolean and number.
    allow: Option<Vec<Value>>,
    /// What is sent in place of a value that is not listed.
    otherwise: Option<Value>,
}

impl Keep {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let said = said(node, "keep", rule);
        let allow = rule.optional("allow");
        let otherwise = rule.optional("else");
        let list =
            rule.list(allow, "allow", "1 to 256 texts, numbers or booleans", ALLOW_MAX, scalar);
        let read = otherwise.map(|node| (node, scalar(node)));
        if let Some((node, None)) = &read {
            rule.wrong(node, "else", "a text, a number or true or false");
            return None;
        }
        if let (None, Some(node)) = (allow, otherwise) {
            let problem = PolicyProblem::new(node.line, "`else` needs an `allow` to be else to");
            rule.problem(problem);
            return None;
        }
        if allow.is_some() && list.is_none() {
            return None;
        }
        let allow = list.map(|mut values| {
            values.sort_by_cached_key(to_bytes);
            values.dedup();
            values
        });
        said.map(|()| Self { allow, otherwise: read.and_then(|(_, value)| value) })
    }

    pub(super) fn write(&self, rule: &mut Map<String, Value>) {
        rule.insert("keep".to_owned(), true.into());
        if let Some(allow) = &self.allow {
            rule.insert("allow".to_owned(), Value::Array(allow.clone()));
        }
        if let Some(otherwise) = &self.otherwise {
            rule.insert("else".to_owned(), otherwise.clone());
        }
    }

    pub(super) fn apply(&self, value: &Value) -> Outcome {
        if !matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_)) {
            return Outcome::UnknownType;
        }
        let mut canonical = value.clone();
        if canonicalise(&mut canonical, 1).is_err() {
            return Outcome::UnknownType;
        }
        match (&self.allow, &self.otherwise) {
            (None, _) if canonical.is_string() => Outcome::UnknownType,
            (None, _) => Outcome::Send(canonical),
            (Some(allow), _) if allow.contains(&canonical) => Outcome::Send(canonical),
            (Some(_), Some(otherwise)) => Outcome::Send(otherwise.clone()),
            (Some(_), None) => Outcome::NotAllowed,
        }
    }

    /// Whether only listed values are sent.
    pub(crate) fn is_listed(&self) -> bool {
        self.allow.is_some()
    }

    pub(super) fn keeps_every_number(&self) -> bool {
        self.allow.is_none()
    }

    /// The older output must tell the newer one: a subset of its values, and an `else` that does not
    /// tell apart what the older `else` had thrown together.
    pub(super) fn is_narrowing_of(&self, older: &Self) -> bool {
        let Some(allow) = &self.allow else { return older.allow.is_none() };
        let Some(old_allow) = &older.allow else {
            return self.otherwise.is_none() && allow.iter().all(|value| !value.is_string());
        };
        if !allow.iter().all(|value| old_allow.contains(value)) {
            return false;
        }
        match (&self.otherwise, &older.otherwise) {
            (new, old) if new == old => true,
            (_, None) => false,
            (_, Some(old)) => !allow.contains(old),
        }
    }
}

fn scalar(node: &Node) -> Option<Value> {
    let mut value = node.as_scalar()?;
    canonicalise(&mut value, 1).ok()?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keep(allow: Option<&[Value]>, otherwise: Option<Value>) -> Keep {
        Keep { allow: allow.map(<[Value]>::to_vec), otherwise }
    }

    #[test]
    fn a_text_that_nobody_listed_is_never_kept() {
        let any = keep(None, None);
        for value in [json!("Anna"), json!(null), json!([1]), json!({"a": 1}), json!(1u64 << 60)] {
            assert_eq!(any.apply(&value), Outcome::UnknownType, "{value}");
        }
        assert_eq!(any.apply(&json!(1.0)), Outcome::Send(json!(1)));
        let listed = keep(Some(&[json!("small")]), None);
        assert_eq!(listed.apply(&json!("small")), Outcome::Send(json!("small")));
        assert_eq!(listed.apply(&json!("Anna")), Outcome::NotAllowed);
        let other = keep(Some(&[json!("small")]), Some(json!("other")));
        assert_eq!(other.apply(&json!("Anna")), Outcome::Send(json!("other")));
        assert_eq!(other.apply(&json!(null)), Outcome::UnknownType);
    }

    /// Narrowing is claimed only where the older output determines the newer one, over all values.
    #[test]
    fn narrowing_means_the_older_output_tells_the_newer_one() {
        let values =
            [json!("a"), json!("b"), json!("c"), json!("e"), json!(1), json!(2), json!(true)];
        let lists: [Option<&[Value]>; 5] = [
            None,
            Some(&values[..1]),
            Some(&values[..2]),
            Some(&values[1..4]),
            Some(&values[4..6]),
        ];
        let all: Vec<Keep> = lists
            .iter()
            .flat_map(|list| {
                let others = [None, Some(json!("e")), Some(json!("a"))];
                others.into_iter().filter(|e| list.is_some() || e.is_none()).map(|e| keep(*list, e))
            })
            .collect();
        let mut claimed = 0;
        for (new, old) in all.iter().flat_map(|new| all.iter().map(move |old| (new, old))) {
            if !new.is_narrowing_of(old) {
                continue;
            }
            claimed += 1;
            for (one, two) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
                if old.apply(one) == old.apply(two) {
                    assert_eq!(new.apply(one), new.apply(two), "{new:?} {old:?} {one} {two}");
                }
            }
        }
        assert!(claimed > all.len(), "more than each by itself");
    }
}
