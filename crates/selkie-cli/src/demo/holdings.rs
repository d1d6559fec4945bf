//! What lies on the relay's disk: sealed segments, found by their public headers alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::search::hex;

/// Bytes of an envelope before its ciphertext, and after it (docs/FORMAT.md, envelope v1).
const HEADER_BYTES: usize = 164;
const SIGNATURE_BYTES: usize = 64;

/// A segment as anyone with the relay's disk sees it.
pub struct Segment {
    /// Who wrote it: 16 bytes, in hexadecimal.
    pub device: String,
    /// Its number in that device's chain.
    pub number: u64,
    /// All of it, header and signature included.
    pub size_bytes: usize,
    /// The beginning of the ciphertext.
    pub ciphertext: Vec<u8>,
}

/// The segments in some files, each once, by device and number.
///
/// It reads the raw bytes of the files and asks no library of ours: this is what a thief of the disk
/// has. A database may hold a page twice (in its log, too), so equal headers count once.
pub fn segments(files: &[(PathBuf, Vec<u8>)]) -> Vec<Segment> {
    let mut found = BTreeMap::new();
    for (_, bytes) in files {
        for at in 0..bytes.len() {
            let Some(segment) = bytes.get(at..).and_then(segment_at) else { continue };
            found.entry((segment.device.clone(), segment.number)).or_insert(segment);
        }
    }
    found.into_values().collect()
}

fn segment_at(bytes: &[u8]) -> Option<Segment> {
    // "SLK1", type 1 (segment), suite 1, no flags.
    let rest = bytes.strip_prefix(b"SLK1\x01\x01\x00\x00")?;
    let field = |from: usize, to: usize| rest.get(from - 8..to - 8);
    let number = u64::from_le_bytes(field(56, 64)?.try_into().ok()?);
    let ciphertext_bytes = u32::from_le_bytes(field(160, 164)?.try_into().ok()?);
    let ciphertext_bytes = usize::try_from(ciphertext_bytes).ok()?;
    Some(Segment {
        device: hex(field(40, 56)?),
        number,
        size_bytes: HEADER_BYTES + ciphertext_bytes + SIGNATURE_BYTES,
        ciphertext: field(164, 164 + 16)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_found_once_wherever_it_lies() {
        let mut envelope = b"SLK1\x01\x01\x00\x00".to_vec();
        envelope.extend([7; 32]);
        envelope.extend([0xab; 16]);
        envelope.extend(3_u64.to_le_bytes());
        envelope.resize(160, 0);
        envelope.extend(512_u32.to_le_bytes());
        envelope.resize(HEADER_BYTES + 512 + SIGNATURE_BYTES, 0x5a);
        let mut file = b"other bytes SLK1 and more".to_vec();
        file.extend(&envelope);
        let files = [(PathBuf::from("a"), file), (PathBuf::from("a-wal"), envelope)];
        let found = segments(&files);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].number, found[0].size_bytes), (3, 740));
        assert_eq!(found[0].device, "ab".repeat(16));
    }
}
