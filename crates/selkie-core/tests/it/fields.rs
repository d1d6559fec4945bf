//! Field types and policies: what concurrent writes of each come to.

use selkie_core::change::Change;
use selkie_core::merge::{CollectionPolicy, ConflictResolver, Input, Policy, Resolution, Strategy};
use selkie_core::record::{Document, FieldType, RecordKey, Schema};
use serde_json::{Value, json};

use crate::world::{Device, Random, typed};

fn key() -> RecordKey {
    RecordKey::new("notes", "n").unwrap()
}

fn pair(first: Value) -> (Device, Device) {
    let policy = CollectionPolicy::default();
    let (mut a, mut b) = (Device::new(0, 1_000), Device::new(1, 2_000));
    a.schema = typed();
    b.schema = typed();
    let change = a.put(&key(), &policy, first).unwrap();
    b.replica.apply(change);
    (a, b)
}

/// Both write, then both have both; the document is the same whichever came first.
fn both(first: Value, by_a: Value, by_b: Value, policy: &CollectionPolicy) -> Value {
    let (mut a, mut b) = pair(first);
    let from_a: Option<Change> = a.put(&key(), policy, by_a.clone());
    let from_b: Option<Change> = b.put(&key(), policy, by_b.clone());
    assert_eq!(shown(&a, policy), by_a, "its own writer sees it as written");
    assert_eq!(shown(&b, policy), by_b, "its own writer sees it as written");
    from_b.into_iter().for_each(|change| assert!(a.replica.apply(change)));
    from_a.into_iter().for_each(|change| assert!(b.replica.apply(change)));
    assert_eq!(a.replica, b.replica);
    shown(&a, policy)
}

fn shown(device: &Device, policy: &CollectionPolicy) -> Value {
    device.view(&key(), policy).document.map_or(Value::Null, Document::into_value)
}

#[test]
fn what_each_field_type_comes_to() {
    let cases = [
        ("set", json!([1, 2]), json!([1, 2, 3]), json!([1, 2, 4]), json!([1, 2, 3, 4])),
        ("set", json!([1, 2]), json!([1]), json!([1, 2, 3]), json!([1, 3])),
        ("set", json!([]), json!([5]), json!([]), json!([5])),
        ("set", json!([1]), json!([]), json!([1]), json!([])),
        ("counter", json!(10), json!(11), json!(15), json!(16)),
        ("counter", json!(0), json!(-3), json!(3), json!(0)),
        ("list", json!([1, 2]), json!([0, 1, 2]), json!([1, 2, 3]), json!([0, 1, 2, 3])),
        ("list", json!([1, 2, 3]), json!([1, 3]), json!([1, 2, 3, 4]), json!([1, 3, 4])),
        ("list", json!([1, 2, 3]), json!([3, 1, 2]), json!([1, 2, 9]), json!([9, 1, 2])),
        ("list", json!([1, 2]), json!([2, 1]), json!([1, 2, 3]), json!([2, 1, 3])),
        ("list", json!([1]), json!([]), json!([2]), json!([2])),
        (
            "atomic",
            json!({"x": 1, "y": 1}),
            json!({"x": 2, "y": 1}),
            json!({"x": 1, "y": 2}),
            json!({"x": 1, "y": 2}),
        ),
        (
            "plain",
            json!({"x": 1, "y": 1}),
            json!({"x": 2, "y": 1}),
            json!({"x": 1, "y": 2}),
            json!({"x": 2, "y": 2}),
        ),
    ];
    for (field, first, by_a, by_b, expected) in cases {
        let of = |value: &Value| json!({ field: value });
        let result = both(of(&first), of(&by_a), of(&by_b), &CollectionPolicy::default());
        assert_eq!(result, of(&expected), "{field}: {first} → {by_a} | {by_b}");
    }
}

