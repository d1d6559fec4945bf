//! One run of sync with one relay, as a state machine.
//!
//! Push what is new, pull until nothing is left, and mend what the answers reveal: a relay that was
//! wiped, restored from a backup or replaced gets the roster and the retained segments again.

mod checkpoints;

use core::fmt;

use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{Head, PullRequest, PullResponse, PushOutcome, PushResponse};
use selkie_wire::{Cursor, Digest, IncarnationToken, RelayEpoch, SegmentNumber};

use super::checkpoint::{Checkpoints, CheckpointsKnown};

/// Where a relay's list was read to; stored in the transaction that applies what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The life of the relay's storage that the cursor belongs to.
    pub epoch: Option<RelayEpoch>,
    /// Read up to here.
    pub cursor: Cursor,
}

/// What this device knows when a run begins.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Where its last run with this relay stopped.
    pub position: Position,
    /// Its last own segment that this relay had.
    pub acknowledged: SegmentNumber,
    /// Which of its chains it writes; `None` for the one that has the device's own id.
    pub incarnation: Option<IncarnationToken>,
    /// Its own last sealed segment, and that segment's digest.
    pub own: Head,
    /// Whether changes wait to be sealed.
    pub unsealed: bool,
    /// Its last roster entry.
    pub roster: RosterNumber,
    /// Of checkpoints.
    pub checkpoints: CheckpointsKnown,
}

/// What the driver does next. Each action is answered by the method named at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the whole roster; creates the vault at the relay, or appends. → [`Engine::published`]
    PublishRoster,
    /// Fetch and apply roster entries from this number on. → [`Engine::roster_fetched`]
    FetchRoster(RosterNumber),
    /// Seal what waits and push own segments after this number. → [`Engine::pushed`]
    Push(SegmentNumber),
    /// Ask for what is new. → [`Engine::pulled`]
    Pull(PullRequest),
    /// Apply the pulled envelopes and store the position, in one transaction. → [`Engine::applied`]
    Apply(Position),
    /// Fetch a checkpoint's manifest and judge it. → [`Engine::looked`]
    LookAtCheckpoint(Digest),
    /// Fetch the chunks and join them. → [`Engine::checkpoint_applied`]
    ApplyCheckpoint(Digest),
    /// Compare it with what is here, and co-sign it if it is the same. → [`Engine::cosigned`]
    Cosign(Digest),
    /// Make a checkpoint. → [`Engine::checkpoint_made`]
    MakeCheckpoint,
    /// The run is complete.
    Done,
}

/// Why a run cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The relay has other bytes, or more segments, under this device's name than the device itself:
    /// its store was copied or restored from a backup.
    Fork,
    /// The relay does not let this device in, though it has the roster.
    Refused,
    /// The relay says one thing and its opposite; asking again would not end.
    Inconsistent,
    /// The relay lost what this device gave it and does not keep any more, and takes no checkpoint in
    /// its place now.
    Lost,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fork => {
                "the relay holds segments of this device that this store never made: the store was \
                 copied or restored from a backup"
            }
            Self::Refused => {
                "the relay does not let this device in: it was removed from the vault, or the relay \
                 is broken"
            }
            Self::Lost => {
                "the relay lost segments that are only in other devices' stores now; sync those \
                 with it, or use a relay that takes checkpoints"
            }
            Self::Inconsistent => "the relay contradicts itself",
        })
    }
}

impl core::error::Error for EngineError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Publish,
    Push,
    Pull,
    FetchRoster,
    Apply,
    Look(Digest),
    Join(Digest),
    Cosign(Digest),
    Make,
    Done,
}

/// A run of sync. The driver asks [`next`](Self::next), does it, and reports back.
///
/// ```
/// use selkie_core::sync::{Action, Engine, Known, Position};
/// use selkie_wire::{ids::RosterNumber, relay::Head, SegmentNumber};
/// let known = Known {
///     position: Position::default(),
///     acknowledged: SegmentNumber(0),
///     incarnation: None,
///     own: Head::default(),
///     unsealed: false,
///     roster: RosterNumber(2),
///     checkpoints: Default::default(),
/// };
/// assert!(matches!(Engine::new(known).next(), Action::Pull(_)), "nothing to push: one round");
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    known: Known,
    step: Step,
    pulled: Position,
    more: bool,
    relay_roster: Option<RosterNumber>,
    published: bool,
    push_paused: bool,
    parked: Option<SegmentNumber>,
    pushed_after_pull: bool,
    rewinds: u32,
    checkpoints: Checkpoints,
    /// Whether a page waits to be applied.
    page_waits: bool,
}

