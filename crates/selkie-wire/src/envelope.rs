//! Envelope v1: the sealed unit, as everyone may see it (`docs/FORMAT.md`, envelope).
//!
//! One parser for relay and device. It checks structure only; who signed, and what is inside, is
//! for those who know the roster and hold the keys.

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::ids::{DeviceId, Digest, KeyId, RosterNumber, SegmentNumber, VaultId};
use crate::limits::ENVELOPE_BYTES_MAX;

/// First bytes of everything Selkie stores or sends.
pub const MAGIC: [u8; 4] = *b"SLK1";
/// XChaCha20-Poly1305, HKDF-SHA256, Ed25519.
pub const SUITE_1: u8 = 1;
/// Length of the header; these bytes are the associated data of the cipher.
pub const HEADER_LEN: usize = 164;
/// Length of the signature at the end.
pub const SIGNATURE_LEN: usize = 64;
/// Length of the AEAD tag at the end of the ciphertext.
pub const TAG_LEN: usize = 16;
/// What the signature of a segment covers, before the SHA-256 of header and ciphertext.
pub const SEGMENT_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/segment\0";

/// What an envelope carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EnvelopeType {
    /// Consecutive changes of one device.
    Segment = 1,
    /// A part of a checkpoint.
    CheckpointChunk = 2,
    /// A roster entry.
    Roster = 3,
    /// A pairing message.
    Pairing = 4,
    /// A report for a destination outside the vault.
    Report = 5,
    /// A backup.
    Backup = 6,
    /// What a checkpoint is made of.
    CheckpointManifest = 10,
}

impl EnvelopeType {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Segment,
            Self::CheckpointChunk,
            Self::Roster,
            Self::Pairing,
            Self::Report,
            Self::Backup,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// The 164 clear bytes before the ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the envelope carries.
    pub envelope_type: EnvelopeType,
    /// Whose vault it is part of.
    pub vault: VaultId,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Its place in the device's chain.
    pub number: SegmentNumber,
    /// Digest of the device's previous envelope; of its Add entry for the first.
    pub previous: Digest,
    /// The last roster entry its sender had applied.
    pub roster: RosterNumber,
    /// Commitment to the epoch key it is sealed under.
    pub key_id: KeyId,
    /// Random, never a counter: a phone restored from a backup would repeat counters.
    pub nonce: [u8; 24],
    /// Ciphertext length, tag included.
    pub ciphertext_len: u32,
}

/// Why bytes are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Shorter than its header says, or longer.
    Length,
    /// Does not begin with `SLK1`.
    Magic,
    /// An envelope type, suite or flag of a later version: an update may read it.
    TooNew,
    /// A number no honest sender writes (segment 0).
    Number,
    /// The signature does not verify.
    Signature,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "the envelope has the wrong length",
            Self::Magic => "these bytes are no Selkie envelope",
            Self::TooNew => "the envelope is of a newer version; update the app",
            Self::Number => "the envelope has no valid number",
            Self::Signature => "the envelope's signature does not verify",
        })
    }
}

impl core::error::Error for EnvelopeError {}

impl Header {
    /// The header's bytes, which are also the cipher's associated data.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0u8; HEADER_LEN];
        let mut writer = Writer { rest: &mut bytes };
        writer.put(&MAGIC);
        writer.put(&[self.envelope_type as u8, SUITE_1, 0, 0]);
        writer.put(&self.vault.0);
        writer.put(&self.device.0);
        writer.put(&self.number.0.to_le_bytes());
        writer.put(&self.previous.0);
        writer.put(&self.roster.0.to_le_bytes());
        writer.put(&self.key_id.0);
        writer.put(&self.nonce);
        writer.put(&self.ciphertext_len.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader { rest: bytes };
        if reader.take::<4>()? != MAGIC {
            return Err(EnvelopeError::Magic);
        }
        let [kind, suite, flag_low, flag_high] = reader.take::<4>()?;
        let envelope_type = EnvelopeType::from_byte(kind).ok_or(EnvelopeError::TooNew)?;
        if (suite, flag_low, flag_high) != (SUITE_1, 0, 0) {
            return Err(EnvelopeError::TooNew);
        }
        let header = Self {
            envelope_type,
            vault: VaultId(reader.take()?),
            device: DeviceId(reader.take()?),
            number: SegmentNumber(u64::from_le_bytes(reader.take()?)),
            previous: Digest(reader.take()?),
            roster: RosterNumber(u64::from_le_bytes(reader.take()?)),
            key_id: KeyId(reader.take()?),
            nonce: reader.take()?,
            ciphertext_len: u32::from_le_bytes(reader.take()?),
        };
        if header.number.0 == 0 {
            return Err(EnvelopeError::Number);
        }
        Ok(header)
    }
}

/// An envelope whose structure is right; nothing more is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    header: Header,
    bytes: Vec<u8>,
}

