//! The sponsor's side: offer, look at the request, grant.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::bytes::ByteVec;
use selkie_wire::envelope::verify_digest;
use selkie_wire::roster::{DeviceKeys, MEMBER_SIGNATURE_LABEL};
use selkie_wire::{DeviceId, Digest, Roster, SegmentNumber, VaultId};
use zeroize::Zeroizing;

use super::code::PairingCode;
use super::message::{
    GrantBody, HEADER_LEN, OfferBody, RequestBody, SecretBytes, Step, decode, encode, header, parse,
};
use super::{PAIRING_LIFETIME_MS, PairingError, SixDigits};
use crate::keys::aead;
use crate::keys::derive;
use crate::keys::kem::{self, ENCAPSULATION_LEN, KemSeed};
use crate::keys::roster::epochs_commitment;
use crate::keys::secret::{AdminKey, EpochKey};
use crate::ports::RandomSource;

/// A pairing in progress, on the device that is in the vault. Kept in memory only: after a restart
/// the person begins again with a new code.
///
/// The whole exchange; what travels are `offer`, `request` and `grant`, in this order:
/// ```
/// # use std::collections::BTreeMap;
/// # use selkie_core::keys::*;
/// # use selkie_core::ports::{RandomError, RandomSource};
/// # struct Counter(u8);
/// # impl RandomSource for Counter {
/// #     fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
/// #         for byte in bytes { self.0 = self.0.wrapping_add(1); *byte = self.0; }
/// #         Ok(())
/// #     }
/// # }
/// # let mut random = Counter(0);
/// # let now_ms = 1_800_000_000_000;
/// # let admin = AdminKey::generate(&mut random)?;
/// # let laptop = DeviceSecrets::generate(&mut random)?;
/// # let recovery = RecoveryCode::generate(&mut random)?;
/// # let vault = roster::create_vault(&admin, &laptop, &recovery, &mut random)?;
/// let code = PairingCode::generate(&mut random)?;
/// let (mut sponsor, offer) = Sponsor::offer(&code, vault.roster.vault(), now_ms, &mut random)?;
///
/// let phone = DeviceSecrets::generate(&mut random)?;
/// let (joiner, request) = Joiner::request(&code, &offer, &phone, now_ms, &mut random)?;
///
/// let asked = sponsor.read_request(&request, now_ms)?;
/// assert_eq!(asked.digits, joiner.digits(), "people compare these");
/// let add = roster::add_device(&admin, &vault.roster, asked.keys, asked.consent)?;
/// let entries = [vault.entries, vec![add]].concat();
/// let epoch_keys = [(0, vault.epoch_key)];
/// let heads = BTreeMap::new();
/// let grant = sponsor.grant(&admin, &entries, &epoch_keys, &heads, now_ms, &mut random)?;
///
/// let granted = joiner.read_grant(&grant, &phone, None)?;
/// assert!(granted.roster.member(phone.device_id()).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sponsor {
    pub(super) psk: Zeroizing<[u8; 32]>,
    pub(super) kem: KemSeed,
    vault: VaultId,
    expires_ms: u64,
    offer: Vec<u8>,
    request: Option<(Vec<u8>, JoinRequest)>,
}

/// Who asks to be let in. Show the digits, and let a person say yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// To be compared with the joiner's screen.
    pub digits: SixDigits,
    /// The joiner's public keys, for its Add entry.
    pub keys: DeviceKeys,
    /// The joiner's consent, for its Add entry.
    pub consent: [u8; 64],
}

impl Sponsor {
    /// Begins: the message for slot 0 of the code's mailbox.
    ///
    /// # Errors
    /// [`PairingError::Random`].
    pub fn offer(
        code: &PairingCode,
        vault: VaultId,
        now_ms: u64,
        random: &mut dyn RandomSource,
    ) -> Result<(Self, Vec<u8>), PairingError> {
        let kem = KemSeed::generate(random)?;
        let expires_ms = now_ms.saturating_add(PAIRING_LIFETIME_MS);
        let body = encode(&OfferBody { vault, kem_key: kem.public_key(), expires_ms });
        let nonce = random.draw()?;
        let header = header(Step::Offer, aead::NONCE_LEN + body.len() + 16)?;
        let sealed = aead::seal(&code.derive(derive::PAIRING_OFFER), &nonce, &header, &body)?;
        let offer = [&header[..], &nonce, &sealed].concat();
        let psk = code.derive(derive::PAIRING_PSK);
        Ok((Self { psk, kem, vault, expires_ms, offer: offer.clone(), request: None }, offer))
    }

