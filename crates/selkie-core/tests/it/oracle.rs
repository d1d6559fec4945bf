//! The state after any schedule is all writes less all named overwrites, and the test has teeth.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::{Change, Dot, Registers};
use selkie_core::merge::{
    CollectionPolicy, Context, DeadOnArrival, OnDelete, Policy, Replica, pack, unpack, view,
};
use selkie_core::record::{Path, RecordKey};

use crate::world::{Device, Random, typed};

/// What a replica does; the planted bugs are other implementations of it.
trait Merge {
    fn apply(replica: &mut Replica, change: Change);
    fn join(replica: &mut Replica, other: Replica);
}

struct Right;

impl Merge for Right {
    fn apply(replica: &mut Replica, change: Change) {
        replica.apply(change);
    }
    fn join(replica: &mut Replica, other: Replica) {
        replica.join(other);
    }
}

fn rebuild(replica: &mut Replica, change: impl FnOnce(&mut Context, &mut DeadOnArrival)) {
    let (records, mut context, mut dead) = std::mem::take(replica).into_parts();
    change(&mut context, &mut dead);
    *replica = Replica::from_parts(records, context, dead);
}

/// Planted bug: overwrites of what has not arrived are forgotten.
struct NoDead;

impl Merge for NoDead {
    fn apply(replica: &mut Replica, change: Change) {
        replica.apply(change);
        rebuild(replica, |_, dead| *dead = DeadOnArrival::default());
    }
    fn join(replica: &mut Replica, other: Replica) {
        replica.join(other);
        rebuild(replica, |_, dead| *dead = DeadOnArrival::default());
    }
}

/// Planted bug: a join takes what is missing for new, not for overwritten.
struct JoinIgnoresContext;

impl Merge for JoinIgnoresContext {
    fn apply(replica: &mut Replica, change: Change) {
        replica.apply(change);
    }
    fn join(replica: &mut Replica, mut other: Replica) {
        let mut joined = replica.context().clone();
        joined.join(other.context());
        rebuild(replica, |context, _| *context = Context::default());
        rebuild(&mut other, |context, _| *context = Context::default());
        replica.join(other);
        rebuild(replica, |context, _| *context = joined);
    }
}

/// Planted bug: the highest number seen stands for all before it.
struct ContextJumpsGaps;

impl Merge for ContextJumpsGaps {
    fn apply(replica: &mut Replica, change: Change) {
        let dot = change.dot;
        replica.apply(change);
        rebuild(replica, |context, _| {
            let mut vector = context.version_vector().clone();
            vector.advance(dot.device, dot.number.0);
            *context = Context::from_parts(vector, context.cloud().collect::<Vec<_>>());
        });
    }
    fn join(replica: &mut Replica, other: Replica) {
        replica.join(other);
    }
}

type Outcome = Result<(), &'static str>;

/// One random schedule: writes, deliveries out of order and doubled, checkpoints, direct joins.
fn run<M: Merge>(seed: u64) -> Outcome {
    let mut random = Random(seed);
    let policy = CollectionPolicy {
        default: [Policy::UserChoice, Policy::Timestamp, Policy::Merge, Policy::Priority]
            [random.below(4) as usize]
            .clone(),
        on_delete: [
            OnDelete::EditWins,
            OnDelete::DeleteWins,
            OnDelete::Timestamp,
            OnDelete::UserChoice,
        ][random.below(4) as usize],
        ..CollectionPolicy::default()
    };
    let count = 2 + random.below(3) as usize;
    let mut devices: Vec<_> =
        (0..count).map(|index| Device::new(index, 1_000 + random.below(500))).collect();
    // Some devices know the schema, some are older and do not.
    for device in &mut devices {
        if random.chance(70) {
            device.schema = typed();
        }
    }
    let mut log: Vec<Change> = Vec::new();
    let mut checkpoints: Vec<Replica> = Vec::new();
    for _ in 0..50 + random.below(50) {
        let at = random.below(count as u64) as usize;
        match random.below(20) {
            0..8 => log.extend(devices[at].write_randomly(&mut random, &policy)),
            8..15 if !log.is_empty() => {
                let change = log[random.below(log.len() as u64) as usize].clone();
                M::apply(&mut devices[at].replica, change);
            }
            15 | 16 => checkpoints.push(devices[at].replica.clone()),
            _ if !checkpoints.is_empty() => {
                let checkpoint =
                    checkpoints[random.below(checkpoints.len() as u64) as usize].clone();
                M::join(&mut devices[at].replica, checkpoint);
            }
            _ => {}
        }
    }
    for device in &mut devices {
        let mut rest = log.clone();
        while !rest.is_empty() {
            let change = rest.swap_remove(random.below(rest.len() as u64) as usize);
            M::apply(&mut device.replica, change);
        }
    }
    check(&devices, &log, &policy)
}

