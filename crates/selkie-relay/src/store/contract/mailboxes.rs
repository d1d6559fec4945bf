//! Pairing messages.

use super::*;

#[tokio::test]
async fn a_message_waits_unchanged_until_it_expires_or_the_mailbox_ends() {
    check(ROOM, async |store| {
        use MessageOutcome::{Duplicate, Full, Stored, Taken};
        let box_of = |number| MailboxId([number; 32]);
        let put = async |mailbox, slot, bytes: &[u8], now_ms| {
            let (mailbox, bytes, expires_ms) = (box_of(mailbox), bytes.to_vec(), now_ms + 100);
            let message = Message { mailbox, slot, bytes, now_ms, expires_ms };
            store.put_message(message).await.unwrap()
        };
        let get = async |mailbox, slot, now_ms| {
            store.message(box_of(mailbox), slot, now_ms).await.unwrap()
        };
        assert_eq!(get(1, 0, 0).await, None);
        assert_eq!(put(1, 0, b"offer", 0).await, Stored);
        assert_eq!(put(1, 0, b"offer", 50).await, Duplicate);
        assert_eq!(put(1, 0, b"other", 50).await, Taken);
        assert_eq!(put(1, 1, b"request", 50).await, Stored);
        assert_eq!(put(2, 0, b"offer", 60).await, Stored);
        assert_eq!(put(2, 1, b"request", 60).await, Full);
        // A repetition does not prolong: expiry counts from the first time.
        assert_eq!(get(1, 0, 99).await.as_deref(), Some(&b"offer"[..]));
        assert_eq!(get(1, 0, 100).await, None);
        assert_eq!(get(1, 1, 100).await.as_deref(), Some(&b"request"[..]));
        assert_eq!(put(2, 1, b"request", 100).await, Stored, "room of what expired");
        store.remove_mailbox(box_of(2)).await.unwrap();
        assert_eq!(get(2, 0, 100).await, None);
        assert_eq!(get(1, 1, 100).await.as_deref(), Some(&b"request"[..]));
    })
    .await;
}
