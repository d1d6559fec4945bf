//! One function for each operation an administrator performs.

use selkie_wire::envelope::SUITE_1;
use selkie_wire::ids::RosterNumber;
use selkie_wire::roster::{
    ChainEnd, DeviceKeys, Operation, ROSTER_SIGNATURE_LABEL, RecoveryKeys, Rotation, Wrap,
};
use selkie_wire::{DeviceId, Digest, KeyId, Roster, RosterEntry, SegmentNumber, VaultId};

use super::{AuthorError, admin_associated, previous_associated, recovery_wrap_info, wrap_info};
use crate::keys::aead::wrap;
use crate::keys::device::DeviceSecrets;
use crate::keys::kem;
use crate::keys::recovery::RecoveryCode;
use crate::keys::secret::{AdminKey, EpochKey};
use crate::ports::RandomSource;

/// A vault just made, with one device in it.
#[derive(Debug)]
pub struct NewVault {
    /// Genesis, Add of the first device, Rotate to epoch 0: to be stored, and sent to the relay.
    pub entries: Vec<Vec<u8>>,
    /// What they say.
    pub roster: Roster,
    /// The key of epoch 0.
    pub epoch_key: EpochKey,
}

/// Makes a vault with `device` as its first member.
///
/// ```
/// use selkie_core::keys::{AdminKey, DeviceSecrets, RecoveryCode, roster};
/// # use selkie_core::ports::{RandomError, RandomSource};
/// # struct Counter(u8);
/// # impl RandomSource for Counter {
/// #     fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
/// #         for byte in bytes { self.0 = self.0.wrapping_add(1); *byte = self.0; }
/// #         Ok(())
/// #     }
/// # }
/// # let mut random = Counter(0);
/// let admin = AdminKey::generate(&mut random)?;
/// let device = DeviceSecrets::generate(&mut random)?;
/// let code = RecoveryCode::generate(&mut random)?;
/// let vault = roster::create_vault(&admin, &device, &code, &mut random)?;
/// assert_eq!(vault.entries.len(), 3);
/// let keys = roster::epoch_keys(&vault.roster, &device).expect("its own wrap opens");
/// assert_eq!(keys.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`AuthorError::Random`].
pub fn create_vault(
    admin: &AdminKey,
    device: &DeviceSecrets,
    recovery: &RecoveryCode,
    random: &mut dyn RandomSource,
) -> Result<NewVault, AuthorError> {
    let recovery = recovery_keys(admin, recovery, random)?;
    let operation = Operation::Genesis { admin_key: admin.public_key(), recovery };
    let nowhere = (VaultId([0; 32]), RosterNumber(0), Digest([0; 32]));
    let genesis = sign(admin, nowhere, &operation);
    let mut roster = Roster::from_genesis(&RosterEntry::parse(genesis.clone())?)?;
    let consent = device.sign_consent(roster.vault());
    let add = append(admin, &mut roster, &Operation::Add { keys: device.public(), consent })?;
    let epoch_key = EpochKey::generate(random)?;
    let rotation = rotation(&roster, &epoch_key, None, None, random)?;
    let rotate = append(admin, &mut roster, &Operation::Rotate { rotation })?;
    Ok(NewVault { entries: vec![genesis, add, rotate], roster, epoch_key })
}

/// The entry that admits a device. It reads the current epoch by the pairing grant, and is among
/// the readers from the next rotation on.
///
/// # Errors
/// [`AuthorError::NotAdmin`], [`AuthorError::DeviceKeys`], or [`AuthorError::Roster`] if the device
/// did not consent or is (or was) a member already.
pub fn add_device(
    admin: &AdminKey,
    roster: &Roster,
    keys: DeviceKeys,
    consent: [u8; 64],
) -> Result<Vec<u8>, AuthorError> {
    if !kem::is_public_key(&keys.kem_key) {
        return Err(AuthorError::DeviceKeys);
    }
    append(admin, &mut roster.clone(), &Operation::Add { keys, consent })
}

/// The entry that begins a new epoch, and its key. The caller makes sure that sync is complete.
///
/// # Errors
/// [`AuthorError`]; see its variants.
pub fn rotate(
    admin: &AdminKey,
    roster: &Roster,
    current: &EpochKey,
    random: &mut dyn RandomSource,
) -> Result<(Vec<u8>, EpochKey), AuthorError> {
    let next = EpochKey::generate(random)?;
    let rotation = rotation(roster, &next, Some(current), None, random)?;
    let entry = append(admin, &mut roster.clone(), &Operation::Rotate { rotation })?;
    Ok((entry, next))
}

/// The entry that removes a device and begins an epoch it cannot read, and that epoch's key.
/// `last` is the device's last segment that counts, with its digest, and `chains` those of its further
/// chains; later ones are quarantined.
///
/// # Errors
/// [`AuthorError`]; see its variants.
pub fn revoke_device(
    admin: &AdminKey,
    roster: &Roster,
    device: DeviceId,
    (last, last_digest): (SegmentNumber, Digest),
    chains: Vec<ChainEnd>,
    current: &EpochKey,
    random: &mut dyn RandomSource,
) -> Result<(Vec<u8>, EpochKey), AuthorError> {
    let next = EpochKey::generate(random)?;
    let rotation = rotation(roster, &next, Some(current), Some(device), random)?;
    let chains = (!chains.is_empty()).then_some(chains);
    let operation = Operation::Revoke { device, last, last_digest, rotation, chains };
    Ok((append(admin, &mut roster.clone(), &operation)?, next))
}

