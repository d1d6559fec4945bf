//! Tests of the policy language: faults with their lines, one canonical form, narrowing.

use super::*;

const HEAD: &str = r#"[share.stats]
from = "usage"
purpose = "improve_model"
destination = "model-lab"
categories = ["technical", "interaction"]
size_bytes_max = 4096
expires_days = 30
"#;

fn with(fields: &str) -> String {
    format!("{HEAD}{fields}")
}

#[track_caller]
fn policy(fields: &str) -> SharePolicy {
    SharePolicy::parse(&with(fields)).unwrap_or_else(|faults| panic!("{fields}: {faults}"))
}

const ALL: &str = r#"
epsilon_lifetime = 4.5
[[share.stats.field]]
path = "model.size"
keep = true
allow = ["small", "large", 1.0, true]
else = "other"
[[share.stats.field]]
path = "user.email"
pseudonym = { domain = "person", normalise = "email", rotate_days = 30 }
[[share.stats.field]]
path = "sessions[*].ms"
bin = [100, 300.5, 1000]
[[share.stats.field]]
path = "errors.*"
keys = ["timeout", "disk"]
noise = { dist = "discrete_laplace", clamp = [0, 50], epsilon = 0.5 }
[[share.stats.field]]
path = "comment"
scan = { chars_max = 200, frames = ["app::"] }
[[share.stats.field]]
path = "card"
mask = { last = 4 }
[[share.stats.field]]
path = "at"
date = "month"
[[share.stats.field]]
path = "location"
geo = { grid_km = 50 }
[[share.stats.field]]
path = "fingerprint"
drop = true
"#;

#[test]
fn every_transform_is_read_and_comes_back_from_its_canonical_form() {
    let policy = policy(ALL);
    let kinds: Vec<_> = policy.rules().map(|rule| rule.kind).collect();
    assert_eq!(kinds, ["date", "mask", "scan", "noise", "drop", "geo", "keep", "bin", "pseudonym"]);
    let bytes = policy.to_canonical();
    selkie_wire::cbor::check(&bytes).unwrap();
    let again = SharePolicy::from_canonical(&bytes).unwrap();
    assert_eq!(again, policy);
    assert_eq!(again.hash(), policy.hash());
}

#[test]
fn layout_and_order_do_not_change_the_hash_and_meaning_does() {
    let one = policy(
        "field = [{path = 'a', bin = [1, 2]}, {path = 'b', keep = true, allow = ['x', 'y']}]",
    );
    let other = policy(
        "\n# a comment\n[[share.stats.field]]\nallow = ['y', 'x', 'y']\nkeep = true\npath = '\"b\"'\n\
         [[share.stats.field]]\nbin = [1.0, 2]\npath = 'a'\n",
    );
    assert_eq!(one.to_canonical(), other.to_canonical());
    assert_eq!(one.hash(), other.hash());
    for changed in [
        "field = [{path = 'a', bin = [1, 3]}, {path = 'b', keep = true, allow = ['x', 'y']}]",
        "field = [{path = 'a', bin = [1, 2]}, {path = 'c', keep = true, allow = ['x', 'y']}]",
        "field = [{path = 'a', bin = [1, 2]}]",
    ] {
        assert_ne!(policy(changed).hash(), one.hash(), "{changed}");
    }
}

#[test]
fn bytes_that_are_merely_like_the_canonical_form_are_refused() {
    let bytes = policy(ALL).to_canonical();
    for at in 0..bytes.len() {
        for bit in [1, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            // A changed letter may make another policy, whose canonical form that then is.
            if let Ok(policy) = SharePolicy::from_canonical(&changed) {
                assert_eq!(policy.to_canonical(), changed);
            }
        }
        assert!(SharePolicy::from_canonical(&bytes[..at]).is_err());
    }
    let mut value = policy(ALL).to_value();
    value["version"] = 2.into();
    let faults = SharePolicy::from_canonical(&value::to_bytes(&value)).unwrap_err();
    assert!(faults.to_string().contains("newer version"), "{faults}");
}

