//! What a run does about checkpoints, and what is left once all of a relay's list is here.

use selkie_wire::{Digest, SegmentNumber};

use super::{Engine, EngineError, REWINDS_MAX, Step};
use crate::sync::checkpoint::Standing;

impl Engine {
    /// What the relay's checkpoints ask for before the page is applied.
    pub(super) fn before_apply(&self) -> Step {
        self.checkpoints.settled_to_look_at().map_or(Step::Apply, Step::Look)
    }

    /// All that the relay's list has is here: what is left to do.
    pub(super) fn after_pull(&mut self) -> Result<(), EngineError> {
        let relay_is_behind = self.relay_roster.is_some_and(|theirs| theirs < self.known.roster);
        self.step = if relay_is_behind && !self.published {
            Step::Publish
        } else if let Some(candidate) = self.checkpoints.candidate_to_look_at() {
            Step::Look(candidate)
        } else if self.wants_push() && self.checkpoints.has_lost(self.known.acknowledged) {
            self.bridge()?
        } else if self.wants_push() {
            self.pushed_after_pull = true;
            Step::Push
        } else {
            self.at_the_end()
        };
        Ok(())
    }

    pub(super) fn at_the_end(&self) -> Step {
        if self.checkpoints.is_due() && !self.push_paused { Step::Make } else { Step::Done }
    }

    /// The relay lacks own segments that are not here any more: a checkpoint stands in for them.
    fn bridge(&mut self) -> Result<Step, EngineError> {
        if let Some(covered) = self.checkpoints.bridge() {
            self.known.acknowledged = covered;
            self.pushed_after_pull = true;
            return Ok(if self.wants_push() { Step::Push } else { self.at_the_end() });
        }
        if self.checkpoints.look_again() {
            let again =
                self.checkpoints.settled_to_look_at().or(self.checkpoints.candidate_to_look_at());
            if let Some(digest) = again {
                return Ok(Step::Look(digest));
            }
        }
        if self.checkpoints.supported() { Ok(Step::Make) } else { Err(EngineError::Lost) }
    }

    /// A manifest was judged.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn looked(&mut self, digest: Digest, standing: Standing) -> Result<(), EngineError> {
        self.checkpoints.looked(digest, &standing);
        if standing.behind && !standing.refused {
            self.step = Step::Join(digest);
            return Ok(());
        }
        if standing.may_cosign && !standing.refused {
            self.step = Step::Cosign(digest);
            return Ok(());
        }
        self.go_on()
    }

    /// The manifest, or a chunk of it, is not at the relay any more: another one took its place.
    ///
    /// # Errors
    /// [`EngineError::Inconsistent`] if that goes on.
    pub fn checkpoint_gone(&mut self, digest: Digest) -> Result<(), EngineError> {
        self.checkpoints.forget(digest);
        self.rewinds += 1;
        if self.rewinds > REWINDS_MAX {
            return Err(EngineError::Inconsistent);
        }
        self.step = Step::Pull;
        Ok(())
    }

    /// A checkpoint is joined; heads and context are those of both.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn checkpoint_applied(&mut self) -> Result<(), EngineError> {
        self.go_on()
    }

    /// A candidate was compared: `right` says whether it is what is here. If so, it was co-signed.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn cosigned(&mut self, digest: Digest, right: bool) -> Result<(), EngineError> {
        if !right {
            self.checkpoints.refuse(digest);
        }
        self.go_on()
    }

    fn go_on(&mut self) -> Result<(), EngineError> {
        if self.page_waits {
            self.step = self.before_apply();
            return Ok(());
        }
        self.after_pull()
    }

    /// A checkpoint was sent, covering own segments up to this one; `None` if that had to wait.
    ///
    /// # Errors
    /// [`EngineError::Lost`] if the relay cannot go on without it.
    pub fn checkpoint_made(
        &mut self,
        own_covered: Option<SegmentNumber>,
    ) -> Result<(), EngineError> {
        self.checkpoints.made(own_covered.unwrap_or_default());
        if self.pushed_after_pull || !self.wants_push() {
            self.step = Step::Done;
            return Ok(());
        }
        self.known.acknowledged = self.checkpoints.bridge().ok_or(EngineError::Lost)?;
        self.pushed_after_pull = true;
        self.step = if self.wants_push() { Step::Push } else { Step::Done };
        Ok(())
    }
}
