//! The frame inside the ciphertext: version, compression, length, body, zeros.

use zeroize::Zeroizing;

use super::errors::{OpenError, SealError};
use crate::seal::body::SegmentBody;
use crate::seal::compress::{compress, decompress};
use crate::seal::padding::padded_len;

const VERSION: u8 = 1;
/// version, compression, two zero bytes, body length.
const FRAME_LEN: usize = 8;
const STORED: u8 = 0;
const ZSTD: u8 = 1;

pub(super) fn encode(
    body: &SegmentBody,
    compressed: bool,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let body = body.to_cbor()?;
    let packed = if compressed { compress(&body) } else { None };
    let (compression, body) = match packed {
        Some(packed) => (ZSTD, packed),
        None => (STORED, body),
    };
    let body_len = u32::try_from(body.len()).map_err(|_| SealError::TooLarge)?;
    let padded = padded_len(FRAME_LEN + body.len());
    let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
    plaintext.extend_from_slice(&[VERSION, compression, 0, 0]);
    plaintext.extend_from_slice(&body_len.to_le_bytes());
    plaintext.extend_from_slice(&body);
    plaintext.resize(padded, 0);
    Ok(plaintext)
}

pub(super) fn decode(plaintext: &[u8]) -> Result<SegmentBody, OpenError> {
    let ([version, compression, zeros @ ..], rest) =
        plaintext.split_first_chunk::<4>().ok_or(OpenError::Padding)?;
    if *version != VERSION || *compression > ZSTD || *zeros != [0, 0] {
        return Err(OpenError::TooNew);
    }
    let (body_len, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Padding)?;
    let body_len =
        usize::try_from(u32::from_le_bytes(*body_len)).map_err(|_| OpenError::Padding)?;
    let (body, padding) = rest.split_at_checked(body_len).ok_or(OpenError::Padding)?;
    // One plaintext has one padding: room for hidden bytes, or a second form, there is none.
    let canonical = plaintext.len() == padded_len(FRAME_LEN + body_len);
    if !canonical || padding.iter().any(|byte| *byte != 0) {
        return Err(OpenError::Padding);
    }
    let parsed = if *compression == ZSTD {
        let body = decompress(body).map_err(|_| OpenError::Compression)?;
        SegmentBody::from_cbor(&body)
    } else {
        SegmentBody::from_cbor(body)
    };
    parsed.map_err(OpenError::Body)
}
