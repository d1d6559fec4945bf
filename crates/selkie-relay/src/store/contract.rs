//! What every store must do, written once and run on each.

mod checkpoints;

use std::sync::Arc;

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX, ROSTER_PAGE_BYTES_MAX};
use selkie_wire::relay::{Head, PushOutcome as O};
use selkie_wire::{Cursor, DeviceId, Digest, MailboxId, RelayEpoch, SegmentNumber, VaultId};

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::sqlite::SqliteStore;

mod mailboxes;

const EPOCH: RelayEpoch = RelayEpoch([7; 16]);
const VAULT: VaultId = VaultId([1; 32]);
const ADDED: Digest = Digest([0xad; 32]);
const PHONE: DeviceId = DeviceId([1; 16]);
const LAPTOP: DeviceId = DeviceId([2; 16]);
const ROOM: Room = Room { vault_bytes_max: 64 << 20, vaults_max: 3, mailbox_messages_max: 3 };

/// Runs the claim on every store.
async fn check(room: Room, claim: impl AsyncFn(&dyn Store)) {
    claim(&MemoryStore::new(EPOCH, room)).await;
    let dir = tempfile::tempdir().unwrap();
    claim(&SqliteStore::open(dir.path(), EPOCH, room).unwrap()).await;
}

fn seen(device: DeviceId, roster: u64) -> Seen {
    Seen { vault: VAULT, device, roster: RosterNumber(roster), alone: false }
}

fn roster_plan(vault: VaultId, after: Option<u64>, entries: &[&[u8]]) -> RosterPlan {
    let entries = entries.iter().map(|entry| entry.to_vec()).collect();
    RosterPlan { vault, after: after.map(RosterNumber), entries, recovery: None }
}

async fn make_vault(store: &dyn Store) {
    let plan = roster_plan(VAULT, None, &[b"genesis", b"add"]);
    assert_eq!(store.extend_roster(plan).await, Ok(RosterOutcome::Stored));
}

fn offer(number: u64, previous: Digest, bytes: Vec<u8>) -> Offer {
    Offer { number: SegmentNumber(number), previous, digest: Digest::of(&bytes), bytes }
}

/// A chain of envelopes of one device, each of `len` bytes.
fn chain(device: DeviceId, count: u64, len: usize) -> Vec<Offer> {
    let mut previous = ADDED;
    let link = |number: u64| {
        let mut bytes = vec![device.0[0]; len];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let offer = offer(number, previous, bytes);
        previous = offer.digest;
        offer
    };
    (1..=count).map(link).collect()
}

async fn push(store: &dyn Store, device: DeviceId, offers: &[Offer]) -> Pushed {
    let offers: Arc<[_]> = offers.iter().cloned().map(Some).collect();
    let (member, beginning) = (seen(device, 1), ADDED);
    let plan = PushPlan { member, chain: device, beginning, offers, now_ms: 0 };
    let Ok(Judged::Done(pushed)) = store.push(plan).await else { panic!("not judged") };
    pushed
}

/// Where a list ends that these offers make.
fn place<'o>(offers: impl IntoIterator<Item = &'o Offer>) -> u64 {
    offers.into_iter().fold(Cursor(0), |place, offer| place.after(offer.digest)).0
}

fn pull_plan(device: DeviceId, epoch: RelayEpoch, cursor: u64) -> PullPlan {
    let member = seen(device, 1);
    PullPlan { member, chain: device, epoch: Some(epoch), cursor: Cursor(cursor) }
}

async fn pull(store: &dyn Store, device: DeviceId, epoch: RelayEpoch, cursor: u64) -> Pulled {
    let pulled = store.pull(pull_plan(device, epoch, cursor)).await;
    let Ok(Judged::Done(pulled)) = pulled else { panic!("not judged") };
    pulled
}

fn bytes_of(offers: &[Offer]) -> Vec<Vec<u8>> {
    offers.iter().map(|offer| offer.bytes.clone()).collect()
}

fn head(offer: &Offer) -> Head {
    Head { number: offer.number, digest: Some(offer.digest) }
}

