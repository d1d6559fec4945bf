//! Queries with orders and pages, search, neighbours, indexes and SQL from the command line.

use serde_json::{Value, json};

use crate::support::Device;

fn birds() -> Device {
    let device = Device::new();
    for (id, document) in [
        ("a", r#"{"species": "Gentoo", "mass": 5400, "note": "ringed at the café", "at": [1, 0]}"#),
        ("b", r#"{"species": "Gentoo", "mass": 4900, "note": "with chick", "at": [0, 1]}"#),
        ("c", r#"{"species": "Adelie", "mass": 3700, "note": "ringed", "at": [1, 1]}"#),
    ] {
        device.ok(&["put", "birds", id, document]);
    }
    device
}

fn ids(values: &[Value]) -> String {
    values.iter().filter_map(|value| value["id"].as_str()).collect()
}

#[test]
fn a_query_has_an_order_pages_and_a_count() {
    let device = birds();
    assert_eq!(ids(&device.values(&["query", "birds", "--order", "mass"])), "cba");
    let joined = "species = Gentoo AND NOT mass < 5000 OR @id = c";
    assert_eq!(ids(&device.values(&["query", "birds", joined])), "ac");
    let page = ["query", "birds", "--order", "mass:desc", "--limit", "2", "--page"];
    let first = device.values(&page);
    assert_eq!(ids(&first), "ab");
    let next = first[2]["next"].as_str().unwrap();
    let rest = device.values(&[&page[..], &["--after", next]].concat());
    assert_eq!((ids(&rest), rest.len()), ("c".to_owned(), 1));
    assert_eq!(device.value(&["query", "birds", "mass > 4000", "--count"]), json!({"count": 2}));
    assert_eq!(device.error(&["query", "birds", "mass > true"]).0, 7);
}

#[test]
fn indexes_are_built_listed_used_and_removed() {
    let device = birds();
    let plan = ["explain", "birds", "species = Gentoo"];
    assert_eq!(device.value(&plan)["index"], Value::Null);
    let built = device.value(&["index", "add", "birds", "species", "mass"]);
    assert_eq!((&built["kind"], &built["ready"]), (&json!("fields"), &json!(true)));
    assert_eq!(device.value(&plan)["index"], "species, mass");
    assert_eq!(device.error(&["search", "birds", "ringed"]).0, 3, "no index");
    device.ok(&["index", "add", "birds", "--search", "note"]);
    let hits = device.values(&["search", "birds", "cafe ring*"]);
    assert_eq!((ids(&hits), &hits[0]["snippet"]), ("a".to_owned(), &json!("ringed at the café")));
    let among = ["search", "birds", "ringed", "--where", "species = Adelie"];
    assert_eq!(ids(&device.values(&among)), "c");
    device.ok(&["index", "add", "birds", "--vectors", "at", "--dimensions", "2"]);
    assert_eq!(ids(&device.values(&["similar", "birds", "--to", "a", "-k", "1"])), "c");
    let vector = device.file("vector.json", "[0.1, 1]");
    let near = device.values(&["similar", "birds", "--vector", &vector, "-k", "2"]);
    assert_eq!(ids(&near), "bc");
    assert_eq!(device.values(&["index", "list"]).len(), 3);
    device.ok(&["index", "remove", "birds", "--search"]);
    device.ok(&["index", "remove", "birds", "species", "mass"]);
    assert_eq!(device.error(&["index", "remove", "birds", "species"]).0, 3);
    assert_eq!(device.values(&["index", "list", "birds"]).len(), 1);
}

#[test]
fn sql_reads_views_and_no_keys() {
    let device = birds();
    let rows = device.values(&[
        "sql",
        "SELECT species, n FROM (SELECT document ->> 'species' AS \
        species, count(*) AS n FROM v_birds GROUP BY 1) ORDER BY n",
    ]);
    assert_eq!(rows, [json!({"species": "Adelie", "n": 1}), json!({"species": "Gentoo", "n": 2})]);
    assert_eq!(device.error(&["sql", "SELECT * FROM epoch_key"]).0, 7);
}