fn check(devices: &[Device], log: &[Change], policy: &CollectionPolicy) -> Outcome {
    let expected = oracle(log);
    for device in devices {
        let replica = &device.replica;
        if dots(replica) != expected {
            return Err("differs from all writes less all overwrites");
        }
        if !replica.dead().is_empty() || replica.context().cloud().next().is_some() {
            return Err("something still waits");
        }
        if replica.records() != devices[0].replica.records() {
            return Err("two devices differ");
        }
        for registers in replica.records().values() {
            check_view(registers, policy)?;
        }
    }
    Ok(())
}

fn check_view(registers: &Registers, policy: &CollectionPolicy) -> Outcome {
    let shown = view(registers, policy);
    let blob = pack(registers, shown.document.as_ref());
    let unpacked = unpack(&blob, shown.document.as_ref()).map_err(|_| "does not unpack")?;
    if unpacked != *registers {
        return Err("packing loses something");
    }
    if view(&unpacked, policy) != shown {
        return Err("the view is not a function of the registers");
    }
    Ok(())
}

type Dots = BTreeMap<(RecordKey, Path), BTreeSet<Dot>>;

fn dots(replica: &Replica) -> Dots {
    let mut all = Dots::new();
    for (key, registers) in replica.records() {
        for (path, siblings) in registers.iter() {
            let dots = siblings.iter().map(|sibling| sibling.dot).collect();
            all.insert((key.clone(), path.clone()), dots);
        }
    }
    all
}

/// All writes less all named overwrites, computed without any of the code under test.
fn oracle(log: &[Change]) -> Dots {
    let mut all = Dots::new();
    let mut overwritten = BTreeSet::new();
    for change in log {
        for record in &change.records {
            for operation in &record.operations {
                let place = (record.key.clone(), operation.path.clone());
                overwritten.extend(operation.overwrites.iter().map(|dot| (place.clone(), *dot)));
                if operation.written.is_some() {
                    all.entry(place).or_default().insert(change.dot);
                }
            }
        }
    }
    all.retain(|place, dots| {
        dots.retain(|dot| !overwritten.contains(&(place.clone(), *dot)));
        !dots.is_empty()
    });
    all
}

const RUNS: u64 = 2_000;

#[test]
fn any_schedule_ends_in_all_writes_less_all_overwrites() {
    for seed in 0..RUNS {
        assert_eq!(run::<Right>(seed), Ok(()), "seed {seed}");
    }
}

#[test]
fn planted_bugs_are_caught() {
    type Run = fn(u64) -> Outcome;
    let bugs: [(&str, Run); 3] = [
        ("no dead on arrival", run::<NoDead>),
        ("join ignores context", run::<JoinIgnoresContext>),
        ("context jumps gaps", run::<ContextJumpsGaps>),
    ];
    for (name, run) in bugs {
        let caught = (0..200).filter(|seed| run(*seed).is_err()).count();
        assert!(caught >= 100, "{name}: caught in {caught} of 200 runs");
    }
}

/// States as different devices hold them in the middle of a schedule.
fn random_states(seed: u64) -> [Replica; 3] {
    let mut random = Random(seed);
    let policy = CollectionPolicy::with_default(Policy::UserChoice);
    let mut devices: Vec<_> = (0..3).map(|index| Device::new(index, 1_000)).collect();
    let mut log: Vec<Change> = Vec::new();
    for _ in 0..30 {
        let at = random.below(3) as usize;
        if random.chance(40) || log.is_empty() {
            log.extend(devices[at].write_randomly(&mut random, &policy));
        } else {
            let change = log[random.below(log.len() as u64) as usize].clone();
            devices[at].replica.apply(change);
        }
    }
    let mut states = devices.into_iter().map(|device| device.replica);
    std::array::from_fn(|_| states.next().unwrap())
}

fn joined(a: &Replica, b: &Replica) -> Replica {
    let mut joined = a.clone();
    joined.join(b.clone());
    joined
}

#[test]
fn join_is_associative_commutative_and_idempotent() {
    for seed in 0..RUNS {
        let [a, b, c] = random_states(seed);
        assert_eq!(joined(&a, &b), joined(&b, &a), "commutative, seed {seed}");
        assert_eq!(
            joined(&joined(&a, &b), &c),
            joined(&a, &joined(&b, &c)),
            "associative, seed {seed}"
        );
        assert_eq!(joined(&a, &a), a, "idempotent, seed {seed}");
    }
}

#[test]
fn applying_is_joining_a_delta() {
    for seed in 0..RUNS {
        let [a, mut b, _] = random_states(seed);
        let mut random = Random(seed);
        let Some(change) = Device::write_randomly(
            &mut device_with(&mut b),
            &mut random,
            &CollectionPolicy::default(),
        ) else {
            continue;
        };
        let mut delta = Replica::default();
        delta.apply(change.clone());
        let mut applied = a.clone();
        applied.apply(change);
        assert_eq!(applied, joined(&a, &delta), "seed {seed}");
    }
}

/// A fresh device that has seen all that `replica` has.
fn device_with(replica: &mut Replica) -> Device {
    let mut device = Device::new(9, 2_000);
    device.replica = std::mem::take(replica);
    device
}
