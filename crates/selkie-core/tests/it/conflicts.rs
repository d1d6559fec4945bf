//! What people see of concurrent edits, and what their answers do.

use selkie_core::change::Change;
use selkie_core::merge::{
    CollectionPolicy, ConflictKind, OnDelete, Policy, Resolution, ResolveError, SideContent,
    resolve,
};
use selkie_core::record::RecordKey;
use serde_json::{Value, json};

use crate::world::Device;

fn key() -> RecordKey {
    RecordKey::new("notes", "n").unwrap()
}

fn user_choice() -> CollectionPolicy {
    CollectionPolicy {
        default: Policy::UserChoice,
        on_delete: OnDelete::UserChoice,
        ..CollectionPolicy::default()
    }
}

/// Two devices that both hold `first`.
fn pair(first: Value, policy: &CollectionPolicy) -> (Device, Device) {
    let (mut a, mut b) = (Device::new(0, 1_000), Device::new(1, 2_000));
    let change = a.put(&key(), policy, first).unwrap();
    b.replica.apply(change);
    (a, b)
}

fn exchange(a: &mut Device, from_a: &[Option<Change>], b: &mut Device, from_b: &[Option<Change>]) {
    from_a.iter().flatten().for_each(|change| assert!(b.replica.apply(change.clone())));
    from_b.iter().flatten().for_each(|change| assert!(a.replica.apply(change.clone())));
    assert_eq!(a.replica, b.replica);
}

fn shown(device: &Device, policy: &CollectionPolicy) -> Option<Value> {
    device.view(&key(), policy).document.map(|document| document.into_value())
}

#[test]
fn edits_of_different_fields_never_conflict() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1, "y": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2, "y": 1}))];
    let from_b = [b.put(&key(), &policy, json!({"x": 1, "y": 2}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    assert_eq!(shown(&a, &policy), Some(json!({"x": 2, "y": 2})));
    assert!(a.view(&key(), &policy).conflicts.is_empty());
}

#[test]
fn the_newest_is_shown_and_a_person_is_asked() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2}))];
    let from_b = [b.put(&key(), &policy, json!({"x": 3}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    assert_eq!(shown(&a, &policy), Some(json!({"x": 3})));
    let conflicts = a.view(&key(), &policy).conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].kind, ConflictKind::ConcurrentEdit);
    let contents: Vec<_> = conflicts[0].sides.iter().map(|side| side.content.clone()).collect();
    assert_eq!(contents, [SideContent::Value(json!(2)), SideContent::Value(json!(3))]);
    assert_eq!(conflicts[0].shown, 1);

    let answer = [a.resolve(&key(), &conflicts[0], Resolution::Side(0))];
    exchange(&mut a, &answer, &mut b, &[]);
    assert_eq!(shown(&b, &policy), Some(json!({"x": 2})));
    assert!(b.view(&key(), &policy).conflicts.is_empty());
}

