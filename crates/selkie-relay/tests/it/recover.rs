//! A roster for a device that has nothing but the recovery words.

use ed25519_dalek::{Signer, SigningKey};
use selkie_relay::Config;
use selkie_wire::envelope::signature_message;
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    RECOVERY_AUTH_SIGNATURE_LABEL, RecoverRequest, RosterEntries, recovery_auth_bytes,
};
use selkie_wire::roster::Operation;

use crate::support::{
    Client, Reply, Time, Vault, code, recovery_keys, recovery_signer, relay, relay_with, start,
};

/// Asks with the words of `seed`, for the challenge and origin given.
fn request(key: &SigningKey, origin: &str, challenge: Vec<u8>, from: u64) -> RecoverRequest {
    let public = key.verifying_key().to_bytes();
    let bytes = recovery_auth_bytes(origin, &public, &challenge);
    let signature = key.sign(&signature_message(RECOVERY_AUTH_SIGNATURE_LABEL, &bytes));
    let (signature, from) = (signature.to_vec(), RosterNumber(from));
    RecoverRequest { key: public, challenge, origin: origin.to_owned(), signature, from }
}

fn challenge(client: &Client, key: &SigningKey) -> Vec<u8> {
    let asked = RecoverRequest::challenge_for(&key.verifying_key().to_bytes());
    client.challenge(asked.vault, asked.device)
}

fn recover(client: &Client, key: &SigningKey, from: u64) -> Reply {
    let request = request(key, &client.url, challenge(client, key), from);
    client.post("/v1/recover", None, &request)
}

#[test]
fn the_words_alone_give_the_roster() {
    let (_relay, client) = relay();
    let (vault, ..) = Vault::with_two(1);
    client.create(&vault);
    let entries = |from| recover(&client, &recovery_signer(1), from).message::<RosterEntries>();
    let all: Vec<Vec<u8>> = entries(0).entries.into_iter().map(Into::into).collect();
    assert_eq!(all, vault.entries);
    assert_eq!(entries(2).entries.len(), 1);
    assert!(entries(9).entries.is_empty());
}

#[test]
fn the_words_of_no_vault_look_like_a_wrong_signature() {
    let (_relay, client) = relay();
    let (vault, ..) = Vault::with_two(1);
    client.create(&vault);
    let (right, stranger) = (recovery_signer(1), recovery_signer(2));
    let nobody = recover(&client, &stranger, 0);
    assert_eq!(nobody.problem(), code(401, "unauthorized"));
    let good = challenge(&client, &right);
    let mut forged = request(&stranger, &client.url, good.clone(), 0);
    forged.key = right.verifying_key().to_bytes();
    assert_eq!(client.post("/v1/recover", None, &forged), nobody);
    // A challenge given for other words.
    let other = request(&right, &client.url, challenge(&client, &stranger), 0);
    assert_eq!(client.post("/v1/recover", None, &other), nobody);
    let elsewhere = request(&right, "https://relay.example", good, 0);
    let refused = client.post("/v1/recover", None, &elsewhere);
    assert_eq!(refused.problem().1, "origin-mismatch");
}

#[test]
fn an_old_challenge_gives_nothing() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| config.clock = time.clock());
    let (vault, ..) = Vault::with_two(1);
    client.create(&vault);
    let key = recovery_signer(1);
    let request = request(&key, &client.url, challenge(&client, &key), 0);
    assert_eq!(client.post("/v1/recover", None, &request).status, 200);
    time.advance(60_000);
    let late = client.post("/v1/recover", None, &request);
    assert_eq!(late.problem(), code(401, "unauthorized"));
}

#[test]
fn replaced_words_give_nothing_after_a_restart_either() {
    let dir = tempfile::tempdir().unwrap();
    let (running, client) = start(Config::new(dir.path()));
    let (mut vault, ..) = Vault::with_two(1);
    client.create(&vault);
    let recovery = recovery_keys(vault.roster.admin_key(), 5);
    vault.append(&Operation::Recovery { recovery, recovery_wrap: Vec::new() });
    client.create(&vault);
    drop(running);
    let (_running, client) = start(Config::new(dir.path()));
    assert_eq!(recover(&client, &recovery_signer(5), 0).status, 200);
    let old = recover(&client, &recovery_signer(1), 0);
    assert_eq!(old.problem(), code(401, "unauthorized"));
}

#[test]
fn nobody_publishes_the_words_of_another_vault() {
    let (_relay, client) = relay();
    let (vault, ..) = Vault::with_two(1);
    client.create(&vault);
    // The thief knows the proof, as every member and the relay do, and signs a vault of its own.
    let (mut thief, ..) = Vault::with_two(2);
    let recovery = vault.roster.recovery().clone();
    let operation = Operation::Recovery { recovery, recovery_wrap: Vec::new() };
    let entry = thief.forge(&operation);
    thief.entries.push(entry);
    let refused = client.post_entries("/v1/vaults", None, &thief.entries);
    assert_eq!(refused.problem().1, "roster-refused");
    assert_eq!(recover(&client, &recovery_signer(1), 0).status, 200);
}