#[test]
fn undeclared_arrays_are_united_under_merge() {
    let policy = CollectionPolicy::with_default(Policy::Merge);
    let result = both(
        json!({"tags": ["a"], "n": 1}),
        json!({"tags": ["a", "b"], "n": 2}),
        json!({"tags": ["c", "a"], "n": 3}),
        &policy,
    );
    assert_eq!(result, json!({"tags": ["c", "a", "b"], "n": 3}), "the winner's order first");
}

#[test]
fn a_counter_loses_no_addition_however_often_devices_meet() {
    let policy = CollectionPolicy::default();
    let (mut a, mut b) = pair(json!({"counter": 0}));
    let mut sum = 0;
    let mut random = Random(3);
    for _ in 0..100 {
        let (from, to) = if random.chance(50) { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let before = shown(from, &policy)["counter"].as_i64().unwrap();
        let by = random.below(9) as i64 - 4;
        sum += by;
        let change = from.put(&key(), &policy, json!({"counter": before + by}));
        change.into_iter().for_each(|change| assert!(to.replica.apply(change)));
    }
    assert_eq!(shown(&a, &policy), json!({ "counter": sum }));
}

#[test]
fn a_list_becomes_whatever_its_writer_wants() {
    let policy = CollectionPolicy::default();
    let mut random = Random(5);
    for _ in 0..300 {
        let (mut a, _) = pair(json!({"list": []}));
        for _ in 0..6 {
            let len = random.below(7);
            let items: Vec<u64> = (0..len).map(|_| random.below(5)).collect();
            a.put(&key(), &policy, json!({ "list": items }));
            assert_eq!(shown(&a, &policy), json!({ "list": items }));
        }
    }
}

#[test]
fn a_moved_element_keeps_a_concurrent_edit() {
    let policy = CollectionPolicy::default();
    let result = both(
        json!({"list": [{"t": "a"}, {"t": "b"}, {"t": "c"}]}),
        json!({"list": [{"t": "c"}, {"t": "a"}, {"t": "b"}]}),
        json!({"list": [{"t": "a"}, {"t": "b"}, {"t": "C!"}]}),
        &policy,
    );
    assert_eq!(result, json!({"list": [{"t": "C!"}, {"t": "a"}, {"t": "b"}]}));
}

#[test]
fn concurrent_edits_of_one_element_are_put_to_a_person() {
    let policy = CollectionPolicy::with_default(Policy::UserChoice);
    let (mut a, mut b) = pair(json!({"list": [1, 2]}));
    let from_a = a.put(&key(), &policy, json!({"list": [1, 7]})).unwrap();
    let from_b = b.put(&key(), &policy, json!({"list": [1, 8]})).unwrap();
    a.replica.apply(from_b);
    b.replica.apply(from_a);
    let conflict = a.view(&key(), &policy).conflicts.remove(0);
    assert_eq!(conflict.sides.len(), 2);
    let answer = a.resolve(&key(), &conflict, Resolution::Side(0)).unwrap();
    b.replica.apply(answer);
    assert_eq!(shown(&b, &policy), json!({"list": [1, 7]}));
    assert!(b.view(&key(), &policy).conflicts.is_empty());
}

#[test]
fn an_app_without_the_schema_reads_all_and_harms_nothing() {
    let policy = CollectionPolicy::default();
    let first = json!({"set": [1], "counter": 5, "list": [1, 2], "atomic": {"x": 1}, "plain": 1});
    let (mut a, mut old) = pair(first.clone());
    old.schema = Schema::default();
    assert_eq!(shown(&old, &policy), first);
    let mut edited = first.clone();
    edited["plain"] = json!(2);
    let by_old = old.put(&key(), &policy, edited).unwrap();
    let mut by_new = first.clone();
    by_new["set"] = json!([1, 2]);
    by_new["counter"] = json!(6);
    let by_new = a.put(&key(), &policy, by_new).unwrap();
    a.replica.apply(by_old);
    old.replica.apply(by_new);
    assert_eq!(a.replica, old.replica);
    let expected =
        json!({"set": [1, 2], "counter": 6, "list": [1, 2], "atomic": {"x": 1}, "plain": 2});
    assert_eq!(shown(&a, &policy), expected);
}

#[test]
fn a_field_can_change_its_type() {
    let policy = CollectionPolicy::default();
    let shapes = [json!([1, 2]), json!(3), json!({"k": 1}), json!("text"), json!([]), json!({})];
    for field in ["set", "counter", "list", "atomic", "plain"] {
        for from in &shapes {
            for to in &shapes {
                let (mut a, _) = pair(json!({ field: from }));
                a.put(&key(), &policy, json!({ field: to }));
                assert_eq!(shown(&a, &policy), json!({ field: to }), "{field}: {from} → {to}");
                a.put(&key(), &policy, json!({}));
                assert_eq!(shown(&a, &policy), json!({}), "{field}: {from} → {to} → gone");
                a.put(&key(), &policy, json!({ field: from }));
                assert_eq!(shown(&a, &policy), json!({ field: from }), "{field} again");
                a.delete(&key());
                a.put(&key(), &policy, json!({ field: to }));
                assert_eq!(shown(&a, &policy), json!({ field: to }), "{field} after a delete");
            }
        }
    }
}

#[test]
fn the_higher_priority_wins_whatever_its_time() {
    let document = json!({"policy": [{
        "version": 1, "default": "priority", "priority_from": {"field": "level"}
    }]});
    let policy = CollectionPolicy::from_document(&Document::from_value(document).unwrap());
    let high = Document::from_value(json!({"x": 1, "level": 9})).unwrap();
    let low = Document::from_value(json!({"x": 2, "level": 1})).unwrap();
    let (mut a, mut b) = pair(json!({"x": 0, "level": 0}));
    let stamp = |device: &mut Device, document: &Document| {
        let priority = policy.priority_of(Some(document), device.id);
        device.put_with_priority(&key(), &policy, document.clone().into_value(), priority).unwrap()
    };
    let from_a = stamp(&mut a, &high);
    let from_b = stamp(&mut b, &low);
    a.replica.apply(from_b);
    b.replica.apply(from_a);
    assert_eq!(a.replica, b.replica);
    assert_eq!(shown(&a, &policy), json!({"x": 1, "level": 9}), "though the other is later");
}

fn input(document: Value, written_at_ms: u64, priority: i32) -> Input {
    Input { document, written_at_ms, priority }
}

#[test]
fn the_resolver_alone_follows_each_strategy_whoever_is_local() {
    let local = input(json!({"a": 1, "b": {"c": 1}, "l": [1, 2]}), 2_000, 0);
    let remote = input(json!({"a": 2, "b": {"d": 2}, "l": [2, 3]}), 1_000, 7);
    let cases = [
        (Strategy::Timestamp, None, json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2]}), 0),
        (Strategy::Priority, None, json!({"a": 2, "b": {"c": 1, "d": 2}, "l": [2, 3]}), 0),
        (Strategy::Merge, None, json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2, 3]}), 0),
        (Strategy::UserChoice, None, json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2]}), 2),
        // With a base: only the remote changed `a`, and it removed `b.c`; both changed `l`.
        (
            Strategy::UserChoice,
            Some(json!({"a": 1, "b": {"c": 1}, "l": []})),
            json!({"a": 2, "b": {"d": 2}, "l": [1, 2]}),
            1,
        ),
    ];
    for (strategy, base, expected, open) in cases {
        let resolver = ConflictResolver::new(strategy.clone());
        let outcome = resolver.resolve(&local, &remote, base.as_ref()).unwrap();
        assert_eq!(outcome.document, expected, "{strategy:?}");
        assert_eq!(outcome.conflicts.len(), open, "{strategy:?}");
        assert!(!outcome.decisions.is_empty());
        assert_eq!(resolver.resolve(&remote, &local, base.as_ref()).unwrap(), outcome);
    }
}

