//! Queries: what filters find, with and without an index; order, pages, figures.

use std::collections::BTreeSet;

use selkie::{Aggregation, Collection, Cursor, ErrorKind, Filter, Query};
use serde_json::{Value, json};

use crate::support::{Store, store};

/// Values of every type, at one field and below another.
fn mixed() -> (Store, Collection) {
    let store = store();
    let things = store.vault.collection("things").unwrap();
    let values = [
        ("int", json!(5)),
        ("big", json!(9_007_199_254_740_991_i64)),
        ("neg", json!(-3)),
        ("real", json!(5.5)),
        ("one", json!(1)),
        ("true", json!(true)),
        ("false", json!(false)),
        ("null", json!(null)),
        ("text", json!("oslo")),
        ("Text", json!("Oslo")),
        ("five", json!("5")),
        ("empty", json!("")),
        ("last", json!("\u{10ffff}x")),
        ("array", json!([5, "oslo"])),
        ("object", json!({"b": 5})),
    ];
    for (id, value) in values {
        things.put(id, &json!({"v": value, "deep": {"it's \u{1f600}": value}, "n": 1})).unwrap();
    }
    things.put("missing", &json!({"n": 2})).unwrap();
    (store, things)
}

fn ids(things: &Collection, query: &Query) -> BTreeSet<String> {
    things.query(query).unwrap().into_iter().map(|record| record.id).collect()
}

const FILTERS: [(&str, &[&str]); 25] = [
    ("v = 5", &["int"]),
    ("v = \"5\"", &["five"]),
    ("v = oslo", &["text"]),
    ("v = true", &["true"]),
    ("v = null", &["null"]),
    ("v < 5", &["neg", "one"]),
    ("v <= 5", &["neg", "one", "int"]),
    ("v > 5", &["real", "big"]),
    ("v >= 5.5", &["real", "big"]),
    ("v > Oslo", &["text", "last"]),
    ("v < oslo", &["Text", "five", "empty"]),
    ("v ~ os", &["text"]),
    ("v ~ \u{10ffff}", &["last"]),
    ("v IN (1, oslo, true, null)", &["one", "text", "true", "null"]),
    ("v in (\"5\", -3)", &["five", "neg"]),
    ("v = 5 AND n = 1", &["int"]),
    ("v = 5 AND n = 2", &[]),
    ("v = 5 OR v = oslo OR n = 2", &["int", "text", "missing"]),
    ("v > 0 AND NOT v > 5 AND NOT (v = 1)", &["int"]),
    ("(v = 5 OR v = 1) AND n > 0", &["int", "one"]),
    ("v.b = 5", &["object"]),
    ("NOT n", &[]),
    ("@id ~ tr", &["true"]),
    ("@id = five AND @created_at > 0 AND @updated_at < 99999999999999", &["five"]),
    ("v >= \"\" AND v < a", &["Text", "five", "empty"]),
];

#[test]
fn a_filter_finds_the_same_with_and_without_an_index() {
    let (store, things) = mixed();
    let check = |indexed: bool| {
        for (text, expected) in FILTERS {
            let query = Query::new().filter(Filter::parse(text).unwrap());
            let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(ids(&things, &query), expected, "{text}, indexed: {indexed}");
            assert_eq!(things.count_matching(&query).unwrap(), expected.len() as u64, "{text}");
        }
        let not_five = Query::new().filter(Filter::parse("v != 5").unwrap());
        assert_eq!(ids(&things, &not_five).len(), 15, "a missing field is unequal to everything");
        let there = Query::new().filter(Filter::parse("v").unwrap());
        assert_eq!(ids(&things, &there).len(), 15);
    };
    check(false);
    things.ensure_index(&["v"]).unwrap();
    things.ensure_index(&["n", "v"]).unwrap();
    store.vault.finish_indexes().unwrap();
    check(true);
    let taken = |text: &str| {
        things.explain(&Query::new().filter(Filter::parse(text).unwrap())).unwrap().index
    };
    assert_eq!(taken("v = 5").as_deref(), Some("v"));
    assert_eq!(taken("v = 5 AND n = 1").as_deref(), Some("n, v"));
    assert_eq!(taken("n = 1 AND v > 3").as_deref(), Some("n, v"));
    assert_eq!(taken("v != 5"), None);
    assert_eq!(taken("v = 5 OR n = 1"), None);
}

