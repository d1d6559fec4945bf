//! What every store must do with checkpoints.

use std::sync::Arc;

use selkie_wire::checkpoint::{ChunkName, ManifestBody};
use selkie_wire::limits::LONE_CHECKPOINT_MS;
use selkie_wire::relay::{CheckpointSummary, CosignOutcome as C, ManifestOutcome as M};
use selkie_wire::{Covers, KeyId, Manifest};

use super::*;

type Chunk = (Digest, Vec<u8>);

fn chunk(byte: u8, len: usize) -> Chunk {
    let bytes = vec![byte; len];
    (Digest::of(&bytes), bytes)
}

async fn put_chunks(store: &dyn Store, device: DeviceId, chunks: &[Chunk]) -> Vec<O> {
    let chunks: Arc<[_]> = chunks.iter().cloned().map(Some).collect();
    let plan = PutChunksPlan { member: seen(device, 1), chunks };
    let Ok(Judged::Done(outcomes)) = store.put_chunks(plan).await else { panic!("not judged") };
    outcomes
}

fn covers(offers: &[&Offer]) -> Covers {
    let device = |offer: &&&Offer| DeviceId([offer.bytes[10]; 16]);
    offers.iter().map(|offer| (device(&offer), (offer.number, offer.digest))).collect()
}

/// A manifest; the store does not look at its signature.
fn manifest(author: DeviceId, covers: Covers, chunks: &[Chunk]) -> Arc<Manifest> {
    let name =
        |(digest, bytes): &Chunk| ChunkName { digest: *digest, size_bytes: bytes.len() as u32 };
    let body = ManifestBody {
        author,
        roster: RosterNumber(1),
        key_id: KeyId([3; 32]),
        covers,
        chunks: chunks.iter().map(name).collect(),
        sealed: vec![0; 40].into(),
    };
    let unsigned = Manifest::unsigned_bytes(VAULT, &body);
    Arc::new(Manifest::parse([&unsigned[..], &[0; 64]].concat()).unwrap())
}

async fn put(store: &dyn Store, manifest: &Arc<Manifest>, now_ms: u64, alone: bool) -> ManifestPut {
    let member = Seen { alone, ..seen(manifest.body().author, 1) };
    let (digest, manifest) = (manifest.digest(), Arc::clone(manifest));
    let plan = ManifestPlan { member, manifest, digest, now_ms };
    let Ok(Judged::Done(put)) = store.put_manifest(plan).await else { panic!("not judged") };
    put
}

async fn cosign(store: &dyn Store, device: DeviceId, digest: Digest) -> C {
    let plan = CosignPlan { member: seen(device, 1), digest, signature: vec![7; 64] };
    let Ok(Judged::Done(outcome)) = store.cosign(plan).await else { panic!("not judged") };
    outcome
}

async fn fetch(store: &dyn Store, digests: &[Digest]) -> Vec<Vec<u8>> {
    let plan = FetchPlan { member: seen(LAPTOP, 1), digests: digests.into() };
    let Ok(Judged::Done(chunks)) = store.chunks(plan).await else { panic!("not judged") };
    chunks
}

async fn summary(store: &dyn Store) -> CheckpointSummary {
    pull(store, LAPTOP, EPOCH, 0).await.checkpoints
}