#[test]
fn the_resolver_asks_a_callback_about_what_is_open() {
    let resolver = ConflictResolver::new(Strategy::UserChoice);
    let (local, remote) =
        (input(json!({"n": 3, "m": 1}), 1, 0), input(json!({"n": 4, "m": 2}), 2, 0));
    let outcome = resolver
        .resolve_with(&local, &remote, None, |conflict| {
            let sum = conflict
                .sides
                .iter()
                .filter_map(|side| side.content.value()?.as_i64())
                .sum::<i64>();
            (conflict.path.to_string() == "n").then(|| json!(sum))
        })
        .unwrap();
    assert_eq!(outcome.document, json!({"n": 7, "m": 2}));
    assert_eq!(outcome.conflicts.len(), 1);
}

#[test]
fn equal_documents_merge_to_themselves_at_equal_times() {
    let mut random = Random(11);
    for _ in 0..200 {
        let (a, b) = (random.below(3), random.below(3));
        let local = input(json!({"x": a, "y": [b]}), random.below(2), random.below(2) as i32);
        let remote = input(json!({"x": b, "z": {"k": a}}), random.below(2), random.below(2) as i32);
        for strategy in
            [Strategy::Timestamp, Strategy::Priority, Strategy::Merge, Strategy::UserChoice]
        {
            let resolver = ConflictResolver::new(strategy);
            let merged = resolver.resolve(&local, &remote, None).unwrap();
            assert_eq!(merged, resolver.resolve(&remote, &local, None).unwrap());
            let same = resolver.resolve(&local, &local, None).unwrap();
            assert_eq!((same.document, same.decisions.len()), (local.document.clone(), 0));
        }
    }
    let bad =
        ConflictResolver::default().resolve(&input(json!(1), 0, 0), &input(json!({}), 0, 0), None);
    assert!(bad.is_err());
}

