//! Challenges, tokens, and who gets nothing.

use selkie_wire::relay::ChallengeRequest;
use selkie_wire::{DeviceId, VaultId, cbor};

use crate::support::{Client, Member, Reply, Time, Vault, code, relay, relay_with};

/// Every endpoint of a vault, asked with this token.
fn ask_all(client: &Client, vault: VaultId, token: Option<&str>) -> Vec<Reply> {
    [
        ("GET", "roster", &[][..]),
        ("GET", "roster?from=1", &[]),
        ("POST", "roster", b"rubbish"),
        ("POST", "push", b"rubbish"),
        ("POST", "push", &[0; 100_000]),
        ("POST", "pull", b"rubbish"),
    ]
    .map(|(method, end, body)| {
        client.send(method, &format!("/v1/vaults/{vault}/{end}"), token, body).unwrap()
    })
    .into()
}

#[test]
fn a_foreign_vault_looks_exactly_like_an_absent_one() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(1);
    let (other, stranger, _) = Vault::with_two(2);
    client.create(&vault);
    client.create(&other);
    let absent = VaultId([9; 32]);
    let live = client.token(&stranger);
    for token in [None, Some("00"), Some("zz"), Some(live.as_str())] {
        let foreign = ask_all(&client, vault.id(), token);
        assert_eq!(foreign, ask_all(&client, absent, token), "{token:?}");
        for reply in foreign {
            assert_eq!(reply.problem(), code(401, "unauthorized"), "{token:?}");
        }
    }
    // Up to the token, too: both get a challenge, and no way to answer it.
    let mut impostor = stranger.clone();
    let mut replies = Vec::new();
    for vault in [vault.id(), absent] {
        for id in [phone.id, stranger.id, DeviceId([0; 16])] {
            (impostor.vault, impostor.id) = (vault, id);
            assert_eq!(client.challenge(vault, id).len(), client.challenge(absent, id).len());
            replies.push(client.try_token(&impostor));
        }
    }
    assert_eq!(replies[0].problem(), code(401, "unauthorized"));
    assert!(replies.iter().all(|reply| *reply == replies[0]));
}

#[test]
fn a_forged_token_opens_nothing() {
    let (_relay, client) = relay();
    let (vault, phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let member = client.member(&phone);
    assert_eq!(member.try_pull(None, 0).status, 200);
    let good = &member.token;
    let flipped = |at: usize| {
        let digit = if &good[at..=at] == "0" { "1" } else { "0" };
        [&good[..at], digit, &good[at + 1..]].concat()
    };
    // Another device's id in front of the expiry and MAC of this one's token.
    let swapped = [&laptop.id.to_string(), &good[32..]].concat();
    let forged = [
        flipped(0),
        flipped(40),
        flipped(good.len() - 1),
        swapped,
        format!("{good}00"),
        good[..good.len() - 2].to_owned(),
        String::new(),
    ];
    for token in forged {
        let member = Member { token: token.clone(), ..member.clone() };
        assert_eq!(member.try_pull(None, 0).problem(), code(401, "unauthorized"), "{token}");
    }
}

#[test]
fn a_token_ends_after_its_lifetime() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| config.clock = time.clock());
    let (vault, phone, _) = Vault::with_two(1);
    client.create(&vault);
    let member = client.member(&phone);
    time.advance(15 * 60 * 1000 - 1);
    assert_eq!(member.try_pull(None, 0).status, 200);
    time.advance(1);
    assert_eq!(member.try_pull(None, 0).problem(), code(401, "unauthorized"));
    assert_eq!(client.member(&phone).try_pull(None, 0).status, 200);
}

#[test]
fn a_challenge_must_be_signed_soon_by_the_auth_key_of_its_asker() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| config.clock = time.clock());
    let (vault, phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let ask = |request| client.post("/v1/token", None, &request);
    let challenge = client.challenge(vault.id(), phone.id);
    let good = phone.token_request(&client.url, challenge.clone());
    assert_eq!(ask(good.clone()).status, 200);
    let mut wrong_key = laptop.token_request(&client.url, challenge.clone());
    wrong_key.device = phone.id;
    let mut flipped = good.clone();
    flipped.signature[0] ^= 1;
    let mut short = good.clone();
    short.signature.pop();
    let invented = phone.token_request(&client.url, vec![7; challenge.len()]);
    let empty = phone.token_request(&client.url, Vec::new());
    let of_another = laptop.token_request(&client.url, challenge);
    for (case, request) in [
        ("wrong key", wrong_key),
        ("flipped signature", flipped),
        ("short signature", short),
        ("invented challenge", invented),
        ("empty challenge", empty),
        ("another device's challenge", of_another),
    ] {
        assert_eq!(ask(request).problem(), code(401, "unauthorized"), "{case}");
    }
    time.advance(60_000);
    assert_eq!(ask(good).problem(), code(401, "unauthorized"));
}

