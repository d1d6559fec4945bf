//! Seeds that once broke a promise in the simulator, as the smallest story that still does.

use selkie_core::change::{Change, Class, EntryValue, Operation, Registers, Written};
use selkie_core::merge::{CollectionPolicy, Policy, Resolution, settle};
use selkie_core::record::{Path, RecordKey, Schema};
use serde_json::{Value, json};

use crate::world::{Device, typed};

fn key() -> RecordKey {
    RecordKey::new("notes", "n").unwrap()
}

fn asking() -> CollectionPolicy {
    CollectionPolicy::with_default(Policy::UserChoice)
}

fn pair(first: Value) -> (Device, Device) {
    let (mut a, mut b) = (Device::new(0, 1_000), Device::new(1, 2_000));
    a.schema = typed();
    b.schema = typed();
    let change = a.put(&key(), &asking(), first).unwrap();
    b.replica.apply(change);
    (a, b)
}

fn shown(device: &Device) -> Value {
    device.view(&key(), &asking()).document.map_or(Value::Null, |document| document.into_value())
}

fn registers(device: &Device) -> Registers {
    device.replica.registers(&key()).into_owned()
}

fn exchange(a: &mut Device, from_a: Option<Change>, b: &mut Device, from_b: Option<Change>) {
    from_a.into_iter().for_each(|change| assert!(b.replica.apply(change)));
    from_b.into_iter().for_each(|change| assert!(a.replica.apply(change)));
    assert_eq!(a.replica, b.replica);
}

/// Lets a machine answer the first conflict.
fn settled(device: &mut Device) -> Option<Change> {
    let conflict = device.view(&key(), &asking()).conflicts.remove(0);
    let operations = settle(&registers(device), &conflict, conflict.shown, "deadline");
    device.write(&key(), operations)
}

#[test]
fn an_app_without_the_schema_edits_one_part_of_a_whole_object_and_loses_none() {
    let (mut a, mut old) = pair(json!({"atomic": {"x": 1, "y": 1}}));
    old.schema = Schema::default();
    let edit = old.put(&key(), &asking(), json!({"atomic": {"x": 1, "y": 2}}));
    exchange(&mut a, None, &mut old, edit);
    assert_eq!(shown(&a), json!({"atomic": {"x": 1, "y": 2}}));
    let removal = old.put(&key(), &asking(), json!({}));
    exchange(&mut a, None, &mut old, removal);
    assert_eq!(shown(&a), json!({}));
}

#[test]
fn a_removed_object_leaves_no_empty_one_behind() {
    let (mut a, mut b) = pair(json!({"z": 1}));
    let from_a = a.put(&key(), &asking(), json!({"z": 1, "c": {"x": 2}}));
    let from_b = b.put(&key(), &asking(), json!({"z": 1, "c": {}}));
    exchange(&mut a, from_a, &mut b, from_b);
    b.put(&key(), &asking(), json!({"z": 1}));
    assert_eq!(shown(&b), json!({"z": 1}));
}

#[test]
fn a_counter_hidden_by_an_object_does_not_come_back_when_that_is_removed() {
    let (mut a, mut b) = pair(json!({"z": 1}));
    let from_a = a.put(&key(), &asking(), json!({"z": 1, "counter": 7}));
    let from_b = b.put(&key(), &asking(), json!({"z": 1, "counter": {"x": 1}}));
    exchange(&mut a, from_a, &mut b, from_b);
    assert_eq!(shown(&b), json!({"z": 1, "counter": {"x": 1}}));
    b.put(&key(), &asking(), json!({"z": 1}));
    assert_eq!(shown(&b), json!({"z": 1}));
}

#[test]
fn an_answer_about_a_whole_object_is_whole() {
    let (mut a, mut b) = pair(json!({"atomic": {"x": 1}}));
    let from_a = a.put(&key(), &asking(), json!({"atomic": {"x": 2, "z": 2}}));
    let from_b = b.put(&key(), &asking(), json!({"atomic": {"x": 3, "y": 3}}));
    exchange(&mut a, from_a, &mut b, from_b);
    let conflict = a.view(&key(), &asking()).conflicts.remove(0);
    let by_a = a.resolve(&key(), &conflict, Resolution::Side(0));
    let by_b = b.resolve(&key(), &conflict, Resolution::Side(1));
    exchange(&mut a, by_a, &mut b, by_b);
    assert_eq!(shown(&a), json!({"atomic": {"x": 3, "y": 3}}), "not half of each");
}

