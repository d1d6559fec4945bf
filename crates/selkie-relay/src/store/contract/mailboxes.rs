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

#[tokio::test]
async fn vaults_and_mailboxes_know_nothing_of_each_other() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let other = VaultId([2; 32]);
        let plan = roster_plan(other, None, &[b"genesis", b"add"]);
        assert_eq!(store.extend_roster(plan).await, Ok(RosterOutcome::Stored));
        push(store, PHONE, &chain(PHONE, 2, 100)).await;
        let member = Seen { vault: other, ..seen(LAPTOP, 1) };
        let plan = PullPlan { member, chain: member.device, epoch: Some(EPOCH), cursor: Cursor(0) };
        let Ok(Judged::Done(page)) = store.pull(plan).await else { panic!("not judged") };
        assert_eq!(page.envelopes, Vec::<Vec<u8>>::new());
        // The same device id may be in two vaults, with a chain in each.
        let plan = PushPlan {
            member: Seen { vault: other, ..seen(PHONE, 1) },
            chain: member.device,
            beginning: ADDED,
            offers: chain(PHONE, 1, 50).into_iter().map(Some).collect(),
            now_ms: 0,
        };
        let Ok(Judged::Done(pushed)) = store.push(plan).await else { panic!("not judged") };
        assert_eq!(pushed.outcomes, [O::Stored]);
    })
    .await;
}
