//! What a store wrote under names that are in use elsewhere, under new names.

use selkie_core::change::{Change, ChangeNumber, Dot, Registers, Renaming};
use selkie_core::merge::{CollectionPolicy, Replica, apply_own, view};
use selkie_core::record::RecordKey;
use selkie_wire::DeviceId;
use serde_json::{Value, json};

use crate::world::{Device, Random, typed};

/// A document of all field types, made of few values so that they meet.
fn document(random: &mut Random, before: Option<&Value>) -> Value {
    let mut document = before.cloned().unwrap_or_else(|| json!({}));
    let fields = document.as_object_mut().unwrap();
    for _ in 0..=random.below(3) {
        match random.below(8) {
            0 => fields.insert("a".to_owned(), json!(random.below(3))),
            1 => fields.insert("o".to_owned(), json!({"x": random.below(3)})),
            2 => fields.insert("set".to_owned(), json!([random.below(3), "s"])),
            3 | 4 => {
                let sum = fields.get("counter").and_then(Value::as_i64).unwrap_or_default();
                fields.insert("counter".to_owned(), json!(sum + random.below(5) as i64))
            }
            5 => {
                let mut list =
                    fields.get("list").and_then(Value::as_array).cloned().unwrap_or_default();
                let at = random.below(list.len() as u64 + 1) as usize;
                list.insert(at, json!(random.below(9)));
                fields.insert("list".to_owned(), json!(list))
            }
            6 => fields.remove("counter"),
            _ => fields.remove("list"),
        };
    }
    document
}

fn write(device: &mut Device, random: &mut Random, key: &RecordKey) -> Option<Change> {
    let policy = CollectionPolicy::default();
    if random.chance(8) {
        return device.delete(key);
    }
    let shown = device.view(key, &policy).document;
    let wanted = document(random, shown.map(|shown| shown.into_value()).as_ref());
    device.put(key, &policy, wanted)
}

/// Renaming in place gives what anyone gets who applies the renamed changes, and almost always shows
/// what was shown before.
#[test]
fn renamed_changes_are_what_everyone_else_receives() {
    let keys = ["r", "s"].map(|id| RecordKey::new("c", id).unwrap());
    let policy = CollectionPolicy::default();
    let (mut renamed_any, mut shown_alike) = (0, 0);
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut device = Device::new(0, 1000);
        let mut other = Device::new(1, 2000);
        (device.schema, other.schema) = (typed(), typed());
        let mut everyone = Replica::default();
        let chain = DeviceId([9; 16]);
        let mut kept = Vec::new();
        for _ in 0..random.below(8) {
            let key = &keys[random.below(2) as usize];
            let writer = if random.chance(30) { &mut other } else { &mut device };
            let Some(change) = write(writer, &mut random, key) else { continue };
            device.replica.apply(change.clone());
            other.replica.apply(change.clone());
            everyone.apply(change.clone());
            kept.push(change);
        }
        let own = |change: &&Change| change.dot.device == device.id;
        let number = ChangeNumber(kept.iter().filter(own).count() as u64 + 1);
        let mut renaming = Renaming::new(Dot { device: device.id, number }, chain);
        kept.iter().filter(own).for_each(|change| renaming.keep(change));

        let mut changes = Vec::new();
        for _ in 0..random.below(6) {
            let key = &keys[random.below(2) as usize];
            // Others go on meanwhile, without having seen any of it.
            if random.chance(30) {
                if let Some(change) = write(&mut other, &mut random, key) {
                    everyone.apply(change.clone());
                    device.replica.apply(change);
                }
                continue;
            }
            changes.extend(write(&mut device, &mut random, key));
        }
        let mut changes: Vec<_> =
            changes.into_iter().map(|change| renaming.rename(change)).collect();
        changes.insert(0, renaming.first_change());
        renamed_any += changes.len();
        for change in &changes {
            let read = Change::from_bytes(change.dot, &change.to_bytes());
            assert_eq!(read.as_ref(), Ok(change), "seed {seed}");
            assert!(everyone.apply(change.clone()));
        }
        for key in &keys {
            let mut registers: Registers = device.replica.registers(key).into_owned();
            let before = view(&registers, &policy);
            renaming.take_out(&mut registers);
            for change in changes.iter().cloned() {
                let (dot, stamp) = (change.dot, change.stamp);
                for record in change.records.into_iter().filter(|record| record.key == *key) {
                    apply_own(&mut registers, (key, dot, stamp), record.operations, &mut |_| {});
                }
            }
            assert_eq!(registers, *everyone.registers(key), "seed {seed}, record {key}");
            shown_alike += u64::from(view(&registers, &policy).document == before.document);
        }
    }
    assert!(renamed_any > 500);
    // Only what others removed from a counter meanwhile can show again.
    assert!(shown_alike > 760, "{shown_alike} of 800");
}

/// Two runs of one store count on from the same sum; both are in the total.
#[test]
fn a_counter_counts_what_both_histories_added() {
    let key = RecordKey::new("c", "r").unwrap();
    let policy = CollectionPolicy::default();
    let (mut one, mut other) = (Device::new(0, 1000), Device::new(0, 9000));
    (one.schema, other.schema) = (typed(), typed());
    let first = one.put(&key, &policy, json!({"counter": 5})).unwrap();
    assert_eq!(other.put(&key, &policy, json!({"counter": 5})).unwrap().dot, first.dot);
    let mut everyone = Replica::default();
    everyone.apply(first.clone());
    everyone.apply(one.put(&key, &policy, json!({"counter": 7})).unwrap());
    let mut renaming =
        Renaming::new(Dot { device: other.id, number: ChangeNumber(2) }, DeviceId([9; 16]));
    renaming.keep(&first);
    let added = [6, 16].map(|sum| {
        let change = other.put(&key, &policy, json!({"counter": sum})).unwrap();
        renaming.rename(change)
    });
    for change in [renaming.first_change()].into_iter().chain(added) {
        everyone.apply(change);
    }
    let shown = view(&everyone.registers(&key), &policy).document.unwrap();
    assert_eq!(shown.into_value(), json!({"counter": 5 + 2 + 11}));
}
