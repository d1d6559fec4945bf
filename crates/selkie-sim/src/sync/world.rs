//! One schedule: a wild time with faults of every kind, then a calm in which all must come together.

use selkie_core::ports::RandomSource;
use selkie_wire::RelayEpoch;

use super::bugs::Bug;
use super::calm::Calm;
use super::driver::{Report, Run, Stop};
use super::ledger::Ledger;
use super::network::Network;
use super::relay::{Relay, State};
use super::store::{ChainFile, Fuse, HELD_MAX, Store};
use super::template::DEVICES;
use super::writes::write_something;
use crate::world::Random;

pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
/// Stores at the same time at most.
const STORES_MAX: usize = 5;

/// What may be lost in a world. Not everything at once: a segment whose only other keeper is gone is
/// gone with its relay, and no protocol brings it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// Relays are wiped, restored from backups and replaced; stores are copied.
    Relays,
    /// Devices are lost, copied, and restored from backups, which they notice.
    Stores,
    /// A store is put back as it was, in place, and does not notice; there is one relay, and no copy
    /// of the store that could have sent what it had not sealed yet.
    Unnoticed,
}

/// A device's storage, and what it has besides.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its database.
    pub store: Store,
    file: Option<ChainFile>,
    backups: Vec<(Store, Option<ChainFile>)>,
    wrong_ms: i64,
}

/// A world, and all that happened in it.
pub struct World {
    /// Its stores.
    pub devices: Vec<Device>,
    /// What was written.
    pub ledger: Ledger,
    /// What the end showed.
    pub calm: Calm,
    /// Bounds that were exceeded on the way.
    pub exceeded: Vec<String>,
    /// The steps, if they are told.
    pub steps: Vec<String>,
    /// Runs of sync.
    pub runs: u64,
    joined: usize,
    pub(super) relays: Vec<Relay>,
    pub(super) network: Network,
    pub(super) random: Random,
    pub(super) now_ms: u64,
    losses: Losses,
    bug: Option<Bug>,
    tells: bool,
}

impl World {
    /// Runs the schedule of a seed; `tells` keeps its steps for reading.
    #[must_use]
    pub fn run(seed: u64, bug: Option<Bug>, tells: bool) -> Self {
        let mut world = Self::begin(seed, bug, tells);
        for _ in 0..15 + world.random.below(30) {
            world.now_ms += world.random.below(20);
            world.step();
            world.check_bounds();
        }
        world.calm_down();
        world
    }

    fn begin(seed: u64, bug: Option<Bug>, tells: bool) -> Self {
        let mut random = Random::new(seed ^ 0x5e1c_1e00_0000_0000);
        let losses = *random.pick(&[Losses::Relays, Losses::Stores, Losses::Unnoticed]);
        let two = losses != Losses::Unnoticed && random.chance(40);
        let counts = bug == Some(Bug::CursorsCount);
        let relays = (0..1 + usize::from(two)).map(|_| Relay::new(epoch(&mut random), counts));
        let relays = relays.collect();
        let network = Network { faults_percent: *random.pick(&[0, 10, 30]), ..Network::default() };
        let mut world = Self {
            devices: Vec::new(),
            ledger: Ledger::default(),
            calm: Calm::default(),
            exceeded: Vec::new(),
            steps: Vec::new(),
            runs: 0,
            joined: 0,
            relays,
            network,
            random,
            now_ms: 50 * YEAR_MS,
            losses,
            bug,
            tells,
        };
        let relays = world.relays.len();
        world.tell(|| format!("losses of {losses:?}, {relays} relays"));
        world.join();
        world.join();
        world
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.tells {
            self.steps.push(what());
        }
    }

    fn step(&mut self) {
        let at = self.random.place(self.devices.len());
        match self.random.below(40) {
            0..14 => self.write(at),
            14..26 => self.sync(at, None),
            26..29 => {
                let steps = self.random.below(14) as u32;
                self.sync(at, Some(steps));
            }
            29 | 30 => {
                self.tell(|| "a late request arrives".to_owned());
                self.network.deliver_late(&mut self.relays, &mut self.random);
            }
            31 => self.cut_or_mend(at),
            32 => {
                let wrong = [0, 200, -1000, 10 * HOUR_MS as i64, YEAR_MS as i64];
                self.devices[at].wrong_ms = *self.random.pick(&wrong);
                self.now_ms += self.random.below(30) * HOUR_MS;
                self.tell(|| format!("clock jump at {at}"));
            }
            33 | 34 => {
                let device = &mut self.devices[at];
                device.backups.push((device.store.clone(), device.file));
                self.tell(|| format!("backup of {at}"));
            }
            35 | 36 => self.lose(at),
            37 => self.copy(at),
            38 => {
                let relay = self.random.place(self.relays.len());
                self.relays[relay].full = !self.relays[relay].full;
                self.tell(|| format!("relay {relay} is full, or is not any more"));
            }
            _ => self.join(),
        }
    }

    /// The next device of the vault joins: the first one adds it.
    fn join(&mut self) {
        let next = self.joined;
        let admin = self.devices.iter().any(|device| device.store.device == 0);
        if next >= DEVICES || self.devices.len() >= STORES_MAX || !(admin || next == 0) {
            return;
        }
        let store = Store::new(next);
        let entries = store.entries;
        if let Some(first) = self.devices.iter_mut().find(|device| device.store.device == 0) {
            if first.store.entries > entries {
                return;
            }
            first.store.entries = entries;
        }
        let file = Some(store.chain_file());
        self.joined += 1;
        self.devices.push(Device { store, file, backups: Vec::new(), wrong_ms: 0 });
        self.tell(|| format!("device {next} joins"));
    }

