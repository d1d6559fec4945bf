//! The relay cannot read: nothing that could open a sealed body is linked into it.

use std::process::Command;

/// Beginnings of the names of crates that decrypt, agree on keys, derive them, or look inside.
const FORBIDDEN: &[&str] = &[
    "aead",
    "aes",
    "age",
    "argon2",
    "bip39",
    "chacha20",
    "cipher",
    "crypto_box",
    "hkdf",
    "hpke",
    "kem",
    "libcrux",
    "ml-kem",
    "openssl",
    "poly1305",
    "ring",
    "rustls",
    "salsa20",
    "selkie",
    "selkie-core",
    "sodium",
    "universal-hash",
    "x-wing",
    "x25519",
    "xchacha",
    "zstd",
];
const ALLOWED: &[&str] = &["selkie-relay", "selkie-wire"];

fn forbidden(name: &str) -> bool {
    !ALLOWED.contains(&name) && FORBIDDEN.iter().any(|start| name.starts_with(start))
}

#[test]
fn no_crate_that_could_open_an_envelope_is_in_the_relays_graph() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "selkie-relay", "-e", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    // The list is the real one: these two are known to be in it.
    assert!(names.contains(&"selkie-wire") && names.contains(&"ed25519-dalek"), "{tree}");
    let found: Vec<_> = names.into_iter().filter(|name| forbidden(name)).collect();
    assert_eq!(found, Vec::<&str>::new());
}

#[test]
fn the_check_would_see_them() {
    for name in ["chacha20poly1305", "aes-gcm", "x25519-dalek", "hpke", "selkie-core", "selkie"] {
        assert!(forbidden(name), "{name}");
    }
    assert!(!forbidden("selkie-wire") && !forbidden("axum"));
}