/// Fields, the line of the fault counted from the first field, and a part of what is said.
#[test]
fn faults_are_told_with_their_lines() {
    for (fields, line, said) in [
        ("field = [{path = 'a', kep = true}]", 1, "did you mean `keep`?"),
        ("field = [{path = 'a'}]", 1, "does not say what to do"),
        ("field = [{path = 'a', drop = true, bin = [1]}]", 1, "says `drop` and `bin` at once"),
        ("field = []", 1, "1 to 256 rules"),
        ("\n\n[[share.stats.field]]\npath = 'a..b'\ndrop = true", 4, "`path` must be a path"),
        ("[[share.stats.field]]\npath = 'a'\nkeep = false", 3, "`keep` must be true"),
        ("[[share.stats.field]]\npath = 'a'\nkeep = true\nelse = 1", 4, "needs an `allow`"),
        ("[[share.stats.field]]\npath = 'a'\nkeep = true\nallow = [[]]", 4, "`allow` must be"),
        ("[[share.stats.field]]\npath = 'a'\nbin = [3, 2]", 3, "`bin` must be"),
        ("[[share.stats.field]]\npath = 'a'\ndate = 'hour'", 3, "`date` must be"),
        ("[[share.stats.field]]\npath = 'a'\ngeo = { grid_km = 0 }", 3, "`grid_km` must be"),
        ("[[share.stats.field]]\npath = 'a'\nmask = { first = 3, last = 3 }", 3, "`mask` must be"),
        ("[[share.stats.field]]\npath = 'a'\npseudonym = { domian = 'x' }", 3, "no `domain`"),
        (
            "[[share.stats.field]]\npath = 'a'\npseudonym = { domain = 'x' }\nallow = ['a']",
            4,
            "does not know `allow`",
        ),
        ("[[share.stats.field]]\npath = 'a.*'\ndrop = true", 1, "needs `keys`"),
        ("[[share.stats.field]]\npath = 'a'\nkeys = ['b']\ndrop = true", 1, "`keys` without"),
        (
            "[[share.stats.field]]\npath = 'a'\ndrop = true\n[[share.stats.field]]\npath = 'a.b'\ndrop = true",
            4,
            "meets the path",
        ),
        (
            "[[share.stats.field]]\npath = 'a[*]'\ndrop = true\n[[share.stats.field]]\npath = 'a.b'\ndrop = true",
            4,
            "meets the path",
        ),
        (
            "[[share.stats.field]]\npath = 'a.b'\ndrop = true\n[[share.stats.field]]\npath = 'a'\ndrop = true",
            4,
            "meets the path",
        ),
        ("epsilon_lifetime = 1\nfield = [{path = 'a', drop = true}]", 1, "without a `noise` rule"),
        (
            "[[share.stats.field]]\npath = 'a'\nnoise = { dist = 'discrete_laplace', clamp = [0, 1], epsilon = 1 }",
            -6,
            "needs `epsilon_lifetime`",
        ),
        (
            "epsilon_lifetime = 1\n[[share.stats.field]]\npath = 'a'\nnoise = { dist = 'gauss', clamp = [0, 1], epsilon = 1 }",
            4,
            "`dist` must be",
        ),
        (
            "epsilon_lifetime = 1\n[[share.stats.field]]\npath = 'a'\nnoise = { dist = 'discrete_laplace', epsilon = 1 }",
            4,
            "no `clamp`",
        ),
        (
            "epsilon_lifetime = 1\n[[share.stats.field]]\npath = 'a'\nnoise = { dist = 'discrete_laplace', clamp = [0, 1], epsilon = 0 }",
            4,
            "`epsilon` must be",
        ),
        ("purpose = 'again'", 1, "not TOML"),
        ("field = [{path = 'a', drop = true}]\n[share.stats.more]", 2, "does not know `more`"),
        ("field = [{path = 'a', drop = true}]\n[shares]", 2, "does not know `shares`"),
        ("field = [{path = 'user.eMail', keep = true}]", 1, "sounds like email"),
        ("field = [{path = 'face_id', pseudonym = {domain = 'x'}}]", 1, "only drop is possible"),
        ("field = [{path = 'apiKey', mask = true}]", 1, "only drop is possible"),
    ] {
        let faults = SharePolicy::parse(&with(fields)).unwrap_err();
        let line = 7 + line;
        let found = faults.as_slice().iter().find(|fault| fault.to_string().contains(said));
        let found = found.unwrap_or_else(|| panic!("{fields}: {faults}"));
        assert_eq!(i32::try_from(found.line).unwrap(), line, "{fields}: {faults}");
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let faults =
        SharePolicy::parse("[share.x]\nfrom = 1\npurpose = 'a b'\nexpires_days = 0\n").unwrap_err();
    let told = faults.to_string();
    for part in [
        "line 2: `from` must be",
        "line 3: `purpose` must be",
        "line 4: `expires_days` must be",
        "has no `destination`",
        "has no `field`",
        "has no `categories`",
        "has no `size_bytes_max`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for (text, said) in
        [("", "has no `share`"), ("share = 1", "must hold tables"), ("x", "not TOML")]
    {
        let told = SharePolicy::parse(text).unwrap_err().to_string();
        assert!(told.contains(said), "{told}");
    }
    let two = with("field = [{path = 'a', drop = true}]");
    let two = format!("{two}\n{}", two.replace("stats", "more"));
    assert_eq!(SharePolicy::parse_all(&two).unwrap().len(), 2);
    assert!(SharePolicy::parse(&two).is_err());
}

#[test]
fn narrowing_is_claimed_only_where_it_is_certain() {
    let of = |rule: &str| policy(&format!("field = [{{path = 'a', {rule}}}]"));
    for (new, old, expected) in [
        ("drop = true", "keep = true", true),
        ("keep = true", "drop = true", false),
        ("keep = true", "keep = true", true),
        ("keep = true, allow = [1]", "keep = true", true),
        ("keep = true, allow = ['x']", "keep = true", false),
        ("bin = [1, 2]", "keep = true", true),
        ("bin = [1, 2]", "keep = true, allow = [1]", false),
        ("bin = [1]", "bin = [1, 2]", true),
        ("bin = [1, 2]", "bin = [1]", false),
        ("date = 'year'", "date = 'month'", true),
        ("date = 'month'", "date = 'week'", false),
        ("date = 'day'", "date = 'month'", false),
        ("date = {to = 'year', unit = 's'}", "date = 'month'", false),
        ("mask = true", "mask = {last = 2}", true),
        ("mask = {first = 1}", "mask = {last = 2}", false),
        ("geo = {grid_km = 100}", "geo = {grid_km = 50}", false),
        ("scan = true", "scan = {chars_max = 9}", false),
        ("pseudonym = {domain = 'x'}", "pseudonym = {domain = 'x', rotate_days = 1}", false),
        ("pseudonym = {domain = 'x'}", "keep = true", false),
    ] {
        assert_eq!(of(new).is_narrowing_of(&of(old)), expected, "{new} / {old}");
        assert!(of(new).is_narrowing_of(&of(new)), "{new}");
    }
}

#[test]
fn widening_anything_around_the_rules_is_no_narrowing() {
    let text = with(
        "field = [{path = 'a.*', keys = ['x', 'y'], bin = [1, 2]}, {path = 'b', drop = true}]",
    );
    let old = SharePolicy::parse(&text).unwrap();
    for (from, to, expected) in [
        ("keys = ['x', 'y']", "keys = ['x']", true),
        ("keys = ['x', 'y']", "keys = ['x', 'y', 'z']", false),
        ("path = 'a.*', keys = ['x', 'y']", "path = 'a.x'", true),
        ("path = 'b'", "path = 'c'", true),
        ("4096", "4095", true),
        ("4096", "4097", false),
        ("expires_days = 30", "expires_days = 29", true),
        ("expires_days = 30", "expires_days = 31", false),
        (", \"interaction\"", "", true),
        (", \"interaction\"", ", \"stored_content\"", false),
        ("\"usage\"", "\"usage2\"", false),
        ("improve_model", "advertise", false),
        ("model-lab", "model-shop", false),
        ("share.stats", "share.numbers", true),
    ] {
        assert!(text.contains(from), "{from}");
        let new = SharePolicy::parse(&text.replace(from, to)).unwrap();
        assert_eq!(new.is_narrowing_of(&old), expected, "{from} → {to}");
        assert_ne!(new.hash(), old.hash(), "{from} → {to}");
    }
}

#[test]
fn noise_may_not_go_since_it_is_what_makes_sending_stop() {
    let noise = "{path = 'n', noise = {dist = 'discrete_laplace', clamp = [0, 9], epsilon = 1}}";
    let old =
        policy(&format!("epsilon_lifetime = 5\nfield = [{{path = 'a', keep = true}}, {noise}]"));
    let without = policy("field = [{path = 'a', keep = true}]");
    assert!(!without.is_narrowing_of(&old));
    let less = policy(&format!("epsilon_lifetime = 4\nfield = [{noise}]"));
    assert!(less.is_narrowing_of(&old));
    assert!(!old.is_narrowing_of(&less));
}

#[test]
fn what_should_be_thought_over_is_told() {
    let warnings = policy(ALL).warnings().join("\n");
    assert!(warnings.contains("comment: free text"), "{warnings}");
    assert!(!warnings.contains("rotate_days"), "{warnings}");
    let warnings = policy(
        "field = [{path = 'name', mask = true}, {path = 'id', pseudonym = {domain = 'x'}}, {path = 'address', scan = true}]",
    )
    .warnings()
    .join("\n");
    for part in ["name: the ends", "id: without rotate_days", "address: sounds like address"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}
