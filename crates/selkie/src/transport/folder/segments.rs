//! One segment file: its envelopes, if it is what its name says.

use std::io::{Read as _, Seek as _, SeekFrom};
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

/// Whether a file looks whole without reading it all: its headers have the numbers of its name, and it
/// ends where the last of them says.
pub(super) fn looks_whole(path: &Path, name: SegmentName) -> bool {
    let Some((mut file, len)) = files::open(path) else { return false };
    let (mut at, mut number) = (0, Some(name.first));
    while at < len {
        let mut header = [0; HEADER_LEN];
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut header));
        let (Ok(()), Some(envelope_len)) = (read, envelope_len(&header)) else { return false };
        let named = header.get(56..64).and_then(|number| number.try_into().ok());
        if number.is_none() || named.map(u64::from_le_bytes).map(SegmentNumber) != number {
            return false;
        }
        at += envelope_len as u64;
        if number == Some(name.last) {
            return at == len;
        }
        number = number.and_then(SegmentNumber::next);
    }
    false
}