#[test]
fn an_index_is_kept_in_step_by_every_write() {
    let (store, things) = mixed();
    things.ensure_index(&["v"]).unwrap();
    let found = |text: &str| ids(&things, &Query::new().filter(Filter::parse(text).unwrap()));
    store.vault.finish_indexes().unwrap();
    things.put("int", &json!({"v": 6})).unwrap();
    things.patch("one", &json!({"v": 5})).unwrap();
    things.patch("text", &json!({"other": 5})).unwrap();
    things.delete("real").unwrap();
    things.put("new", &json!({"v": 5})).unwrap();
    assert_eq!(found("v = 5"), BTreeSet::from(["one".to_owned(), "new".to_owned()]));
    assert_eq!(found("v = 6").len(), 1);
    assert_eq!(found("v = oslo").len(), 1);
    assert_eq!(found("v = 5.5").len(), 0);
    let failed = store.vault.transaction(|tx| {
        tx.collection("things")?.put("gone", &json!({"v": 5}))?;
        assert_eq!(things.get("gone")?, None, "not committed");
        Err::<(), _>(Filter::parse("").unwrap_err())
    });
    assert!(failed.is_err());
    assert_eq!(found("v = 5").len(), 2);
    assert!(things.drop_index(&["v"]).unwrap());
    assert!(!things.drop_index(&["v"]).unwrap());
    assert_eq!(found("v = 5").len(), 2);
}

#[test]
fn an_index_over_many_records_is_built_beside_writes_and_survives_closing() {
    let store = store();
    let things = store.vault.collection("things").unwrap();
    let write = |from: u64, to: u64| {
        store
            .vault
            .transaction(|tx| {
                let things = tx.collection("things")?;
                (from..to).try_for_each(|n| {
                    things.put(&format!("{n:06}"), &json!({"n": n, "even": n % 2 == 0})).map(drop)
                })
            })
            .unwrap();
    };
    write(0, 2_300);
    things.ensure_index(&["n"]).unwrap();
    things.put("000007", &json!({"n": 7_000})).unwrap();
    things.delete("000008").unwrap();
    write(2_300, 2_400);
    store.vault.finish_indexes().unwrap();
    assert!(things.indexes().unwrap().iter().all(|index| index.ready));
    let query = Query::new().filter(Filter::parse("n >= 0").unwrap());
    assert_eq!(things.count_matching(&query).unwrap(), 2_399);
    let moved = Query::new().filter(Filter::parse("n IN (7, 8, 7000)").unwrap());
    assert_eq!(ids(&things, &moved), BTreeSet::from(["000007".to_owned()]));
    let again = crate::support::copy_of(&store);
    let things = again.vault.collection("things").unwrap();
    assert_eq!(things.explain(&query).unwrap().index.as_deref(), Some("n"));
    assert_eq!(things.count_matching(&query).unwrap(), 2_399);
}

