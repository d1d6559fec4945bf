//! Joining a checkpoint, shard by shard and in any mixture with changes, ends where the changes alone do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use selkie_core::change::Change;
use selkie_core::merge::{CollectionPolicy, Context, DeadOnArrival, Replica};
use selkie_core::record::RecordKey;
use selkie_core::sync::{Action, CheckpointsKnown, Engine, EngineError, Known, Position, Standing};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{CheckpointSummary, Head, PullResponse};
use selkie_wire::{Cursor, Digest, RelayEpoch, SegmentNumber};
use serde_json::json;

use crate::world::{Device, Random};

fn key(n: u64) -> RecordKey {
    RecordKey::new("notes", n.to_string()).unwrap()
}

/// Writes at random, and what each device had when.
fn story(seed: u64) -> (Vec<Device>, Vec<Change>) {
    let mut random = Random(seed);
    let mut devices: Vec<_> = (0..3).map(|n| Device::new(n, 1000 * n as u64)).collect();
    let policy = CollectionPolicy::default();
    let mut changes: Vec<Change> = Vec::new();
    for _ in 0..40 {
        let at = random.below(3) as usize;
        if random.chance(30) {
            let upto = random.below(changes.len() as u64 + 1) as usize;
            for change in &changes[..upto] {
                devices[at].replica.apply(change.clone());
            }
        }
        let record = key(random.below(4));
        let made = if random.chance(20) {
            devices[at].delete(&record)
        } else {
            let field = ["a", "b"][random.below(2) as usize];
            devices[at].put(&record, &policy, json!({field: random.below(5)}))
        };
        changes.extend(made);
    }
    (devices, changes)
}

/// One shard of a state, with the whole context: what joining it may say of these records.
fn shard(state: &Replica, record: u64) -> Replica {
    let records: BTreeMap<_, _> = state
        .records()
        .iter()
        .filter(|(k, _)| **k == key(record))
        .map(|(k, r)| (k.clone(), r.clone()))
        .collect();
    Replica::from_parts(records, state.context().clone(), state.dead().clone())
}

/// Joins the records of a shard, and leaves context and dead as they were.
fn join_records(mine: &mut Replica, theirs: &Replica, record: u64) {
    let (mut all, context, dead) = std::mem::take(mine).into_parts();
    let own: BTreeMap<_, _> = all.remove_entry(&key(record)).into_iter().collect();
    let mut part = Replica::from_parts(own, context.clone(), dead.clone());
    part.join(shard(theirs, record));
    all.extend(part.into_parts().0);
    *mine = Replica::from_parts(all, context, dead);
}

/// The context and the dead of both, once all shards are joined.
fn finish(mine: &mut Replica, theirs: &Replica) {
    let (records, mut context, mut dead) = std::mem::take(mine).into_parts();
    context.join(theirs.context());
    let mut kept = DeadOnArrival::default();
    for (dot, k, path) in theirs.dead().iter() {
        dead.insert(dot, k.clone(), path.clone());
    }
    for (dot, k, path) in dead.iter() {
        if !context.contains(dot) {
            kept.insert(dot, k.clone(), path.clone());
        }
    }
    *mine = Replica::from_parts(records, context, kept);
}

fn all_of(changes: &[Change]) -> Replica {
    let mut replica = Replica::default();
    for change in changes {
        replica.apply(change.clone());
    }
    replica
}

