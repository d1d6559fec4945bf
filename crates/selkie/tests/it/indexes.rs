//! Full-text search and nearest vectors: what is found, kept in step, and never in the clear.

use std::fs;

use selkie::{
    Collection, ErrorKind, Filter, IndexKind, Metric, Search, SearchIndex, Similar, Tokenizer,
    VectorIndex,
};
use serde_json::json;

use crate::support::{Store, copy_of, pair, relay, store};

fn notes() -> (Store, Collection) {
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    for (id, title, text, kind) in [
        ("a", "Café by the harbour", "Seals sleep on the pier. Seals everywhere.", "place"),
        ("b", "Shopping", "Oat milk, coffee, and a seal for the tap", "list"),
        ("c", "日本語の海豹", "A title without spaces", "place"),
    ] {
        notes.put(id, &json!({"title": title, "text": text, "kind": kind})).unwrap();
    }
    (store, notes)
}

fn found(notes: &Collection, search: &Search) -> String {
    notes.search(search).unwrap().into_iter().map(|hit| hit.record.id).collect()
}

#[test]
fn words_are_found_and_the_best_hit_comes_first() {
    let (store, notes) = notes();
    assert_eq!(notes.search(&Search::new("x")).unwrap_err().kind(), ErrorKind::NotFound);
    notes.ensure_search(&SearchIndex::new(&["title", "text"]).unwrap()).unwrap();
    store.vault.finish_indexes().unwrap();
    for (text, ids) in [
        ("seal*", "ab"),
        ("cafe", "a"),
        ("\"oat milk\"", "b"),
        ("\"milk oat\"", ""),
        ("seal* -coffee", "a"),
        ("nothing", ""),
        ("title:cafe OR ( AND \"", ""),
        ("", ""),
        ("海豹", ""),
    ] {
        assert_eq!(found(&notes, &Search::new(text)), ids, "{text}");
    }
    let places = Search::new("seal*").filter(Filter::parse("kind = list").unwrap());
    assert_eq!(found(&notes, &places), "b");
    assert_eq!(found(&notes, &Search::new("seal*").limit(1)), "a");
    let hits = notes.search(&Search::new("seals")).unwrap();
    assert_eq!(hits[0].marks.len(), 2);
    assert!(hits[0].marks.iter().all(|mark| &hits[0].snippet[mark.clone()] == "Seals"));
    assert!(hits[0].score > 0.0);

    let trigrams = SearchIndex::new(&["title"]).unwrap().tokenizer(Tokenizer::Trigrams);
    notes.ensure_search(&trigrams).unwrap();
    store.vault.finish_indexes().unwrap();
    assert_eq!(found(&notes, &Search::new("の海豹")), "c");
    assert_eq!(found(&notes, &Search::new("arbou")), "a");
    assert_eq!(notes.indexes().unwrap().len(), 1, "the other definition took its place");
}

#[test]
fn the_search_index_follows_edits_deletes_and_what_arrives_by_sync() {
    let relay = relay();
    let (phone, laptop) = pair(&relay.url());
    let sync = |store: &Store| {
        let _report = store.vault.sync(&relay.url(), &mut |_| {}).unwrap();
    };
    let here = phone.vault.collection("notes").unwrap();
    let there = laptop.vault.collection("notes").unwrap();
    here.put("a", &json!({"text": "walrus", "embedding": [1.0, 0.0]})).unwrap();
    for notes in [&here, &there] {
        notes.ensure_search(&SearchIndex::new(&["text"]).unwrap()).unwrap();
        notes.ensure_vectors(&VectorIndex::of_field("embedding", 2).unwrap()).unwrap();
    }
    phone.vault.finish_indexes().unwrap();
    laptop.vault.finish_indexes().unwrap();
    sync(&phone);
    sync(&laptop);
    let near = |notes: &Collection| notes.similar(&Similar::to(&[1.0, 0.1], 9)).unwrap().len();
    assert_eq!((found(&there, &Search::new("walrus")).as_str(), near(&there)), ("a", 1));
    here.patch("a", &json!({"text": "narwhal", "embedding": "none"})).unwrap();
    here.put("b", &json!({"text": 5, "embedding": [1, 2, 3]})).unwrap();
    sync(&phone);
    sync(&laptop);
    for notes in [&here, &there] {
        assert_eq!(found(notes, &Search::new("walrus")), "");
        assert_eq!(found(notes, &Search::new("narwhal")), "a");
        assert_eq!(found(notes, &Search::new("5")), "b");
        assert_eq!(near(notes), 0, "what is no vector is not found, and stops nothing");
    }
    there.delete("a").unwrap();
    assert_eq!(found(&there, &Search::new("narwhal")), "");
    sync(&laptop);
    sync(&phone);
    assert_eq!(found(&here, &Search::new("narwhal")), "");
    here.put("a", &json!({"text": "narwhal"})).unwrap();
    assert_eq!(found(&here, &Search::new("narwhal")), "a");
}

