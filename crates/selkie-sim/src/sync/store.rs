//! A device's storage: what one transaction of the real store changes, changes here in one step.
//!
//! The disk may stop before any step (see [`Fuse`]); what is in memory is then gone, and the store is
//! as its last step left it.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::{Change, ChangeNumber, Dot};
use selkie_core::clock::{Clock, Stamp};
use selkie_core::keys::DeviceSecrets;
use selkie_core::merge::Replica;
use selkie_core::seal::{ChangesOf, Heads, SealContext, SegmentBody, seal_segment};
use selkie_core::sync::{HoldReason, Position};
use selkie_wire::relay::Head;
use selkie_wire::{DeviceId, Digest, IncarnationToken, Incarnations, Roster, SegmentNumber};

use super::ledger::Ledger;
use super::template::template;
use crate::world::Random;

/// Segments kept sealed at most; few, so that a store often has no room for another.
pub const HELD_MAX: usize = 1;
/// Changes in a segment at most.
const SEGMENT_CHANGES_MAX: usize = 3;
/// Segments in a push at most.
const PUSH_MAX: usize = 2;

/// The device died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash;

/// The steps the disk will still make; none: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fuse(pub Option<u32>);

impl Fuse {
    /// Before each step.
    pub fn step(&mut self) -> Result<(), Crash> {
        match &mut self.0 {
            Some(0) => Err(Crash),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A sealed segment of the own chain.
#[derive(Clone, Debug)]
pub struct Segment {
    pub number: SegmentNumber,
    pub digest: Digest,
    pub bytes: Vec<u8>,
    pub body: SegmentBody,
}

/// A change of an earlier chain, to be sent again under its own name.
#[derive(Clone, Debug)]
pub struct Resend {
    pub of: Option<IncarnationToken>,
    pub number: u64,
    pub stamp: Stamp,
    pub bytes: Vec<u8>,
}

/// What is remembered of a relay.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayState {
    pub position: Position,
    pub acknowledged: SegmentNumber,
    pub read_anew_at: Option<u64>,
}

/// What lies beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainFile {
    pub incarnation: Option<IncarnationToken>,
    pub head: Head,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    /// Which device of the vault it is of.
    pub device: usize,
    /// Roster entries known.
    pub entries: usize,
    /// The merged state.
    pub replica: Replica,
    /// The clock's last stamp.
    pub clock: Clock,
    /// Which chain it writes.
    pub incarnation: Option<IncarnationToken>,
    /// Own changes made in that chain.
    pub changes: u64,
    /// Own changes that wait to be sealed.
    pub log: Vec<(u64, Stamp, Vec<u8>)>,
    pub(super) resend: Vec<Resend>,
    pub(super) segments: Vec<Segment>,
    pub(super) heads: Heads,
    /// Kept sealed.
    pub held: BTreeMap<(DeviceId, SegmentNumber, Digest), (HoldReason, Vec<u8>)>,
    /// The most that was held at a time.
    pub held_most: usize,
    pub(super) incarnations: Incarnations,
    pub(super) relays: BTreeMap<usize, RelayState>,
    /// The writes that have come in, by the ledger's numbers.
    pub known: BTreeSet<u64>,
}

impl Store {
    /// The store of a device that has just joined.
    #[must_use]
    pub fn new(device: usize) -> Self {
        Self {
            device,
            entries: template().joined[device],
            replica: Replica::default(),
            clock: Clock::new(Stamp::default()),
            incarnation: None,
            changes: 0,
            log: Vec::new(),
            resend: Vec::new(),
            segments: Vec::new(),
            heads: Heads::default(),
            held: BTreeMap::new(),
            held_most: 0,
            incarnations: Incarnations::default(),
            relays: BTreeMap::new(),
            known: BTreeSet::new(),
        }
    }

    pub(super) fn secrets(&self) -> &'static DeviceSecrets {
        &template().devices[self.device]
    }

    /// The device's id in the roster.
    #[must_use]
    pub fn member(&self) -> DeviceId {
        self.secrets().device_id()
    }