#[test]
fn a_signature_for_another_origin_is_refused() {
    let (_relay, client) = relay();
    let (_named_relay, named) =
        relay_with(|config| config.origins = vec!["https://relay.example".to_owned()]);
    let (vault, phone, _) = Vault::with_two(1);
    for client in [&client, &named] {
        client.create(&vault);
    }
    let own = client.url.clone();
    for (client, origin, ok) in [
        (&client, own.as_str(), true),
        (&client, "https://relay.example", false),
        (&client, "http://127.0.0.1:1", false),
        (&client, "", false),
        (&named, "https://relay.example", true),
        (&named, named.url.as_str(), false),
        (&named, "https://RELAY.example", false),
    ] {
        let challenge = client.challenge(vault.id(), phone.id);
        let reply = client.post("/v1/token", None, &phone.token_request(origin, challenge));
        if ok {
            assert_eq!(reply.status, 200, "{origin}");
        } else {
            assert_eq!(reply.problem(), code(403, "origin-mismatch"), "{origin}");
        }
    }
    // The origin that counts is the one signed.
    let challenge = client.challenge(vault.id(), phone.id);
    let mut request = phone.token_request("https://evil.example", challenge);
    request.origin = client.url.clone();
    let reply = client.post("/v1/token", None, &request);
    assert_eq!(reply.problem(), code(401, "unauthorized"));
}

#[test]
fn a_revoked_device_is_out_at_once() {
    let (_relay, client) = relay();
    let (mut vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    let sent = phone.seal_many(2);
    on_phone.push(&sent);
    vault.revoke(&phone);
    assert_eq!(on_laptop.extend(&vault.entries[3..]).status, 200);
    let replies = [
        on_phone.try_push(&[phone.seal(100)]),
        on_phone.try_pull(None, 0),
        on_phone.send("GET", "roster", &[]),
        on_phone.extend(&vault.entries),
        client.try_token(&phone),
    ];
    for reply in replies {
        assert_eq!(reply.problem(), code(401, "unauthorized"));
    }
    assert_eq!(on_laptop.pull_all(), sent, "what it sent before stays");
}

/// Another relay on the same database may take the revocation; what this one remembers is old then.
#[test]
fn a_remembered_roster_lets_no_revoked_device_in() {
    let dir = tempfile::tempdir().unwrap();
    let (_relay, client) = crate::support::start(selkie_relay::Config::new(dir.path()));
    let (mut vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    assert_eq!(on_phone.try_push(&[phone.seal(100)]).status, 200);
    vault.revoke(&phone);
    let database = rusqlite::Connection::open(dir.path().join("relay.sqlite3")).unwrap();
    database
        .execute("INSERT INTO roster_entries SELECT id, 3, ?1 FROM vaults", [&vault.entries[3]])
        .unwrap();
    database.execute("UPDATE vaults SET roster_last = 3", []).unwrap();
    let unauthorized = code(401, "unauthorized");
    assert_eq!(on_phone.try_push(&[phone.seal(100)]).problem(), unauthorized);
    assert_eq!(on_phone.try_pull(None, 0).problem(), unauthorized);
    assert_eq!(on_laptop.pull(None, 0).envelopes.len(), 1);
    assert_eq!(on_laptop.roster(3), vault.entries[3..]);
}

#[test]
fn an_added_device_is_in_at_once() {
    let (_relay, client) = relay();
    let (mut vault, phone, _) = Vault::with_two(1);
    client.create(&vault);
    let on_phone = client.member(&phone);
    let tablet = vault.add(77);
    assert_eq!(client.try_token(&tablet).problem(), code(401, "unauthorized"));
    assert_eq!(on_phone.extend(&vault.entries[3..]).status, 200);
    assert_eq!(client.member(&tablet).roster(0), vault.entries);
}

#[test]
fn a_restart_ends_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let config = selkie_relay::Config::new(dir.path());
    let (vault, phone, _) = Vault::with_two(1);
    let (relay, client) = crate::support::start(config.clone());
    client.create(&vault);
    let old = client.member(&phone);
    relay.stop().unwrap();
    let (_relay, client) = crate::support::start(config);
    let old = Member { client: client.clone(), ..old };
    assert_eq!(old.try_pull(None, 0).problem(), code(401, "unauthorized"));
    assert_eq!(client.member(&phone).try_pull(None, 0).status, 200);
}

#[test]
fn a_challenge_is_never_the_same_twice() {
    let (_relay, client) = relay();
    let ask = || client.challenge(VaultId([1; 32]), DeviceId([2; 16]));
    assert_ne!(ask(), ask());
    let request = ChallengeRequest { vault: VaultId([1; 32]), device: DeviceId([2; 16]) };
    let longer = [cbor::encode(&request), vec![0]].concat();
    let reply = client.send("POST", "/v1/challenge", None, &longer).unwrap();
    assert_eq!(reply.problem(), code(400, "bad-body"));
}
