//! Faults of the published sketch of anonymised sharing, each as the test that it would fail.
//!
//! Those that concern consent and delivery are tested where consent and delivery are.

use std::collections::BTreeSet;

use proptest::prelude::*;
use selkie_core::keys::UserShareKey;
use selkie_core::ports::{RandomError, RandomSource};
use selkie_core::share::{DataAnonymizer, Epsilon, Lint, PrepareError, Prepared, SharePolicy};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const NOW_MS: u64 = 1_764_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// SHA-256 in counter mode: chance that is the same on every run.
struct Counted(u64);

impl RandomSource for Counted {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = Sha256::digest(self.0.to_le_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

struct Broken;

impl RandomSource for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

fn policy_for(destination: &str, purpose: &str, fields: &str) -> SharePolicy {
    let text = format!(
        "[share.stats]\nfrom = 'usage'\npurpose = '{purpose}'\ndestination = '{destination}'\n\
         categories = ['interaction']\nsize_bytes_max = 4096\nexpires_days = 30\n{fields}"
    );
    SharePolicy::parse(&text).unwrap_or_else(|faults| panic!("{text}: {faults}"))
}

fn policy(fields: &str) -> SharePolicy {
    policy_for("lab", "improve", fields)
}

fn key(byte: u8) -> UserShareKey {
    UserShareKey::from_bytes([byte; 32])
}

fn prepare(policy: &SharePolicy, record: &Value) -> Result<Prepared, PrepareError> {
    policy.prepare(record, &key(1), Epsilon::ZERO, NOW_MS, &mut Counted(0))
}

#[track_caller]
fn payload(policy: &SharePolicy, record: &Value) -> Value {
    let prepared = prepare(policy, record).unwrap();
    serde_json::from_slice(prepared.payload()).unwrap()
}

const PERSON: &str = "field = [{ path = 'person', pseudonym = { domain = 'person' } }]";

fn pseudonym(policy: &SharePolicy, key: &UserShareKey, person: &str, now_ms: u64) -> String {
    let record = json!({ "person": person });
    let prepared = policy.prepare(&record, key, Epsilon::ZERO, now_ms, &mut Broken).unwrap();
    let value: Value = serde_json::from_slice(prepared.payload()).unwrap();
    value["person"].as_str().unwrap().to_owned()
}

/// What the sketch did: SHA-256 of the text, its first 16 digits.
fn unsalted(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The sketch's own example, with the fields that it let through.
fn sketch_example() -> Value {
    let home = concat!("/", "home/alice/app/main.py");
    json!({
        "user_email": "anna@example.com",
        "device_info": {"model": "Pixel", "serial": "ABC123"},
        "user": {"email": "anna@example.com"},
        "users": [{"Email": "bob@example.com"}, {"EMAIL": "c@example.com", "e-mail": "d@example.com"}],
        "counts": {"anna@example.com": 3},
        "stack_trace": format!(
            "Traceback (most recent call last):\n  File \"{home}\", line 3, in run\n    go()\n\
             ValueError: anna@example.com"
        ),
        "biometric_template": "c2VhbA==",
        "gps": {"lat": 48.85661, "lon": 2.35222},
        "sessions": 7,
    })
}

#[test]
fn fault_08_names_are_known_by_their_words_not_by_a_list_of_seven() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(done["user_email"], "[email]");
    assert_eq!(done["device_info"], "[device id]");
}

#[test]
fn fault_09_nested_objects_and_arrays_are_looked_into() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(done["user"]["email"], "[email]");
    assert_eq!(done["users"][0]["Email"], "[email]");
}

#[test]
fn fault_10_the_spelling_of_a_name_does_not_matter() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(done["users"][1], json!({"EMAIL": "[email]", "e-mail": "[email]"}));
}

#[test]
fn fault_11_texts_and_stack_traces_do_not_pass_raw() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(done["stack_trace"], "  … 1 frame\nValueError");
    let text = done.to_string();
    assert!(!text.contains("example.com") && !text.contains("alice"), "{text}");
}

