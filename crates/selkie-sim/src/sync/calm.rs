//! The calm at the end of a schedule: nothing fails any more, and all must come together.

use std::collections::BTreeSet;

use super::driver::Report;
use super::receive::acts_of;
use super::world::{Device, HOUR_MS, World};

/// Rounds in which everything has to reach everyone once nothing fails any more.
const CALM_ROUNDS: usize = 4;

/// What the calm at the end showed.
#[derive(Clone, Debug, Default)]
pub struct Calm {
    /// Writes that were somewhere when it began.
    pub alive: BTreeSet<u64>,
    /// Runs that failed although nothing was in their way.
    pub failed: Vec<String>,
    /// Runs once all was said, that were not one request and an empty answer.
    pub restless: Vec<String>,
}

impl World {
    /// Everything works from now on; everyone syncs with every relay a few times.
    pub(super) fn calm_down(&mut self) {
        while self.network.deliver_late(&mut self.relays, &mut self.random) {}
        self.network.faults_percent = 0;
        self.network.cut.clear();
        self.relays.iter_mut().for_each(|relay| relay.full = false);
        self.calm.alive = self.alive();
        for round in 0..CALM_ROUNDS {
            // Long enough that what is read anew once a day is read anew.
            self.now_ms += 25 * HOUR_MS;
            for (at, relay) in self.pairs() {
                let (outcome, report) = self.sync_with(at, relay, None);
                self.tell(|| format!("calm {round}: {at} with {relay}: {outcome:?} {report:?}"));
                // In the first round somebody may still be the only one who has a roster entry.
                if let (Err(stop), 1..) = (outcome, round) {
                    self.calm.failed.push(format!("{at} with relay {relay}: {stop:?}"));
                }
            }
            self.check_bounds();
        }
        for (at, relay) in self.pairs() {
            let (_, Report { requests, pulled, pushed, .. }) = self.sync_with(at, relay, None);
            if (requests, pulled, pushed) != (1, 0, 0) {
                let what = format!("{requests} requests, {pulled} pulled, {pushed} pushed");
                self.calm.restless.push(format!("{at} with relay {relay}: {what}"));
            }
        }
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let relays = self.relays.len();
        (0..self.devices.len()).flat_map(|at| (0..relays).map(move |relay| (at, relay))).collect()
    }

    /// The writes that some store or relay has.
    fn alive(&self) -> BTreeSet<u64> {
        let mut alive = BTreeSet::new();
        for Device { store, .. } in &self.devices {
            alive.extend(&store.known);
            for (_, bytes) in store.held.values() {
                alive.extend(acts_of(bytes, &self.ledger));
            }
        }
        for stored in self.relays.iter().flat_map(|relay| &relay.state.stored) {
            alive.extend(self.ledger.of_segment(stored.digest));
        }
        alive
    }
}