impl Envelope {
    /// Checks lengths, magic, type, suite and flags, in that order.
    ///
    /// # Errors
    /// [`EnvelopeError`], never a panic, whatever the bytes.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::Length);
        }
        let header = Header::parse(&bytes)?;
        let ciphertext_len = header.ciphertext_len as usize;
        if ciphertext_len < TAG_LEN || bytes.len() != HEADER_LEN + ciphertext_len + SIGNATURE_LEN {
            return Err(EnvelopeError::Length);
        }
        Ok(Self { header, bytes })
    }

    /// The clear header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole envelope, as stored and sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole envelope, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The associated data: bytes 0..164.
    #[must_use]
    pub fn associated_data(&self) -> &[u8] {
        self.bytes.split_at(HEADER_LEN).0
    }

    /// Ciphertext and tag.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        self.signed_part().split_at(HEADER_LEN).1
    }

    /// SHA-256 of the whole envelope: its name, and the next one's `previous`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Verifies the sender's signature (Ed25519, RFC 8032, with the strict rules of `verify_strict`).
    ///
    /// # Errors
    /// [`EnvelopeError::Signature`].
    pub fn verify(&self, signing_key: &[u8; 32]) -> Result<(), EnvelopeError> {
        let (_, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN);
        verify_digest(signing_key, SEGMENT_SIGNATURE_LABEL, self.signed_part(), signature)
            .then_some(())
            .ok_or(EnvelopeError::Signature)
    }

    fn signed_part(&self) -> &[u8] {
        self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN).0
    }
}

/// The message an Ed25519 key signs: a label that ends in zero, then SHA-256 of the bytes.
#[must_use]
pub fn signature_message(label: &[u8], bytes: &[u8]) -> Vec<u8> {
    [label, Digest::of(bytes).as_bytes()].concat()
}

/// Whether `signature` is `signing_key`'s over [`signature_message`].
#[must_use]
pub fn verify_digest(signing_key: &[u8; 32], label: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_bytes(signing_key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_strict(&signature_message(label, bytes), &signature).is_ok()
}

/// Takes fixed-length fields off the front.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(EnvelopeError::Length)?;
        self.rest = rest;
        Ok(*head)
    }
}

/// Fills a fixed-length buffer from the front; the caller's lengths add up, or a test shows it.
struct Writer<'a> {
    rest: &'a mut [u8],
}

impl Writer<'_> {
    fn put(&mut self, field: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        if let Some((head, tail)) = rest.split_at_mut_checked(field.len()) {
            head.copy_from_slice(field);
            self.rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            envelope_type: EnvelopeType::Segment,
            vault: VaultId([0x11; 32]),
            device: DeviceId([0x22; 16]),
            number: SegmentNumber(0x0102_0304_0506_0708),
            previous: Digest([0x33; 32]),
            roster: RosterNumber(9),
            key_id: KeyId([0x44; 32]),
            nonce: [0x55; 24],
            ciphertext_len: 16,
        }
    }

    fn envelope_bytes() -> Vec<u8> {
        [&header().to_bytes()[..], &[0x66; 16], &[0x77; 64]].concat()
    }

    /// Written from the table in docs/FORMAT.md, field by field, not from the code.
    #[test]
    fn header_bytes_are_those_of_the_specification() {
        let bytes = header().to_bytes();
        let fields: &[(usize, &[u8])] = &[
            (0, b"SLK1"),
            (4, &[1]),
            (5, &[1]),
            (6, &[0, 0]),
            (8, &[0x11; 32]),
            (40, &[0x22; 16]),
            (56, &[8, 7, 6, 5, 4, 3, 2, 1]),
            (64, &[0x33; 32]),
            (96, &[9, 0, 0, 0, 0, 0, 0, 0]),
            (104, &[0x44; 32]),
            (136, &[0x55; 24]),
            (160, &[16, 0, 0, 0]),
        ];
        for (offset, expected) in fields {
            assert_eq!(&bytes[*offset..*offset + expected.len()], *expected, "at {offset}");
        }
    }

    #[test]
    fn a_parsed_envelope_gives_its_parts_back() {
        let envelope = Envelope::parse(envelope_bytes()).unwrap();
        assert_eq!(*envelope.header(), header());
        assert_eq!(envelope.ciphertext(), [0x66; 16]);
        assert_eq!(envelope.associated_data(), header().to_bytes());
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let bytes = envelope_bytes();
        for len in 0..bytes.len() {
            assert!(Envelope::parse(bytes[..len].to_vec()).is_err(), "{len}");
        }
        assert_eq!(Envelope::parse([&bytes[..], &[0]].concat()), Err(EnvelopeError::Length));
    }

    #[test]
    fn unknown_type_suite_and_flags_ask_for_an_update() {
        for offset in 4..8 {
            let mut bytes = envelope_bytes();
            bytes[offset] ^= 0x80;
            assert_eq!(Envelope::parse(bytes), Err(EnvelopeError::TooNew), "byte {offset}");
        }
    }
}