#[test]
fn the_nearest_are_found_among_those_a_filter_lets_through() {
    let store = store();
    let points = store.vault.collection("points").unwrap();
    store
        .vault
        .transaction(|tx| {
            let points = tx.collection("points")?;
            (0..1_200u32).try_for_each(|n| {
                let place = [f64::from(n), 1.0, 0.0];
                points.put(&format!("{n:04}"), &json!({"at": place, "even": n % 2 == 0})).map(drop)
            })
        })
        .unwrap();
    points.put("zero", &json!({"at": [0, 0, 0]})).unwrap();
    points.put("text", &json!({"at": ["1", 2, 3]})).unwrap();
    let index = VectorIndex::of_field("at", 3).unwrap();
    points.ensure_vectors(&index.clone().metric(Metric::Euclidean)).unwrap();
    store.vault.finish_indexes().unwrap();
    let ids = |similar: &Similar| -> Vec<String> {
        points.similar(similar).unwrap().into_iter().map(|near| near.record.id).collect()
    };
    assert_eq!(ids(&Similar::to(&[700.2, 1.0, 0.0], 3)), ["0700", "0701", "0699"]);
    let even = Filter::parse("even = true").unwrap();
    assert_eq!(
        ids(&Similar::to(&[700.2, 1.0, 0.0], 3).filter(even.clone())),
        ["0700", "0702", "0698"]
    );
    assert_eq!(ids(&Similar::to_record("0010", 2).filter(even)), ["0008", "0012"]);
    let nearest = points.similar(&Similar::to(&[3.0, 1.0, 4.0], 1)).unwrap();
    assert_eq!(nearest[0].distance, 4.0);
    for (wanted, kind) in [
        (Similar::to(&[1.0], 1), ErrorKind::InvalidInput),
        (Similar::to(&[f32::NAN, 0.0, 0.0], 1), ErrorKind::InvalidInput),
        (Similar::to(&[1.0, 0.0, 0.0], 5_000), ErrorKind::InvalidInput),
        (Similar::to_record("none", 1), ErrorKind::NotFound),
        (Similar::to_record("text", 1), ErrorKind::NotFound),
    ] {
        assert_eq!(points.similar(&wanted).unwrap_err().kind(), kind);
    }
    points.ensure_vectors(&index).unwrap();
    store.vault.finish_indexes().unwrap();
    let far = points.similar(&Similar::to(&[1.0, 0.0, 0.0], 4_000)).unwrap();
    assert_eq!(far.len(), 1_200, "a vector of zeros has no direction");
    assert!(far.iter().all(|near| near.distance.is_finite()));
}

#[test]
fn vectors_given_apart_are_forgotten_when_what_they_were_made_of_changes() {
    let (store, notes) = notes();
    notes.ensure_vectors(&VectorIndex::given(&["title", "text"], 2).unwrap()).unwrap();
    store.vault.finish_indexes().unwrap();
    assert_eq!(notes.without_vector(9).unwrap(), ["a", "b", "c"]);
    notes.give_vectors(&[("a", &[1.0, 0.0]), ("b", &[0.0, 1.0]), ("c", &[1.0, 1.0])]).unwrap();
    assert_eq!(notes.without_vector(9).unwrap(), [""; 0]);
    let none = notes.give_vectors(&[("a", &[0.5, 0.5]), ("missing", &[1.0, 0.0])]).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
    notes.patch("a", &json!({"kind": "other"})).unwrap();
    notes.patch("b", &json!({"text": "Soy milk"})).unwrap();
    notes.delete("c").unwrap();
    assert_eq!(notes.without_vector(9).unwrap(), ["b"]);
    let near = notes.similar(&Similar::to(&[1.0, 0.0], 9)).unwrap();
    assert_eq!((near.len(), near[0].distance), (1, 0.0), "all or none were given");
    let again = copy_of(&store);
    let again = again.vault.collection("notes").unwrap();
    assert_eq!(again.similar(&Similar::to(&[1.0, 0.0], 9)).unwrap().len(), 1);
    let kinds: Vec<_> = again.indexes().unwrap().iter().map(|index| index.kind).collect();
    assert_eq!(kinds, [IndexKind::Vectors]);
    assert!(again.drop_vectors().unwrap());
    assert!(!again.drop_vectors().unwrap());
}

/// Words and vectors are looked for in every file of the store, and in the folder for temporary files.
#[test]
fn no_index_shows_a_word_or_a_vector_outside_the_encrypted_file() {
    const CANARY: &str = "canaryquokka";
    let store = store();
    let notes = store.vault.collection("notes").unwrap();
    notes.ensure_index(&["text"]).unwrap();
    notes.ensure_search(&SearchIndex::new(&["text"]).unwrap()).unwrap();
    notes.ensure_vectors(&VectorIndex::of_field("at", 4).unwrap()).unwrap();
    let numbers = [1.2345e-3_f32, -9.8765e4, 3.3333e3, 7.7777];
    let vector: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    for n in 0..300 {
        let text = format!("{CANARY} {n} {CANARY}{n}");
        notes.put(&format!("{n}"), &json!({ "text": text, "at": numbers })).unwrap();
    }
    store.vault.finish_indexes().unwrap();
    assert_eq!(notes.search(&Search::new(CANARY).limit(500)).unwrap().len(), 300);
    assert_eq!(notes.similar(&Similar::to(&numbers, 5)).unwrap().len(), 5);
    let many = selkie::Query::new().descending("text").unwrap();
    assert_eq!(notes.query(&many).unwrap().len(), 300);
    let mut looked_at = 0;
    let temporary = fs::read_dir(std::env::temp_dir()).unwrap().map(|entry| entry.unwrap().path());
    let own = fs::read_dir(store.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    for file in own.chain(temporary.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("etilqs"))
    })) {
        let bytes = fs::read(&file).unwrap();
        for needle in [CANARY.as_bytes(), &vector] {
            let shown = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!shown, "{}", file.display());
        }
        looked_at += 1;
    }
    assert!(looked_at >= 4, "database, keys, log and its index: {looked_at}");
}