/// How often in a run a relay may say that it lost what it had.
const REWINDS_MAX: u32 = 3;

impl Engine {
    /// Begins a run.
    #[must_use]
    pub fn new(known: Known) -> Self {
        let checkpoints = Checkpoints::new(known.checkpoints);
        let push = (known.unsealed || known.acknowledged < known.own.number)
            && !checkpoints.has_lost(known.acknowledged);
        Self {
            known,
            step: if push { Step::Push } else { Step::Pull },
            pulled: known.position,
            more: false,
            relay_roster: None,
            published: false,
            push_paused: false,
            parked: None,
            pushed_after_pull: false,
            rewinds: 0,
            checkpoints,
            page_waits: false,
        }
    }

    /// What to do now.
    #[must_use]
    pub fn next(&self) -> Action {
        match self.step {
            Step::Publish => Action::PublishRoster,
            Step::Push => Action::Push(self.known.acknowledged),
            Step::Pull => Action::Pull(PullRequest {
                epoch: self.known.position.epoch,
                cursor: self.known.position.cursor,
                incarnation: self.known.incarnation,
            }),
            Step::FetchRoster => {
                Action::FetchRoster(RosterNumber(self.known.roster.0.saturating_add(1)))
            }
            Step::Apply => Action::Apply(self.pulled),
            Step::Look(digest) => Action::LookAtCheckpoint(digest),
            Step::Join(digest) => Action::ApplyCheckpoint(digest),
            Step::Cosign(digest) => Action::Cosign(digest),
            Step::Make => Action::MakeCheckpoint,
            Step::Done => Action::Done,
        }
    }

    /// This device's last segment that the relay is known to have.
    #[must_use]
    pub fn acknowledged(&self) -> SegmentNumber {
        self.known.acknowledged
    }

    /// The relay does not know the vault, or not this device: the roster may be missing there.
    ///
    /// # Errors
    /// [`EngineError::Refused`] if the roster was published in this run already.
    pub fn vault_unknown(&mut self) -> Result<(), EngineError> {
        if self.published {
            return Err(EngineError::Refused);
        }
        self.step = Step::Publish;
        Ok(())
    }

    /// The relay has the whole roster now; the run goes on where it left off.
    pub fn published(&mut self) {
        self.published = true;
        self.relay_roster = Some(self.known.roster);
        let lost = self.checkpoints.has_lost(self.known.acknowledged);
        self.step = if self.wants_push() && !lost { Step::Push } else { Step::Pull };
    }

    fn wants_push(&self) -> bool {
        !self.push_paused
            && (self.known.unsealed || self.known.acknowledged < self.known.own.number)
    }

    /// A push was answered, or there turned out to be nothing to push (`None`). `own` is this
    /// device's last sealed segment now; `sent` are the numbers pushed, in order.
    ///
    /// # Errors
    /// [`EngineError`]; nothing is lost, all segments are retained.
    pub fn pushed(
        &mut self,
        own: Head,
        sent: &[SegmentNumber],
        response: Option<&PushResponse>,
    ) -> Result<(), EngineError> {
        self.known.own = own;
        self.known.unsealed = false;
        let before = self.known.acknowledged;
        let Some(response) = response else {
            self.known.acknowledged = own.number;
            return self.after_push();
        };
        if response.outcomes.len() != sent.len() {
            return Err(EngineError::Inconsistent);
        }
        for (number, outcome) in sent.iter().zip(&response.outcomes) {
            match outcome {
                PushOutcome::Stored | PushOutcome::Duplicate => {
                    self.known.acknowledged = self.known.acknowledged.max(*number);
                }
                PushOutcome::Fork => return Err(EngineError::Fork),
                PushOutcome::Quota => {
                    self.push_paused = true;
                    break;
                }
                PushOutcome::Gap => {
                    // The relay lost what came before: begin again where it stands.
                    self.rewinds += 1;
                    if response.head.number >= before || self.rewinds > REWINDS_MAX {
                        return Err(EngineError::Inconsistent);
                    }
                    self.known.acknowledged = response.head.number;
                    if self.checkpoints.has_lost(response.head.number) {
                        // What comes next there is not here any more: a checkpoint must bridge it.
                        self.step = Step::Pull;
                    }
                    return Ok(());
                }
                // The relay may only lack the roster. If not, sending ends here, and receiving goes on.
                PushOutcome::Refused if !self.published => return self.vault_unknown(),
                PushOutcome::Refused => {
                    self.park(*number);
                    break;
                }
            }
        }
        if self.known.acknowledged == before && !self.push_paused {
            return Err(EngineError::Inconsistent);
        }
        self.after_push()
    }

