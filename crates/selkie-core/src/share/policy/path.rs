//! Where in a record a rule applies: keys, every element of an array, listed keys of a map.

use core::fmt;

use crate::limits::{DOCUMENT_DEPTH_MAX, KEY_BYTES_MAX};

/// The way from a record's root to the values of one rule: `user.email`, `sessions[*].ms`,
/// `errors.*` with the keys listed beside it. A key with `.`, `[`, `*` or `"` in it is a JSON string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulePath(Vec<Step>);

/// One step of a [`RulePath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// A key of an object.
    Key(String),
    /// Every element of an array.
    Each,
    /// The keys of an object that the rule lists.
    Listed,
}

impl RulePath {
    /// Reads a path as a policy writes it; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            rest = key(rest, &mut steps)?;
            while let Some(after) = rest.strip_prefix("[*]") {
                steps.push(Step::Each);
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let listed = steps.iter().filter(|step| **step == Step::Listed).count();
        let fits = rest.is_empty() && listed <= 1 && steps.len() <= DOCUMENT_DEPTH_MAX;
        fits.then_some(Self(steps))
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether the rule must list the keys of a map.
    pub(crate) fn has_listed(&self) -> bool {
        self.0.contains(&Step::Listed)
    }
}

/// Reads one key into `steps` and returns what follows it.
fn key<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    if let Some(rest) = text.strip_prefix('*') {
        steps.push(Step::Listed);
        return Some(rest);
    }
    let (key, rest) = if text.starts_with('"') {
        let mut keys = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = keys.next()?.ok()?;
        (key, text.get(keys.byte_offset()..)?)
    } else {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end)?;
        let plain = !key.is_empty() && !key.contains(['*', '"', ']']);
        plain.then(|| (key.to_owned(), rest))?
    };
    (key.len() <= KEY_BYTES_MAX).then_some(())?;
    steps.push(Step::Key(key));
    Some(rest)
}

impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 && *step != Step::Each {
                f.write_str(".")?;
            }
            match step {
                Step::Each => f.write_str("[*]")?,
                Step::Listed => f.write_str("*")?,
                Step::Key(key) if !key.is_empty() && !key.contains(['.', '[', ']', '*', '"']) => {
                    f.write_str(key)?;
                }
                Step::Key(key) => write!(f, "{}", serde_json::Value::from(key.as_str()))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_it_is_read() {
        for text in ["a", "a.b", "a[*].b", "a[*][*]", "a.*", "a.*.b", "\"a.b\".c", "\"\"", "ü.é"]
        {
            assert_eq!(RulePath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = format!("a{}", ".a".repeat(DOCUMENT_DEPTH_MAX));
        for text in
            ["", ".", "a.", ".a", "a[0]", "a[", "[*]", "a.*.*", "a*", "\"a", "\"a\"b", &long]
        {
            assert_eq!(RulePath::parse(text), None, "{text}");
        }
    }
}
