//! The bytes of a key-slot file (`docs/FORMAT.md`, key-slot file).

use core::fmt;

use selkie_wire::Digest;
use selkie_wire::envelope::{MAGIC, SUITE_1};

use super::{KeySlots, SlotError};
use crate::keys::aead::WRAPPED_LEN;
use crate::keys::passphrase::{KdfParameters, SALT_LEN};

/// The type byte of a key-slot file, beside the envelope types 1 to 6.
const TYPE_KEY_SLOTS: u8 = 7;
const VERSION: u16 = 1;
/// magic, type, suite, flags, version, store id.
pub(super) const HEADER_LEN: usize = 4 + 1 + 1 + 2 + 2 + StoreId::LEN;
const DIGEST_LEN: usize = 32;

pub(super) const KIND_PASSPHRASE: u8 = 1;
pub(super) const KIND_RECOVERY: u8 = 2;
pub(super) const KIND_CALLER: u8 = 3;

/// Random name of one store on one device; not the vault's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

impl StoreId {
    /// Length in bytes.
    pub const LEN: usize = 16;
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PassphraseSlot {
    pub(super) parameters: KdfParameters,
    pub(super) salt: [u8; SALT_LEN],
    pub(super) store: [u8; WRAPPED_LEN],
    pub(super) admin: [u8; WRAPPED_LEN],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecoverySlot {
    pub(super) store: [u8; WRAPPED_LEN],
    pub(super) admin: [u8; WRAPPED_LEN],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallerSlot {
    pub(super) store: [u8; WRAPPED_LEN],
}

impl PassphraseSlot {
    /// Parameters and salt, as written and as authenticated.
    pub(super) fn kdf_bytes(parameters: KdfParameters, salt: &[u8; SALT_LEN]) -> Vec<u8> {
        let KdfParameters { memory_kib, passes, lanes } = parameters;
        let numbers = [memory_kib, passes, lanes].map(u32::to_le_bytes);
        [numbers.as_flattened(), salt].concat()
    }
}

/// The header: the same in every version of one store's file, and part of what each wrap
/// authenticates.
pub(super) fn header(store_id: StoreId) -> [u8; HEADER_LEN] {
    let mut bytes = [0u8; HEADER_LEN];
    let version = VERSION.to_le_bytes();
    let fields = [&MAGIC[..], &[TYPE_KEY_SLOTS, SUITE_1, 0, 0], &version, &store_id.0];
    for (slot, byte) in bytes.iter_mut().zip(fields.iter().copied().flatten()) {
        *slot = *byte;
    }
    bytes
}

impl KeySlots {
    /// The file, to be written atomically: to a temporary file, synced, then renamed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.authenticated_bytes();
        bytes.extend_from_slice(&self.mac);
        let checksum = Digest::of(&bytes);
        bytes.extend_from_slice(&checksum.0);
        bytes
    }

    /// Everything before the MAC.
    pub(super) fn authenticated_bytes(&self) -> Vec<u8> {
        let mut slots: Vec<(u8, Vec<u8>)> = Vec::new();
        if let Some(slot) = &self.passphrase {
            let kdf = PassphraseSlot::kdf_bytes(slot.parameters, &slot.salt);
            slots.push((KIND_PASSPHRASE, [&kdf[..], &slot.store, &slot.admin].concat()));
        }
        if let Some(slot) = &self.recovery {
            slots.push((KIND_RECOVERY, [slot.store, slot.admin].concat()));
        }
        if let Some(slot) = &self.caller {
            slots.push((KIND_CALLER, slot.store.to_vec()));
        }
        let mut bytes = header(self.store_id).to_vec();
        bytes.push(slots.len() as u8);
        for (kind, body) in slots {
            bytes.push(kind);
            bytes.extend_from_slice(&(body.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&body);
        }
        bytes
    }

    /// Reads a file. Its checksum tells damage from a wrong passphrase; that nobody changed it on
    /// purpose is known only after unlocking.
    ///
    /// # Errors
    /// [`SlotError::Damaged`], [`SlotError::TooNew`], or [`SlotError::Kdf`] if a slot asks for
    /// less or more work than is accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, SlotError> {
        let (checked, checksum) = split_end(bytes)?;
        if Digest::of(checked).0 != *checksum {
            return Err(SlotError::Damaged);
        }
        let (authenticated, mac) = split_end(checked)?;
        let mut reader = Reader(authenticated);
        let store_id = parse_header(&mut reader)?;
        let mut slots =
            Self { store_id, passphrase: None, recovery: None, caller: None, mac: *mac };
        let [count] = reader.take()?;
        let mut last_kind = 0;
        for _ in 0..count {
            let [kind] = reader.take()?;
            let body_len = u16::from_le_bytes(reader.take()?);
            if kind > KIND_CALLER {
                return Err(SlotError::TooNew);
            }
            if kind <= last_kind {
                return Err(SlotError::Damaged);
            }
            last_kind = kind;
            slots.parse_slot(kind, reader.split(body_len.into())?)?;
        }
        if count == 0 || !reader.0.is_empty() {
            return Err(SlotError::Damaged);
        }
        Ok(slots)
    }

    fn parse_slot(&mut self, kind: u8, mut body: Reader<'_>) -> Result<(), SlotError> {
        match kind {
            KIND_PASSPHRASE => {
                let parameters = KdfParameters {
                    memory_kib: u32::from_le_bytes(body.take()?),
                    passes: u32::from_le_bytes(body.take()?),
                    lanes: u32::from_le_bytes(body.take()?),
                };
                parameters.check()?;
                let (salt, store, admin) = (body.take()?, body.take()?, body.take()?);
                self.passphrase = Some(PassphraseSlot { parameters, salt, store, admin });
            }
            KIND_RECOVERY => {
                self.recovery = Some(RecoverySlot { store: body.take()?, admin: body.take()? });
            }
            _ => self.caller = Some(CallerSlot { store: body.take()? }),
        }
        if body.0.is_empty() { Ok(()) } else { Err(SlotError::Damaged) }
    }
}

fn parse_header(reader: &mut Reader<'_>) -> Result<StoreId, SlotError> {
    if reader.take::<4>()? != MAGIC {
        return Err(SlotError::Damaged);
    }
    let [kind, suite, flag_low, flag_high] = reader.take()?;
    if kind != TYPE_KEY_SLOTS {
        return Err(SlotError::Damaged);
    }
    let version = u16::from_le_bytes(reader.take()?);
    if (suite, flag_low, flag_high, version) != (SUITE_1, 0, 0, VERSION) {
        return Err(SlotError::TooNew);
    }
    reader.take().map(StoreId)
}

fn split_end(bytes: &[u8]) -> Result<(&[u8], &[u8; DIGEST_LEN]), SlotError> {
    bytes.split_last_chunk().ok_or(SlotError::Damaged)
}

/// Takes fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SlotError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(SlotError::Damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn split(&mut self, len: usize) -> Result<Reader<'a>, SlotError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(SlotError::Damaged)?;
        self.0 = rest;
        Ok(Reader(head))
    }
}