    /// Reads slot 1. The same request may be read again; a different one is refused, so that one
    /// code never lets two devices in.
    ///
    /// # Errors
    /// [`PairingError`]; a message that does not open changes nothing.
    pub fn read_request(&mut self, bytes: &[u8], now_ms: u64) -> Result<JoinRequest, PairingError> {
        if now_ms > self.expires_ms {
            return Err(PairingError::Expired);
        }
        let (header, sealed) = parse(Step::Request, bytes)?;
        let body = self.kem.open(Some(&self.psk), &request_info(&self.offer), header, sealed)?;
        let RequestBody { keys, consent } = decode(&body)?;
        let agreed = keys.consent_bytes(self.vault);
        if !kem::is_public_key(&keys.kem_key)
            || !verify_digest(&keys.signing_key, MEMBER_SIGNATURE_LABEL, &agreed, &consent)
        {
            return Err(PairingError::Device);
        }
        if self.request.as_ref().is_some_and(|(first, _)| first != bytes) {
            return Err(PairingError::Used);
        }
        let request = JoinRequest { digits: SixDigits::of(&self.offer, bytes), keys, consent };
        self.request = Some((bytes.to_vec(), request.clone()));
        Ok(request)
    }

    /// Lets the joiner in: the message for slot 2. `entries` are the whole roster, the joiner's
    /// Add included; `epoch_keys` must hold the last epoch's. Entries that would not fit are left
    /// out; the joiner is told, and fetches them.
    ///
    /// # Errors
    /// [`PairingError::Message`] without a request read before; [`PairingError::Expired`];
    /// [`PairingError::Vault`], [`PairingError::NotAdded`], [`PairingError::EpochKey`] if the
    /// arguments contradict each other; [`PairingError::TooLarge`].
    pub fn grant(
        &self,
        admin: &AdminKey,
        entries: &[Vec<u8>],
        epoch_keys: &[(u32, EpochKey)],
        heads: &BTreeMap<DeviceId, (SegmentNumber, Digest)>,
        now_ms: u64,
        random: &mut dyn RandomSource,
    ) -> Result<Vec<u8>, PairingError> {
        let (request, joiner) = self.request.as_ref().ok_or(PairingError::Message)?;
        if now_ms > self.expires_ms {
            return Err(PairingError::Expired);
        }
        let roster = Roster::from_entries(entries.iter().cloned())?;
        check_roster(&roster, self.vault, &admin.public_key(), &joiner.keys)?;
        epochs_commitment(&roster, epoch_keys)?;
        let mut body = GrantBody {
            admin_key: SecretBytes(*admin.expose()),
            roster_number: roster.last(),
            roster_digest: roster.last_digest(),
            roster_entries: entries.iter().cloned().map(ByteVec::from).collect(),
            epoch_keys: epoch_keys
                .iter()
                .map(|(n, key)| (*n, SecretBytes(*key.expose())))
                .collect(),
            heads: heads.clone(),
        };
        let entries_len: usize = entries.iter().map(Vec::len).sum();
        if entries_len > ENTRIES_BYTES_MAX {
            body.roster_entries = Vec::new();
        }
        let body = encode(&body);
        let header = header(Step::Grant, ENCAPSULATION_LEN + body.len() + 16)?;
        let info = grant_info(&self.offer, request);
        let to = &joiner.keys.kem_key;
        let sealed = kem::seal(to, Some(&self.psk), &info, &header, &body, random)?;
        Ok([&header[..], &sealed].concat())
    }
}

/// Roster entries carried in a grant; beyond them the joiner fetches the roster. Leaves room in a
/// 64 KiB mailbox for 400 epoch keys or 200 heads.
const ENTRIES_BYTES_MAX: usize = 48 * 1024;
const _: () = assert!(ENTRIES_BYTES_MAX + HEADER_LEN < selkie_wire::limits::MAILBOX_BYTES_MAX);

impl fmt::Debug for Sponsor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sponsor({}, <redacted>)", self.vault)
    }
}

/// That a roster is the vault's, the admin key its own, and the joiner a live member of it.
pub(super) fn check_roster(
    roster: &Roster,
    vault: VaultId,
    admin_public_key: &[u8; 32],
    joiner: &DeviceKeys,
) -> Result<(), PairingError> {
    if roster.vault() != vault || roster.admin_key() != admin_public_key {
        return Err(PairingError::Vault);
    }
    let added = roster
        .member(joiner.device_id())
        .is_some_and(|member| member.keys == *joiner && member.revoked.is_none());
    if added { Ok(()) } else { Err(PairingError::NotAdded) }
}

pub(super) fn request_info(offer: &[u8]) -> Vec<u8> {
    [b"selkie/1/pairing-request\0", &Digest::of(offer).0[..]].concat()
}

pub(super) fn grant_info(offer: &[u8], request: &[u8]) -> Vec<u8> {
    let digests = [Digest::of(offer).0, Digest::of(request).0];
    [b"selkie/1/pairing-grant\0", digests.as_flattened()].concat()
}
