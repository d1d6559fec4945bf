//! The vault of every world: its keys and roster, made once, since they decide nothing here.

use std::sync::OnceLock;

use selkie_core::keys::roster::{add_device, create_vault, rotate};
use selkie_core::keys::{AdminKey, DeviceSecrets, EpochKey, RecoveryCode};
use selkie_core::ports::{RandomError, RandomSource};
use selkie_wire::{Roster, RosterEntry};

use crate::world::Random;

/// Devices a vault of these worlds has at most.
pub const DEVICES: usize = 4;

impl RandomSource for Random {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.fill_with(|| self.below(256) as u8);
        Ok(())
    }
}

/// A vault's whole history of members.
pub struct Template {
    /// Roster entries, genesis first.
    pub entries: Vec<Vec<u8>>,
    /// The roster after each entry.
    pub rosters: Vec<Roster>,
    /// The devices, in the order in which they join.
    pub devices: Vec<DeviceSecrets>,
    /// How many entries there are once a device has joined.
    pub joined: Vec<usize>,
    epochs: Vec<EpochKey>,
}

impl Template {
    /// The epoch keys known to whoever has so many roster entries.
    #[must_use]
    pub fn epoch_keys(&self, entries: usize) -> &[EpochKey] {
        let count = self.rosters[entries - 1].rotations().len();
        &self.epochs[..count]
    }
}

/// The one vault. A second epoch begins between the second and the third device.
pub fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(make)
}

fn make() -> Template {
    let mut random = Random::new(0x5e1c);
    let generate = |random: &mut Random| DeviceSecrets::generate(random).expect("randomness");
    let admin = AdminKey::generate(&mut random).expect("randomness");
    let code = RecoveryCode::generate(&mut random).expect("randomness");
    let devices: Vec<_> = (0..DEVICES).map(|_| generate(&mut random)).collect();
    let new = create_vault(&admin, &devices[0], &code, &mut random).expect("a vault");
    let (mut entries, mut roster) = (new.entries, new.roster);
    let (mut epochs, mut joined) = (vec![new.epoch_key], vec![entries.len()]);
    let apply = |roster: &mut Roster, entries: &mut Vec<Vec<u8>>, entry: Vec<u8>| {
        let parsed = RosterEntry::parse(entry.clone()).expect("an entry");
        roster.apply(&parsed).expect("an entry that follows");
        entries.push(entry);
    };
    for (place, device) in devices.iter().enumerate().skip(1) {
        if place == 2 {
            let current = epochs.last().expect("an epoch");
            let (entry, next) = rotate(&admin, &roster, current, &mut random).expect("a rotation");
            apply(&mut roster, &mut entries, entry);
            epochs.push(next);
        }
        let consent = device.sign_consent(roster.vault());
        let entry = add_device(&admin, &roster, device.public(), consent).expect("an addition");
        apply(&mut roster, &mut entries, entry);
        joined.push(entries.len());
    }
    let mut rosters = Vec::new();
    for count in 1..=entries.len() {
        rosters.push(Roster::from_entries(entries[..count].iter().cloned()).expect("a roster"));
    }
    Template { entries, rosters, devices, joined, epochs }
}