#[test]
fn a_machine_a_year_ahead_does_not_outrank_a_person_in_a_shape_conflict() {
    let (mut a, _) = pair(json!({"z": 1}));
    let mut ahead = Device::new(5, 365 * 86_400_000);
    ahead.replica = a.replica.clone();
    let from_a = a.put(&key(), &asking(), json!({"z": 1, "c": 4}));
    let from_ahead = ahead.put(&key(), &asking(), json!({"z": 1, "c": {"x": 5}}));
    exchange(&mut a, from_a, &mut ahead, from_ahead);
    let conflict = a.view(&key(), &asking()).conflicts.remove(0);
    let at = 1 - conflict.shown;
    let by_person = a.resolve(&key(), &conflict, Resolution::Side(at));
    let by_machine = settled(&mut ahead);
    exchange(&mut a, by_person, &mut ahead, by_machine);
    assert_eq!(shown(&a), json!({"z": 1, "c": 4}));
}

#[test]
fn a_machine_does_not_overwrite_what_a_later_version_wrote() {
    let (mut a, mut b) = pair(json!({"z": 1}));
    let unknown = |byte| Operation {
        path: Path::root().child("future"),
        overwrites: Vec::new(),
        written: Some(Written::plain(EntryValue::Unknown { kind: 40, bytes: vec![byte] })),
    };
    let from_a = a.write(&key(), vec![unknown(1)]);
    let from_b = b.write(&key(), vec![unknown(2)]);
    exchange(&mut a, from_a, &mut b, from_b);
    assert_eq!(settled(&mut a), None);
}

#[test]
fn a_machine_does_not_bring_back_what_a_person_deleted_meanwhile() {
    let (mut a, mut b) = pair(json!({"x": 1}));
    let from_a = a.put(&key(), &asking(), json!({"x": 2}));
    let from_b = b.put(&key(), &asking(), json!({"x": 3}));
    exchange(&mut a, from_a, &mut b, from_b);
    let by_machine = settled(&mut a);
    let machines = by_machine.iter().flat_map(|change| &change.records);
    let mut operations = machines.flat_map(|record| &record.operations);
    let is_auto =
        |one: &Operation| one.written.as_ref().is_none_or(|written| written.class == Class::Auto);
    assert!(operations.all(|one| !one.path.is_root() && is_auto(one)));
    let deleted = b.delete(&key());
    exchange(&mut a, by_machine, &mut b, deleted);
    assert_eq!(shown(&a), Value::Null);
}

#[test]
fn moving_one_item_of_a_list_writes_one_position() {
    let (mut a, _) = pair(json!({"list": [1, 2, 3, 4, 5]}));
    for wanted in [json!([5, 1, 2, 3, 4]), json!([1, 2, 3, 4, 5]), json!([1, 3, 4, 2, 5])] {
        let change = a.put(&key(), &asking(), json!({ "list": wanted })).unwrap();
        // The root, and the item that moved.
        assert_eq!(change.records[0].operations.len(), 2, "{wanted}");
        assert_eq!(shown(&a), json!({ "list": wanted }));
    }
}

#[test]
fn a_step_in_a_list_leaves_other_items_as_the_policy_shows_them() {
    let policy = CollectionPolicy::with_default(Policy::Priority);
    let (mut a, mut b) = pair(json!({"list": ["x", "y"]}));
    let high = a.put_with_priority(&key(), &policy, json!({"list": ["x1", "y"]}), 9);
    let low = b.put_with_priority(&key(), &policy, json!({"list": ["x2", "y"]}), 1);
    exchange(&mut a, high, &mut b, low);
    let change = b.put(&key(), &policy, json!({"list": ["x1", "y", "z"]})).unwrap();
    // The root, and the position and value of the new item.
    assert_eq!(change.records[0].operations.len(), 3);
}