#[test]
fn a_list_or_counter_does_not_take_the_elements_of_one_below_it() {
    let policy = CollectionPolicy::default();
    let schema = [
        ("a", FieldType::List),
        ("a.x", FieldType::List),
        ("c", FieldType::Counter),
        ("c.x", FieldType::Counter),
    ]
    .into_iter()
    .fold(Schema::new(), |schema, (path, field_type)| schema.field(path, field_type).unwrap());
    let documents = [
        json!({"a": {"x": [1, 2]}, "c": {"x": 5}}),
        json!({"a": [1, 2, 3], "c": 0}),
        json!({"a": {"x": [3, 2, 1]}, "c": {"x": -1}}),
        json!({"a": [2], "c": 7}),
        json!({}),
    ];
    for first in &documents {
        for second in &documents {
            let mut device = Device::new(0, 1_000);
            device.schema = schema.clone();
            for document in [first, second, first, second] {
                device.put(&key(), &policy, document.clone());
                assert_eq!(shown(&device, &policy), *document);
            }
        }
    }
}

#[test]
fn a_deadline_answers_with_what_is_shown() {
    let policy = CollectionPolicy::with_default(Policy::UserChoice);
    let (mut old, mut new) = (Device::new(0, 1_000), Device::new(1, 2_000));
    new.schema = Schema::new().field("a", FieldType::List).unwrap();
    let first = new.put(&key(), &policy, json!({"a": [1], "t": 1})).unwrap();
    old.replica.apply(first);
    let by_old = old.put(&key(), &policy, json!({"a": [9], "t": 1})).unwrap();
    new.put(&key(), &policy, json!({"a": {"z": "important"}, "t": 1})).unwrap();
    new.replica.apply(by_old);
    let before = shown(&new, &policy);
    assert_eq!(before, json!({"a": {"z": "important"}, "t": 1}));
    let open = new.view(&key(), &policy).conflicts;
    assert_eq!(open.len(), 1, "the two shapes are put to a person");
    let registers = new.replica.registers(&key()).into_owned();
    let answer = selkie_core::merge::settle(&registers, &open[0], open[0].shown, "deadline");
    new.write(&key(), answer).unwrap();
    assert_eq!(shown(&new, &policy), before);
    assert!(new.view(&key(), &policy).conflicts.is_empty());
}
