//! What each answer to a conflict would give, and answers by a word: newest, oldest, kept.

use selkie::{ConflictKind, FieldPath, OpenConflict, SideContent};
use serde_json::{Map, Value};

use crate::text;

/// How much of a field a line shows.
const GIVES_CHARS_MAX: usize = 70;

/// An answer in a word, for any conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Word {
    /// The side written last
    Newest,
    /// The side written first
    Oldest,
    /// What you have mostly answered to conflicts like this
    Suggested,
    /// Keep the record, where another device deleted it
    Kept,
    /// Delete the record, where another device edited it
    Deleted,
}

impl Word {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Suggested => "suggested",
            Self::Kept => "kept",
            Self::Deleted => "deleted",
        }
    }

    /// The side of a conflict that it means, if there is one.
    pub fn side_of(self, open: &OpenConflict) -> Option<usize> {
        let sides = &open.conflict.sides;
        let place_of = |content| sides.iter().position(|side| side.content == content);
        match self {
            // Sides are in order of time.
            Self::Newest => sides.len().checked_sub(1),
            Self::Oldest => (!sides.is_empty()).then_some(0),
            Self::Suggested => open.suggestion.as_ref().map(|suggestion| suggestion.side),
            Self::Kept => place_of(SideContent::Kept),
            Self::Deleted => place_of(SideContent::Deleted),
        }
    }
}

/// The document after an answer: `None` where the record would be gone, `Some(None)` where only the
/// store knows it.
pub fn document_after(
    open: &OpenConflict,
    content: &SideContent,
    now: Option<&Value>,
) -> Option<Option<Value>> {
    let value = match content {
        SideContent::Deleted => return None,
        SideContent::Kept => return Some(now.cloned()),
        SideContent::Removed => None,
        SideContent::Value(value) => Some(value.clone()),
    };
    let keys = keys_of(&open.conflict.path);
    Some(keys.zip(now).map(|(keys, now)| with(now.clone(), &keys, value)))
}

/// What a line says of the field after an answer.
pub fn gives(open: &OpenConflict, content: &SideContent, now: Option<&Value>) -> String {
    let cut = |value: &Value| text::cut(&text::compact(value), GIVES_CHARS_MAX);
    if open.conflict.kind == ConflictKind::EditVsDelete {
        return match (document_after(open, content, now), content) {
            (None, _) => "no record".to_owned(),
            (Some(Some(document)), _) => cut(&document),
            (Some(None), _) => "the record, as it was edited".to_owned(),
        };
    }
    let top = keys_of(&open.conflict.path).and_then(|keys| keys.into_iter().next());
    let after = document_after(open, content, now).flatten();
    match (top, after) {
        (Some(top), Some(after)) => match after.get(&top) {
            Some(value) => format!("{}: {}", text::plain(&top), cut(value)),
            None => format!("no {}", text::plain(&top)),
        },
        // An element of a list or set: the store alone knows its place among the others.
        _ => content.value().map_or_else(|| "without it".to_owned(), cut),
    }
}

/// The keys of a field's path; `None` for an element of a list, set or counter.
fn keys_of(path: &FieldPath) -> Option<Vec<String>> {
    let text = path.to_string();
    // An element's path does not read back as itself.
    FieldPath::parse(&text).filter(|again| again == path)?;
    let mut keys = Vec::new();
    let mut rest = text.as_str();
    loop {
        let key;
        if rest.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            key = strings.next()?.ok()?;
            rest = rest.get(strings.byte_offset()..)?;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let (before, after) = rest.split_at_checked(end)?;
            (key, rest) = (before.to_owned(), after);
        }
        keys.push(key);
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None => return Some(keys),
        }
    }
}

/// The document with another value at a place, or none there.
fn with(document: Value, keys: &[String], value: Option<Value>) -> Value {
    let Some((key, below)) = keys.split_first() else { return value.unwrap_or_default() };
    let mut map = match document {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if below.is_empty() {
        match value {
            Some(value) => map.insert(key.clone(), value),
            None => map.remove(key),
        };
    } else {
        let inner = map.remove(key).unwrap_or_default();
        map.insert(key.clone(), with(inner, below, value));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::examples;
    use super::*;

    #[test]
    fn an_answer_changes_its_field_only() {
        let now = json!({"address": {"city": "Turku", "zip": "1"}, "x": 1});
        let open = examples::edit("address.city", &[json!("Turku"), json!("Oulu")]);
        let side = |at: usize| &open.conflict.sides[at].content;
        let after = document_after(&open, side(1), Some(&now)).flatten();
        assert_eq!(after, Some(json!({"address": {"city": "Oulu", "zip": "1"}, "x": 1})));
        assert_eq!(gives(&open, side(1), Some(&now)), r#"address: {"city":"Oulu","zip":"1"}"#);
        let open = examples::edit("x", &[json!(1)]);
        assert_eq!(gives(&open, &SideContent::Removed, Some(&now)), "no x");
    }

    #[test]
    fn a_delete_gives_no_record() {
        let open = examples::delete();
        assert_eq!(gives(&open, &SideContent::Deleted, None), "no record");
        assert_eq!(gives(&open, &SideContent::Kept, Some(&json!({"a": 1}))), r#"{"a":1}"#);
        assert_eq!(gives(&open, &SideContent::Kept, None), "the record, as it was edited");
    }

    #[test]
    fn keys_with_dots_are_one_key() {
        let path = FieldPath::parse(r#"a."b.c".d"#).unwrap();
        assert_eq!(keys_of(&path).unwrap(), ["a", "b.c", "d"]);
    }

    #[test]
    fn a_word_means_a_side_or_none() {
        let edit = examples::edit("x", &[json!(1), json!(2), json!(3)]);
        assert_eq!(Word::Newest.side_of(&edit), Some(2));
        assert_eq!(Word::Oldest.side_of(&edit), Some(0));
        assert_eq!(Word::Suggested.side_of(&edit), None);
        assert_eq!(Word::Kept.side_of(&edit), None);
        let delete = examples::delete();
        assert_eq!(Word::Kept.side_of(&delete), Some(0));
        assert_eq!(Word::Deleted.side_of(&delete), Some(1));
    }
}