#[tokio::test]
async fn a_chain_grows_only_at_its_end_and_never_changes() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let good = chain(PHONE, 5, 100);
        let [one, two, three, four, five] = &good[..] else { unreachable!() };
        let fork = |of: &Offer| offer(of.number.0, of.previous, vec![0xff; 50]);
        let of_other_chain = offer(3, Digest([9; 32]), vec![0xee; 50]);
        let unrooted = offer(1, Digest([9; 32]), vec![0xdd; 50]);
        for (case, offers, outcomes, last) in [
            ("unrooted first", vec![unrooted], vec![O::Refused], None),
            ("hole at the start", vec![two.clone()], vec![O::Gap], None),
            ("two", vec![one.clone(), two.clone()], vec![O::Stored, O::Stored], Some(two)),
            ("again", vec![one.clone(), two.clone()], vec![O::Duplicate; 2], Some(two)),
            ("other bytes", vec![fork(two), fork(one)], vec![O::Fork; 2], Some(two)),
            ("other chain", vec![of_other_chain], vec![O::Fork], Some(two)),
            (
                "overlap, new, hole",
                vec![two.clone(), three.clone(), five.clone()],
                vec![O::Duplicate, O::Stored, O::Gap],
                Some(three),
            ),
            ("last of all", vec![offer(u64::MAX, ADDED, vec![1])], vec![O::Gap], Some(three)),
            ("filled", vec![four.clone(), five.clone()], vec![O::Stored; 2], Some(five)),
            ("number 0", vec![offer(0, ADDED, vec![1])], vec![O::Fork], Some(five)),
        ] {
            let pushed = push(store, PHONE, &offers).await;
            assert_eq!(pushed.outcomes, outcomes, "{case}");
            assert_eq!(pushed.head, last.map(head).unwrap_or_default(), "{case}");
        }
        assert_eq!(pull(store, LAPTOP, EPOCH, 0).await.envelopes, bytes_of(&good));
    })
    .await;
}

#[tokio::test]
async fn a_refused_envelope_leaves_the_others_alone() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let good = chain(PHONE, 2, 100);
        let offers: Arc<[_]> = [None, Some(good[0].clone()), None, Some(good[1].clone())].into();
        let (member, beginning) = (seen(PHONE, 1), ADDED);
        let plan = PushPlan { member, chain: PHONE, beginning, offers, now_ms: 0 };
        let Ok(Judged::Done(pushed)) = store.push(plan).await else { panic!("not judged") };
        assert_eq!(pushed.outcomes, [O::Refused, O::Stored, O::Refused, O::Stored]);
    })
    .await;
}

#[tokio::test]
async fn a_device_pulls_what_others_sent_once_and_never_its_own() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let (phone, laptop) = (chain(PHONE, 3, 100), chain(LAPTOP, 2, 100));
        push(store, PHONE, &phone).await;
        push(store, LAPTOP, &laptop).await;
        let at = |count| place(phone.iter().chain(&laptop).take(count));
        for (device, cursor, news) in [
            (LAPTOP, 0, true),
            (LAPTOP, at(2), true),
            (LAPTOP, at(3), false),
            (PHONE, at(4), true),
            (PHONE, at(5), false),
            // A place of another list.
            (PHONE, at(5) - 1, true),
            (PHONE, at(5) + 1, true),
        ] {
            let plan = pull_plan(device, EPOCH, cursor);
            assert_eq!(store.has_news(plan).await, Ok(Judged::Done(news)), "{device} {cursor}");
            let other_life = PullPlan { epoch: Some(RelayEpoch([9; 16])), ..plan };
            assert_eq!(store.has_news(other_life).await, Ok(Judged::Done(true)));
        }
        let page = pull(store, PHONE, EPOCH, 0).await;
        assert_eq!(page.envelopes, bytes_of(&laptop));
        assert_eq!(page.head, head(&phone[2]));
        let end = place(phone.iter().chain(&laptop));
        assert_eq!((page.cursor, page.more), (Cursor(end), false));
        assert_eq!(pull(store, PHONE, EPOCH, end).await.envelopes, Vec::<Vec<u8>>::new());
        let first = place(&phone[..1]);
        assert_eq!(pull(store, LAPTOP, EPOCH, first).await.envelopes, bytes_of(&phone[1..]));
        // A third device without segments gets all, in the order of arrival.
        let all = pull(store, DeviceId([3; 16]), EPOCH, 0).await;
        assert_eq!(all.envelopes, [bytes_of(&phone), bytes_of(&laptop)].concat());
        assert_eq!(all.head, Head::default());
    })
    .await;
}