#[test]
fn fault_12_personal_keys_of_maps_do_not_pass() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(done["counts"], json!({"[email]": 3}));
    let policy =
        policy("field = [{ path = 'counts.*', keys = ['team@example.com'], keep = true }]");
    let record = json!({"counts": {"anna@example.com": 3, "team@example.com": 1}, "x": 1});
    let prepared = prepare(&policy, &record).unwrap();
    assert_eq!(prepared.payload(), br#"{"counts":{"team@example.com":1}}"#);
    assert_eq!((prepared.dropped().map_keys, prepared.dropped().unlisted), (1, 1));
}

#[test]
fn fault_13_a_dictionary_finds_every_plain_hash_and_no_pseudonym() {
    let policy = policy(PERSON);
    let phones: Vec<String> = (0..100_000).map(|n| format!("+336{:08}", n * 7)).collect();
    let victims: Vec<&String> = phones.iter().step_by(1000).collect();
    let hashes: BTreeSet<String> = victims.iter().map(|phone| unsalted(phone)).collect();
    let secret = key(0x5e);
    let pseudonyms: BTreeSet<String> =
        victims.iter().map(|phone| pseudonym(&policy, &secret, phone, NOW_MS)).collect();

    let broken = phones.iter().filter(|phone| hashes.contains(&unsalted(phone))).count();
    assert_eq!(broken, victims.len(), "the control: all of them");

    // The attacker knows the policy, the format and all numbers, and guesses at keys.
    let guesses: Vec<UserShareKey> = [0, 1, 0xff].map(key).into();
    let found = phones.iter().filter(|phone| {
        let digest: String =
            Sha256::digest(phone).iter().map(|byte| format!("{byte:02x}")).collect();
        pseudonyms.contains(&digest[..32])
            || pseudonyms.contains(&digest)
            || guesses
                .iter()
                .any(|guess| pseudonyms.contains(&pseudonym(&policy, guess, phone, NOW_MS)))
    });
    assert_eq!(found.count(), 0);
}

#[test]
fn fault_14_destinations_purposes_domains_users_and_epochs_cannot_be_joined() {
    let people: Vec<String> = (0..10_000).map(|n| format!("user{n}@example.com")).collect();
    let all = |policy: &SharePolicy, secret: u8, now_ms: u64| -> BTreeSet<String> {
        people.iter().map(|person| pseudonym(policy, &key(secret), person, now_ms)).collect()
    };
    let here = policy_for("lab", "improve", PERSON);
    let rotating = PERSON.replace("domain = 'person'", "domain = 'person', rotate_days = 30");
    let rotating = policy_for("lab", "improve", &rotating);
    let ours = all(&here, 1, NOW_MS);
    assert_eq!(ours.len(), people.len(), "nobody is taken for another");
    assert_eq!(ours, all(&here, 1, NOW_MS + 400 * DAY_MS), "without rotation it stays");
    let plain: BTreeSet<String> = people.iter().map(|person| unsalted(person)).collect();
    assert_eq!(plain.intersection(&plain).count(), people.len(), "the control joins everybody");
    for (what, theirs) in [
        ("destination", all(&policy_for("shop", "improve", PERSON), 1, NOW_MS)),
        ("purpose", all(&policy_for("lab", "advertise", PERSON), 1, NOW_MS)),
        (
            "domain",
            all(
                &policy_for("lab", "improve", &PERSON.replace("'person' }", "'other' }")),
                1,
                NOW_MS,
            ),
        ),
        ("user", all(&here, 2, NOW_MS)),
        ("rotation", all(&rotating, 1, NOW_MS)),
    ] {
        assert_eq!(ours.intersection(&theirs).count(), 0, "{what}");
    }
    let (now, later) = (all(&rotating, 1, NOW_MS), all(&rotating, 1, NOW_MS + 31 * DAY_MS));
    assert_eq!(now.intersection(&later).count(), 0);
}

