//! The tables and triggers of an index, as SQL text. All that goes into the text is numbers, and paths
//! that `literal_path` has quoted: definitions take no parameters.
//!
//! Triggers, and not calls from the write path, keep an index in step: whatever changes a record, an
//! index cannot be forgotten, and a crash or a rolled-back write takes back both.

use selkie_core::record::Path;

use super::definition::{Definition, Metric, SearchIndex, Tokenizer, VectorIndex, VectorSource};
use crate::store::query::{index_value, literal_path};

/// Everything an index is made of.
pub(super) fn create(num: i64, collection: i64, definition: &Definition) -> String {
    match definition {
        Definition::Fields(fields) => Fields { num, fields }.create(collection),
        Definition::Search(index) => Words { num, index }.create(collection),
        Definition::Vectors(index) => Vectors { num, index }.create(collection),
    }
}

/// Puts records that were there before into an index: those numbered above `?1`, up to `?2`. `None` if
/// there is nothing to put.
pub(super) fn fill(num: i64, collection: i64, definition: &Definition) -> Option<String> {
    let records = format!(
        "FROM record WHERE collection = {collection} AND num > ?1 AND num <= ?2 AND body IS NOT NULL"
    );
    match definition {
        Definition::Fields(fields) => {
            let values = list(fields, |path| index_value("body", &literal_path(path)));
            Some(format!("INSERT OR IGNORE INTO index_{num} SELECT {values}, num {records}"))
        }
        Definition::Search(SearchIndex { fields, .. }) => {
            let values = list(fields, |path| extracted("body", path));
            let columns = columns("c", fields.len());
            Some(format!(
                "INSERT INTO search_{num} (rowid, {columns}) SELECT num, {values} {records}
                 AND NOT EXISTS (SELECT 1 FROM search_{num}_docsize d WHERE d.id = record.num)"
            ))
        }
        Definition::Vectors(index) => {
            let VectorSource::Field(path) = &index.source else { return None };
            let (valid, vector) = (valid_vector("body", path, index), vector("body", path));
            Some(format!(
                "INSERT INTO vector_{num} (record, embedding) SELECT num, {vector} {records}
                 AND {valid} AND NOT EXISTS
                 (SELECT 1 FROM vector_{num}_rowids v WHERE v.rowid = record.num)"
            ))
        }
    }
}

/// Removes all of an index.
pub(super) fn drop(num: i64, definition: &Definition) -> String {
    let kind = match definition {
        Definition::Fields(_) => "index",
        Definition::Search(_) => "search",
        Definition::Vectors(_) => "vector",
    };
    let mut sql = String::new();
    for event in ["insert", "update", "delete"] {
        sql.push_str(&format!("DROP TRIGGER IF EXISTS {kind}_{num}_{event};"));
    }
    sql.push_str(&format!("DROP TABLE {kind}_{num};"));
    if kind == "search" {
        sql.push_str(&format!("DROP VIEW search_{num}_content;"));
    }
    sql
}

fn list(paths: &[Path], value: impl Fn(&Path) -> String) -> String {
    paths.iter().map(value).collect::<Vec<_>>().join(", ")
}

fn columns(letter: &str, count: usize) -> String {
    (0..count).map(|at| format!("{letter}{at}")).collect::<Vec<_>>().join(", ")
}

fn extracted(body: &str, path: &Path) -> String {
    format!("json_extract({body}, {})", literal_path(path))
}

/// Whether one of the values that `value` makes of a body is another than before.
fn differs(paths: &[Path], value: impl Fn(&str, &Path) -> String) -> String {
    let mut parts = vec!["(old.body IS NULL) <> (new.body IS NULL)".to_owned()];
    let changed = |path| format!("{} IS NOT {}", value("old.body", path), value("new.body", path));
    parts.extend(paths.iter().map(changed));
    format!("({})", parts.join(" OR "))
}

/// The triggers of an index: what adds the new state of a record, and what removes the old.
fn triggers(name: &str, collection: i64, differs: &str, (remove, add): (&str, &str)) -> String {
    let mut sql = String::new();
    if !add.is_empty() {
        sql.push_str(&format!(
            "CREATE TRIGGER {name}_insert AFTER INSERT ON record
             WHEN new.collection = {collection} AND new.body IS NOT NULL BEGIN {add} END;"
        ));
    }
    sql.push_str(&format!(
        "CREATE TRIGGER {name}_update AFTER UPDATE OF body ON record
         WHEN new.collection = {collection} AND {differs} BEGIN {remove} {add} END;
         CREATE TRIGGER {name}_delete AFTER DELETE ON record
         WHEN old.collection = {collection} AND old.body IS NOT NULL BEGIN {remove} END;"
    ));
    sql
}

/// `index_NUM`: one table in the order of the values, so that a range of them is a range of pages.
struct Fields<'a> {
    num: i64,
    fields: &'a [Path],
}

