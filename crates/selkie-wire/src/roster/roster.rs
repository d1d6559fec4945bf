//! The verified chain of entries, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DeviceKeys, MEMBER_SIGNATURE_LABEL, Operation, RecoveryKeys, RosterEntry, RosterError,
    Rotation, SIGNATURE_LEN, Wrap,
};
use crate::envelope::{SUITE_1, verify_digest};
use crate::ids::{DeviceId, Digest, IncarnationToken, RosterNumber, SegmentNumber, VaultId};
use crate::limits::{DEVICES_MAX, ROSTER_ENTRIES_MAX};

const GENESIS_LABEL: &[u8] = b"selkie/1/genesis\0";

/// A device of the vault, past or present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its public keys.
    pub keys: DeviceKeys,
    /// Digest of its Add entry: `previous` of its first segment.
    pub added: Digest,
    /// Set once revoked: its last segment that counts.
    pub revoked: Option<(SegmentNumber, Digest)>,
    /// Once revoked: the last segments that count of its further chains.
    pub revoked_chains: BTreeMap<DeviceId, (SegmentNumber, Digest)>,
}

impl Member {
    /// The id of one of the member's chains, and what `previous` of its first envelope is.
    #[must_use]
    pub fn chain(&self, incarnation: Option<IncarnationToken>) -> (DeviceId, Digest) {
        match incarnation {
            Some(token) => {
                let id = DeviceId::of_incarnation(&self.keys.signing_key, token);
                (id, Digest(token.0))
            }
            None => (self.keys.device_id(), self.added),
        }
    }

    /// Whether a segment of one of the member's chains counts, by the member's revocation: those up
    /// to the one the revocation names do.
    #[must_use]
    pub fn counts(&self, chain: DeviceId, number: SegmentNumber, digest: Digest) -> bool {
        let Some(revoked) = self.revoked else { return true };
        let last = match self.revoked_chains.get(&chain) {
            Some(last) => *last,
            None if chain == self.keys.device_id() => revoked,
            None => return false,
        };
        number < last.0 || (number == last.0 && digest == last.1)
    }

    /// The last segment of one of the member's chains that counts, as far as its revocation says.
    #[must_use]
    pub fn last_counted(&self, chain: DeviceId) -> SegmentNumber {
        match (self.revoked, self.revoked_chains.get(&chain)) {
            (None, _) => SegmentNumber(u64::MAX),
            (Some(_), Some((last, _))) => *last,
            (Some((last, _)), None) if chain == self.keys.device_id() => last,
            (Some(_), None) => SegmentNumber(0),
        }
    }
}

/// The verified chain, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    vault: VaultId,
    admin_key: [u8; 32],
    recovery: RecoveryKeys,
    members: BTreeMap<DeviceId, Member>,
    rotations: Vec<Rotation>,
    min_version: u32,
    last: RosterNumber,
    last_digest: Digest,
}

impl Roster {
    /// Begins from a genesis entry.
    ///
    /// # Errors
    /// [`RosterError`] if it is no genesis entry, or is not signed by the key it names.
    pub fn from_genesis(entry: &RosterEntry) -> Result<Self, RosterError> {
        let Operation::Genesis { admin_key, recovery } = &entry.operation else {
            return Err(RosterError::Number);
        };
        let zero = (VaultId([0; 32]), RosterNumber(0), Digest([0; 32]));
        if (entry.vault, entry.number, entry.previous) != zero {
            return Err(RosterError::Number);
        }
        if !entry.signed_by(admin_key) || !recovery.is_proved(admin_key) {
            return Err(RosterError::Signature);
        }
        let Digest(vault) = Digest::labelled(GENESIS_LABEL, &[entry.bytes()]);
        Ok(Self {
            vault: VaultId(vault),
            admin_key: *admin_key,
            recovery: recovery.clone(),
            members: BTreeMap::new(),
            rotations: Vec::new(),
            min_version: 1,
            last: RosterNumber(0),
            last_digest: entry.digest(),
        })
    }

    /// Verifies a whole chain, genesis first.
    ///
    /// # Errors
    /// The first entry's fault that is found.
    pub fn from_entries<I>(entries: I) -> Result<Self, RosterError>
    where
        I: IntoIterator<Item = Vec<u8>>,
    {
        let mut entries = entries.into_iter().map(RosterEntry::parse);
        let genesis = entries.next().ok_or(RosterError::Number)??;
        let mut roster = Self::from_genesis(&genesis)?;
        for entry in entries {
            roster.apply(&entry?)?;
        }
        Ok(roster)
    }