#[test]
fn fault_15_values_of_low_entropy_have_no_pseudonym() {
    let policy = policy(PERSON);
    for value in
        [json!(true), json!(false), json!(null), json!(""), json!("yes"), json!(3), json!({})]
    {
        let error = prepare(&policy, &json!({ "person": value })).unwrap_err();
        assert_eq!(error, PrepareError::NothingLeft, "{value}");
    }
    assert!(SharePolicy::parse(
        "[share.x]\nfrom = 'a'\npurpose = 'b'\ndestination = 'c'\ncategories = ['technical']\n\
         size_bytes_max = 99\nexpires_days = 1\n[[share.x.field]]\npath = 'size'\nallow = ['s', 'm']\n\
         pseudonym = { domain = 'size' }"
    )
    .is_err());
}

#[test]
fn fault_16_spellings_of_one_value_are_one() {
    let email = policy(&PERSON.replace("domain", "normalise = 'email', domain"));
    assert_eq!(
        pseudonym(&email, &key(1), "User@Example.com", NOW_MS),
        pseudonym(&email, &key(1), " user@example.com", NOW_MS)
    );
    // The order in which a record was written does not reach the payload.
    let policy = policy("field = [{ path = 'b', keep = true }, { path = 'a', keep = true }]");
    let one: Value = serde_json::from_str(r#"{"a": 1.0, "b": 2}"#).unwrap();
    let other: Value = serde_json::from_str(r#"{"b": 2, "a": 1}"#).unwrap();
    assert_eq!(
        prepare(&policy, &one).unwrap().payload(),
        prepare(&policy, &other).unwrap().payload()
    );
}

#[test]
fn fault_17_bodies_are_dropped_and_places_are_put_on_a_grid() {
    let done = DataAnonymizer::new().anonymize(&sketch_example()).value;
    assert_eq!(
        (&done["biometric_template"], &done["gps"]),
        (&json!("[biometric]"), &json!("[location]"))
    );
    let grid = policy("field = [{ path = 'gps', geo = { grid_km = 50 } }]");
    let sent = payload(&grid, &sketch_example());
    assert_ne!(sent["gps"]["lat"], 48.85661);
    assert_eq!(
        sent,
        payload(&grid, &json!({"gps": {"lat": 48.86, "lon": 2.36}})),
        "neighbours share it"
    );
}

#[test]
fn fault_18_a_sample_tells_that_harmless_fields_together_find_people_again() {
    let record = |n: u64| {
        let model = ["a", "b", "c"][n as usize % 3];
        json!({"count": n % 97, "ms": n * 37 % 5000, "model": model, "os": n % 7,
               "user": format!("user{n}@example.com")})
    };
    let raw = policy(
        "field = [{ path = 'count', keep = true }, { path = 'ms', keep = true }, \
         { path = 'model', keep = true, allow = ['a', 'b', 'c'] }, { path = 'os', keep = true }, \
         { path = 'user', pseudonym = { domain = 'person' } }]",
    );
    let coarse = policy(
        "field = [{ path = 'count', bin = [50] }, { path = 'model', keep = true, allow = ['a'], else = 'b' }, \
         { path = 'user', pseudonym = { domain = 'person' } }]",
    );
    let report = |policy: &SharePolicy| {
        let mut lint = Lint::new(policy);
        (0..2000).for_each(|n| lint.add(&record(n)));
        lint.finish()
    };
    let (fine, merged) = (report(&raw), report(&coarse));
    assert_eq!((fine.records, fine.unique, fine.in_small_groups), (2000, 2000, 2000));
    assert!(fine.findings[0].starts_with("2000 of 2000 records"), "{:?}", fine.findings);
    assert_eq!((merged.unique, merged.in_small_groups), (0, 0));
    assert_eq!(merged.findings, Vec::<String>::new());
    // A pseudonym of a choice is found out by counting.
    let choice = policy("field = [{ path = 'plan', pseudonym = { domain = 'plan' } }]");
    let mut lint = Lint::new(&choice);
    let plans = ["free plan", "paid plan"];
    (0..100).for_each(|n| lint.add(&json!({ "plan": plans[n % 2] })));
    let findings = lint.finish().findings;
    assert!(findings[0].contains("only 2 values"), "{findings:?}");
}

#[test]
fn fault_19_the_record_is_not_changed_by_what_is_made_of_it() {
    let record = sketch_example();
    let before = record.clone();
    let mut done = DataAnonymizer::new().anonymize(&record).value;
    done["user"]["email"] = "changed".into();
    assert_eq!(record, before);
    let policy = policy("field = [{ path = 'sessions', bin = [5] }]");
    let _payload = payload(&policy, &record);
    assert_eq!(record, before);
}

#[test]
fn fault_25_a_wider_policy_is_another_policy() {
    let old = policy("field = [{ path = 'ms', bin = [100, 1000] }]");
    let wider = policy("field = [{ path = 'ms', bin = [100, 500, 1000] }]");
    assert_ne!(old.hash(), wider.hash());
    assert!(!wider.is_narrowing_of(&old) && old.is_narrowing_of(&wider));
}

#[test]
fn fault_26_a_payload_has_no_time_no_id_and_no_size_of_what_was_left_out() {
    let policy = policy("field = [{ path = 'at', date = 'day' }, { path = 'note', mask = true }]");
    let one = json!({"at": "2026-11-24T18:15:59.123Z", "note": "short text", "id": "4f1c"});
    let other =
        json!({"at": 1_795_542_000_000u64, "note": "a very much longer text", "id": "09ab"});
    assert_eq!(payload(&policy, &one), json!({"at": "2026-11-24", "note": "***"}));
    assert_eq!(
        prepare(&policy, &one).unwrap().payload(),
        prepare(&policy, &other).unwrap().payload()
    );
}

#[test]
fn fault_28_nothing_that_is_printed_calls_the_output_anonymous() {
    let record = json!({"person": "anna@example.com"});
    let prepared = prepare(&policy(PERSON), &record).unwrap();
    let printed = format!("{prepared:?} {:?}", DataAnonymizer::new().anonymize(&record).report);
    assert!(!printed.to_lowercase().contains("anonymous"), "{printed}");
    assert!(!printed.contains("anna"), "{printed}");
}

#[test]
fn the_policy_of_the_guide_and_the_form_of_the_format_are_policies() {
    let guide = include_str!("../../../../docs/PRIVACY.md");
    let toml = guide.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let policy = SharePolicy::parse(toml).unwrap();
    assert_eq!(policy.rules().count(), 4);
    let format = include_str!("../../../../docs/FORMAT.md").split_once("## Sharing").unwrap().1;
    let form = format.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let form: Value = serde_json::from_str(form).unwrap();
    let bytes = selkie_core::record::value::to_bytes(&form);
    assert_eq!(SharePolicy::from_canonical(&bytes).unwrap().to_value(), form);
}

#[test]
fn a_payload_names_its_scope_and_what_was_left_out() {
    let policy = policy(
        "field = [{ path = 'a', keep = true }, { path = 'b', keep = true, allow = ['x'] }, \
         { path = 'c', drop = true }, { path = 'd[*].e', bin = [1] }]",
    );
    let record = json!({
        "a": "text", "b": "y", "c": 1, "d": [{"e": 0, "f": 1}, {"e": "text"}, 7, {}], "g": {"h": 1},
    });
    let prepared = prepare(&policy, &record).unwrap();
    assert_eq!(prepared.payload(), br#"{"d":[{"e":"<1"}]}"#);
    let dropped = prepared.dropped();
    assert_eq!((dropped.unlisted, dropped.unknown_type), (2, 3));
    assert_eq!((dropped.not_allowed, dropped.by_rule, dropped.map_keys), (1, 1, 0));
    assert_eq!(dropped.total(), 7);
    assert_eq!(
        (prepared.dataset(), prepared.purpose(), prepared.destination(), prepared.policy_hash()),
        ("usage", "improve", "lab", policy.hash())
    );
}

#[test]
fn a_payload_longer_than_the_policy_allows_is_refused() {
    let policy = policy("field = [{ path = 'x[*]', keep = true }]");
    let fits = vec![1; 2000];
    assert!(prepare(&policy, &json!({ "x": fits })).is_ok());
    let long = vec![1; 3000];
    let error = prepare(&policy, &json!({ "x": long })).unwrap_err();
    assert_eq!(error, PrepareError::PayloadTooLong { size_bytes: 6007, size_bytes_max: 4096 });
    assert_eq!(prepare(&policy, &json!([1])).unwrap_err(), PrepareError::NotAnObject);
}

#[test]
fn noise_stops_when_the_lifetime_budget_is_spent() {
    let policy = policy(
        "epsilon_lifetime = 1.2\nfield = [{ path = 'n[*]', noise = { dist = 'discrete_laplace', \
         clamp = [0, 10], epsilon = 0.5 } }, { path = 'ok', keep = true }]",
    );
    let micros = Epsilon::from_micros;
    let at = |spent: Epsilon, record: &Value| {
        policy.prepare(record, &key(1), spent, NOW_MS, &mut Counted(9))
    };
    let one = json!({"n": [5], "ok": true});
    let first = at(Epsilon::ZERO, &one).unwrap();
    assert_eq!(first.epsilon_spent(), micros(500_000));
    assert_eq!(at(micros(700_000), &one).unwrap().epsilon_spent(), micros(500_000));
    for (spent, record) in [(micros(700_001), &one), (Epsilon::ZERO, &json!({"n": [1, 2, 3]}))] {
        assert!(matches!(at(spent, record), Err(PrepareError::BudgetSpent { .. })), "{record}");
    }
    // Nothing of the record is sent then, and a value that takes nothing costs nothing.
    assert_eq!(at(micros(9_000_000), &json!({"ok": true})).unwrap().epsilon_spent(), Epsilon::ZERO);
    let stuck = policy.prepare(&one, &key(1), Epsilon::ZERO, NOW_MS, &mut Broken);
    assert_eq!(stuck.unwrap_err(), PrepareError::Random);
}

/// Any JSON, with keys that meet the rules often.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        "\\PC{0,40}".prop_map(Value::from),
        "[0-9+ ()@.:/=-]{0,40}".prop_map(Value::from),
        prop_oneof!["2026-1[0-9]-[0-9]{2}", "a@b\\.co", "-?[0-9]{1,3}\\.[0-9]{1,6},[0-9]{1,3}"]
            .prop_map(Value::from),
    ];
    let key = prop_oneof!["[a-i]", "lat|lon|email|userPhone|x", "\\PC{0,8}"];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

const EVERYTHING: &str = "epsilon_lifetime = 1000
field = [
    { path = 'a', keep = true }, { path = 'b[*]', keep = true, allow = [1, 'x'], else = 'other' },
    { path = 'c', mask = { first = 1, last = 1 } }, { path = 'd', pseudonym = { domain = 'd' } },
    { path = 'e.*', keys = ['a', 'b', 'c'], bin = [-1.5, 0, 10] }, { path = 'f[*][*]', date = 'week' },
    { path = 'g', geo = { grid_km = 7 } }, { path = 'h', scan = true }, { path = 'x', drop = true },
    { path = 'i', noise = { dist = 'discrete_laplace', clamp = [-5, 5], epsilon = 1 } },
]";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No record makes it fail otherwise than by its errors, twice is the same, and only what rules
    /// name is in the payload.
    #[test]
    fn any_record_gives_the_same_payload_twice_or_an_error(record in any_json()) {
        let policy = policy(EVERYTHING);
        let (one, two) = (prepare(&policy, &record), prepare(&policy, &record));
        let bytes = |prepared: Result<Prepared, PrepareError>| prepared.map(|it| it.payload().to_vec());
        let (one, two) = (bytes(one), bytes(two));
        prop_assert_eq!(&one, &two);
        if let Ok(bytes) = one {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            for key in value.as_object().unwrap().keys() {
                prop_assert!("abcdefghi".contains(key.as_str()), "{}", key);
            }
        }
    }

    /// What was anonymised once holds nothing that the anonymiser would still take out, but for what
    /// stands in brackets.
    #[test]
    fn any_json_is_anonymised_without_a_fault(value in any_json()) {
        let done = DataAnonymizer::new().anonymize(&value);
        let again = DataAnonymizer::new().anonymize(&done.value);
        prop_assert_eq!(again.value, done.value);
    }

    /// Two bytes strings that parse are equal policies, or differ in their hash.
    #[test]
    fn a_policy_file_of_any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _read_or_refused = SharePolicy::parse(&text);
    }
}
