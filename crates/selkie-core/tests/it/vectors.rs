//! Changes and packed states as `docs/FORMAT.md` has them, made by another hand (`docs/vectors`).

use selkie_core::change::{
    Change, ChangeNumber, Class, Dot, EntryValue, Operation, RecordChange, Registers, Written,
};
use selkie_core::clock::Stamp;
use selkie_core::keys::UserShareKey;
use selkie_core::merge::{apply_own, pack, unpack};
use selkie_core::ports::{RandomError, RandomSource};
use selkie_core::record::{Component, Document, Path, RecordKey};
use selkie_core::share::{Epsilon, SharePolicy};
use selkie_wire::DeviceId;
use serde_json::Value;

fn changes() -> Value {
    serde_json::from_str(include_str!("../../../../docs/vectors/change.json")).unwrap()
}

fn packed() -> Value {
    serde_json::from_str(include_str!("../../../../docs/vectors/packed.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = text(value);
    let byte = |at: usize| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap();
    (0..digits.len() / 2).map(byte).collect()
}

fn device(value: &Value) -> DeviceId {
    DeviceId::from_hex(text(value)).unwrap()
}

fn dot(of: &Value, at: &Value) -> Dot {
    Dot { device: device(of), number: ChangeNumber(number(at)) }
}

/// A path by its steps: keys, and elements that only an encoding can name.
fn path(steps: &Value) -> Path {
    list(steps).iter().fold(Path::root(), |path, step| match step {
        Value::String(key) => path.child(key),
        step => {
            let content = hex(&step["element"]);
            let prefix = content.len() as u8 * 2 + 1;
            Path::from_bytes(&[path.as_bytes(), &[prefix], &content].concat()).unwrap()
        }
    })
}

/// JSON as a document holds it: whole numbers are integers.
fn canonical(value: &Value) -> Value {
    let document = serde_json::json!({ "value": value });
    Document::from_value(document).unwrap().into_value()["value"].clone()
}

fn written(fields: &Value) -> Written {
    let value = match fields.get("kind").map(number) {
        None => EntryValue::Value(canonical(&fields["value"])),
        Some(1) => EntryValue::EmptyObject,
        Some(2) => EntryValue::Absent,
        Some(3) => EntryValue::Alive,
        Some(4) => EntryValue::Dead,
        Some(5) => EntryValue::EmptyArray,
        Some(kind) => EntryValue::Unknown { kind: kind as u32, bytes: hex(&fields["value"]) },
    };
    Written {
        value,
        priority: fields.get("priority").map_or(0, |n| n.as_i64().unwrap() as i32),
        class: match fields.get("class").map_or(0, number) {
            1 => Class::Auto,
            2 => Class::Human,
            _ => Class::Plain,
        },
        origin: fields.get("origin").map(|stamp| Stamp(number(stamp))),
        why: fields.get("why").map(|why| text(why).to_owned()),
    }
}

fn operation(fields: &Value) -> Operation {
    let overwrites = fields.get("overwrites").map_or(&[][..], list);
    Operation {
        path: path(&fields["path"]),
        overwrites: overwrites.iter().map(|pair| dot(&pair[0], &pair[1])).collect(),
        written: fields.get("written").map(written),
    }
}

fn change(case: &Value) -> Change {
    let records = list(&case["records"]).iter().map(|record| RecordChange {
        key: RecordKey::new(text(&record[0]), text(&record[1])).unwrap(),
        operations: list(&record[2]).iter().map(operation).collect(),
    });
    Change {
        dot: dot(&case["device"], &case["number"]),
        stamp: Stamp(number(&case["stamp"])),
        records: records.collect(),
    }
}

#[test]
fn paths_are_those_of_the_specification() {
    for case in list(&changes()["paths"]) {
        let (path, bytes) = (path(&case["steps"]), hex(&case["bytes"]));
        assert_eq!(path.as_bytes(), bytes, "{}", case["steps"]);
        let read = Path::from_bytes(&bytes).unwrap();
        let steps: Vec<Value> = read
            .components()
            .map(|component| match component {
                Component::Key(key) => key.into(),
                Component::Element(content) => {
                    let digits: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
                    serde_json::json!({ "element": digits })
                }
            })
            .collect();
        assert_eq!(steps, list(&case["steps"]));
    }
}

#[test]
fn changes_are_those_of_the_specification() {
    for case in list(&changes()["cases"]) {
        let (change, bytes) = (change(case), hex(&case["bytes"]));
        assert_eq!(Change::from_bytes(change.dot, &bytes), Ok(change.clone()), "{}", case["name"]);
        assert_eq!(change.to_bytes(), bytes, "{}", case["name"]);
    }
}

#[test]
fn what_the_specification_refuses_is_refused() {
    let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(1) };
    for case in list(&changes()["refused"]) {
        let read = Change::from_bytes(dot, &hex(&case["bytes"]));
        assert!(read.is_err(), "{}: {read:?}", case["name"]);
    }
}

#[test]
fn packed_states_are_those_of_the_specification() {
    for case in list(&packed()["cases"]) {
        let mut registers = Registers::default();
        for entry in list(&case["entries"]) {
            let operation = Operation {
                path: path(&entry["path"]),
                overwrites: Vec::new(),
                written: Some(written(entry)),
            };
            let dot = dot(&entry["device"], &entry["number"]);
            let key = selkie_core::record::RecordKey::new("vectors", "packed").unwrap();
            let change = (&key, dot, Stamp(number(&entry["stamp"])));
            apply_own(&mut registers, change, vec![operation], &mut |_| {});
        }
        let document = match &case["document"] {
            Value::Null => None,
            document => Some(Document::from_value(document.clone()).unwrap()),
        };
        let bytes = hex(&case["packed"]);
        assert_eq!(pack(&registers, document.as_ref()), bytes, "{}", case["name"]);
        assert_eq!(unpack(&bytes, document.as_ref()), Ok(registers), "{}", case["name"]);
    }
}

/// A package says which bytes it is by their digest; what it holds is read back from it.
#[test]
fn packages_are_those_of_the_specification() {
    use selkie_wire::package::{PackageWriter, read_package};
    use selkie_wire::{Digest, Incarnation, IncarnationToken, VaultId};
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../docs/vectors/package.json")).unwrap();
    assert!(list(&vectors["cases"]).len() > 2);
    for case in list(&vectors["cases"]) {
        let vault = VaultId::from_hex(text(&case["vault"])).unwrap();
        let roster: Vec<Vec<u8>> = list(&case["roster"]).iter().map(hex).collect();
        let introduction = |value: &Value| Incarnation {
            member: device(&value["member"]),
            token: IncarnationToken(hex(&value["token"]).try_into().unwrap()),
        };
        let introductions: Vec<_> = list(&case["introductions"]).iter().map(introduction).collect();
        let envelope = |value: &Value| {
            vec![u8::try_from(number(&value["byte"])).unwrap(); number(&value["length"]) as usize]
        };
        let envelopes: Vec<Vec<u8>> = list(&case["envelopes"]).iter().map(envelope).collect();
        let mut writer = PackageWriter::new(vault);
        roster.iter().for_each(|entry| writer.roster_entry(entry));
        introductions.iter().for_each(|introduction| writer.introduction(introduction));
        envelopes.iter().for_each(|envelope| writer.envelope(envelope));
        let bytes = writer.finish();
        let name = text(&case["name"]);
        assert_eq!(bytes.len() as u64, number(&case["length"]), "{name}");
        assert_eq!(Digest::of(&bytes).to_string(), text(&case["sha256"]), "{name}");
        let (of, content) = read_package(&bytes).unwrap();
        assert_eq!((of, &content.introductions), (vault, &introductions), "{name}");
        assert_eq!(
            (content.roster, content.envelopes),
            (
                roster.iter().map(Vec::as_slice).collect(),
                envelopes.iter().map(Vec::as_slice).collect(),
            ),
            "{name}"
        );
    }
}

/// Policies and pseudonyms as `docs/FORMAT.md` has them.
#[test]
fn shares_are_those_of_the_specification() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../docs/vectors/share.json")).unwrap();
    for case in list(&vectors["policies"]) {
        let policy = SharePolicy::from_canonical(&hex(&case["canonical"])).unwrap();
        assert_eq!(canonical(&policy.to_value()), canonical(&case["value"]));
        assert_eq!(policy.hash().to_vec(), hex(&case["hash"]), "{}", case["name"]);
    }
    let key = || UserShareKey::from_bytes(hex(&vectors["key"]).try_into().unwrap());
    for case in list(&vectors["pseudonyms"]) {
        let days = number(&case["rotate_days"]);
        let rotate = if days > 0 { format!(", rotate_days = {days}") } else { String::new() };
        let policy = SharePolicy::parse(&format!(
            "[share.x]\nfrom = 'a'\npurpose = '{}'\ndestination = '{}'\ncategories = ['technical']\n\
             size_bytes_max = 99\nexpires_days = 1\n\
             field = [{{ path = 'v', pseudonym = {{ domain = '{}'{rotate} }} }}]",
            text(&case["purpose"]),
            text(&case["destination"]),
            text(&case["domain"]),
        ))
        .unwrap();
        let record = serde_json::json!({ "v": case["value"] });
        let now_ms = number(&case["now_ms"]);
        let prepared =
            policy.prepare(&record, &key(), Epsilon::ZERO, now_ms, &mut NoChance).unwrap();
        let expected = serde_json::json!({ "v": case["pseudonym"] }).to_string();
        assert_eq!(prepared.payload(), expected.as_bytes());
    }
}

struct NoChance;

impl RandomSource for NoChance {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}
