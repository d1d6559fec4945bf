//! Incarnations: further chains of a device whose store was copied or restored from a backup.
//!
//! A chain that goes on from a copy would give one number to two envelopes. So a copy begins a new
//! chain, which proves whose it is by itself: its id is derived from the device's signing key and a
//! random token, and its first envelope names the token where others name the one before.

use std::collections::BTreeMap;

use crate::envelope::Header;
use crate::ids::{DeviceId, Digest, IncarnationToken, SegmentNumber};
use crate::roster::{Member, Roster};

const INCARNATION_LABEL: &[u8] = b"selkie/1/incarnation\0";

/// Whose chain it is, and the token it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// The device in the roster.
    pub member: DeviceId,
    /// Drawn when the chain began.
    pub token: IncarnationToken,
}

/// The incarnations known of a vault's devices, by the ids of their chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incarnations(BTreeMap<DeviceId, Incarnation>);

impl DeviceId {
    /// The id of the chain that the holder of a signing key began with `token`.
    #[must_use]
    pub fn of_incarnation(signing_key: &[u8; 32], token: IncarnationToken) -> Self {
        let Digest(digest) = Digest::labelled(INCARNATION_LABEL, &[signing_key, &token.0]);
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest;
        Self(id)
    }
}

impl Incarnations {
    /// Notes a chain of a member; `None` if the roster does not know the member.
    pub fn insert(&mut self, roster: &Roster, incarnation: Incarnation) -> Option<DeviceId> {
        let member = roster.member(incarnation.member)?;
        let (chain, _) = member.chain(Some(incarnation.token));
        self.0.insert(chain, incarnation);
        Some(chain)
    }

    /// Learns an unknown chain from the header of its first envelope. Says nothing of who sent the
    /// envelope: that is for its signature.
    pub fn introduce(&mut self, roster: &Roster, header: &Header) -> bool {
        let first = header.number == SegmentNumber(1);
        if !first || self.owner(roster, header.device).is_some() {
            return false;
        }
        let token = IncarnationToken(header.previous.0);
        let begins =
            |(_, member): &(DeviceId, &Member)| member.chain(Some(token)).0 == header.device;
        let found = roster.members().find(begins);
        let Some((member, _)) = found else { return false };
        self.0.insert(header.device, Incarnation { member, token });
        true
    }

    /// The member whose chain it is.
    #[must_use]
    pub fn owner<'r>(&self, roster: &'r Roster, chain: DeviceId) -> Option<(DeviceId, &'r Member)> {
        let member = self.0.get(&chain).map_or(chain, |incarnation| incarnation.member);
        Some((member, roster.member(member)?))
    }

    /// What `previous` of a chain's first envelope is.
    #[must_use]
    pub fn beginning(&self, roster: &Roster, chain: DeviceId) -> Option<Digest> {
        let (_, member) = self.owner(roster, chain)?;
        let token = self.0.get(&chain).map(|incarnation| incarnation.token);
        Some(member.chain(token).1)
    }

    /// All of them, by the ids of their chains.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, Incarnation)> + '_ {
        self.0.iter().map(|(chain, incarnation)| (*chain, *incarnation))
    }

    /// Forgets a chain that turned out not to be its member's.
    pub fn remove(&mut self, chain: DeviceId) {
        self.0.remove(&chain);
    }
}
