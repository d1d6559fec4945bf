//! One schedule: a wild time, then everything delivered, then people and machines answering.

use std::collections::BTreeSet;

use selkie_core::change::{Change, Dot};
use selkie_core::merge::CollectionPolicy;
use selkie_core::record::{Path, RecordKey};
use selkie_wire::DeviceId;
use serde_json::{Map, Value};

use super::device::{Device, Held, map_of};
use super::documents::{document, typed_schema, wild_fields, wild_record};
use super::ledger::{AnswerApplied, Ledger, Put};
use super::policies;
use super::random::Random;
use super::rules::Rules;

/// A year.
pub(super) const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// A world, and all that happened in it.
pub struct World<'r> {
    /// What its devices run.
    pub rules: &'r dyn Rules,
    /// Where its chance comes from.
    pub random: Random,
    /// The collection's policy.
    pub policy: CollectionPolicy,
    /// Its devices.
    pub devices: Vec<Device>,
    /// Every change made.
    pub log: Vec<Change>,
    /// What was done.
    pub ledger: Ledger,
    /// States as they were in the middle of the wild time.
    pub samples: Vec<Held>,
    /// What everyone held after people and machines had answered independently.
    pub answered: Held,
    /// The world's time.
    pub now_ms: u64,
    pub(super) screens: Vec<(RecordKey, selkie_core::merge::Conflict)>,
    backups: Vec<Held>,
    incarnations: u8,
}

impl<'r> World<'r> {
    /// Runs the schedule of a seed.
    #[must_use]
    pub fn run(seed: u64, rules: &'r dyn Rules) -> Self {
        let mut world = Self::begin(seed, rules);
        for _ in 0..30 + world.random.below(50) {
            world.now_ms += world.random.below(20);
            world.step();
        }
        world.deliver_all();
        world.answer_independently();
        world.deliver_all();
        world.answered = world.devices[0].held.clone();
        world.all_machines_settle();
        world.deliver_all();
        world
    }

    fn begin(seed: u64, rules: &'r dyn Rules) -> Self {
        let mut random = Random::new(seed);
        let policy = policies::any(&mut random);
        let count = 2 + random.below(3) as u8;
        let mut devices: Vec<Device> =
            (1..=count).map(|number| Device::new(number, policy.clone())).collect();
        for (index, device) in devices.iter_mut().enumerate() {
            device.ahead_ms = random.below(200);
            // The first knows everything, so that someone can write every type.
            if index == 0 || random.chance(60) {
                device.schema = typed_schema();
            }
            if index > 0 && random.chance(25) {
                device.policy = policies::as_an_older_app_reads(&policy);
            }
            device.newer = random.chance(25);
        }
        if random.chance(30) {
            devices[usize::from(count) - 1].ahead_ms = YEAR_MS;
        }
        Self {
            rules,
            random,
            policy,
            devices,
            log: Vec::new(),
            ledger: Ledger::default(),
            samples: Vec::new(),
            answered: Held::default(),
            now_ms: 50 * YEAR_MS,
            screens: Vec::new(),
            backups: Vec::new(),
            incarnations: count,
        }
    }

    fn step(&mut self) {
        let at = self.random.place(self.devices.len());
        match self.random.below(32) {
            0..5 => self.write_wild(at),
            5..12 => self.write_typed(at),
            12 if self.devices[at].newer => self.write_unknown(at),
            13..16 => self.a_person_answers(at),
            16 => self.a_callback_answers(at),
            17..26 if !self.log.is_empty() => {
                let change = self.random.pick(&self.log).clone();
                self.deliver(at, change);
            }
            26 => self.backups.push(self.devices[at].held.clone()),
            27 | 28 => {
                let from = self.random.place(self.devices.len());
                let held = self.devices[from].held.clone();
                self.devices[at].held.join(self.rules, held);
            }
            29 | 30 if !self.backups.is_empty() => {
                let held = self.random.pick(&self.backups).clone();
                self.devices[at].held.join(self.rules, held);
            }
            31 if !self.backups.is_empty() && self.random.chance(40) => {
                let held = self.random.pick(&self.backups).clone();
                self.incarnations += 1;
                self.devices[at].restore(held, DeviceId([self.incarnations; 16]));
            }
            _ => self.samples.push(self.devices[at].held.clone()),
        }
    }

    /// Hands a change to a device, and notes what an answer takes away there.
    fn deliver(&mut self, at: usize, change: Change) {
        let device = &mut self.devices[at];
        let news = !device.held.known.contains(&change.dot);
        let answer = self.ledger.answer(change.dot).filter(|_| news);
        let Some(answer) = answer else {
            device.receive(self.rules, change, self.now_ms);
            return;
        };
        let (dot, key) = (answer.dot, answer.key.clone());
        let before = siblings(&device.held, &key);
        device.receive(self.rules, change, self.now_ms);
        let after = siblings(&device.held, &key);
        self.ledger.applied.push(AnswerApplied { dot, before, after });
    }

    /// Every device gets what it lacks, each in an order of its own, with some changes twice.
    fn deliver_all(&mut self) {
        for at in 0..self.devices.len() {
            let mut rest: Vec<usize> = (0..self.log.len())
                .filter(|index| {
                    let known = self.devices[at].held.known.contains(&self.log[*index].dot);
                    !known || self.random.chance(5)
                })
                .collect();
            while !rest.is_empty() {
                let index = rest.swap_remove(self.random.place(rest.len()));
                self.deliver(at, self.log[index].clone());
            }
        }
    }

    fn write_wild(&mut self, at: usize) {
        let key = wild_record(&mut self.random);
        match self.random.below(8) {
            0 => {
                let device = &mut self.devices[at];
                let operations = self.rules.delete(&device.registers(&key));
                let change = device.write(self.rules, &key, operations, self.now_ms);
                self.log.extend(change);
            }
            1 => {
                self.put(at, &key, Map::new());
            }
            _ => {
                let shown = self.devices[at].view(self.rules, &key, self.now_ms);
                let mut map = map_of(&shown);
                map.extend(wild_fields(&mut self.random));
                self.put(at, &key, map);
            }
        }
    }

    /// Writes a document with a random priority and notes what its writer then sees.
    pub(super) fn put(
        &mut self,
        at: usize,
        key: &RecordKey,
        wanted: Map<String, Value>,
    ) -> Option<Change> {
        let wanted = document(wanted);
        let priority = self.random.below(3) as i32;
        let device = &mut self.devices[at];
        let shown = device.view(self.rules, key, self.now_ms);
        let (operations, delete_contested) =
            device.operations(self.rules, key, &shown, &wanted, priority);
        let change = device.write(self.rules, key, operations, self.now_ms)?;
        let shown = device.view(self.rules, key, self.now_ms).document;
        self.ledger.puts.push(Put {
            stamp: change.stamp,
            now_ms: self.now_ms,
            is_ahead: device.ahead_ms >= YEAR_MS,
            wanted,
            shown,
            delete_contested,
            list_writes: None,
        });
        self.log.push(change.clone());
        Some(change)
    }
}

/// The paths and dots of a record.
pub(super) fn siblings(held: &Held, key: &RecordKey) -> BTreeSet<(Path, Dot)> {
    let registers = held.replica.registers(key);
    let all = registers
        .iter()
        .flat_map(|(path, siblings)| siblings.iter().map(|known| (path.clone(), known.dot)));
    all.collect()
}
