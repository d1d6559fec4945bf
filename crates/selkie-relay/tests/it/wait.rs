//! Waiting for something new.

use std::time::Duration;

use selkie_wire::relay::{WaitRequest, WaitResponse};
use selkie_wire::{Cursor, RosterNumber};

use crate::support::{Device, Member, Vault, code, relay, relay_with};

/// After all that is there for a member.
fn after_all(member: &Member, vault: &Vault) -> WaitRequest {
    let page = member.pull(None, 0);
    WaitRequest {
        epoch: Some(page.epoch),
        cursor: page.cursor,
        roster: vault.roster.last(),
        incarnation: None,
    }
}

fn news(member: &Member, request: &WaitRequest) -> bool {
    member.wait(request).message::<WaitResponse>().news
}

fn two(
    wait: Duration,
) -> (selkie_relay::Background, crate::support::Client, Vault, Device, Device) {
    let (relay, client) = relay_with(|config| config.timeouts.wait = wait);
    let (vault, phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    (relay, client, vault, phone, laptop)
}

#[test]
fn nothing_new_is_told_when_the_time_is_up_and_news_at_once() {
    let (_relay, client, vault, mut phone, laptop) = two(Duration::ZERO);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    let quiet = after_all(&on_laptop, &vault);
    assert!(!news(&on_laptop, &quiet));
    on_phone.push(&phone.seal_many(2));
    assert!(news(&on_laptop, &quiet), "segments of another device");
    assert!(!news(&on_phone, &quiet), "one's own are no news");
    let seen = after_all(&on_laptop, &vault);
    assert!(!news(&on_laptop, &seen));
    for (what, request) in [
        ("another life of the relay", WaitRequest { epoch: None, ..seen.clone() }),
        ("a place beyond the end", WaitRequest { cursor: Cursor(99), ..seen.clone() }),
        ("a roster entry", WaitRequest { roster: RosterNumber(1), ..seen }),
    ] {
        assert!(news(&on_laptop, &request), "{what}");
    }
}

#[test]
fn whoever_waits_is_woken_by_a_push_and_by_a_roster_entry() {
    let (_relay, client) = relay();
    let (mut vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    let quiet = after_all(&on_laptop, &vault);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| news(&on_laptop, &quiet));
        on_phone.push(&phone.seal_many(1));
        assert!(waiting.join().unwrap());
    });
    let quiet = after_all(&on_laptop, &vault);
    let before = vault.entries.len();
    vault.add(9);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| news(&on_laptop, &quiet));
        on_phone.extend(&vault.entries[before..]);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn only_a_member_may_wait() {
    let (_relay, client, mut vault, phone, laptop) = two(Duration::ZERO);
    let on_laptop = client.member(&laptop);
    let request = after_all(&on_laptop, &vault);
    let path = on_laptop.path("wait");
    let unauthorized = code(401, "unauthorized");
    assert_eq!(client.post(&path, None, &request).problem(), unauthorized);
    let before = vault.entries.len();
    vault.revoke(&laptop);
    client.member(&phone).extend(&vault.entries[before..]);
    assert_eq!(on_laptop.wait(&request).problem(), unauthorized);
}