/// The entry that raises the oldest format a member may write.
///
/// # Errors
/// [`AuthorError::NotAdmin`], or [`AuthorError::Roster`] if it would lower it.
pub fn raise_min_version(
    admin: &AdminKey,
    roster: &Roster,
    version: u32,
) -> Result<Vec<u8>, AuthorError> {
    append(admin, &mut roster.clone(), &Operation::MinVersion { version })
}

/// The two entries that replace the recovery words: Recovery, then a rotation, since whoever found
/// the old words could read the current epoch. Returns them with the new epoch's key.
///
/// # Errors
/// [`AuthorError`]; see its variants.
pub fn replace_recovery(
    admin: &AdminKey,
    roster: &Roster,
    recovery: &RecoveryCode,
    current: &EpochKey,
    random: &mut dyn RandomSource,
) -> Result<([Vec<u8>; 2], EpochKey), AuthorError> {
    let mut roster = roster.clone();
    let last = roster.rotations().last().ok_or(AuthorError::NotCurrentEpoch)?;
    let (epoch, key_id) = (last.epoch, last.key_id);
    if current.derive_key_id(roster.vault()) != key_id {
        return Err(AuthorError::NotCurrentEpoch);
    }
    let info = recovery_wrap_info(roster.vault(), epoch);
    let public_key = recovery.kem_public_key();
    let recovery_wrap = kem::seal(&public_key, None, &info, &key_id.0, current.expose(), random)?;
    let recovery = recovery_keys(admin, recovery, random)?;
    let first = append(admin, &mut roster, &Operation::Recovery { recovery, recovery_wrap })?;
    let (second, next) = rotate(admin, &roster, current, random)?;
    Ok(([first, second], next))
}

fn recovery_keys(
    admin: &AdminKey,
    recovery: &RecoveryCode,
    random: &mut dyn RandomSource,
) -> Result<RecoveryKeys, AuthorError> {
    let kem_key = recovery.kem_public_key();
    let associated = admin_associated(&admin.public_key(), &kem_key);
    let key = recovery.derive_admin_key_encryption_key();
    let sealed_admin_key = wrap(&key, &associated, admin.expose(), random)?.to_vec();
    let proof = Some(recovery.prove(&admin.public_key()));
    Ok(RecoveryKeys { kem_key, sealed_admin_key, proof })
}

/// The epoch after the roster's last, readable by every live device but `leaving`.
fn rotation(
    roster: &Roster,
    next: &EpochKey,
    current: Option<&EpochKey>,
    leaving: Option<DeviceId>,
    random: &mut dyn RandomSource,
) -> Result<Rotation, AuthorError> {
    let vault = roster.vault();
    let epoch = u32::try_from(roster.rotations().len()).unwrap_or(u32::MAX);
    let key_id = next.derive_key_id(vault);
    let previous_key = match (roster.rotations().last(), current) {
        (None, None) => Vec::new(),
        (Some(last), Some(current)) if current.derive_key_id(vault) == last.key_id => {
            previous_key(vault, (epoch, key_id, next), (last.key_id, current), random)?
        }
        _ => return Err(AuthorError::NotCurrentEpoch),
    };
    let mut wraps = Vec::new();
    for (device, member) in roster.live_members().filter(|(device, _)| Some(*device) != leaving) {
        let info = wrap_info(vault, epoch, device);
        let public_key = &member.keys.kem_key;
        let sealed = kem::seal(public_key, None, &info, &key_id.0, next.expose(), random)?;
        wraps.push(Wrap { device, sealed });
    }
    let info = recovery_wrap_info(vault, epoch);
    let public_key = &roster.recovery().kem_key;
    let recovery_wrap = kem::seal(public_key, None, &info, &key_id.0, next.expose(), random)?;
    Ok(Rotation { epoch, suite: SUITE_1, key_id, wraps, recovery_wrap, previous_key })
}

fn previous_key(
    vault: VaultId,
    (epoch, key_id, next): (u32, KeyId, &EpochKey),
    (current_id, current): (KeyId, &EpochKey),
    random: &mut dyn RandomSource,
) -> Result<Vec<u8>, AuthorError> {
    let associated = previous_associated(vault, epoch, current_id, key_id);
    let key = next.derive_previous_epoch_key(vault, epoch);
    Ok(wrap(&key, &associated, current.expose(), random)?.to_vec())
}

/// Signs the next entry and applies it, or changes nothing.
fn append(
    admin: &AdminKey,
    roster: &mut Roster,
    operation: &Operation,
) -> Result<Vec<u8>, AuthorError> {
    if admin.public_key() != *roster.admin_key() {
        return Err(AuthorError::NotAdmin);
    }
    let number = RosterNumber(roster.last().0.saturating_add(1));
    let entry = sign(admin, (roster.vault(), number, roster.last_digest()), operation);
    roster.apply(&RosterEntry::parse(entry.clone())?)?;
    Ok(entry)
}

fn sign(
    admin: &AdminKey,
    (vault, number, previous): (VaultId, RosterNumber, Digest),
    operation: &Operation,
) -> Vec<u8> {
    let mut entry = RosterEntry::unsigned_bytes(vault, number, previous, operation);
    let signature = admin.sign(ROSTER_SIGNATURE_LABEL, &entry);
    entry.extend_from_slice(&signature);
    entry
}