    fn wall_ms(&self, at: usize) -> u64 {
        self.now_ms.saturating_add_signed(self.devices[at].wrong_ms)
    }

    fn write(&mut self, at: usize) {
        let now_ms = self.wall_ms(at);
        let store = &mut self.devices[at].store;
        let told = write_something(store, &mut self.random, &mut self.ledger, now_ms);
        self.tell(|| format!("{at} writes {told}"));
    }

    fn cut_or_mend(&mut self, at: usize) {
        let link = (at, self.random.place(self.relays.len()));
        if self.network.cut.contains(&link) {
            self.network.cut.retain(|known| *known != link);
        } else {
            self.network.cut.push(link);
        }
        self.tell(|| format!("link {link:?} is cut, or mended"));
    }

    fn sync(&mut self, at: usize, fuse: Option<u32>) {
        let relay = self.random.place(self.relays.len());
        let (outcome, report) = self.sync_with(at, relay, fuse);
        self.tell(|| {
            format!("{at} syncs with {relay}, disk steps {fuse:?}: {outcome:?} {report:?}")
        });
    }

    /// One run of one store with one relay; a store that crashed is opened again.
    pub(super) fn sync_with(
        &mut self,
        at: usize,
        relay: usize,
        fuse: Option<u32>,
    ) -> (Result<(), Stop>, Report) {
        let now_ms = self.wall_ms(at);
        let Device { store, file, .. } = &mut self.devices[at];
        let mut run = Run {
            place: at,
            at: relay,
            store,
            file,
            relay: &mut self.relays[relay],
            network: &mut self.network,
            random: &mut self.random,
            ledger: &mut self.ledger,
            fuse: Fuse(fuse),
            now_ms,
            bug: self.bug,
            report: Report::default(),
            page: Vec::new(),
            empty_pages: 0,
            from_beginning: false,
        };
        let outcome = run.run();
        let report = run.report;
        self.runs += 1;
        if outcome == Err(Stop::Crash) {
            self.open(at);
        }
        if report.healed {
            // Set back once more behind that, it would give its writes new names a second time.
            self.devices[at].backups.clear();
        }
        let bound = 30 + 4 * self.relays[relay].state.stored.len() as u64;
        if report.requests > bound {
            self.exceeded.push(format!("a run made {} requests", report.requests));
        }
        (outcome, report)
    }

    fn open(&mut self, at: usize) {
        let Device { store, file, .. } = &mut self.devices[at];
        store.open(file, &mut self.random, self.bug);
    }

    /// Something is lost for good, of the kind that is lost in this world.
    fn lose(&mut self, at: usize) {
        match self.losses {
            Losses::Relays => self.lose_relay(),
            Losses::Stores => self.restore(at),
            Losses::Unnoticed => self.set_back(at),
        }
    }

    fn lose_relay(&mut self) {
        let at = self.random.place(self.relays.len());
        let (choice, epoch) = (self.random.below(4), epoch(&mut self.random));
        let relay = &mut self.relays[at];
        let what = match choice {
            0 => {
                relay.state = State::new(epoch, self.bug == Some(Bug::CursorsCount));
                "is wiped or replaced"
            }
            1 | 2 if !relay.backups.is_empty() => {
                relay.state = self.random.pick(&relay.backups).clone();
                // An operator who is asked to change it may forget it.
                if choice == 1 {
                    relay.state.epoch = epoch;
                    "is restored from a backup"
                } else {
                    "is set back, epoch and all"
                }
            }
            _ => {
                relay.backups.push(relay.state.clone());
                "is backed up"
            }
        };
        self.tell(|| format!("relay {at} {what}"));
    }

    /// A device is gone; a backup of it is put in its place, or nothing.
    fn restore(&mut self, at: usize) {
        let device = &mut self.devices[at];
        if device.backups.is_empty() {
            if self.devices.len() > 2 && self.random.chance(20) {
                self.devices.remove(at);
                self.network.cut.clear();
                self.tell(|| format!("device {at} is lost"));
            }
            return;
        }
        let (store, _) = self.random.pick(&device.backups).clone();
        device.store = store;
        // Written over in place with nothing sealed since, it would not notice; see `Losses`.
        if device.store.agrees_with(device.file.as_ref()) || self.random.chance(50) {
            device.file = None;
        }
        self.open(at);
        self.tell(|| format!("{at} is restored from a backup"));
    }

    fn set_back(&mut self, at: usize) {
        let device = &mut self.devices[at];
        if let Some((store, file)) = device.backups.pop() {
            (device.store, device.file) = (store, file);
            self.open(at);
            self.tell(|| format!("{at} is set back in place"));
        }
    }

    /// A second store comes of one; both go on.
    fn copy(&mut self, at: usize) {
        if self.losses == Losses::Unnoticed || self.devices.len() >= STORES_MAX {
            return;
        }
        let mut copy = self.devices[at].clone();
        copy.file = None;
        copy.backups.clear();
        self.devices.push(copy);
        self.open(self.devices.len() - 1);
        self.tell(|| format!("{at} is copied"));
    }

    pub(super) fn check_bounds(&mut self) {
        let held = self.devices.iter().map(|device| device.store.held_most).max().unwrap_or(0);
        if held > HELD_MAX {
            self.exceeded.push(format!("{held} segments are held"));
        }
    }
}

fn epoch(random: &mut Random) -> RelayEpoch {
    RelayEpoch(random.array().expect("the seed's randomness"))
}
