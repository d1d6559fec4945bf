//! When to look at, apply, co-sign and make checkpoints: the engine's side of them.

use selkie_wire::relay::CheckpointSummary;
use selkie_wire::{Digest, SegmentNumber};

/// What this device knows of checkpoints when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointsKnown {
    /// The settled checkpoint of this relay that was dealt with already.
    pub settled: Option<Digest>,
    /// The candidate that was dealt with already.
    pub candidate: Option<Digest>,
    /// The first own segment whose bytes are still here; the next number if there is none.
    pub retained_from: SegmentNumber,
    /// Below this much log no checkpoint is made.
    pub log_bytes_min: u64,
    /// Whether the vault has no other live member, so that nobody can co-sign.
    pub alone: bool,
}

impl Default for CheckpointsKnown {
    fn default() -> Self {
        Self {
            settled: None,
            candidate: None,
            retained_from: SegmentNumber(1),
            log_bytes_min: selkie_wire::limits::CHECKPOINT_LOG_BYTES_MIN,
            alone: false,
        }
    }
}

/// What a look at a manifest showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It covers segments that this device has not had.
    pub behind: bool,
    /// This device may co-sign it: another made it, nobody has co-signed it, and this one holds all of it.
    pub may_cosign: bool,
    /// It is not what it should be: as if it were not there.
    pub refused: bool,
    /// How far it covers this device's own chain, with the digests that this device knows.
    pub own_covered: SegmentNumber,
}

/// What a run has learned of a relay's checkpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    known: CheckpointsKnown,
    /// What the relay says; none if it has no checkpoints at all.
    summary: Option<CheckpointSummary>,
    /// Looked at in this run.
    looked: Vec<Digest>,
    own_covered: SegmentNumber,
    refused: Vec<Digest>,
    made: bool,
}

impl Checkpoints {
    pub(super) fn new(known: CheckpointsKnown) -> Self {
        Self { known, ..Self::default() }
    }

    pub(super) fn announced(&mut self, summary: Option<CheckpointSummary>) {
        self.summary = summary;
    }

    pub(super) fn supported(&self) -> bool {
        self.summary.is_some()
    }

    /// The settled checkpoint, before anything else is applied: what it covers is gone from the list.
    pub(super) fn settled_to_look_at(&self) -> Option<Digest> {
        let settled = self.summary?.settled?;
        (self.known.settled != Some(settled) && !self.looked.contains(&settled)).then_some(settled)
    }

    /// The candidate, once all is applied.
    pub(super) fn candidate_to_look_at(&self) -> Option<Digest> {
        let candidate = self.summary?.candidate?;
        let known = self.known.candidate == Some(candidate) || self.looked.contains(&candidate);
        (!known).then_some(candidate)
    }

    /// Both again, because this device's chain at the relay cannot be continued without them.
    pub(super) fn look_again(&mut self) -> bool {
        let forgotten = self.known.settled.is_some() || self.known.candidate.is_some();
        (self.known.settled, self.known.candidate) = (None, None);
        forgotten
    }

    pub(super) fn looked(&mut self, digest: Digest, standing: &Standing) {
        self.looked.push(digest);
        if standing.refused {
            self.refused.push(digest);
        } else {
            self.own_covered = self.own_covered.max(standing.own_covered);
        }
    }

    /// It is not there any more; if it should be there again, it is looked at again.
    pub(super) fn forget(&mut self, digest: Digest) {
        self.looked.retain(|known| *known != digest);
    }

    /// Co-signing showed that it is wrong.
    pub(super) fn refuse(&mut self, digest: Digest) {
        self.refused.push(digest);
    }

    pub(super) fn made(&mut self, own_covered: SegmentNumber) {
        self.made = true;
        self.own_covered = self.own_covered.max(own_covered);
    }

    /// Whether own segments after this one are missing here, so that a push cannot begin there.
    pub(super) fn has_lost(&self, after: SegmentNumber) -> bool {
        after.next().is_some_and(|next| next < self.known.retained_from)
    }

    /// Where a push can begin, if a checkpoint at the relay leads there.
    pub(super) fn bridge(&self) -> Option<SegmentNumber> {
        (!self.has_lost(self.own_covered)).then_some(self.own_covered)
    }

    /// Whether a checkpoint should be made now, for what it saves.
    pub(super) fn is_due(&self) -> bool {
        let Some(summary) = self.summary else { return false };
        if self.made {
            return false;
        }
        let refused = |digest: Option<Digest>| digest.is_some_and(|d| self.refused.contains(&d));
        let due = self.known.log_bytes_min.max(summary.checkpoint_bytes / 2);
        if refused(summary.candidate) || refused(summary.settled) {
            return true;
        }
        match summary.candidate {
            // Nobody can co-sign it, and the relay settles it by itself once it is old enough.
            Some(_) if self.known.alone => false,
            // It waits for another device; a newer one would only cost its upload.
            Some(_) => summary.log_bytes > due.saturating_mul(2),
            None => summary.log_bytes > due,
        }
    }
}
