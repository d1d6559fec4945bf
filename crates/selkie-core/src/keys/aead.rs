//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), and the wrapping of one key by another.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::ports::{RandomError, RandomSource};

/// Length of a nonce.
pub(crate) const NONCE_LEN: usize = 24;
/// nonce ‖ 32-byte key ‖ tag.
pub(crate) const WRAPPED_LEN: usize = NONCE_LEN + 32 + 16;

/// The cipher refused: longer than 256 GiB, or the tag is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CipherError;

/// ciphertext ‖ tag.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, CipherError> {
    let payload = Payload { msg: plaintext, aad: associated };
    XChaCha20Poly1305::new(key.into()).encrypt(nonce.into(), payload).map_err(|_| CipherError)
}

/// The plaintext, if the tag is right.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let payload = Payload { msg: ciphertext, aad: associated };
    let plaintext = XChaCha20Poly1305::new(key.into()).decrypt(nonce.into(), payload);
    plaintext.map(Zeroizing::new).map_err(|_| CipherError)
}

/// Wraps `secret` under `key`, with a fresh nonce in front.
pub(crate) fn wrap(
    key: &[u8; 32],
    associated: &[u8],
    secret: &[u8; 32],
    random: &mut dyn RandomSource,
) -> Result<[u8; WRAPPED_LEN], WrapError> {
    let nonce = random.draw::<NONCE_LEN>()?;
    let sealed = seal(key, &nonce, associated, secret)?;
    let mut wrapped = [0u8; WRAPPED_LEN];
    let parts = nonce.iter().chain(&sealed);
    for (slot, byte) in wrapped.iter_mut().zip(parts) {
        *slot = *byte;
    }
    Ok(wrapped)
}

/// Unwraps what [`wrap`] made.
pub(crate) fn unwrap(
    key: &[u8; 32],
    associated: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CipherError> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(CipherError)?;
    let plaintext = open(key, nonce, associated, sealed)?;
    let secret: &[u8; 32] = plaintext.as_slice().try_into().map_err(|_| CipherError)?;
    Ok(Zeroizing::new(*secret))
}

/// A key could not be wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrapError {
    Random(RandomError),
    Cipher,
}

impl From<RandomError> for WrapError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<CipherError> for WrapError {
    fn from(_: CipherError) -> Self {
        Self::Cipher
    }
}
