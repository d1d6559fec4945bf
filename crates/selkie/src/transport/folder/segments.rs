//! One segment file: its envelopes, if it is what its name says.

use std::path::Path;

use selkie_wire::envelope::{HEADER_LEN, SIGNATURE_LEN};
use selkie_wire::limits::FOLDER_FILE_BYTES_MAX;
use selkie_wire::{DeviceId, Digest, Envelope, SegmentNumber, VaultId};

use super::files;
use super::names::SegmentName;

/// What a segment file turned out to be.
pub(super) enum Content {
    /// Whole: consecutive envelopes of one device.
    Whole(Vec<Envelope>),
    /// Not what its name says: half copied, cut off, changed, or made up.
    Damaged,
    /// Not there any more, or no plain file.
    Gone,
}

/// Reads a file of `device`'s folder. Signatures are for the caller to check.
pub(super) fn read(path: &Path, name: SegmentName, vault: VaultId, device: DeviceId) -> Content {
    if files::len(path).is_none() {
        return Content::Gone;
    }
    let Some(bytes) = files::read(path, FOLDER_FILE_BYTES_MAX) else { return Content::Damaged };
    if Digest::of(&bytes) != name.digest {
        return Content::Damaged;
    }
    let mut envelopes = Vec::new();
    let (mut rest, mut number) = (&bytes[..], Some(name.first));
    while let Some((envelope, after)) = split_envelope(rest) {
        let header = envelope.header();
        if (header.vault, header.device, Some(header.number)) != (vault, device, number) {
            return Content::Damaged;
        }
        number = header.number.next();
        envelopes.push(envelope);
        rest = after;
    }
    let last = envelopes.last().map(|envelope| envelope.header().number);
    if rest.is_empty() && last == Some(name.last) {
        Content::Whole(envelopes)
    } else {
        Content::Damaged
    }
}

/// The first envelope of several that follow each other.
fn split_envelope(bytes: &[u8]) -> Option<(Envelope, &[u8])> {
    let len = envelope_len(bytes.first_chunk()?)?;
    let (first, rest) = bytes.split_at_checked(len)?;
    Some((Envelope::parse(first.to_vec()).ok()?, rest))
}

/// How long an envelope is by its header, whose last field is the ciphertext's length.
fn envelope_len(header: &[u8; HEADER_LEN]) -> Option<usize> {
    let ciphertext_len = u32::from_le_bytes(*header.last_chunk()?) as usize;
    (HEADER_LEN + SIGNATURE_LEN).checked_add(ciphertext_len)
}

/// Whether a file looks whole without reading it all: it has the length that its one header says, and
/// the number of its name. Of a merged file only the beginning is looked at.
pub(super) fn looks_whole(path: &Path, name: SegmentName) -> bool {
    let (Some(len), Some(header)) = (files::len(path), files::read_start(path)) else {
        return false;
    };
    let number = header.get(56..64).and_then(|number| number.try_into().ok());
    let named = number.map(u64::from_le_bytes).map(SegmentNumber) == Some(name.first);
    let one_len = envelope_len(&header).map(|len| len as u64);
    named && one_len.is_some_and(|one| if name.is_single() { len == one } else { len > one })
}
