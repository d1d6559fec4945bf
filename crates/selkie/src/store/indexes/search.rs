//! Full-text search: what people type, as a query of FTS5; hits with what was found marked.

use core::ops::Range;

use rusqlite::{Connection, params_from_iter};

use super::definition::{Definition, SearchIndex};
use super::the_one;
use crate::collection::Record;
use crate::store::identity::to_sql;
use crate::store::query::{COLUMNS, Filter, Sql, push_filter, record_of};
use crate::{Error, ErrorKind};

/// Hits unless the caller says how many.
const LIMIT: u64 = 50;
/// Words and phrases of one search.
const WORDS_MAX: usize = 64;
/// Words of a snippet.
const SNIPPET_WORDS: u32 = 24;
/// What FTS5 puts around what was found; no text that people write has them.
const OPEN: char = '\u{2}';
const CLOSE: char = '\u{3}';

/// What to search for.
///
/// Every word must be there. `"two words"` must follow each other, `begin*` is the beginning of a word,
/// `-word` must not be there. Nothing else has a meaning, so whatever people type is a search.
///
/// ```
/// # use selkie::{Search, SearchIndex, Unlock, Vault};
/// # use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// let notes = vault.collection("notes")?;
/// notes.put("a", &json!({"title": "Café by the harbour", "text": "Seals sleep there."}))?;
/// notes.ensure_search(&SearchIndex::new(&["title", "text"])?)?;
/// vault.finish_indexes()?;
/// let hits = notes.search(&Search::new("cafe seal*"))?;
/// assert_eq!(hits[0].record.id, "a");
/// assert_eq!(&hits[0].snippet[hits[0].marks[0].clone()], "Café");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    text: String,
    filter: Option<Filter>,
    limit: u64,
}

impl Search {
    /// A search for what somebody typed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), filter: None, limit: LIMIT }
    }

    /// Only among records that meet this filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// At most so many hits; 50 otherwise.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }
}

/// A record that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchHit {
    /// The record.
    pub record: Record,
    /// How well it fits (BM25); greater is better. Comparable within one search only.
    pub score: f64,
    /// A part of the field in which most was found.
    pub snippet: String,
    /// Where in the snippet it was found, in bytes.
    pub marks: Vec<Range<usize>>,
}

/// The best hits, best first.
pub(crate) fn search(
    sql: &Connection,
    collection: &str,
    search: &Search,
) -> Result<Vec<SearchHit>, Error> {
    let missing = "the collection has no search index; declare one with ensure_search";
    let (num, definition) = the_one(sql, collection, "search", missing)?;
    let Definition::Search(SearchIndex { .. }) = definition else { return Ok(Vec::new()) };
    let Some(words) = fts5_query(&search.text)? else { return Ok(Vec::new()) };
    let mut asked = Sql::default();
    asked.push("SELECT ").push(COLUMNS).push(", -s.rank, snippet(s.search_").push(&num.to_string());
    asked.push(", -1, ").bind(OPEN.to_string()).push(", ").bind(CLOSE.to_string());
    asked.push(", '…', ").bind(i64::from(SNIPPET_WORDS)).push(") FROM search_");
    asked.push(&num.to_string()).push(" s JOIN record r ON r.num = s.rowid WHERE s.search_");
    asked.push(&num.to_string()).push(" MATCH ").bind(words).push(" AND r.body IS NOT NULL");
    if let Some(filter) = &search.filter {
        asked.push(" AND ");
        push_filter(&mut asked, filter)?;
    }
    asked.push(" ORDER BY s.rank, r.id LIMIT ").bind(to_sql(search.limit));
    let mut statement = sql.prepare_cached(&asked.text)?;
    let mut rows = statement.query(params_from_iter(asked.parameters))?;
    let mut hits = Vec::new();
    while let Some(row) = rows.next()? {
        let marked: Option<String> = row.get(7)?;
        let (snippet, marks) = unmark(&marked.unwrap_or_default());
        hits.push(SearchHit { record: record_of(row)?, score: row.get(6)?, snippet, marks });
    }
    Ok(hits)
}

/// Quotes every word, so that FTS5 reads no operators in them. `None`: nothing to search for.
fn fts5_query(text: &str) -> Result<Option<String>, Error> {
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let negated = rest.len() > 1 && rest.starts_with('-');
        rest = rest.get(usize::from(negated)..).unwrap_or_default();
        let (word, after) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        let (word, is_beginning) = match word.strip_suffix('*') {
            Some(word) => (word, true),
            None => (word, after.starts_with('*')),
        };
        rest = after.trim_start_matches('*').trim_start();
        // Signs alone are no words; FTS5 would refuse them as an empty phrase.
        if word.chars().any(char::is_alphanumeric) {
            let sign = if is_beginning { " *" } else { "" };
            let quoted = format!("\"{}\"{sign}", word.replace(['"', '\0'], " "));
            if negated { &mut unwanted } else { &mut wanted }.push(quoted);
        }
        if wanted.len() + unwanted.len() > WORDS_MAX {
            let message = format!("a search has at most {WORDS_MAX} words");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let wanted = format!("({})", wanted.join(" AND "));
    Ok(Some(unwanted.into_iter().fold(wanted, |all, not| format!("({all} NOT {not})"))))
}

fn unmark(marked: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut marks) = (String::with_capacity(marked.len()), Vec::new());
    let mut start = None;
    for character in marked.chars() {
        match character {
            OPEN => start = Some(text.len()),
            CLOSE => marks.extend(start.take().map(|start| start..text.len())),
            other => text.push(other),
        }
    }
    (text, marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_is_a_search() {
        for (typed, query) in [
            ("milk", Some("(\"milk\")")),
            ("oat  milk*", Some("(\"oat\" AND \"milk\" *)")),
            ("\"oat milk\" -soy", Some("((\"oat milk\") NOT \"soy\")")),
            ("a OR b", Some("(\"a\" AND \"OR\" AND \"b\")")),
            ("title:x NEAR(", Some("(\"title:x\" AND \"NEAR(\")")),
            ("\"open", Some("(\"open\")")),
            ("\"a b\"* c", Some("(\"a b\" * AND \"c\")")),
            ("-only", None),
            ("* - \" ()", None),
            ("", None),
        ] {
            assert_eq!(fts5_query(typed).unwrap().as_deref(), query, "{typed:?}");
        }
    }

    #[test]
    fn marks_are_taken_out_of_the_text() {
        let (text, marks) = unmark("a \u{2}bé\u{3} c\u{2}d\u{3}");
        assert_eq!((text.as_str(), marks), ("a bé cd", vec![2..5, 7..8]));
    }
}