#[tokio::test]
async fn a_place_of_another_epoch_or_another_list_reads_from_the_beginning() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let phone = chain(PHONE, 3, 100);
        push(store, PHONE, &phone).await;
        let second = place(&phone[..2]);
        // A list that was set back and filled otherwise has none of the old one's places.
        let other = place(phone[..1].iter().chain(&chain(LAPTOP, 1, 100)));
        let cases = [(RelayEpoch([8; 16]), second), (EPOCH, other), (EPOCH, 2), (EPOCH, u64::MAX)];
        for (epoch, cursor) in cases {
            let page = pull(store, LAPTOP, epoch, cursor).await;
            assert_eq!(page.envelopes, bytes_of(&phone), "{epoch:?} {cursor}");
        }
        let first = PullPlan {
            member: seen(LAPTOP, 1),
            chain: LAPTOP,
            epoch: None,
            cursor: Cursor(second),
        };
        let Ok(Judged::Done(page)) = store.pull(first).await else { panic!("not judged") };
        assert_eq!(page.envelopes, bytes_of(&phone));
    })
    .await;
}

#[tokio::test]
async fn pages_are_bounded_and_together_hold_everything() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let mut sent = Vec::new();
        // Own segments lie between, so that the cursor must pass over them.
        let own = chain(LAPTOP, 2, 10);
        for (byte, count, len) in
            [(10, PAGE_SEGMENTS_MAX as u64 + 5, 10), (11, 3, PAGE_BYTES_MAX / 2), (12, 2, 3 << 20)]
        {
            let device = DeviceId([byte; 16]);
            let offers = chain(device, count, len);
            push(store, device, &offers).await;
            push(store, LAPTOP, &own).await;
            sent.extend(bytes_of(&offers));
        }
        let (mut got, mut cursor, mut pages) = (Vec::new(), 0, 0);
        loop {
            let page = pull(store, LAPTOP, EPOCH, cursor).await;
            let bytes: usize = page.envelopes.iter().map(Vec::len).sum();
            assert!(bytes <= PAGE_BYTES_MAX || page.envelopes.len() == 1, "{bytes} bytes");
            assert!(page.envelopes.len() <= PAGE_SEGMENTS_MAX);
            assert!(!page.more || !page.envelopes.is_empty());
            got.extend(page.envelopes);
            (cursor, pages) = (page.cursor.0, pages + 1);
            if !page.more {
                break;
            }
        }
        assert!(got == sent, "{} of {} envelopes in {pages} pages", got.len(), sent.len());
    })
    .await;
}

#[tokio::test]
async fn a_full_vault_takes_nothing_that_does_not_fit() {
    let room = Room { vault_bytes_max: 10 + 250, ..ROOM };
    check(room, async |store| {
        make_vault(store).await; // 10 bytes of roster
        let offers = chain(PHONE, 3, 100);
        let pushed = push(store, PHONE, &offers).await;
        assert_eq!(pushed.outcomes, [O::Stored, O::Stored, O::Quota]);
        assert_eq!(pushed.head, head(&offers[1]));
        assert_eq!(
            push(store, PHONE, &offers).await.outcomes,
            [O::Duplicate, O::Duplicate, O::Quota]
        );
        let small = offer(3, offers[1].digest, vec![0; 50]);
        assert_eq!(push(store, PHONE, &[small]).await.outcomes, [O::Stored]);
        let roster = roster_plan(VAULT, Some(1), &[b"x"]);
        assert_eq!(store.extend_roster(roster).await, Ok(RosterOutcome::Quota));
    })
    .await;
}

#[tokio::test]
async fn a_member_judged_by_an_older_roster_is_judged_anew() {
    check(ROOM, async |store| {
        let push_plan = |roster| {
            let offers = chain(PHONE, 1, 100).into_iter().map(Some).collect();
            let (member, beginning) = (seen(PHONE, roster), ADDED);
            PushPlan { member, chain: PHONE, beginning, offers, now_ms: 0 }
        };
        let pull_plan = |roster| PullPlan {
            member: seen(LAPTOP, roster),
            chain: LAPTOP,
            epoch: None,
            cursor: Cursor(0),
        };
        assert_eq!(store.push(push_plan(0)).await, Ok(Judged::Moved), "no such vault");
        assert_eq!(store.pull(pull_plan(0)).await, Ok(Judged::Moved), "no such vault");
        make_vault(store).await;
        for roster in [0, 2] {
            assert_eq!(store.push(push_plan(roster)).await, Ok(Judged::Moved), "{roster}");
            assert_eq!(store.pull(pull_plan(roster)).await, Ok(Judged::Moved), "{roster}");
        }
        assert_eq!(pull(store, LAPTOP, EPOCH, 0).await.envelopes, Vec::<Vec<u8>>::new());
    })
    .await;
}