#[test]
fn equal_values_are_no_conflict() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2}))];
    let from_b = [b.put(&key(), &policy, json!({"x": 2.0}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    assert!(a.view(&key(), &policy).conflicts.is_empty());
}

#[test]
fn a_sibling_not_yet_seen_stays_open_after_an_answer() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let mut c = Device::new(2, 3_000);
    c.replica = b.replica.clone();
    let from_a = a.put(&key(), &policy, json!({"x": 2})).unwrap();
    let from_b = b.put(&key(), &policy, json!({"x": 3})).unwrap();
    let from_c = c.put(&key(), &policy, json!({"x": 4})).unwrap();
    a.replica.apply(from_b.clone());
    let conflict = a.view(&key(), &policy).conflicts.remove(0);
    let answer = a.resolve(&key(), &conflict, Resolution::Value(json!(5))).unwrap();
    a.replica.apply(from_c.clone());
    let reopened = a.view(&key(), &policy).conflicts.remove(0);
    let contents: Vec<_> = reopened.sides.iter().map(|side| side.content.clone()).collect();
    assert!(contents.contains(&SideContent::Value(json!(4))));
    assert!(contents.contains(&SideContent::Value(json!(5))));
    for device in [&mut b, &mut c] {
        for change in [&from_a, &from_b, &from_c, &answer] {
            device.replica.apply(change.clone());
        }
        assert_eq!(device.replica, a.replica);
    }
}

#[test]
fn an_answer_to_what_is_no_longer_there_is_refused() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2}))];
    let from_b = [b.put(&key(), &policy, json!({"x": 3}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    let conflict = a.view(&key(), &policy).conflicts.remove(0);
    let wrong_side =
        resolve(&a.replica.registers(&key()), &conflict, &conflict.token(), Resolution::Side(2));
    assert_eq!(wrong_side, Err(ResolveError::NoSuchSide));

    let token = conflict.token();
    assert_eq!(token.to_string().parse(), Ok(token.clone()));
    for text in ["", "-", "zz-02", &"é".repeat(24)] {
        assert_eq!(
            text.parse::<selkie_core::merge::ConflictToken>(),
            Err(ResolveError::BadToken),
            "{text}"
        );
    }
    a.put(&key(), &policy, json!({"x": 9})).unwrap();
    b.put(&key(), &policy, json!({"x": 8})).unwrap();
    let later = Device::view(&a, &key(), &policy);
    assert!(later.conflicts.is_empty(), "an edit of the field answers it");
}

#[test]
fn delete_against_edit_follows_the_rule_of_the_collection() {
    let rules = [
        (OnDelete::EditWins, true, 0),
        (OnDelete::DeleteWins, false, 0),
        (OnDelete::Timestamp, true, 0),
        (OnDelete::UserChoice, true, 1),
    ];
    for (on_delete, alive, open) in rules {
        let policy = CollectionPolicy { on_delete, ..CollectionPolicy::default() };
        let (mut a, mut b) = pair(json!({"x": 1}), &policy);
        let from_a = [a.delete(&key())];
        let from_b = [b.put(&key(), &policy, json!({"x": 2}))];
        exchange(&mut a, &from_a, &mut b, &from_b);
        let view = a.view(&key(), &policy);
        assert_eq!(view.document.is_some(), alive, "{on_delete:?}");
        assert_eq!(view.conflicts.len(), open, "{on_delete:?}");
    }
}

#[test]
fn late_edit_does_not_undo_newer_delete() {
    let policy = CollectionPolicy::default();
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let edit = a.put(&key(), &policy, json!({"x": 2})).unwrap();
    b.replica.apply(edit.clone());
    let delete = b.delete(&key()).unwrap();
    a.replica.apply(delete);
    b.replica.apply(edit);
    assert_eq!(shown(&a, &policy), None);
    assert_eq!(shown(&b, &policy), None);
}

#[test]
fn an_edit_leaves_a_contested_delete_to_the_person() {
    let policy = user_choice();
    for (side, remains) in [(SideContent::Deleted, false), (SideContent::Kept, true)] {
        let (mut a, mut b) = pair(json!({"x": 1}), &policy);
        let from_a = [a.delete(&key())];
        let from_b = [b.put(&key(), &policy, json!({"x": 2}))];
        exchange(&mut a, &from_a, &mut b, &from_b);
        let edit = [a.put(&key(), &policy, json!({"x": 3}))];
        exchange(&mut a, &edit, &mut b, &[]);
        let conflict = b.view(&key(), &policy).conflicts.remove(0);
        assert_eq!(conflict.kind, ConflictKind::EditVsDelete);
        let at = conflict.sides.iter().position(|known| known.content == side).unwrap();
        let answer = [b.resolve(&key(), &conflict, Resolution::Side(at))];
        exchange(&mut a, &[], &mut b, &answer);
        assert_eq!(shown(&a, &policy).is_some(), remains);
        assert!(a.view(&key(), &policy).conflicts.is_empty());
    }
}

#[test]
fn a_scalar_against_an_object_is_a_shape_conflict() {
    let policy = user_choice();
    for side in 0..2 {
        let (mut a, mut b) = pair(json!({"p": 1}), &policy);
        let from_a = [a.put(&key(), &policy, json!({"p": {"q": 2, "r": 3}}))];
        let from_b = [b.put(&key(), &policy, json!({"p": 4}))];
        exchange(&mut a, &from_a, &mut b, &from_b);
        assert_eq!(shown(&a, &policy), Some(json!({"p": 4})), "the later side is shown");
        let conflict = a.view(&key(), &policy).conflicts.remove(0);
        assert_eq!((conflict.kind, conflict.shown), (ConflictKind::Shape, 1));
        let answer = [a.resolve(&key(), &conflict, Resolution::Side(side))];
        exchange(&mut a, &answer, &mut b, &[]);
        let expected = [json!({"p": {"q": 2, "r": 3}}), json!({"p": 4})];
        assert_eq!(shown(&b, &policy).as_ref(), Some(&expected[side]));
        assert!(b.view(&key(), &policy).conflicts.is_empty());
    }
}

#[test]
fn removing_a_field_competes_with_editing_it() {
    let policy = user_choice();
    let (mut a, mut b) = pair(json!({"x": 1, "y": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2, "y": 1}))];
    let from_b = [b.put(&key(), &policy, json!({"y": 1}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    assert_eq!(shown(&a, &policy), Some(json!({"y": 1})), "the later write was the removal");
    let conflict = a.view(&key(), &policy).conflicts.remove(0);
    let contents: Vec<_> = conflict.sides.iter().map(|side| side.content.clone()).collect();
    assert_eq!(contents, [SideContent::Value(json!(2)), SideContent::Removed]);
}

#[test]
fn a_device_a_year_ahead_wins_ties_only() {
    let policy = CollectionPolicy::default();
    let (mut a, _) = pair(json!({"x": 1}), &policy);
    let mut ahead = Device::new(5, 365 * 86_400_000);
    ahead.replica = a.replica.clone();
    let from_ahead = ahead.put(&key(), &policy, json!({"x": 2})).unwrap();
    let concurrent = a.put(&key(), &policy, json!({"x": 3})).unwrap();
    a.replica.apply(from_ahead);
    ahead.replica.apply(concurrent);
    assert_eq!(shown(&a, &policy), Some(json!({"x": 2})));
    let later = a.put(&key(), &policy, json!({"x": 4})).unwrap();
    ahead.replica.apply(later);
    assert_eq!(shown(&ahead, &policy), Some(json!({"x": 4})), "a later edit replaces it");
    assert_eq!(a.replica, ahead.replica);
}

#[test]
fn of_two_policies_the_higher_version_counts_on_every_device() {
    let policies = CollectionPolicy::of_policies();
    let (mut a, mut b) = pair(json!({}), &policies);
    let policy =
        |version, default| CollectionPolicy { version, default, ..CollectionPolicy::default() };
    let higher = policy(3, Policy::UserChoice).to_document().into_value();
    let lower = policy(2, Policy::Timestamp).to_document().into_value();
    let from_a = [a.put(&key(), &policies, higher)];
    let from_b = [b.put(&key(), &policies, lower)];
    exchange(&mut a, &from_a, &mut b, &from_b);
    let document = a.view(&key(), &policies).document.unwrap();
    assert_eq!(CollectionPolicy::from_document(&document), policy(3, Policy::UserChoice));
}

#[test]
fn an_unknown_policy_shows_the_newest() {
    let document = selkie_core::record::Document::from_value(
        json!({"policy": [{"version": 9, "default": "oracle", "on_delete": "ask_the_moon", "x": 1}]}),
    );
    let policy = CollectionPolicy::from_document(&document.unwrap());
    assert_eq!(policy.default, Policy::Unknown("oracle".to_owned()));
    let (mut a, mut b) = pair(json!({"x": 1}), &policy);
    let from_a = [a.put(&key(), &policy, json!({"x": 2}))];
    let from_b = [b.put(&key(), &policy, json!({"x": 3}))];
    exchange(&mut a, &from_a, &mut b, &from_b);
    assert_eq!(shown(&a, &policy), Some(json!({"x": 3})));
}
