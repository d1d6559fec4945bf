//! zstd (RFC 8878), with the size declared and bounded before anything is expanded.

use selkie_wire::limits::{BODY_BYTES_MAX, COMPRESSION_RATIO_MAX};
use zeroize::Zeroizing;

/// zstd's own default: most of the gain, little of the time.
const LEVEL: i32 = 3;
/// Bytes of the declared size in front of the frame.
const LEN_LEN: usize = 4;

/// Why compressed bytes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecompressError {
    /// Declares more than 16 MiB, or more than 64 times its own length: a decompression bomb.
    Bomb,
    /// Not one zstd frame of exactly the declared size.
    Malformed,
}

impl core::fmt::Display for DecompressError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Bomb => "the compressed bytes declare a size that is not accepted",
            Self::Malformed => "the compressed bytes are malformed",
        })
    }
}

impl core::error::Error for DecompressError {}

/// Declared size (u32, little endian) ‖ one zstd frame; `None` if that would not be shorter, or
/// so much shorter that a reader would take it for a bomb.
#[must_use]
pub fn compress(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let declared = u32::try_from(body.len()).ok()?.to_le_bytes();
    let frame = Zeroizing::new(zstd::bulk::compress(body, LEVEL).ok()?);
    let compressed = Zeroizing::new([&declared[..], &frame].concat());
    let honest = check_declared(body.len(), compressed.len()).is_ok();
    (honest && compressed.len() < body.len()).then_some(compressed)
}

/// Expands what [`compress`] made. No memory is taken before the declared size is accepted, and no
/// more than that size afterwards.
///
/// # Errors
/// [`DecompressError`].
pub fn decompress(compressed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecompressError> {
    let (declared, frame) =
        compressed.split_first_chunk::<LEN_LEN>().ok_or(DecompressError::Malformed)?;
    let declared =
        usize::try_from(u32::from_le_bytes(*declared)).map_err(|_| DecompressError::Bomb)?;
    check_declared(declared, compressed.len())?;
    if zstd::zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(DecompressError::Malformed);
    }
    let mut body = Zeroizing::new(Vec::with_capacity(declared));
    // Writes into the spare capacity only, and fails if that is too small.
    let written = zstd::bulk::Decompressor::new()
        .and_then(|mut zstd| zstd.decompress_to_buffer(frame, &mut *body))
        .map_err(|_| DecompressError::Malformed)?;
    if written == declared { Ok(body) } else { Err(DecompressError::Malformed) }
}

fn check_declared(declared: usize, compressed_len: usize) -> Result<(), DecompressError> {
    let most = compressed_len.saturating_mul(COMPRESSION_RATIO_MAX).min(BODY_BYTES_MAX);
    if declared > most { Err(DecompressError::Bomb) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of(declared: u32, frame: &[u8]) -> Vec<u8> {
        [&declared.to_le_bytes()[..], frame].concat()
    }

    #[test]
    fn bombs_are_refused_before_they_are_expanded() {
        let zeros = vec![0u8; 64 * 1024 * 1024];
        let frame = zstd::bulk::compress(&zeros, 3).unwrap();
        let refused = |declared: u32| decompress(&bytes_of(declared, &frame)).unwrap_err();
        assert_eq!(refused(64 * 1024 * 1024), DecompressError::Bomb, "over 16 MiB");
        assert_eq!(refused(u32::MAX), DecompressError::Bomb);
        // Well within 64:1, and over 16 MiB all the same.
        let long = vec![0u8; 1024 * 1024];
        let over = bytes_of(BODY_BYTES_MAX as u32 + 1, &long);
        assert_eq!(decompress(&over).unwrap_err(), DecompressError::Bomb);
        let within = bytes_of(BODY_BYTES_MAX as u32, &long);
        assert_eq!(decompress(&within).unwrap_err(), DecompressError::Malformed);
        assert_eq!(refused(64 * 1024), DecompressError::Malformed, "lies about its size");
        let frame = zstd::bulk::compress(&zeros[..1 << 20], 3).unwrap();
        assert!(frame.len() < (1 << 20) / 64);
        assert_eq!(decompress(&bytes_of(1 << 20, &frame)).unwrap_err(), DecompressError::Bomb);
    }

    #[test]
    fn a_wrong_size_a_second_frame_and_a_cut_are_refused() {
        let body: Vec<u8> = (0..1000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let frame = zstd::bulk::compress(&body, 3).unwrap();
        assert_eq!(*decompress(&bytes_of(4000, &frame)).unwrap(), body);
        for declared in [0, 3999, 4001] {
            let error = decompress(&bytes_of(declared, &frame)).unwrap_err();
            assert_eq!(error, DecompressError::Malformed, "{declared}");
        }
        let two = [&frame[..], &frame].concat();
        assert_eq!(decompress(&bytes_of(8000, &two)).unwrap_err(), DecompressError::Malformed);
        for len in 0..frame.len() {
            assert!(decompress(&bytes_of(4000, &frame[..len])).is_err());
        }
    }

    #[test]
    fn what_a_reader_would_refuse_is_never_written() {
        assert!(compress(&vec![0u8; 1 << 20]).is_none(), "beyond 64:1");
        assert!(compress(&[7]).is_none(), "not shorter");
    }

    proptest! {
        #[test]
        fn what_is_compressed_expands_to_itself(words in prop::collection::vec("[a-z]{1,9}", 0..400)) {
            let body = words.join(" ").into_bytes();
            if let Some(compressed) = compress(&body) {
                prop_assert!(compressed.len() < body.len());
                prop_assert_eq!(&*decompress(&compressed).unwrap(), &body);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_expanded_and_never_a_panic(bytes: Vec<u8>) {
            let _ = decompress(&bytes);
        }
    }
}
