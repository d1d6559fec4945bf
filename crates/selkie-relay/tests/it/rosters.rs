//! Making vaults, and how their rosters grow.

use selkie_wire::relay::RosterHead;

use crate::support::{Time, Vault, code, relay, relay_with};

fn head(vault: &Vault) -> RosterHead {
    let (number, digest) = (vault.roster.last(), vault.roster.last_digest());
    RosterHead { vault: vault.id(), number, digest }
}

#[test]
fn a_vault_is_made_once_and_extended_by_a_longer_chain() {
    let (_relay, client) = relay();
    let (mut vault, phone, _) = Vault::with_two(1);
    let make = |entries: &[Vec<u8>]| client.post_entries("/v1/vaults", None, entries);
    let made = make(&vault.entries);
    assert_eq!((made.status, made.message()), (201, head(&vault)));
    let again = make(&vault.entries);
    assert_eq!((again.status, again.message()), (200, head(&vault)));
    let before = head(&vault);
    let shorter = vault.entries.clone();
    vault.raise_version();
    let longer = make(&vault.entries);
    assert_eq!((longer.status, longer.message()), (200, head(&vault)));
    assert_ne!(make(&shorter).message::<RosterHead>(), before, "what is there already stays");
    assert_eq!(client.member(&phone).roster(0), vault.entries);
}

#[test]
fn a_chain_that_does_not_verify_makes_no_vault() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(1);
    let (other, ..) = Vault::with_two(2);
    let mut flipped = vault.entries.clone();
    let last = flipped[1].len() - 1;
    flipped[1][last] ^= 1;
    let mut hole = vault.entries.clone();
    hole.remove(1);
    for (case, entries, expected) in [
        ("empty", vec![], code(422, "roster-refused")),
        ("no genesis", vault.entries[1..].to_vec(), code(422, "roster-refused")),
        ("rubbish", vec![b"rubbish".to_vec()], code(422, "roster-refused")),
        ("flipped", flipped, code(422, "roster-refused")),
        ("hole", hole, code(409, "gap")),
        (
            "of another vault",
            [&vault.entries[..1], &other.entries[1..2]].concat(),
            code(422, "roster-refused"),
        ),
        ("two geneses", [&vault.entries[..1], &other.entries[..1]].concat(), code(409, "fork")),
    ] {
        let reply = client.post_entries("/v1/vaults", None, &entries);
        assert_eq!(reply.problem(), expected, "{case}");
    }
    assert_eq!(client.try_token(&phone).problem(), code(401, "unauthorized"));
}

#[test]
fn members_extend_a_roster_and_a_second_history_is_refused() {
    let (_relay, client) = relay();
    let (mut vault, phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    let mut forked = vault.clone();
    let mut forked_twice = vault.clone();
    vault.raise_version();
    vault.raise_version();
    let gap = on_phone.extend(&vault.entries[4..]);
    assert_eq!(gap.problem(), code(409, "gap"));
    assert_eq!(on_phone.extend(&vault.entries[3..]).message::<RosterHead>(), head(&vault));
    for repeated in [&vault.entries[3..], &vault.entries[..], &vault.entries[1..2], &[]] {
        assert_eq!(on_laptop.extend(repeated).message::<RosterHead>(), head(&vault));
    }
    forked.add(99);
    assert_eq!(on_laptop.extend(&forked.entries[3..]).problem(), code(409, "fork"));
    assert_eq!(on_laptop.extend(&forked.entries).problem(), code(409, "fork"));
    // A number that is free here, but follows an entry that is not.
    for _ in 0..2 {
        forked_twice.add(forked_twice.entries.len() as u8 + 100);
    }
    forked_twice.raise_version();
    assert_eq!(on_laptop.extend(&forked_twice.entries[5..]).problem(), code(409, "fork"));
    assert_eq!(
        client.post_entries("/v1/vaults", None, &forked.entries).problem(),
        code(409, "fork")
    );
    assert_eq!(on_laptop.roster(0), vault.entries);
    assert_eq!(on_laptop.roster(3), vault.entries[3..]);
    assert_eq!(on_laptop.roster(5), Vec::<Vec<u8>>::new());
    assert_eq!(
        on_laptop.send("GET", "roster", &[]).bytes,
        on_laptop.send("GET", "roster?from=0", &[]).bytes
    );
    for query in ["roster?from=x", "roster?from=-1", "roster?to=1"] {
        assert_eq!(on_laptop.send("GET", query, &[]).problem(), code(404, "not-found"), "{query}");
    }
    assert_eq!(on_laptop.pull(None, 0).roster, vault.roster.last());
}

#[test]
fn another_vaults_entries_are_refused() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(1);
    let (mut other, ..) = Vault::with_two(2);
    other.raise_version();
    client.create(&vault);
    let reply = client.member(&phone).extend(&other.entries[3..]);
    assert_eq!(reply.problem(), code(422, "roster-refused"));
}

#[test]
fn vaults_are_made_at_a_bounded_rate() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| {
        config.clock = time.clock();
        config.quotas.vault_creations_burst = 2;
        config.quotas.vault_creations_per_minute = 60;
    });
    let make = |seed| client.post_entries("/v1/vaults", None, &Vault::new(seed).entries);
    assert_eq!((make(1).status, make(2).status), (201, 201));
    let limited = make(3);
    assert_eq!(limited.problem(), code(429, "rate-limited"));
    assert!(limited.header("retry-after").is_some());
    assert_eq!(make(1).status, 200, "what is there already costs nothing");
    time.advance(1000);
    assert_eq!(make(3).status, 201);
}

#[test]
fn vaults_and_rosters_are_bounded_in_room() {
    let (_relay, client) = relay_with(|config| {
        config.quotas.vaults_max = 1;
        config.quotas.vault_bytes_max = 2000;
    });
    let (mut vault, phone, _) = Vault::with_two(1);
    client.create(&vault);
    let second = client.post_entries("/v1/vaults", None, &Vault::new(2).entries);
    assert_eq!(second.problem(), code(507, "quota"));
    for seed in 100..110 {
        vault.add(seed);
    }
    let reply = client.member(&phone).extend(&vault.entries[3..]);
    assert_eq!(reply.problem(), code(507, "quota"));
}
