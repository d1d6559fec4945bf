//! What people write in these worlds: fields, a counter and a list, each write with its own number.

use std::collections::BTreeSet;

use selkie_core::change::{Change, EntryValue, RecordChange, Registers, Seen, Writer, put};
use selkie_core::merge::{CollectionPolicy, View, view};
use selkie_core::record::{Document, FieldType, Path, RecordKey, Schema};
use serde_json::{Map, Value, json};

use super::ledger::{Act, Deed, Ledger};
use super::store::Store;
use crate::world::Random;

/// The records with plain fields, and their fields.
pub const RECORDS: [&str; 2] = ["r0", "r1"];
pub const FIELDS: [&str; 2] = ["a", "b"];
/// The record with a counter and a list.
pub const TYPED: &str = "typed";
pub const COUNTER: &str = "sum";
pub const LIST: &str = "list";

/// A record by its name.
pub fn key(id: &str) -> RecordKey {
    RecordKey::new("notes", id).expect("a valid name")
}

fn schema() -> Schema {
    let counter = Schema::new().field(COUNTER, FieldType::Counter).expect("a field");
    counter.field(LIST, FieldType::List).expect("a field")
}

/// A record as an app sees it.
pub fn shown(store: &Store, id: &str) -> View {
    view(&store.replica.registers(&key(id)), &CollectionPolicy::default())
}

fn map_of(shown: &View) -> Map<String, Value> {
    shown.document.as_ref().map(|document| document.as_map().clone()).unwrap_or_default()
}

/// The numbers of the writes that stand at a field.
pub fn standing(registers: &Registers, field: &str) -> BTreeSet<u64> {
    let values = registers.at(&Path::root().child(field)).iter();
    values
        .filter_map(|sibling| match &sibling.entry.value {
            EntryValue::Value(value) => value.as_u64(),
            _ => None,
        })
        .collect()
}

/// The items of the list, as their writes' numbers.
pub fn items(shown: &View) -> Vec<u64> {
    let list = shown.document.as_ref().and_then(|document| document.as_map().get(LIST));
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_u64).collect()
}

/// What the counter shows.
pub fn counter(shown: &View) -> i64 {
    let sum = shown.document.as_ref().and_then(|document| document.as_map().get(COUNTER));
    sum.and_then(Value::as_i64).unwrap_or(0)
}

/// One transaction of a few writes on one record.
pub fn write_something(
    store: &mut Store,
    random: &mut Random,
    ledger: &mut Ledger,
    now_ms: u64,
) -> String {
    let typed = random.chance(60);
    let id = if typed { TYPED } else { *random.pick(&RECORDS) };
    let before = shown(store, id);
    let registers = store.replica.registers(&key(id)).into_owned();
    let mut map = map_of(&before);
    let mut acts = Vec::new();
    for _ in 0..=random.below(2) {
        let number = ledger.next().max(acts.last().map_or(0, |(last, _): &(u64, Act)| last + 1));
        // One insertion and one removal in one write would be one item's change.
        let listed = acts.iter().any(|(_, act)| !matches!(act.deed, Deed::Counted(_)));
        let act = if typed {
            typed_act(&mut map, number, listed || random.chance(50), random)
        } else {
            let fresh = FIELDS.iter().filter(|field| !acts.iter().any(|(_, act)| of(act, field)));
            let fresh: Vec<&'static str> = fresh.copied().collect();
            let Some(field) = fresh.first().map(|_| *random.pick(&fresh)) else { break };
            plain_act(&mut map, &registers, (id, field), number, random)
        };
        acts.extend(act.map(|act| (number, act)));
    }
    let dot = store.next_dot();
    let document = Document::from_value(Value::Object(map)).expect("a small document");
    let seen = Seen { document: before.document.as_ref(), delete_contested: false };
    let operations = put(&registers, seen, &document, Writer { schema: &schema(), dot });
    if operations.is_empty() {
        return "nothing".to_owned();
    }
    let told = format!("{id}: {acts:?}");
    let records = vec![RecordChange { key: key(id), operations }];
    let change = Change { dot, stamp: store.clock.tick(now_ms), records };
    let change = Change::from_bytes(dot, &change.to_bytes()).expect("a change can be read");
    let numbers = acts.iter().map(|(number, _)| *number).collect();
    ledger.acts.extend(acts);
    store.write(change, numbers, ledger);
    told
}

fn of(act: &Act, field: &str) -> bool {
    matches!(act.deed, Deed::Field(_, known, _) if known == field)
}

fn plain_act(
    map: &mut Map<String, Value>,
    registers: &Registers,
    (id, field): (&'static str, &'static str),
    number: u64,
    random: &mut Random,
) -> Option<Act> {
    let replaces = standing(registers, field);
    let written = !(map.contains_key(field) && random.chance(20));
    if written {
        map.insert(field.to_owned(), json!(number));
    } else {
        map.remove(field);
    }
    Some(Act { deed: Deed::Field(id, field, written), replaces })
}

fn typed_act(
    map: &mut Map<String, Value>,
    number: u64,
    counts: bool,
    random: &mut Random,
) -> Option<Act> {
    if counts {
        let by = random.below(9) as i64 + 1;
        let sum = map.get(COUNTER).and_then(Value::as_i64).unwrap_or(0);
        map.insert(COUNTER.to_owned(), json!(sum + by));
        return Some(Act { deed: Deed::Counted(by), replaces: BTreeSet::new() });
    }
    let list = map.get(LIST).and_then(Value::as_array).cloned();
    let mut list = list.unwrap_or_default();
    if !list.is_empty() && random.chance(30) {
        let gone = list.remove(random.place(list.len())).as_u64();
        map.insert(LIST.to_owned(), Value::Array(list));
        return Some(Act { deed: Deed::Unlisted, replaces: gone.into_iter().collect() });
    }
    list.insert(random.place(list.len() + 1), json!(number));
    map.insert(LIST.to_owned(), Value::Array(list));
    Some(Act { deed: Deed::Listed, replaces: BTreeSet::new() })
}