#[tokio::test]
async fn what_a_cosigned_checkpoint_covers_is_pruned_and_the_chain_still_grows() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let (phone, laptop) = (chain(PHONE, 6, 100), chain(LAPTOP, 2, 100));
        push(store, PHONE, &phone[..5]).await;
        push(store, LAPTOP, &laptop).await;
        let chunks = [chunk(1, 300), chunk(2, 400)];
        assert_eq!(put_chunks(store, PHONE, &chunks).await, [O::Stored; 2]);
        assert_eq!(put_chunks(store, PHONE, &chunks).await, [O::Duplicate; 2]);
        let first = manifest(PHONE, covers(&[&phone[3], &laptop[1]]), &chunks);
        assert_eq!(put(store, &first, 0, false).await, M::Stored.into());
        assert_eq!(put(store, &first, 0, false).await, M::Duplicate.into());
        let waits = summary(store).await;
        assert_eq!((waits.settled, waits.candidate), (None, Some(first.digest())));
        assert_eq!((waits.log_bytes, waits.checkpoint_bytes), (100, first.size_bytes()));
        assert_eq!(cosign(store, PHONE, first.digest()).await, C::Refused, "by its author");
        assert_eq!(cosign(store, LAPTOP, Digest([9; 32])).await, C::Gone);
        assert_eq!(pull(store, LAPTOP, EPOCH, 0).await.envelopes.len(), 5, "nothing is pruned yet");
        assert_eq!(cosign(store, LAPTOP, first.digest()).await, C::Settled);
        assert_eq!(cosign(store, LAPTOP, first.digest()).await, C::Duplicate);
        let settled = summary(store).await;
        assert_eq!((settled.settled, settled.candidate), (Some(first.digest()), None));
        assert_eq!(settled.log_bytes, 100);
        let page = pull(store, LAPTOP, EPOCH, 0).await;
        assert_eq!((page.envelopes, page.head), (bytes_of(&phone[4..5]), head(&laptop[1])));
        // What is covered is here in another form; a second history of it is not.
        let fork = offer(4, phone[2].digest, vec![0xee; 50]);
        for (offers, outcomes) in [
            (
                phone[..].to_vec(),
                vec![
                    O::Duplicate,
                    O::Duplicate,
                    O::Duplicate,
                    O::Duplicate,
                    O::Duplicate,
                    O::Stored,
                ],
            ),
            (vec![fork], vec![O::Fork]),
        ] {
            assert_eq!(push(store, PHONE, &offers).await.outcomes, outcomes);
        }
        let next = offer(3, laptop[1].digest, vec![2; 30]);
        assert_eq!(push(store, LAPTOP, &[next]).await.outcomes, [O::Stored], "from its base");
        assert_eq!(pull(store, PHONE, EPOCH, 0).await.envelopes, [vec![2; 30]]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_must_fit_what_is_stored() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let phone = chain(PHONE, 4, 100);
        push(store, PHONE, &phone).await;
        let (here, absent) = (chunk(1, 300), chunk(2, 300));
        put_chunks(store, PHONE, std::slice::from_ref(&here)).await;
        let lacking = manifest(PHONE, covers(&[&phone[1]]), &[here.clone(), absent.clone()]);
        let missing = vec![absent.0];
        let outcome = ManifestPut { outcome: M::ChunksMissing, missing };
        assert_eq!(put(store, &lacking, 0, false).await, outcome);
        let wrong_size = (here.0, vec![0; 7]);
        let wrong = manifest(PHONE, covers(&[&phone[1]]), &[wrong_size]);
        assert_eq!(put(store, &wrong, 0, false).await.outcome, M::ChunksMissing);
        let false_digest: Covers = [(PHONE, (SegmentNumber(2), Digest([9; 32])))].into();
        let wrong = manifest(PHONE, false_digest, std::slice::from_ref(&here));
        assert_eq!(put(store, &wrong, 0, false).await, M::Refused.into());
        let good = manifest(LAPTOP, covers(&[&phone[2]]), std::slice::from_ref(&here));
        assert_eq!(put(store, &good, 0, false).await, M::Stored.into());
        assert_eq!(cosign(store, PHONE, good.digest()).await, C::Settled);
        let behind = manifest(PHONE, covers(&[&phone[1]]), std::slice::from_ref(&here));
        assert_eq!(
            put(store, &behind, 0, false).await,
            M::Behind.into(),
            "it would lose segment 3"
        );
        let further = manifest(PHONE, covers(&[&phone[3]]), &[here]);
        assert_eq!(put(store, &further, 0, false).await, M::Stored.into());
        assert_eq!(summary(store).await.settled, Some(good.digest()), "until it is co-signed");
    })
    .await;
}

#[tokio::test]
async fn chunks_that_no_manifest_names_are_dropped_and_all_of_it_counts_for_the_quota() {
    let room = Room { vault_bytes_max: 4000, ..ROOM };
    check(room, async |store| {
        make_vault(store).await; // 10 bytes of roster
        let phone = chain(PHONE, 8, 100);
        push(store, PHONE, &phone).await;
        let (old, both, new) = (chunk(1, 600), chunk(2, 600), chunk(3, 600));
        put_chunks(store, PHONE, &[old.clone(), both.clone()]).await;
        let first = manifest(PHONE, covers(&[&phone[3]]), &[old.clone(), both.clone()]);
        assert_eq!(put(store, &first, 0, false).await, M::Stored.into());
        assert_eq!(cosign(store, LAPTOP, first.digest()).await, C::Settled);
        put_chunks(store, LAPTOP, std::slice::from_ref(&new)).await;
        let second = manifest(LAPTOP, covers(&[&phone[7]]), &[both.clone(), new.clone()]);
        assert_eq!(put(store, &second, 0, false).await, M::Stored.into());
        let names = [old.0, both.0, new.0, Digest([9; 32])];
        let all = vec![old.1.clone(), both.1.clone(), new.1.clone(), Vec::new()];
        assert_eq!(fetch(store, &names).await, all, "both manifests count");
        assert_eq!(cosign(store, PHONE, second.digest()).await, C::Settled);
        let left = vec![Vec::new(), both.1.clone(), new.1.clone(), Vec::new()];
        assert_eq!(fetch(store, &names).await, left);
        // 10 of roster, 1200 of chunks, and one manifest are left: so much room there is again.
        let used = 10 + 1200 + second.bytes().len();
        assert_eq!(put_chunks(store, PHONE, &[chunk(4, 4001 - used)]).await, [O::Quota]);
        assert_eq!(put_chunks(store, PHONE, &[chunk(4, 4000 - used)]).await, [O::Stored]);
        let more = offer(9, phone[7].digest, vec![1; 20]);
        assert_eq!(push(store, PHONE, &[more]).await.outcomes, [O::Quota]);
    })
    .await;
}

