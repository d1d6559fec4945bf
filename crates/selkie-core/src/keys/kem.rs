//! HPKE (RFC 9180) with X-Wing (draft-connolly-cfrg-xwing-kem), HKDF-SHA256 and ChaCha20-Poly1305.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::keys::secret::Secret32;
use crate::ports::{RandomError, RandomSource};

/// Length of an X-Wing public key.
pub(crate) const PUBLIC_KEY_LEN: usize = 1216;
/// Length of an X-Wing encapsulation.
pub(crate) const ENCAPSULATION_LEN: usize = 1120;
/// Names the pre-shared key inside HPKE (`psk_id`).
const PAIRING_PSK_ID: &[u8] = b"selkie/1/pairing-psk\0";

/// The seed an X-Wing key pair is expanded from (its 32-byte decapsulation key).
pub(crate) struct KemSeed(Secret32);

/// Something could not be sealed to a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KemError {
    Random(RandomError),
    /// The public key is none.
    PublicKey,
    /// It was not sealed for this key, or for another purpose, or was changed.
    Open,
    /// The cipher refused.
    Seal,
}

impl From<RandomError> for KemError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl KemSeed {
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret32::from_bytes(bytes))
    }

    pub(crate) fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        Secret32::generate(random).map(Self)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    fn private_key(&self) -> Result<<XWing as Kem>::PrivateKey, KemError> {
        <XWing as Kem>::PrivateKey::from_bytes(self.0.expose()).map_err(|_| KemError::Open)
    }

    /// The public key; 1216 bytes.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        // Any 32 bytes are an X-Wing seed, so the empty key is never seen; `is_public_key` would
        // refuse it wherever it went.
        self.private_key().map(|key| XWing::sk_to_pk(&key).to_bytes().to_vec()).unwrap_or_default()
    }

    /// Opens encapsulation ‖ ciphertext.
    pub(crate) fn open(
        &self,
        psk: Option<&[u8; 32]>,
        info: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KemError> {
        let (encapsulation, ciphertext) =
            sealed.split_at_checked(ENCAPSULATION_LEN).ok_or(KemError::Open)?;
        let encapsulation =
            <XWing as Kem>::EncappedKey::from_bytes(encapsulation).map_err(|_| KemError::Open)?;
        let mode = match psk {
            Some(psk) => OpModeR::Psk(bundle(psk)?),
            None => OpModeR::Base,
        };
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &mode,
            &self.private_key()?,
            &encapsulation,
            info,
            ciphertext,
            associated,
        )
        .map(Zeroizing::new)
        .map_err(|_| KemError::Open)
    }
}

/// Whether these bytes are an X-Wing public key.
pub(crate) fn is_public_key(bytes: &[u8]) -> bool {
    bytes.len() == PUBLIC_KEY_LEN && <XWing as Kem>::PublicKey::from_bytes(bytes).is_ok()
}

/// Seals for the holder of `public_key`'s seed: encapsulation ‖ ciphertext.
pub(crate) fn seal(
    public_key: &[u8],
    psk: Option<&[u8; 32]>,
    info: &[u8],
    associated: &[u8],
    plaintext: &[u8],
    random: &mut dyn RandomSource,
) -> Result<Vec<u8>, KemError> {
    let public_key =
        <XWing as Kem>::PublicKey::from_bytes(public_key).map_err(|_| KemError::PublicKey)?;
    let mode = match psk {
        Some(psk) => OpModeS::Psk(bundle(psk)?),
        None => OpModeS::Base,
    };
    // HPKE asks for a generator that cannot fail. Ours can, so it fails here, before, and HPKE gets
    // a stream expanded from one fresh 256-bit seed.
    let seed = Zeroizing::new(random.draw::<32>()?);
    let mut generator = ChaCha20Rng::from_seed(*seed);
    let (encapsulation, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &mode,
            &public_key,
            info,
            plaintext,
            associated,
            &mut generator,
        )
        .map_err(|_| KemError::Seal)?;
    Ok([encapsulation.to_bytes().as_slice(), &ciphertext].concat())
}

fn bundle(psk: &[u8; 32]) -> Result<PskBundle<'_>, KemError> {
    PskBundle::new(psk, PAIRING_PSK_ID).map_err(|_| KemError::Seal)
}