impl Fields<'_> {
    fn create(&self, collection: i64) -> String {
        let Self { num, fields } = self;
        let value = |body: &str, path: &Path| index_value(body, &literal_path(path));
        let declared: Vec<String> = (0..fields.len()).map(|at| format!("v{at} NOT NULL")).collect();
        let names = columns("v", fields.len());
        let same: Vec<String> = fields
            .iter()
            .enumerate()
            .map(|(at, path)| format!("v{at} = {}", value("old.body", path)))
            .collect();
        let remove =
            format!("DELETE FROM index_{num} WHERE {} AND record = old.num;", same.join(" AND "));
        let add = format!(
            "INSERT OR IGNORE INTO index_{num} SELECT {}, new.num WHERE new.body IS NOT NULL;",
            list(fields, |path| value("new.body", path))
        );
        let differs = differs(fields, value);
        let triggers = triggers(&format!("index_{num}"), collection, &differs, (&remove, &add));
        format!(
            "CREATE TABLE index_{num} ({}, record INTEGER NOT NULL, PRIMARY KEY ({names}, record))
             WITHOUT ROWID; {triggers}",
            declared.join(", ")
        )
    }
}

/// `search_NUM`: an FTS5 table that keeps no text of its own; a view shows it the records'.
struct Words<'a> {
    num: i64,
    index: &'a SearchIndex,
}

impl Words<'_> {
    fn create(&self, collection: i64) -> String {
        let Self { num, index: SearchIndex { fields, tokenizer } } = self;
        let names = columns("c", fields.len());
        let tokenize = match tokenizer {
            Tokenizer::Words => "unicode61 remove_diacritics 2",
            Tokenizer::Trigrams => "trigram remove_diacritics 1",
        };
        let shown: Vec<String> = fields
            .iter()
            .enumerate()
            .map(|(at, path)| format!("{} AS c{at}", extracted("body", path)))
            .collect();
        // To remove words, FTS5 must be told exactly those that it was given.
        let remove = format!(
            "INSERT INTO search_{num} (search_{num}, rowid, {names}) SELECT 'delete', old.num, {}
             WHERE EXISTS (SELECT 1 FROM search_{num}_docsize WHERE id = old.num);",
            list(fields, |path| extracted("old.body", path))
        );
        let add = format!(
            "INSERT INTO search_{num} (rowid, {names}) SELECT new.num, {}
             WHERE new.body IS NOT NULL;",
            list(fields, |path| extracted("new.body", path))
        );
        let differs = differs(fields, extracted);
        let triggers = triggers(&format!("search_{num}"), collection, &differs, (&remove, &add));
        // Deleted words are taken out of the index, too, not merely marked.
        format!(
            "CREATE VIEW search_{num}_content AS SELECT num, {} FROM record;
             CREATE VIRTUAL TABLE search_{num} USING fts5({names}, content='search_{num}_content',
                 content_rowid='num', tokenize='{tokenize}');
             INSERT INTO search_{num} (search_{num}, rank) VALUES ('secure-delete', 1); {triggers}",
            shown.join(", ")
        )
    }
}

/// `vector_NUM`: a vec0 table of `sqlite-vec`.
struct Vectors<'a> {
    num: i64,
    index: &'a VectorIndex,
}

impl Vectors<'_> {
    fn create(&self, collection: i64) -> String {
        let Self { num, index } = self;
        let remove = format!("DELETE FROM vector_{num} WHERE record = old.num;");
        let (differs, add) = match &index.source {
            VectorSource::Field(path) => {
                let (valid, vector) =
                    (valid_vector("new.body", path, index), vector("new.body", path));
                let add = format!(
                    "INSERT INTO vector_{num} (record, embedding) SELECT new.num, {vector}
                     WHERE {valid};"
                );
                (differs(core::slice::from_ref(path), extracted), add)
            }
            // What the app gave no longer fits what it was made from.
            VectorSource::Given(paths) => (differs(paths, extracted), String::new()),
        };
        let triggers = triggers(&format!("vector_{num}"), collection, &differs, (&remove, &add));
        format!(
            "CREATE VIRTUAL TABLE vector_{num} USING vec0(record INTEGER PRIMARY KEY,
                 embedding float[{}] distance_metric={}); {triggers}",
            index.dimensions,
            index.metric.name()
        )
    }
}

fn vector(body: &str, path: &Path) -> String {
    format!("vec_f32({body} -> {})", literal_path(path))
}

/// Whether a field holds a vector that `vec_f32` takes; it would fail on all else, and a record that
/// arrives by sync with something else there must not stop the sync.
fn valid_vector(body: &str, path: &Path, index: &VectorIndex) -> String {
    let path = literal_path(path);
    let direction = if index.metric == Metric::Cosine {
        format!(" AND EXISTS (SELECT 1 FROM json_each({body}, {path}) WHERE abs(value) > 1e-30)")
    } else {
        String::new()
    };
    format!(
        "coalesce(json_array_length({body}, {path}), 0) = {} AND NOT EXISTS (SELECT 1
         FROM json_each({body}, {path}) WHERE type NOT IN ('integer', 'real')
         OR abs(value) > 1e30){direction}",
        index.dimensions
    )
}