#[tokio::test]
async fn a_lone_devices_checkpoint_counts_after_thirty_days() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let phone = chain(PHONE, 3, 100);
        push(store, PHONE, &phone).await;
        let lone = manifest(PHONE, covers(&[&phone[1]]), &[]);
        assert_eq!(put(store, &lone, 1000, true).await, M::Stored.into());
        for (alone, now_ms, settled) in [
            (true, 1000 + LONE_CHECKPOINT_MS - 1, false),
            (false, 1000 + LONE_CHECKPOINT_MS, false),
            (true, 1000 + LONE_CHECKPOINT_MS, true),
        ] {
            let member = Seen { alone, ..seen(PHONE, 1) };
            let plan =
                PushPlan { member, chain: PHONE, beginning: ADDED, offers: [].into(), now_ms };
            assert!(matches!(store.push(plan).await, Ok(Judged::Done(_))));
            assert_eq!(summary(store).await.settled.is_some(), settled, "{alone} {now_ms}");
        }
        assert_eq!(pull(store, LAPTOP, EPOCH, 0).await.envelopes, bytes_of(&phone[2..]));
    })
    .await;
}

#[tokio::test]
async fn after_a_wipe_a_chain_may_begin_where_a_checkpoint_ends() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let (phone, laptop) = (chain(PHONE, 6, 100), chain(LAPTOP, 3, 100));
        assert_eq!(push(store, PHONE, &phone[4..]).await.outcomes, [O::Gap, O::Gap]);
        let made = manifest(PHONE, covers(&[&phone[3], &laptop[1]]), &[]);
        assert_eq!(put(store, &made, 0, false).await, M::Stored.into());
        let off = offer(5, Digest([9; 32]), vec![1; 20]);
        assert_eq!(push(store, PHONE, &[off]).await.outcomes, [O::Gap], "of another history");
        assert_eq!(push(store, PHONE, &phone[4..]).await.outcomes, [O::Stored, O::Stored]);
        assert_eq!(push(store, PHONE, &phone).await.head, head(&phone[5]));
        // Who has all of its chain sends all of it: the candidate is nobody's word but its author's.
        assert_eq!(push(store, LAPTOP, &laptop).await.outcomes, [O::Stored; 3]);
        assert_eq!(pull(store, PHONE, EPOCH, 0).await.envelopes, bytes_of(&laptop));
        assert_eq!(cosign(store, LAPTOP, made.digest()).await, C::Settled);
        assert_eq!(pull(store, PHONE, EPOCH, 0).await.envelopes, bytes_of(&laptop[2..]));
        assert_eq!(pull(store, LAPTOP, EPOCH, 0).await.envelopes, bytes_of(&phone[4..]));
    })
    .await;
}

#[tokio::test]
async fn nothing_of_checkpoints_is_done_for_a_member_judged_by_an_older_roster() {
    check(ROOM, async |store| {
        make_vault(store).await;
        let (member, digest) = (seen(PHONE, 0), Digest([1; 32]));
        let chunks: Arc<[_]> = [Some(chunk(1, 10))].into();
        assert_eq!(store.put_chunks(PutChunksPlan { member, chunks }).await, Ok(Judged::Moved));
        let plan = FetchPlan { member, digests: [digest].into() };
        assert_eq!(store.chunks(plan).await, Ok(Judged::Moved));
        let made = manifest(PHONE, Covers::new(), &[]);
        let plan = ManifestPlan { member, digest: made.digest(), manifest: made, now_ms: 0 };
        assert_eq!(store.put_manifest(plan).await, Ok(Judged::Moved));
        assert_eq!(store.manifest(ManifestQuery { member, digest }).await, Ok(Judged::Moved));
        let plan = CosignPlan { member, digest, signature: Vec::new() };
        assert_eq!(store.cosign(plan).await, Ok(Judged::Moved));
    })
    .await;
}
