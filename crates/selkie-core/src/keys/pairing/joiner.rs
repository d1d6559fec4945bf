//! The joiner's side: answer an offer, read the grant, believe nothing that does not verify.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use selkie_wire::ids::RosterNumber;
use selkie_wire::{DeviceId, Digest, Roster, SegmentNumber, VaultId};
use zeroize::Zeroizing;

use super::code::PairingCode;
use super::message::{GrantBody, OfferBody, RequestBody, Step, decode, encode, header, parse};
use super::sponsor::{check_roster, grant_info, request_info};
use super::{PairingError, SixDigits};
use crate::keys::aead;
use crate::keys::derive;
use crate::keys::device::DeviceSecrets;
use crate::keys::kem::{self, ENCAPSULATION_LEN};
use crate::keys::roster::{self as epochs, epochs_commitment};
use crate::keys::secret::{AdminKey, EpochKey};
use crate::ports::RandomSource;

/// How far the two clocks may differ before the joiner calls an offer expired; the sponsor, whose
/// clock made it, allows nothing.
const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// A pairing in progress, on the device that wants in. See [`Sponsor`](super::Sponsor) for the
/// whole exchange.
///
/// ```
/// # use selkie_core::keys::*;
/// # use selkie_core::ports::{RandomError, RandomSource};
/// # struct Stuck;
/// # impl RandomSource for Stuck {
/// #     fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> { Err(RandomError) }
/// # }
/// # let mut random = Stuck;
/// let stored = [&[1u8][..], &[7; 96]].concat();
/// let phone = DeviceSecrets::from_bytes(&stored).expect("97 bytes");
/// let code = PairingCode::from_bytes([7; 16]);
/// let refused = Joiner::request(&code, b"no offer", &phone, 0, &mut random);
/// assert_eq!(refused.err(), Some(PairingError::Message));
/// ```
pub struct Joiner {
    pub(super) psk: Zeroizing<[u8; 32]>,
    pub(super) vault: VaultId,
    pub(super) offer: Vec<u8>,
    pub(super) request: Vec<u8>,
}

/// What a new member starts with. The caller stores all of it in one transaction.
#[derive(Debug)]
pub struct Grant {
    /// The verified roster, this device included.
    pub roster: Roster,
    /// The entries it came from, genesis first.
    pub roster_entries: Vec<Vec<u8>>,
    /// The admin key; to be wrapped in this device's key-slot file, and dropped.
    pub admin_key: AdminKey,
    /// Every epoch key, oldest first, each checked against its commitment.
    pub epoch_keys: Vec<(u32, EpochKey)>,
    /// The sponsor's heads: the relay may not show less.
    pub heads: BTreeMap<DeviceId, (SegmentNumber, Digest)>,
}

impl Joiner {
    /// Answers the offer of slot 0: the message for slot 1.
    ///
    /// # Errors
    /// [`PairingError`]; see its variants.
    pub fn request(
        code: &PairingCode,
        offer: &[u8],
        device: &DeviceSecrets,
        now_ms: u64,
        random: &mut dyn RandomSource,
    ) -> Result<(Self, Vec<u8>), PairingError> {
        let (offer_header, sealed) = parse(Step::Offer, offer)?;
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(PairingError::Message)?;
        let body = aead::open(&code.derive(derive::PAIRING_OFFER), nonce, offer_header, sealed)
            .map_err(|_| PairingError::WrongCode)?;
        let OfferBody { vault, kem_key, expires_ms } = decode(&body)?;
        if now_ms > expires_ms.saturating_add(CLOCK_TOLERANCE_MS) {
            return Err(PairingError::Expired);
        }
        let body = RequestBody { keys: device.public(), consent: device.sign_consent(vault) };
        let body = encode(&body);
        let header = header(Step::Request, ENCAPSULATION_LEN + body.len() + 16)?;
        let psk = code.derive(derive::PAIRING_PSK);
        let info = request_info(offer);
        let sealed = kem::seal(&kem_key, Some(&psk), &info, &header, &body, random)?;
        let request = [&header[..], &sealed].concat();
        let joiner = Self { psk, vault, offer: offer.to_vec(), request: request.clone() };
        Ok((joiner, request))
    }

    /// The vault that was offered.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// To be compared with the sponsor's screen.
    #[must_use]
    pub fn digits(&self) -> SixDigits {
        SixDigits::of(&self.offer, &self.request)
    }

    /// Reads slot 2 with the same `device` that asked. `fetched_roster` is `None` at first; if that
    /// ends in [`PairingError::RosterNeeded`], the caller fetches the roster (as the member it now
    /// is) and passes its entries.
    ///
    /// # Errors
    /// [`PairingError`]; nothing of the grant is returned unless all of it verifies: the roster
    /// from its genesis, the vault against the offer, this device's own keys in it, the admin key
    /// against its public key, and each epoch key against its commitment.
    pub fn read_grant(
        &self,
        grant: &[u8],
        device: &DeviceSecrets,
        fetched_roster: Option<Vec<Vec<u8>>>,
    ) -> Result<Grant, PairingError> {
        let (header, sealed) = parse(Step::Grant, grant)?;
        let info = grant_info(&self.offer, &self.request);
        let body = device.open_sealed(Some(&self.psk), &info, header, sealed)?;
        let mut body: GrantBody = decode(&body)?;
        let carried: Vec<Vec<u8>> =
            core::mem::take(&mut body.roster_entries).into_iter().map(Into::into).collect();
        let roster_entries = match (carried.is_empty(), fetched_roster) {
            (false, _) => carried,
            (true, Some(fetched)) => fetched,
            (true, None) => return Err(PairingError::RosterNeeded),
        };
        let roster = Roster::from_entries(roster_entries.iter().cloned())?;
        let admin_key = AdminKey::from_bytes(body.admin_key.0);
        check_roster(&roster, self.vault, &admin_key.public_key(), &device.public())?;
        // A relay that serves the roster may hide its end, where a revocation would be. It may
        // also have grown since.
        let known = roster_at(&roster_entries, &roster, body.roster_number, body.roster_digest)?;
        let keys = body.epoch_keys.iter();
        let mut epoch_keys: Vec<(u32, EpochKey)> =
            keys.map(|(epoch, key)| (*epoch, EpochKey::from_bytes(key.0))).collect();
        epochs_commitment(&known, &epoch_keys)?;
        // Epochs begun since the grant was written are wrapped for this device, a member by then.
        let granted = epoch_keys.last().map(|(epoch, _)| *epoch);
        let later = epochs::epoch_keys(&roster, device)?.into_iter();
        epoch_keys.extend(later.filter(|(epoch, _)| Some(*epoch) > granted));
        let heads = core::mem::take(&mut body.heads);
        Ok(Grant { roster, roster_entries, admin_key, epoch_keys, heads })
    }
}

/// The roster as the sponsor knew it: up to the entry with this number and digest.
fn roster_at<'a>(
    entries: &[Vec<u8>],
    roster: &'a Roster,
    number: RosterNumber,
    digest: Digest,
) -> Result<Cow<'a, Roster>, PairingError> {
    if (roster.last(), roster.last_digest()) == (number, digest) {
        return Ok(Cow::Borrowed(roster));
    }
    let count = usize::try_from(number.0).map_err(|_| PairingError::Vault)?.saturating_add(1);
    let known = Roster::from_entries(entries.iter().take(count).cloned())?;
    if (known.last(), known.last_digest()) != (number, digest) {
        return Err(PairingError::Vault);
    }
    Ok(Cow::Owned(known))
}

impl fmt::Debug for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Joiner({}, <redacted>)", self.vault)
    }
}
