//! Mailboxes: where two devices meet to pair.

use selkie_wire::MailboxId;
use selkie_wire::limits::{MAILBOX_BYTES_MAX, MAILBOX_SLOTS, MAILBOX_TTL_MS};

use crate::support::{Client, Reply, Time, code, relay, relay_with};

fn path(mailbox: u8, slot: u8) -> String {
    format!("/v1/mailboxes/{}/{slot}", MailboxId([mailbox; 32]))
}

fn put(client: &Client, path: &str, bytes: &[u8]) -> Reply {
    client.send("PUT", path, None, bytes).unwrap()
}

fn get(client: &Client, path: &str) -> Reply {
    client.send("GET", path, None, &[]).unwrap()
}

#[test]
fn three_messages_pass_and_the_mailbox_ends() {
    let (_relay, client) = relay();
    for slot in 0..MAILBOX_SLOTS {
        let (path, message) = (path(1, slot), vec![slot; 100]);
        assert_eq!(get(&client, &path).problem(), code(404, "not-found"));
        assert_eq!(put(&client, &path, &message).status, 201);
        assert_eq!(put(&client, &path, &message).status, 200, "the answer may have been lost");
        assert_eq!(put(&client, &path, b"other").problem(), code(409, "fork"));
        for _ in 0..2 {
            let reply = get(&client, &path);
            assert_eq!((reply.status, &reply.bytes), (200, &message));
        }
    }
    let whole = format!("/v1/mailboxes/{}", MailboxId([1; 32]));
    for _ in 0..2 {
        assert_eq!(client.send("DELETE", &whole, None, &[]).unwrap().status, 204);
    }
    for slot in 0..MAILBOX_SLOTS {
        assert_eq!(get(&client, &path(1, slot)).problem(), code(404, "not-found"));
    }
}

#[test]
fn a_message_expires() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| config.clock = time.clock());
    put(&client, &path(1, 0), b"offer");
    time.advance(MAILBOX_TTL_MS - 1);
    assert_eq!(get(&client, &path(1, 0)).status, 200);
    time.advance(1);
    assert_eq!(get(&client, &path(1, 0)).problem(), code(404, "not-found"));
}

#[test]
fn mailboxes_are_bounded_in_size_and_number() {
    let time = Time::default();
    let (_relay, client) = relay_with(|config| {
        config.clock = time.clock();
        config.quotas.mailbox_messages_max = 2;
    });
    let largest = vec![7; MAILBOX_BYTES_MAX];
    assert_eq!(put(&client, &path(1, 0), &largest).status, 201);
    assert_eq!(get(&client, &path(1, 0)).bytes, largest);
    let larger = vec![7; MAILBOX_BYTES_MAX + 1];
    assert_eq!(put(&client, &path(2, 0), &larger).problem(), code(413, "too-large"));
    assert_eq!(put(&client, &path(2, 0), b"offer").status, 201);
    let full = put(&client, &path(3, 0), b"offer");
    assert_eq!(full.problem(), code(503, "busy"));
    assert!(full.header("retry-after").is_some());
    time.advance(MAILBOX_TTL_MS);
    assert_eq!(put(&client, &path(3, 0), b"offer").status, 201);
}

#[test]
fn other_places_do_not_exist() {
    let (_relay, client) = relay();
    for path in [
        path(1, MAILBOX_SLOTS),
        path(1, 255),
        "/v1/mailboxes/00/0".to_owned(),
        format!("{}0", path(1, 0)),
        format!("/v1/mailboxes/{}/-1", MailboxId([1; 32])),
        format!("/v1/mailboxes/{}/%ff", MailboxId([1; 32])),
    ] {
        assert_eq!(put(&client, &path, b"x").problem(), code(404, "not-found"), "{path}");
        assert_eq!(get(&client, &path).problem(), code(404, "not-found"), "{path}");
    }
    let delete = |path: &str| client.send("DELETE", path, None, &[]).unwrap().problem();
    assert_eq!(delete("/v1/mailboxes/00"), code(404, "not-found"));
    assert_eq!(delete("/v1/mailboxes/%ff"), code(404, "not-found"));
}