#[test]
fn records_come_in_order_and_pages_join_without_gap_or_double() {
    let (store, things) = mixed();
    let order = [
        "array", "missing", "object", "neg", "one", "int", "real", "big", "empty", "five", "Text",
        "text", "last", "null", "false", "true",
    ];
    let check = |indexed: bool| {
        for descending in [false, true] {
            let query = match descending {
                false => Query::new().ascending("v").unwrap(),
                true => Query::new().descending("v").unwrap().descending("@id").unwrap(),
            };
            let mut expected: Vec<&str> = order.to_vec();
            if descending {
                expected.reverse();
            }
            for size in [1, 3, 16, 17] {
                let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
                loop {
                    let mut query = query.clone().limit(size);
                    if let Some(after) = &after {
                        query = query.after(after.to_string().parse().unwrap());
                    }
                    let page = things.page(&query).unwrap();
                    seen.extend(page.records.into_iter().map(|record| record.id));
                    // What comes and goes meanwhile moves nothing.
                    if seen.len() == 3 {
                        things.put("0", &json!({"other": 1})).unwrap();
                        things.delete("0").unwrap();
                    }
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, expected, "{size} at once, indexed: {indexed}");
            }
        }
    };
    check(false);
    things.ensure_index(&["v"]).unwrap();
    store.vault.finish_indexes().unwrap();
    check(true);
    let by_v = Query::new().ascending("v").unwrap().limit(2);
    assert_eq!(things.explain(&by_v).unwrap().index.as_deref(), Some("v"));
    let cursor = things.page(&by_v).unwrap().next.unwrap();
    let other = things.page(&Query::new().after(cursor)).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::InvalidInput);
    for bad in ["", "zz", "5b5d5", "7b7d", "[1]"] {
        assert!(bad.parse::<Cursor>().is_err() || bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn figures_count_sum_and_compare() {
    let store = store();
    let birds = store.vault.collection("birds").unwrap();
    for (id, document) in [
        ("a", json!({"species": "Gentoo", "mass": 5000, "seen": true})),
        ("b", json!({"species": "Gentoo", "mass": 5401.5})),
        ("c", json!({"species": "Adelie", "mass": "heavy"})),
        ("d", json!({"mass": 9_007_199_254_740_991_i64})),
        ("e", json!({"mass": 9_007_199_254_740_991_i64, "species": null})),
    ] {
        birds.put(id, &document).unwrap();
    }
    let all = Aggregation::new().count().sum("mass").unwrap().average("mass").unwrap();
    let all = all.least("mass").unwrap().greatest("mass").unwrap();
    let gentoo = Query::new().filter(Filter::parse("species = Gentoo").unwrap());
    let groups = birds.aggregate(&gentoo, &all).unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(
        groups[0].figures,
        [json!(2), json!(10_401.5), json!(5_200.75), json!(5000), json!(5401.5)]
    );
    let none = Query::new().filter(Filter::parse("species = Dodo").unwrap());
    let groups = birds.aggregate(&none, &all).unwrap();
    assert_eq!(groups[0].figures, [json!(0), json!(0), Value::Null, Value::Null, Value::Null]);
    let by_species = Aggregation::new().count().sum("mass").unwrap().group_by("species").unwrap();
    let groups = birds.aggregate(&Query::new(), &by_species).unwrap();
    let keys: Vec<_> = groups.iter().map(|group| group.key.clone()).collect();
    assert_eq!(keys, [None, Some(json!("Adelie")), Some(json!("Gentoo")), Some(Value::Null)]);
    assert_eq!(groups[1].figures, [json!(1), json!(0)]);
}

#[test]
fn a_bad_filter_is_refused_with_its_place_and_none_of_its_text() {
    let secret = "canary-quokka";
    for (text, at) in [
        ("", 1),
        ("= 3", 1),
        ("a = 1 AND", 10),
        ("a = 1 AND = 3", 11),
        ("(a = 1", 7),
        ("a = 1)", 6),
        ("a ! 1", 3),
        ("a < true", 5),
        ("a = [1]", 5),
        ("a ~ 5", 4),
        ("a IN 1", 6),
        ("a IN (1", 8),
        ("é = 1 AND a..b", 11),
        ("a IN (1, [2])", 10),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        let place = format!("at character {at};");
        assert!(error.to_string().contains(&place), "{text}: {error}");
    }
    let error = Filter::parse(&format!("a = {secret} AND ({secret}")).unwrap_err();
    assert!(!error.to_string().contains(secret), "{error}");
    let deep = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(Filter::parse(&deep).unwrap_err().kind(), ErrorKind::InvalidInput);
    let long = vec!["a = 1"; 5_000].join(" AND ");
    let store = store();
    let things = store.vault.collection("x").unwrap();
    let query =
        |filter: Filter| things.query(&Query::new().filter(filter)).map(|found| found.len());
    assert_eq!(query(Filter::parse(&long).unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let nots = (0..5_000).fold(Filter::exists("a").unwrap(), |filter, _| filter.not());
    assert_eq!(query(nots).unwrap_err().kind(), ErrorKind::InvalidInput);
    things.put("a", &json!({"n": 7, "a": 1})).unwrap();
    for indexed in [false, true] {
        let listed = |to: u64| Filter::any_of("n", (0..to).map(Value::from)).unwrap();
        assert_eq!(query(listed(10_000)).unwrap(), 1, "indexed: {indexed}");
        assert_eq!(query(listed(10_001)).unwrap_err().kind(), ErrorKind::InvalidInput);
        let many = (0..800).fold(Filter::exists("a").unwrap(), |filter, n| {
            filter.and(Filter::less("n", json!(8 + n)).unwrap())
        });
        assert_eq!(query(many).unwrap(), 1, "indexed: {indexed}");
        things.ensure_index(&["n"]).unwrap();
        store.vault.finish_indexes().unwrap();
    }
}

#[test]
fn text_needs_no_quotes_and_a_filter_is_shown_as_it_is_read() {
    for (text, shown) in [
        ("title = Milk and honey (or so)", "title = \"Milk and honey (or so)\""),
        ("title=a", "title = \"a\""),
        ("first name = Ann Lee AND done", "first name = \"Ann Lee\" AND done"),
        ("a = \"x AND y\" OR b", "a = \"x AND y\" OR b"),
        ("a = \"x\" y", "a = \"\\\"x\\\" y\""),
        ("a in (x y, \"b, c\", 3)", "a IN (\"x y\", \"b, c\", 3)"),
        ("NOT a AND (b OR NOT (c AND d))", "NOT a AND (b OR NOT (c AND d))"),
        ("\"@id\" = 1", "\"@id\" = 1"),
        ("a.\"b.c\" ~ x", "a.\"b.c\" ~ \"x\""),
        ("ORder = ANDroid", "ORder = \"ANDroid\""),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.to_string(), shown, "{text}");
        assert_eq!(Filter::parse(shown).unwrap(), filter, "{shown}");
    }
}
