//! What to make of an envelope that a relay, a folder or a package brings.

use core::fmt;

use selkie_wire::{
    DeviceId, Digest, Envelope, EnvelopeError, EnvelopeType, Header, Incarnations, Roster,
    SegmentNumber,
};

use crate::change::{Change, ChangeNumber, Dot};
use crate::clock::Stamp;
use crate::keys::EpochKey;
use crate::seal::{ChangesOf, Expected, Heads, OpenAction, OpenError, SegmentBody, open_segment};

/// The state that decides: who belongs to the vault, how far each chain was read, and the keys.
pub struct Inbox<'a> {
    /// The verified roster.
    pub roster: &'a Roster,
    /// The further chains known of its devices; [`receive`](Self::receive) adds those it learns.
    pub incarnations: Incarnations,
    /// The chain of this store; its segments are known.
    pub own: DeviceId,
    /// The last change of that chain that this store made.
    pub own_changes: ChangeNumber,
    /// The epoch keys at hand.
    pub epoch_keys: &'a [EpochKey],
    /// The last segment accepted of each chain; advanced by [`receive`](Self::receive).
    pub heads: Heads,
}

/// What an envelope turned out to be.
#[derive(Debug)]
pub enum Verdict {
    /// The next segment of its device: authentic, and to be applied.
    Opened {
        /// The chain it is of.
        device: DeviceId,
        /// Its sender's clock when it was sealed.
        stamp: Stamp,
        /// What its sender had seen of others by then.
        heads: Heads,
        /// Its changes, in order; a copy of a store sends those of an earlier chain again.
        changes: Vec<Change>,
    },
    /// Known already.
    Duplicate,
    /// Signed by a member, and not to be opened yet: to be kept sealed, and tried again.
    Held {
        /// Who sealed it.
        device: DeviceId,
        /// Its number.
        number: SegmentNumber,
        /// Its digest.
        digest: Digest,
        /// What it waits for.
        reason: HoldReason,
        /// The whole envelope.
        bytes: Vec<u8>,
    },
    /// Not from this vault, or not intact: nothing of it is kept.
    Refused(RefuseReason),
}

/// What a held segment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HoldReason {
    /// The segments before it.
    Gap,
    /// A roster entry, or an epoch key, that has not arrived.
    Roster,
    /// An update of the app.
    Update,
    /// Somebody who agrees that so much is deleted.
    MassDelete,
    /// A person: its device's chain has two histories, or it was sealed after its revocation, or its
    /// content is not what a member's app writes.
    Quarantine(OpenError),
}

/// Why an envelope was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefuseReason {
    /// Not an envelope.
    Structure(EnvelopeError),
    /// Another vault's, no segment, or not signed by the member it names.
    Foreign(OpenError),
}

impl HoldReason {
    /// Whether it shows that its device's chain has two histories.
    #[must_use]
    pub const fn is_second_history(self) -> bool {
        matches!(self, Self::Quarantine(OpenError::Previous | OpenError::Number { .. }))
    }

    /// A short name for storage and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Roster => "roster",
            Self::Update => "update",
            Self::MassDelete => "mass_delete",
            Self::Quarantine(_) => "quarantine",
        }
    }
}

impl fmt::Debug for Inbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("own", &self.own)
            .field("heads", &self.heads)
            .finish_non_exhaustive()
    }
}