#[tokio::test]
async fn a_roster_is_extended_only_where_it_ends() {
    check(ROOM, async |store| {
        let page = async |from| store.roster(VAULT, RosterNumber(from)).await.unwrap();
        assert_eq!(page(0).await, None);
        for (case, after, outcome) in [
            ("before genesis", Some(0), RosterOutcome::Moved),
            ("genesis", None, RosterOutcome::Stored),
            ("genesis again", None, RosterOutcome::Moved),
            ("next", Some(0), RosterOutcome::Stored),
            ("next again", Some(0), RosterOutcome::Moved),
            ("beyond", Some(2), RosterOutcome::Moved),
        ] {
            let plan = roster_plan(VAULT, after, &[case.as_bytes()]);
            assert_eq!(store.extend_roster(plan).await, Ok(outcome), "{case}");
        }
        let entries = vec![b"genesis".to_vec(), b"next".to_vec()];
        let last = RosterNumber(1);
        assert_eq!(page(0).await, Some(RosterPage { entries: entries.clone(), last }));
        assert_eq!(page(1).await, Some(RosterPage { entries: entries[1..].to_vec(), last }));
        assert_eq!(page(2).await, Some(RosterPage { entries: Vec::new(), last }));
        assert_eq!(page(u64::MAX).await, Some(RosterPage { entries: Vec::new(), last }));
    })
    .await;
}

#[tokio::test]
async fn a_long_roster_comes_in_pages() {
    check(ROOM, async |store| {
        let half = vec![5; ROSTER_PAGE_BYTES_MAX / 2];
        let plan = roster_plan(VAULT, None, &[&half, &half, &half]);
        assert_eq!(store.extend_roster(plan).await, Ok(RosterOutcome::Stored));
        let page = store.roster(VAULT, RosterNumber(0)).await.unwrap().unwrap();
        assert_eq!((page.entries.len(), page.last), (2, RosterNumber(2)));
    })
    .await;
}

#[tokio::test]
async fn vaults_are_bounded_in_number() {
    check(ROOM, async |store| {
        for (number, outcome) in [
            (1, RosterOutcome::Stored),
            (2, RosterOutcome::Stored),
            (3, RosterOutcome::Stored),
            (4, RosterOutcome::VaultsFull),
        ] {
            let plan = roster_plan(VaultId([number; 32]), None, &[b"genesis"]);
            assert_eq!(store.extend_roster(plan).await, Ok(outcome), "{number}");
        }
        let plan = roster_plan(VaultId([3; 32]), Some(0), &[b"next"]);
        assert_eq!(store.extend_roster(plan).await, Ok(RosterOutcome::Stored));
    })
    .await;
}

#[tokio::test]
async fn concurrent_writers_leave_no_hole_behind_a_cursor() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let devices: Vec<_> = (10..26).map(|byte| DeviceId([byte; 16])).collect();
        let chains: Vec<_> = devices.iter().map(|device| chain(*device, 20, 64)).collect();
        let (mut got, mut cursor) = (Vec::new(), 0);
        for step in 0..20 {
            // All devices' writes wait at once, so the writer commits them in groups.
            let pushes: Vec<_> = devices
                .iter()
                .zip(&chains)
                .map(|(device, chain)| {
                    let offers = chain[step..=step].iter().cloned().map(Some).collect();
                    store.push(PushPlan {
                        member: seen(*device, 1),
                        chain: *device,
                        beginning: ADDED,
                        offers,
                        now_ms: 0,
                    })
                })
                .collect();
            let page = pull(store, LAPTOP, EPOCH, cursor).await;
            cursor = page.cursor.0;
            got.extend(page.envelopes);
            for push in pushes {
                let Ok(Judged::Done(pushed)) = push.await else { panic!("not judged") };
                assert_eq!(pushed.outcomes, [O::Stored]);
            }
        }
        got.extend(pull(store, LAPTOP, EPOCH, cursor).await.envelopes);
        let mut sent: Vec<_> = chains.iter().flat_map(|chain| bytes_of(chain)).collect();
        got.sort();
        sent.sort();
        assert!(got == sent, "{} of {} envelopes", got.len(), sent.len());
    })
    .await;
}
