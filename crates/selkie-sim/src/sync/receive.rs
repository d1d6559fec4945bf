//! A page of a relay, applied in one transaction with its position, as the real store does it.

use selkie_core::change::{Change, ChangeNumber};
use selkie_core::clock::Stamp;
use selkie_core::sync::{HoldReason, Inbox, Position, Verdict};
use selkie_wire::{DeviceId, Envelope, SegmentNumber};

use super::bugs::Bug;
use super::ledger::Ledger;
use super::store::{HELD_MAX, Store};
use super::template::template;

/// What a page did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applied {
    pub segments: usize,
    pub duplicates: usize,
    pub held: usize,
    pub refused: usize,
    /// There was no room to hold them.
    pub unkept: usize,
}

struct Opened {
    stamp: Stamp,
    changes: Vec<Change>,
}

impl Store {
    /// Applies envelopes, then whatever was held and can be opened now.
    pub(super) fn apply_page(
        &mut self,
        at: Option<(usize, Position)>,
        envelopes: Vec<Vec<u8>>,
        now_ms: u64,
        ledger: &Ledger,
        bug: Option<Bug>,
    ) -> Applied {
        let own = self.chain();
        let mut inbox = Inbox {
            roster: self.roster(),
            incarnations: core::mem::take(&mut self.incarnations),
            own,
            own_changes: ChangeNumber(self.changes),
            epoch_keys: template().epoch_keys(self.entries),
            heads: core::mem::take(&mut self.heads),
        };
        let mut applied = Applied::default();
        let mut opened = Vec::new();
        for bytes in envelopes {
            self.receive(&mut inbox, bytes, &mut applied, &mut opened, ledger, bug);
        }
        if bug != Some(Bug::HeldIsForgotten) {
            let waiting: Vec<DeviceId> = self.held.keys().map(|(device, ..)| *device).collect();
            for device in waiting {
                self.open_held(&mut inbox, device, &mut opened, ledger);
            }
            // What was held and then came once more in its order waits for nothing.
            let passed = |device: &DeviceId, number: SegmentNumber| {
                inbox.heads.get(device).is_some_and(|(head, _)| number <= *head)
            };
            self.held.retain(|(device, number, _), (reason, _)| {
                matches!(reason, HoldReason::Quarantine(_)) || !passed(device, *number)
            });
        }
        applied.segments = opened.len();
        (self.incarnations, self.heads) = (inbox.incarnations, inbox.heads);
        for Opened { stamp, changes } in opened {
            self.clock.observe(stamp, now_ms);
            for change in changes {
                self.replica.apply(change);
            }
        }
        if let Some((relay, position)) = at {
            self.relays.entry(relay).or_default().position = position;
        }
        applied
    }

    fn receive(
        &mut self,
        inbox: &mut Inbox<'_>,
        bytes: Vec<u8>,
        applied: &mut Applied,
        opened: &mut Vec<Opened>,
        ledger: &Ledger,
        bug: Option<Bug>,
    ) {
        let acts = acts_of(&bytes, ledger);
        let kept = bytes.clone();
        match inbox.receive(bytes) {
            Verdict::Opened { device, stamp, changes, .. } => {
                self.known.extend(acts);
                opened.push(Opened { stamp, changes });
                if bug != Some(Bug::HeldIsForgotten) {
                    self.open_held(inbox, device, opened, ledger);
                }
            }
            Verdict::Duplicate => applied.duplicates += 1,
            Verdict::Refused(_) => applied.refused += 1,
            Verdict::Held { device, number, digest, reason: HoldReason::Gap, bytes: _ }
                if bug == Some(Bug::GapsAreSkipped) =>
            {
                // As if what is before it did not matter.
                inbox.heads.insert(device, (number, digest));
            }
            Verdict::Held { device, number, digest, reason, .. } => {
                if self.held.len() < HELD_MAX || bug == Some(Bug::HeldWithoutBound) {
                    self.held.insert((device, number, digest), (reason, kept));
                    applied.held += 1;
                    self.held_most = self.held_most.max(self.held.len());
                } else {
                    applied.unkept += 1;
                }
            }
        }
    }

    /// Opens the held segments of a chain that follow its head now.
    fn open_held(
        &mut self,
        inbox: &mut Inbox<'_>,
        device: DeviceId,
        opened: &mut Vec<Opened>,
        ledger: &Ledger,
    ) {
        loop {
            let head = inbox.heads.get(&device).map_or(SegmentNumber(0), |(number, _)| *number);
            let Some(next) = head.next() else { return };
            let of =
                self.held.iter().filter(|((of, number, _), _)| (*of, *number) == (device, next));
            let candidates: Vec<Vec<u8>> = of.map(|(_, (_, bytes))| bytes.clone()).collect();
            let mut found = false;
            for bytes in candidates {
                let acts = acts_of(&bytes, ledger);
                if let Verdict::Opened { stamp, changes, .. } = inbox.receive(bytes) {
                    self.known.extend(acts);
                    opened.push(Opened { stamp, changes });
                    found = true;
                    break;
                }
            }
            if !found {
                return;
            }
            self.held.retain(|(of, number, _), (reason, _)| {
                *of != device || *number > next || matches!(reason, HoldReason::Quarantine(_))
            });
        }
    }
}

/// The writes that an envelope carries.
pub fn acts_of(bytes: &[u8], ledger: &Ledger) -> Vec<u64> {
    let envelope = Envelope::parse(bytes.to_vec());
    envelope.map_or_else(|_| Vec::new(), |known| ledger.of_segment(known.digest()).to_vec())
}