    /// The relay will not take this segment now: nothing after it can be sent in this run, since each
    /// follows the one before. The run goes on with what it receives.
    pub fn park(&mut self, number: SegmentNumber) {
        self.parked = Some(number);
        self.push_paused = true;
        self.step = if self.pushed_after_pull { Step::Done } else { Step::Pull };
    }

    /// The own segment that the relay would not take.
    #[must_use]
    pub fn parked(&self) -> Option<SegmentNumber> {
        self.parked
    }

    fn after_push(&mut self) -> Result<(), EngineError> {
        self.step = match (self.wants_push(), self.pushed_after_pull) {
            (true, _) => Step::Push,
            (false, true) => self.at_the_end(),
            (false, false) => Step::Pull,
        };
        Ok(())
    }

    /// A pull was answered. `own` is this device's last sealed segment now: another process may have
    /// sealed and sent since this run began. `own_digest` finds the digest of an own segment.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn pulled(
        &mut self,
        response: &PullResponse,
        own: Head,
        own_digest: impl FnOnce(SegmentNumber) -> Option<Digest>,
    ) -> Result<(), EngineError> {
        self.known.own = own;
        self.checkpoints.announced(response.checkpoints);
        let asked = self.known.position;
        let same_epoch = asked.epoch == Some(response.epoch);
        let stands_still = same_epoch && response.cursor == asked.cursor;
        if response.more && (stands_still || response.envelopes.is_empty()) {
            return Err(EngineError::Inconsistent);
        }
        if same_epoch && response.cursor < asked.cursor {
            // It was set back, epoch and all, and gives its list from the beginning.
            self.rewinds += 1;
            if self.rewinds > REWINDS_MAX {
                return Err(EngineError::Inconsistent);
            }
        }
        let theirs = response.head;
        if theirs.number > self.known.own.number {
            return Err(EngineError::Fork);
        }
        if theirs.number.0 > 0 && theirs.digest != own_digest(theirs.number) {
            return Err(EngineError::Fork);
        }
        // Less than was acknowledged: the relay was wiped, restored or replaced. More: an answer to
        // an earlier push was lost on the way.
        self.known.acknowledged = theirs.number;
        self.pulled = Position { epoch: Some(response.epoch), cursor: response.cursor };
        self.relay_roster = Some(response.roster);
        self.more = response.more;
        let roster_is_new = response.roster > self.known.roster;
        self.page_waits = true;
        self.step = if roster_is_new { Step::FetchRoster } else { self.before_apply() };
        Ok(())
    }

    /// Roster entries were fetched and applied; `last` is the last one now.
    ///
    /// # Errors
    /// [`EngineError::Inconsistent`] if the relay announced more than it gave.
    pub fn roster_fetched(&mut self, last: RosterNumber) -> Result<(), EngineError> {
        if last <= self.known.roster {
            return Err(EngineError::Inconsistent);
        }
        self.known.roster = last;
        self.step = self.before_apply();
        Ok(())
    }

    /// The pulled page is applied, and the position stored with it.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn applied(&mut self) -> Result<(), EngineError> {
        self.known.position = self.pulled;
        self.page_waits = false;
        if self.more {
            self.step = Step::Pull;
            return Ok(());
        }
        self.after_pull()
    }
}