    pub(super) fn roster(&self) -> &'static Roster {
        &template().rosters[self.entries - 1]
    }

    /// The chain it writes.
    #[must_use]
    pub fn chain(&self) -> DeviceId {
        self.incarnation.map_or_else(|| self.member(), |token| self.secrets().incarnation_id(token))
    }

    pub(super) fn next_dot(&self) -> Dot {
        Dot { device: self.chain(), number: ChangeNumber(self.changes + 1) }
    }

    /// Whether anything waits to be sealed.
    #[must_use]
    pub fn has_unsealed(&self) -> bool {
        !self.log.is_empty() || !self.resend.is_empty()
    }

    pub(super) fn own_head(&self) -> Head {
        self.segments.last().map_or_else(Head::default, |last| Head {
            number: last.number,
            digest: Some(last.digest),
        })
    }

    pub(super) fn own_digest(&self, number: SegmentNumber) -> Option<Digest> {
        self.segments.iter().find(|segment| segment.number == number).map(|known| known.digest)
    }

    pub(super) fn chain_file(&self) -> ChainFile {
        ChainFile { incarnation: self.incarnation, head: self.own_head() }
    }

    /// Whether this database is the one that the file beside it speaks of, and no older one.
    pub(super) fn agrees_with(&self, file: Option<&ChainFile>) -> bool {
        file.is_some_and(|file| {
            let sealed = self.own_digest(file.head.number);
            file.incarnation == self.incarnation
                && file.head.number <= self.own_head().number
                && (sealed.is_none() || sealed == file.head.digest)
        })
    }

    /// One own write, as one transaction.
    pub fn write(&mut self, change: Change, acts: Vec<u64>, ledger: &mut Ledger) {
        let bytes = change.to_bytes();
        ledger.note_change(&bytes, acts.clone());
        self.changes += 1;
        self.log.push((self.changes, change.stamp, bytes));
        self.replica.apply(change);
        self.known.extend(acts);
    }

    /// Seals the next segment, as one transaction; `false` if nothing waits.
    pub(super) fn seal_next(&mut self, random: &mut Random, ledger: &mut Ledger) -> bool {
        let mut body = SegmentBody { heads: self.heads.clone(), ..SegmentBody::default() };
        let again = self.take_resend(&mut body);
        if again == 0 {
            for (number, stamp, bytes) in self.log.iter().take(SEGMENT_CHANGES_MAX) {
                if body.changes.is_empty() {
                    body.first_change = *number;
                }
                body.stamp = stamp.0;
                body.changes.push(bytes.clone());
            }
        }
        if body.changes.is_empty() {
            return false;
        }
        let head = self.own_head();
        let previous = match (head.digest, self.incarnation) {
            (Some(digest), _) => digest,
            (None, Some(token)) => Digest(token.0),
            (None, None) => self.roster().member(self.member()).expect("a member").added,
        };
        let context = SealContext {
            vault: self.roster().vault(),
            device: self.secrets(),
            incarnation: self.incarnation,
            number: head.number.next().expect("numbers do not run out"),
            previous,
            roster: self.roster().last(),
            epoch_key: template().epoch_keys(self.entries).last().expect("an epoch"),
            compress: true,
        };
        let envelope = seal_segment(&context, &body, random).expect("sealing works");
        ledger.note_segment(envelope.digest(), body.changes.iter());
        if again > 0 {
            self.resend.drain(..again);
        } else {
            self.log.drain(..body.changes.len());
        }
        self.segments.push(Segment {
            number: envelope.header().number,
            digest: envelope.digest(),
            bytes: envelope.into_bytes(),
            body,
        });
        true
    }

    /// Consecutive changes of one earlier chain; how many.
    fn take_resend(&self, body: &mut SegmentBody) -> usize {
        let Some(first) = self.resend.first() else { return 0 };
        body.first_change = first.number;
        body.changes_of = first.of.map_or(ChangesOf::Device, ChangesOf::Incarnation);
        let taken = (first.number..).zip(&self.resend).take(SEGMENT_CHANGES_MAX);
        let taken =
            taken.take_while(|(number, next)| next.of == first.of && next.number == *number);
        for (_, next) in taken {
            body.stamp = next.stamp.0;
            body.changes.push(next.bytes.clone());
        }
        body.changes.len()
    }

    /// Own segments after a number, as many as go into one push.
    pub(super) fn outgoing(&self, after: SegmentNumber) -> Vec<Segment> {
        self.segments.iter().filter(|one| one.number > after).take(PUSH_MAX).cloned().collect()
    }

    /// After a run: if something was missing or damaged, the relay's list is read from its beginning
    /// at the next run, and then once a day.
    pub(super) fn note_wholeness(
        &mut self,
        relay: usize,
        (whole, from_beginning): (bool, bool),
        now_ms: u64,
    ) {
        const READ_ANEW_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;
        let state = self.relays.entry(relay).or_default();
        if whole && from_beginning {
            state.read_anew_at = None;
        } else if whole && state.read_anew_at.is_none() {
            // Nothing was missing, and nothing is.
        } else if state.read_anew_at.unwrap_or(0) <= now_ms.saturating_sub(READ_ANEW_INTERVAL_MS) {
            state.position.cursor = selkie_wire::Cursor(0);
            state.read_anew_at = Some(now_ms);
        }
    }

    /// How many segments wait for others before them, or for a roster entry.
    pub(super) fn waiting(&self) -> usize {
        let waits = |reason: HoldReason| matches!(reason, HoldReason::Gap | HoldReason::Roster);
        self.held.values().filter(|(reason, _)| waits(*reason)).count()
    }
}
