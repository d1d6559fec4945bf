//! The frame inside a ciphertext: version, compression, length, body, zeros.

use zeroize::Zeroizing;

use crate::seal::compress::{compress, decompress};
use crate::seal::padding::padded_len;

const VERSION: u8 = 1;
/// version, compression, two zero bytes, body length.
const FRAME_LEN: usize = 8;
const STORED: u8 = 0;
const ZSTD: u8 = 1;

/// Why a plaintext is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// Of a later version.
    TooNew,
    /// Malformed, or its padding is not the one right padding.
    Padding,
    /// The body declares a size it does not have, or one that is not accepted.
    Compression,
}

/// The frame of a body; `None` if it is longer than a length can say.
pub(super) fn encode(body: &[u8], compressed: bool) -> Option<Zeroizing<Vec<u8>>> {
    let packed = if compressed { compress(body) } else { None };
    let (compression, body) = match &packed {
        Some(packed) => (ZSTD, packed.as_slice()),
        None => (STORED, body),
    };
    let body_len = u32::try_from(body.len()).ok()?;
    let padded = padded_len(FRAME_LEN + body.len());
    let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
    plaintext.extend_from_slice(&[VERSION, compression, 0, 0]);
    plaintext.extend_from_slice(&body_len.to_le_bytes());
    plaintext.extend_from_slice(body);
    plaintext.resize(padded, 0);
    Some(plaintext)
}

/// The body of a frame.
pub(super) fn decode(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let ([version, compression, zeros @ ..], rest) =
        plaintext.split_first_chunk::<4>().ok_or(FrameError::Padding)?;
    if *version != VERSION || *compression > ZSTD || *zeros != [0, 0] {
        return Err(FrameError::TooNew);
    }
    let (body_len, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Padding)?;
    let body_len =
        usize::try_from(u32::from_le_bytes(*body_len)).map_err(|_| FrameError::Padding)?;
    let (body, padding) = rest.split_at_checked(body_len).ok_or(FrameError::Padding)?;
    // One plaintext has one padding: room for hidden bytes, or a second form, there is none.
    let canonical = plaintext.len() == padded_len(FRAME_LEN + body_len);
    if !canonical || padding.iter().any(|byte| *byte != 0) {
        return Err(FrameError::Padding);
    }
    if *compression == ZSTD {
        decompress(body).map_err(|_| FrameError::Compression)
    } else {
        Ok(Zeroizing::new(body.to_vec()))
    }
}
