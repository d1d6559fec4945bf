//! The three secrets of one device: it signs, it proves itself to relays, it receives epoch keys.

use core::fmt;

use ed25519_dalek::{Signer, SigningKey};
use selkie_wire::checkpoint::{COSIGN_SIGNATURE_LABEL, MANIFEST_SIGNATURE_LABEL, cosigned_bytes};
use selkie_wire::envelope::{SEGMENT_SIGNATURE_LABEL, signature_message};
use selkie_wire::relay::{AUTH_SIGNATURE_LABEL, auth_bytes};
use selkie_wire::roster::{DeviceKeys, MEMBER_SIGNATURE_LABEL};
use selkie_wire::{DeviceId, Digest, IncarnationToken, VaultId};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::keys::kem::{KemError, KemSeed};
use crate::keys::secret::Secret32;
use crate::ports::{RandomError, RandomSource};

/// Version of the stored form.
const VERSION: u8 = 1;

/// What one incarnation of a device keeps to itself, inside its encrypted store.
///
/// ```
/// use selkie_core::keys::{DeviceSecrets, DeviceSecretsError};
/// let stored = [&[1u8][..], &[7; 32], &[8; 32], &[9; 32]].concat();
/// let device = DeviceSecrets::from_bytes(&stored)?;
/// assert_eq!(device.device_id(), device.public().device_id());
/// assert_eq!(*device.to_bytes(), stored[..]);
/// # Ok::<(), DeviceSecretsError>(())
/// ```
pub struct DeviceSecrets {
    signing: Seed,
    auth: Seed,
    kem: KemSeed,
}

impl ZeroizeOnDrop for DeviceSecrets {}

struct Seed(Secret32);

impl Seed {
    fn sign(&self, label: &[u8], bytes: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(self.0.expose()).sign(&signature_message(label, bytes)).to_bytes()
    }

    fn public_key(&self) -> [u8; 32] {
        SigningKey::from_bytes(self.0.expose()).verifying_key().to_bytes()
    }
}

/// Why bytes are not stored device secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceSecretsError {
    /// Not as long as they must be: the store is damaged.
    Length,
    /// Written by a newer version: update the app.
    TooNew,
}

impl fmt::Display for DeviceSecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "the stored device keys are damaged",
            Self::TooNew => "the stored device keys are of a newer version; update the app",
        })
    }
}

impl core::error::Error for DeviceSecretsError {}

impl DeviceSecrets {
    /// Length of the stored form: version, then the seeds for signing, relays and X-Wing.
    pub const LEN: usize = 1 + 3 * 32;

    /// A new device, or a new incarnation of one.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails or is stuck.
    pub fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        Ok(Self {
            signing: Seed(Secret32::generate(random)?),
            auth: Seed(Secret32::generate(random)?),
            kem: KemSeed::generate(random)?,
        })
    }

    /// The stored form; to be kept inside the encrypted store only.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0u8; Self::LEN]);
        let seeds =
            self.signing.0.expose().iter().chain(self.auth.0.expose()).chain(self.kem.expose());
        for (slot, byte) in bytes.iter_mut().zip([VERSION].iter().chain(seeds)) {
            *slot = *byte;
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DeviceSecretsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DeviceSecretsError> {
        let (version, seeds) = bytes.split_first().ok_or(DeviceSecretsError::Length)?;
        if *version != VERSION {
            return Err(DeviceSecretsError::TooNew);
        }
        let (signing, seeds) = seeds.split_first_chunk().ok_or(DeviceSecretsError::Length)?;
        let (auth, seeds) = seeds.split_first_chunk().ok_or(DeviceSecretsError::Length)?;
        let kem = seeds.try_into().map_err(|_| DeviceSecretsError::Length)?;
        Ok(Self {
            signing: Seed(Secret32::from_bytes(*signing)),
            auth: Seed(Secret32::from_bytes(*auth)),
            kem: KemSeed::from_bytes(kem),
        })
    }

    /// The public side, as the roster holds it.
    #[must_use]
    pub fn public(&self) -> DeviceKeys {
        DeviceKeys {
            signing_key: self.signing.public_key(),
            auth_key: self.auth.public_key(),
            kem_key: self.kem.public_key(),
        }
    }

    /// The id that the signing key certifies.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId::of_signing_key(&self.signing.public_key())
    }

    /// The id of the further chain that began with `token`.
    #[must_use]
    pub fn incarnation_id(&self, token: IncarnationToken) -> DeviceId {
        DeviceId::of_incarnation(&self.signing.public_key(), token)
    }

    /// Signs an envelope's header and ciphertext (Ed25519, RFC 8032, over their SHA-256).
    #[must_use]
    pub fn sign_segment(&self, header_and_ciphertext: &[u8]) -> [u8; 64] {
        self.signing.sign(SEGMENT_SIGNATURE_LABEL, header_and_ciphertext)
    }

    /// Signs a checkpoint's manifest, which ends before its signature.
    #[must_use]
    pub fn sign_manifest(&self, unsigned: &[u8]) -> [u8; 64] {
        self.signing.sign(MANIFEST_SIGNATURE_LABEL, unsigned)
    }

    /// Says that a checkpoint is the state this device knows, so that what it covers may be removed.
    #[must_use]
    pub fn cosign_checkpoint(&self, vault: VaultId, manifest: Digest) -> [u8; 64] {
        self.signing.sign(COSIGN_SIGNATURE_LABEL, &cosigned_bytes(vault, manifest))
    }

    /// Answers a relay's challenge. `origin` is the address this device itself connected to, so
    /// that a relay cannot use the answer at another.
    #[must_use]
    pub fn sign_challenge(&self, origin: &str, vault: VaultId, challenge: &[u8]) -> [u8; 64] {
        let bytes = auth_bytes(origin, vault, self.device_id(), challenge);
        self.auth.sign(AUTH_SIGNATURE_LABEL, &bytes)
    }

    /// Agrees to become a member of `vault` with these keys.
    #[must_use]
    pub fn sign_consent(&self, vault: VaultId) -> [u8; 64] {
        self.signing.sign(MEMBER_SIGNATURE_LABEL, &self.public().consent_bytes(vault))
    }

    pub(crate) fn open_sealed(
        &self,
        psk: Option<&[u8; 32]>,
        info: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KemError> {
        self.kem.open(psk, info, associated, sealed)
    }
}

impl fmt::Debug for DeviceSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSecrets({}, <redacted>)", self.device_id().short())
    }
}