proptest! {
    #[test]
    fn shard_by_shard_is_the_same_as_at_once(seed: u64) {
        let (devices, _) = story(seed);
        let (mut parts, mut whole) = (devices[0].replica.clone(), devices[0].replica.clone());
        for record in 0..4 {
            join_records(&mut parts, &devices[1].replica, record);
        }
        finish(&mut parts, &devices[1].replica);
        whole.join(devices[1].replica.clone());
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn a_checkpoint_given_up_half_way_does_not_disturb_what_the_changes_say(seed: u64) {
        let (devices, changes) = story(seed);
        let mut random = Random(seed ^ 1);
        let mut mine = devices[0].replica.clone();
        // Some shards of one checkpoint, some of another; neither is finished.
        for record in 0..4 {
            let from = 1 + random.below(2) as usize;
            if random.chance(60) {
                join_records(&mut mine, &devices[from].replica, record);
            }
        }
        let mut order: Vec<_> = changes.iter().collect();
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        for change in order {
            mine.apply(change.clone());
        }
        prop_assert_eq!(mine, all_of(&changes));
    }

    #[test]
    fn a_checkpoint_joined_anew_after_changes_in_between_converges(seed: u64) {
        let (devices, changes) = story(seed);
        let mut random = Random(seed ^ 2);
        let mut mine = devices[0].replica.clone();
        for record in 0..2 {
            join_records(&mut mine, &devices[1].replica, record);
        }
        for change in &changes {
            if random.chance(50) {
                mine.apply(change.clone());
            }
        }
        for record in 0..4 {
            join_records(&mut mine, &devices[1].replica, record);
        }
        finish(&mut mine, &devices[1].replica);
        for change in &changes {
            mine.apply(change.clone());
        }
        prop_assert_eq!(mine, all_of(&changes));
    }

    #[test]
    fn what_only_this_device_has_written_survives_any_checkpoint(seed: u64) {
        let (mut devices, _) = story(seed);
        let theirs = devices[1].replica.clone();
        let own = devices[0].put(&key(9), &CollectionPolicy::default(), json!({"own": true}));
        prop_assert!(!theirs.context().contains(own.unwrap().dot));
        let mut mine = devices[0].replica.clone();
        mine.join(theirs);
        prop_assert_eq!(mine.registers(&key(9)), devices[0].replica.registers(&key(9)));
    }

    #[test]
    fn who_has_all_of_a_checkpoint_is_not_changed_by_it(seed: u64) {
        let (devices, changes) = story(seed);
        let mut mine = all_of(&changes);
        let before = mine.clone();
        mine.join(devices[2].replica.clone());
        prop_assert_eq!(mine, before);
    }
}

const EPOCH: RelayEpoch = RelayEpoch([1; 16]);

fn known(acknowledged: u64, own: u64, checkpoints: CheckpointsKnown) -> Known {
    let digest = (own > 0).then_some(Digest([7; 32]));
    Known {
        position: Position::default(),
        acknowledged: SegmentNumber(acknowledged),
        own: Head { number: SegmentNumber(own), digest },
        unsealed: false,
        incarnation: None,
        roster: RosterNumber(1),
        checkpoints,
    }
}

fn page(head: u64, summary: CheckpointSummary) -> PullResponse {
    let digest = (head > 0).then_some(Digest([7; 32]));
    PullResponse {
        epoch: EPOCH,
        envelopes: Vec::new(),
        cursor: Cursor(1),
        more: false,
        head: Head { number: SegmentNumber(head), digest },
        roster: RosterNumber(1),
        checkpoints: Some(summary),
    }
}

fn pulled(engine: &mut Engine, own: u64, page: &PullResponse) {
    let head = Head { number: SegmentNumber(own), digest: (own > 0).then_some(Digest([7; 32])) };
    engine.pulled(page, head, |_| Some(Digest([7; 32]))).unwrap();
}

const ONE: Digest = Digest([1; 32]);
const TWO: Digest = Digest([2; 32]);

#[test]
fn what_is_gone_from_the_list_is_taken_from_the_checkpoint_before_the_page() {
    let summary = CheckpointSummary {
        settled: Some(ONE),
        candidate: Some(TWO),
        log_bytes: 10,
        checkpoint_bytes: 100,
    };
    let mut engine = Engine::new(known(0, 0, CheckpointsKnown::default()));
    pulled(&mut engine, 0, &page(0, summary));
    assert_eq!(engine.next(), Action::LookAtCheckpoint(ONE));
    engine.looked(ONE, Standing { behind: true, ..Standing::default() }).unwrap();
    assert_eq!(engine.next(), Action::ApplyCheckpoint(ONE));
    engine.checkpoint_gone(ONE).unwrap();
    assert!(matches!(engine.next(), Action::Pull(_)), "another took its place");
    pulled(&mut engine, 0, &page(0, summary));
    assert_eq!(engine.next(), Action::LookAtCheckpoint(ONE), "or it is there again");
    engine.looked(ONE, Standing { behind: true, ..Standing::default() }).unwrap();
    engine.checkpoint_applied().unwrap();
    assert!(matches!(engine.next(), Action::Apply(_)));
    engine.applied().unwrap();
    assert_eq!(engine.next(), Action::LookAtCheckpoint(TWO));
    engine.looked(TWO, Standing { may_cosign: true, ..Standing::default() }).unwrap();
    assert_eq!(engine.next(), Action::Cosign(TWO));
    engine.cosigned(TWO, true).unwrap();
    assert_eq!(engine.next(), Action::Done);
}

#[test]
fn a_checkpoint_is_made_when_the_log_outgrows_it() {
    let least = CheckpointsKnown { log_bytes_min: 1000, ..CheckpointsKnown::default() };
    let alone = CheckpointsKnown { alone: true, ..least };
    for (case, known_of, settled, candidate, log_bytes, checkpoint_bytes, due) in [
        ("nothing yet", least, false, false, 1001, 0, true),
        ("little log", least, false, false, 1000, 0, false),
        ("half of it", least, true, false, 5001, 10_000, true),
        ("less", least, true, false, 5000, 10_000, false),
        ("one waits", least, true, true, 5001, 10_000, false),
        ("one waits for long", least, true, true, 10_001, 10_000, true),
        ("nobody to wait for", alone, false, true, 1 << 30, 10, false),
    ] {
        let (settled, candidate) = (settled.then_some(ONE), candidate.then_some(TWO));
        let looked = CheckpointsKnown { settled, candidate, ..known_of };
        let mut engine = Engine::new(known(0, 0, looked));
        let summary = CheckpointSummary { settled, candidate, log_bytes, checkpoint_bytes };
        pulled(&mut engine, 0, &page(0, summary));
        engine.applied().unwrap();
        let next = if due { Action::MakeCheckpoint } else { Action::Done };
        assert_eq!(engine.next(), next, "{case}");
        if due {
            engine.checkpoint_made(None).unwrap();
            assert_eq!(engine.next(), Action::Done, "{case}: once a run");
        }
    }
}

#[test]
fn a_relay_without_the_beginning_of_a_chain_gets_a_bridge() {
    // Segments 1 to 5 are not kept any more; 6 and 7 are.
    let kept = CheckpointsKnown { retained_from: SegmentNumber(6), ..CheckpointsKnown::default() };
    let empty = CheckpointSummary::default();
    let mut engine = Engine::new(known(0, 7, kept));
    assert!(matches!(engine.next(), Action::Pull(_)), "a push could not begin");
    pulled(&mut engine, 7, &page(0, empty));
    engine.applied().unwrap();
    assert_eq!(engine.next(), Action::MakeCheckpoint);
    engine.checkpoint_made(Some(SegmentNumber(6))).unwrap();
    assert_eq!(engine.next(), Action::Push(SegmentNumber(6)));
    // Another device's checkpoint does as well, as soon as it reaches what is kept.
    for (covered, next) in [(5, Action::Push(SegmentNumber(5))), (4, Action::MakeCheckpoint)] {
        let mut engine = Engine::new(known(0, 7, kept));
        pulled(&mut engine, 7, &page(0, CheckpointSummary { candidate: Some(ONE), ..empty }));
        engine.applied().unwrap();
        assert_eq!(engine.next(), Action::LookAtCheckpoint(ONE));
        let own_covered = SegmentNumber(covered);
        engine.looked(ONE, Standing { own_covered, ..Standing::default() }).unwrap();
        assert_eq!(engine.next(), next, "{covered}");
    }
    // Where there are no checkpoints, that is said, and nothing is sent that makes no sense there.
    let mut engine = Engine::new(known(0, 7, kept));
    pulled(&mut engine, 7, &PullResponse { checkpoints: None, ..page(0, empty) });
    assert_eq!(engine.applied(), Err(EngineError::Lost));
}

#[test]
fn a_context_in_any_order_of_joins_is_one() {
    let parts = |vv: &[(u8, u64)]| {
        let devices = vv.iter().map(|(d, n)| (selkie_wire::DeviceId([*d; 16]), *n));
        Context::from_parts(devices.collect(), [])
    };
    let (one, two) = (parts(&[(1, 5), (2, 1)]), parts(&[(1, 3), (3, 9)]));
    let (mut there, mut back) = (one.clone(), two.clone());
    there.join(&two);
    back.join(&one);
    assert_eq!(there, back);
    assert_eq!(there, parts(&[(1, 5), (2, 1), (3, 9)]));
}