    /// Applies the next entry, or leaves the roster as it was.
    ///
    /// # Errors
    /// [`RosterError`]; see its variants.
    pub fn apply(&mut self, entry: &RosterEntry) -> Result<(), RosterError> {
        if entry.vault != self.vault {
            return Err(RosterError::Vault);
        }
        if Some(entry.number.0) != self.last.0.checked_add(1) {
            return Err(RosterError::Number);
        }
        if entry.previous != self.last_digest {
            return Err(RosterError::Fork);
        }
        if !entry.signed_by(&self.admin_key) {
            return Err(RosterError::Signature);
        }
        if entry.number.0 as usize >= ROSTER_ENTRIES_MAX {
            return Err(RosterError::Limit);
        }
        self.apply_operation(&entry.operation, entry.digest())?;
        self.last = entry.number;
        self.last_digest = entry.digest();
        Ok(())
    }

    fn apply_operation(
        &mut self,
        operation: &Operation,
        digest: Digest,
    ) -> Result<(), RosterError> {
        match operation {
            Operation::Genesis { .. } => return Err(RosterError::Meaning),
            Operation::Add { keys, consent } => self.add(keys, consent, digest)?,
            Operation::Rotate { rotation } => self.rotate(rotation, None)?,
            Operation::Revoke { device, last, last_digest, rotation, chains } => {
                let live = self.members.get(device).is_some_and(|member| member.revoked.is_none());
                if !live {
                    return Err(RosterError::Meaning);
                }
                self.rotate(rotation, Some(*device))?;
                if let Some(member) = self.members.get_mut(device) {
                    member.revoked = Some((*last, *last_digest));
                    let ends = chains.iter().flatten();
                    member.revoked_chains =
                        ends.map(|end| (end.chain, (end.last, end.last_digest))).collect();
                }
            }
            Operation::MinVersion { version } => {
                if *version < self.min_version {
                    return Err(RosterError::Meaning);
                }
                self.min_version = *version;
            }
            Operation::Recovery { recovery, .. } => {
                if !recovery.is_proved(&self.admin_key) {
                    return Err(RosterError::Signature);
                }
                self.recovery = recovery.clone();
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        keys: &DeviceKeys,
        consent: &[u8; SIGNATURE_LEN],
        added: Digest,
    ) -> Result<(), RosterError> {
        let consent_bytes = keys.consent_bytes(self.vault);
        if !verify_digest(&keys.signing_key, MEMBER_SIGNATURE_LABEL, &consent_bytes, consent) {
            return Err(RosterError::Signature);
        }
        if self.members.len() >= DEVICES_MAX {
            return Err(RosterError::Limit);
        }
        if self.members.contains_key(&keys.device_id()) {
            return Err(RosterError::Meaning);
        }
        let revoked_chains = BTreeMap::new();
        let member = Member { keys: keys.clone(), added, revoked: None, revoked_chains };
        self.members.insert(keys.device_id(), member);
        Ok(())
    }

    /// Begins an epoch that every wrap's device may read: live members, without the one `leaving`.
    fn rotate(
        &mut self,
        rotation: &Rotation,
        leaving: Option<DeviceId>,
    ) -> Result<(), RosterError> {
        if rotation.suite != SUITE_1 {
            return Err(RosterError::TooNew);
        }
        let used = self.rotations.iter().any(|known| known.key_id == rotation.key_id);
        // Only epoch 0 has no key before it. Without that step back, history is lost to new devices.
        let first = self.rotations.is_empty();
        if rotation.epoch as usize != self.rotations.len()
            || used
            || rotation.previous_key.is_empty() != first
        {
            return Err(RosterError::Meaning);
        }
        let mut readers = BTreeSet::new();
        for Wrap { device, .. } in &rotation.wraps {
            let live = self.members.get(device).is_some_and(|member| member.revoked.is_none());
            if !live || Some(*device) == leaving || !readers.insert(*device) {
                return Err(RosterError::Meaning);
            }
        }
        self.rotations.push(rotation.clone());
        Ok(())
    }

    /// The vault this is the roster of.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The key that signs entries.
    #[must_use]
    pub fn admin_key(&self) -> &[u8; 32] {
        &self.admin_key
    }

    /// The recovery words' public side.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryKeys {
        &self.recovery
    }

    /// The oldest format a member may write.
    #[must_use]
    pub fn min_version(&self) -> u32 {
        self.min_version
    }

    /// Number of the last entry.
    #[must_use]
    pub fn last(&self) -> RosterNumber {
        self.last
    }

    /// Digest of the last entry.
    #[must_use]
    pub fn last_digest(&self) -> Digest {
        self.last_digest
    }

    /// A device, whether revoked or not.
    #[must_use]
    pub fn member(&self, device: DeviceId) -> Option<&Member> {
        self.members.get(&device)
    }

    /// All devices ever admitted.
    pub fn members(&self) -> impl Iterator<Item = (DeviceId, &Member)> {
        self.members.iter().map(|(device, member)| (*device, member))
    }

    /// Devices that are not revoked.
    pub fn live_members(&self) -> impl Iterator<Item = (DeviceId, &Member)> {
        self.members().filter(|(_, member)| member.revoked.is_none())
    }

    /// The epochs, oldest first.
    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }
}