impl Inbox<'_> {
    /// The last segment accepted of a chain, or where it begins.
    fn expected(&self, device: DeviceId) -> Option<Expected> {
        let (last, previous) = match self.heads.get(&device) {
            Some((number, digest)) => (*number, *digest),
            None => (SegmentNumber(0), self.incarnations.beginning(self.roster, device)?),
        };
        Some(Expected { number: last.next()?, previous })
    }

    /// Only what its member signed makes a chain known.
    fn learn_chain(&mut self, envelope: &Envelope) {
        let header = envelope.header();
        if self.incarnations.introduce(self.roster, header) && !self.is_signed(envelope) {
            self.incarnations.remove(header.device);
        }
    }

    /// Whether a member signed it, in a chain whose first segment has not come yet.
    fn is_of_an_unknown_chain(&self, envelope: &Envelope) -> bool {
        let header = envelope.header();
        let owner = self.incarnations.owner(self.roster, header.device);
        owner.is_none()
            && (header.envelope_type, header.vault) == (EnvelopeType::Segment, self.roster.vault())
            && self
                .roster
                .live_members()
                .any(|(_, member)| envelope.verify(&member.keys.signing_key).is_ok())
    }

    fn is_signed(&self, envelope: &Envelope) -> bool {
        let owner = self.incarnations.owner(self.roster, envelope.header().device);
        owner.is_some_and(|(_, member)| envelope.verify(&member.keys.signing_key).is_ok())
    }

    fn is_ahead_of_own(&self, dot: Dot) -> bool {
        dot.device == self.own && dot.number > self.own_changes
    }

    /// The changes of a body; `None` if this version cannot read one of them.
    fn decode(&self, header: &Header, body: &SegmentBody) -> Option<Vec<Change>> {
        let (member, sender) = self.incarnations.owner(self.roster, header.device)?;
        // Whatever chain is named, it is one of the sender's own: nobody speaks for another.
        let device = match body.changes_of {
            ChangesOf::Sender => header.device,
            ChangesOf::Device => member,
            ChangesOf::Incarnation(token) => sender.chain(Some(token)).0,
        };
        let numbered = (body.first_change..).zip(&body.changes);
        numbered
            .map(|(number, bytes)| {
                Change::from_bytes(Dot { device, number: ChangeNumber(number) }, bytes).ok()
            })
            .collect()
    }

    /// Judges one envelope; a segment that opens becomes its device's head.
    pub fn receive(&mut self, bytes: Vec<u8>) -> Verdict {
        let envelope = match Envelope::parse(bytes) {
            Ok(envelope) => envelope,
            Err(error) => return Verdict::Refused(RefuseReason::Structure(error)),
        };
        let header = envelope.header();
        let (device, number) = (header.device, header.number);
        if device == self.own {
            return Verdict::Duplicate;
        }
        self.learn_chain(&envelope);
        let digest = envelope.digest();
        if self.is_of_an_unknown_chain(&envelope) {
            let (reason, bytes) = (HoldReason::Gap, envelope.into_bytes());
            return Verdict::Held { device, number, digest, reason, bytes };
        }
        if self.heads.get(&device) == Some(&(number, digest)) {
            return Verdict::Duplicate;
        }
        // An unknown device is still judged, to tell a roster that lags from another vault.
        let first = Expected { number: SegmentNumber(1), previous: Digest([0; 32]) };
        let expected = self.expected(device).unwrap_or(first);
        let find = |key_id| {
            let vault = self.roster.vault();
            self.epoch_keys.iter().find(|key| key.derive_key_id(vault) == key_id)
        };
        match open_segment(&envelope, self.roster, &self.incarnations, expected, find) {
            Ok(body) => match self.decode(header, &body) {
                // A copy of this store has gone on where this one stands: once this one has noticed,
                // and writes another chain, they are another's changes.
                Some(changes) if changes.iter().any(|change| self.is_ahead_of_own(change.dot)) => {
                    let (reason, bytes) = (HoldReason::Gap, envelope.into_bytes());
                    Verdict::Held { device, number, digest, reason, bytes }
                }
                Some(changes) => {
                    self.heads.insert(device, (number, digest));
                    let (stamp, heads) = (Stamp(body.stamp), body.heads);
                    Verdict::Opened { device, stamp, heads, changes }
                }
                // Signed by a member, so written by an app that knows more than this one: to skip it
                // would lose it.
                None => {
                    let (reason, bytes) = (HoldReason::Update, envelope.into_bytes());
                    Verdict::Held { device, number, digest, reason, bytes }
                }
            },
            // Old numbers come again whenever a list is read again; only the head can show a fork.
            Err(OpenError::Number { expected, found }) if found.next() < Some(expected) => {
                Verdict::Duplicate
            }
            // Nobody vouches for these, so nothing of them is kept; once the roster knows their sender,
            // the relay's list is read again.
            Err(
                error @ (OpenError::Type
                | OpenError::Vault
                | OpenError::UnknownDevice
                | OpenError::Signature),
            ) => Verdict::Refused(RefuseReason::Foreign(error)),
            // Said before the signature was looked at: anyone could have made it up.
            Err(OpenError::Revoked) if !self.is_signed(&envelope) => {
                Verdict::Refused(RefuseReason::Foreign(OpenError::Signature))
            }
            Err(error) => {
                let reason = hold_reason(error);
                Verdict::Held { device, number, digest, reason, bytes: envelope.into_bytes() }
            }
        }
    }
}

fn hold_reason(error: OpenError) -> HoldReason {
    match (error, error.action()) {
        (OpenError::Number { expected, found }, _) if found < expected => {
            HoldReason::Quarantine(error)
        }
        (_, OpenAction::FillGap) => HoldReason::Gap,
        (_, OpenAction::UpdateRoster) => HoldReason::Roster,
        (_, OpenAction::UpdateApp) => HoldReason::Update,
        (_, _) => HoldReason::Quarantine(error),
    }
}
