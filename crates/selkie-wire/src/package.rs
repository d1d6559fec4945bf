//! Sync packages: sealed envelopes and roster entries as one string of bytes, for mail or a USB stick
//! (`docs/FORMAT.md`, sync package).
//!
//! Public bytes only. The container says that it is whole; whether what it holds is authentic, each
//! envelope's signature says.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::envelope::MAGIC;
use crate::ids::{DeviceId, Digest, IncarnationToken, VaultId};
use crate::incarnation::Incarnation;
use crate::limits::{
    DEVICES_MAX, ENVELOPE_BYTES_MAX, PACKAGE_BYTES_MAX, ROSTER_ENTRIES_MAX, ROSTER_ENTRY_BYTES_MAX,
};

/// The type byte of a package.
pub const PACKAGE_TYPE: u8 = 9;
/// The one version there is.
pub const PACKAGE_VERSION: u8 = 1;
/// Bytes before the first item.
pub const PACKAGE_HEADER_LEN: usize = 40;
/// Introductions in one package.
pub const INTRODUCTIONS_MAX: usize = 16 * DEVICES_MAX;

/// Kind bytes of the items, which come in this order.
mod kind {
    pub const ROSTER_ENTRY: u8 = 1;
    pub const INTRODUCTION: u8 = 2;
    pub const ENVELOPE: u8 = 3;
    pub const END: u8 = 0xff;
}

/// Length of an item's kind and length.
const ITEM_HEADER_LEN: usize = 5;
/// The end item: SHA-256 of all before it.
const END_LEN: usize = 32;
/// A member's device id, and the token that a further chain of its begins with.
const INTRODUCTION_LEN: usize = 48;

/// What a package holds, in order. Nothing of it is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageContent<'a> {
    /// Roster entries, ascending and without gaps among them.
    pub roster: Vec<&'a [u8]>,
    /// Chains whose beginning may be missing.
    pub introductions: Vec<Incarnation>,
    /// Envelopes of any devices of the vault.
    pub envelopes: Vec<&'a [u8]>,
}

/// Why bytes are not a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackageError {
    /// Does not begin as a package does.
    Magic,
    /// A type, version, flag or item of a later version.
    TooNew,
    /// Ends before its end item.
    Truncated,
    /// Something in it was changed on the way, or follows the end.
    Damaged,
    /// Items are out of order, or one has a length it cannot have.
    Items,
    /// Longer than [`PACKAGE_BYTES_MAX`], or with more items than allowed.
    TooLarge,
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "this is no sync package",
            Self::TooNew => "the package is of a newer version; update the app",
            Self::Truncated => "the package ends too early; copy it again",
            Self::Damaged => "the package was damaged on the way; copy it again",
            Self::Items => "the package is not put together as one should be",
            Self::TooLarge => "the package is larger than a package may be",
        })
    }
}

impl core::error::Error for PackageError {}

/// Puts a package together, item by item.
///
/// ```
/// use selkie_wire::VaultId;
/// use selkie_wire::package::{PackageWriter, read_package};
/// let mut writer = PackageWriter::new(VaultId([1; 32]));
/// writer.roster_entry(b"an entry");
/// writer.envelope(b"an envelope");
/// let bytes = writer.finish();
/// let (vault, content) = read_package(&bytes)?;
/// assert_eq!((vault, content.envelopes), (VaultId([1; 32]), vec![&b"an envelope"[..]]));
/// # Ok::<(), selkie_wire::package::PackageError>(())
/// ```
#[derive(Debug)]
pub struct PackageWriter {
    bytes: Vec<u8>,
}

impl PackageWriter {
    /// An empty package of a vault.
    #[must_use]
    pub fn new(vault: VaultId) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[PACKAGE_TYPE, PACKAGE_VERSION, 0, 0]);
        bytes.extend_from_slice(&vault.0);
        Self { bytes }
    }

    /// Adds a roster entry; before anything else.
    pub fn roster_entry(&mut self, entry: &[u8]) {
        self.item(kind::ROSTER_ENTRY, entry);
    }

    /// Adds an introduction; before any envelope.
    pub fn introduction(&mut self, introduction: &Incarnation) {
        let bytes = [&introduction.member.0[..], &introduction.token.0].concat();
        self.item(kind::INTRODUCTION, &bytes);
    }

    /// Adds an envelope.
    pub fn envelope(&mut self, envelope: &[u8]) {
        self.item(kind::ENVELOPE, envelope);
    }

    /// Bytes so far, and those of the end.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + ITEM_HEADER_LEN + END_LEN
    }

    fn item(&mut self, kind: u8, bytes: &[u8]) {
        self.bytes.push(kind);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// The whole package.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let digest = Digest(Sha256::digest(&self.bytes).into());
        self.item(kind::END, digest.as_bytes());
        self.bytes
    }
}

/// Reads a package, whole or not at all.
///
/// # Errors
/// [`PackageError`], never a panic, whatever the bytes.
pub fn read_package(bytes: &[u8]) -> Result<(VaultId, PackageContent<'_>), PackageError> {
    if bytes.len() > PACKAGE_BYTES_MAX {
        return Err(PackageError::TooLarge);
    }
    let vault = read_header(bytes)?;
    let mut content = PackageContent::default();
    let (mut at, mut last_kind) = (PACKAGE_HEADER_LEN, 0);
    loop {
        let (kind, item, after) = read_item(bytes, at)?;
        if kind < last_kind {
            return Err(PackageError::Items);
        }
        match kind {
            kind::ROSTER_ENTRY => {
                within(
                    item.len(),
                    ROSTER_ENTRY_BYTES_MAX,
                    content.roster.len(),
                    ROSTER_ENTRIES_MAX,
                )?;
                content.roster.push(item);
            }
            kind::INTRODUCTION => {
                let (member, token) =
                    item.split_at_checked(DeviceId::LEN).ok_or(PackageError::Items)?;
                let member = DeviceId::from_slice(member).ok_or(PackageError::Items)?;
                let token = IncarnationToken::from_slice(token).ok_or(PackageError::Items)?;
                let known = content.introductions.len();
                within(item.len(), INTRODUCTION_LEN, known, INTRODUCTIONS_MAX)?;
                content.introductions.push(Incarnation { member, token });
            }
            kind::ENVELOPE => {
                within(item.len(), ENVELOPE_BYTES_MAX, 0, 1)?;
                content.envelopes.push(item);
            }
            kind::END => {
                let digest = Digest::of(bytes.get(..at).unwrap_or_default());
                let whole = item == digest.as_bytes() && after == bytes.len();
                return if whole { Ok((vault, content)) } else { Err(PackageError::Damaged) };
            }
            _ => return Err(PackageError::TooNew),
        }
        (at, last_kind) = (after, kind);
    }
}

fn read_header(bytes: &[u8]) -> Result<VaultId, PackageError> {
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or(PackageError::Magic)?;
    let Some((&[kind, version, flag_low, flag_high], rest)) = rest.split_first_chunk::<4>() else {
        return Err(if magic == MAGIC { PackageError::Truncated } else { PackageError::Magic });
    };
    if magic != MAGIC || kind != PACKAGE_TYPE {
        return Err(PackageError::Magic);
    }
    if (version, flag_low, flag_high) != (PACKAGE_VERSION, 0, 0) {
        return Err(PackageError::TooNew);
    }
    let vault = rest.get(..VaultId::LEN).and_then(VaultId::from_slice);
    vault.ok_or(PackageError::Truncated)
}

/// An item's kind and bytes, and where the next one begins.
fn read_item(bytes: &[u8], at: usize) -> Result<(u8, &[u8], usize), PackageError> {
    let rest = bytes.get(at..).ok_or(PackageError::Truncated)?;
    let (&[kind, len @ ..], rest) =
        rest.split_first_chunk::<ITEM_HEADER_LEN>().ok_or(PackageError::Truncated)?;
    let len = usize::try_from(u32::from_le_bytes(len)).map_err(|_| PackageError::TooLarge)?;
    let item = rest.get(..len).ok_or(PackageError::Truncated)?;
    Ok((kind, item, at + ITEM_HEADER_LEN + len))
}

fn within(len: usize, len_max: usize, count: usize, count_max: usize) -> Result<(), PackageError> {
    match () {
        () if len == 0 || len > len_max => Err(PackageError::Items),
        () if count >= count_max => Err(PackageError::TooLarge),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Vec<u8> {
        let mut writer = PackageWriter::new(VaultId([0x11; 32]));
        writer.roster_entry(&[0x22; 3]);
        writer.introduction(&Incarnation {
            member: DeviceId([0x33; 16]),
            token: IncarnationToken([0x44; 32]),
        });
        writer.envelope(&[0x55; 2]);
        let size_bytes = writer.size_bytes();
        let bytes = writer.finish();
        assert_eq!(bytes.len(), size_bytes);
        bytes
    }

    /// Written from the table in docs/FORMAT.md, field by field, not from the code.
    #[test]
    fn package_bytes_are_those_of_the_specification() {
        let fields: &[&[u8]] = &[
            b"SLK1",
            &[9, 1, 0, 0],
            &[0x11; 32],
            &[1, 3, 0, 0, 0],
            &[0x22; 3],
            &[2, 48, 0, 0, 0],
            &[0x33; 16],
            &[0x44; 32],
            &[3, 2, 0, 0, 0],
            &[0x55; 2],
        ];
        let before_end = fields.concat();
        let digest: [u8; 32] = Sha256::digest(&before_end).into();
        assert_eq!(package(), [&before_end[..], &[0xff, 32, 0, 0, 0], &digest].concat());
    }

    #[test]
    fn every_truncation_flip_and_extension_is_refused() {
        let bytes = package();
        assert_eq!(read_package(&bytes).unwrap().1.introductions.len(), 1);
        for len in 0..bytes.len() {
            let cut = read_package(&bytes[..len]).unwrap_err();
            let expected = if len < 4 { PackageError::Magic } else { PackageError::Truncated };
            assert_eq!(cut, expected, "{len}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(read_package(&flipped).is_err(), "{at}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(read_package(&longer), Err(PackageError::Damaged));
    }

    #[test]
    fn items_out_of_order_or_of_impossible_length_are_refused() {
        type Build = fn(&mut PackageWriter);
        let cases: &[(Build, PackageError)] = &[
            (
                |writer| {
                    writer.envelope(b"e");
                    writer.roster_entry(b"r");
                },
                PackageError::Items,
            ),
            (|writer| writer.envelope(b""), PackageError::Items),
            (|writer| writer.envelope(&vec![0; ENVELOPE_BYTES_MAX + 1]), PackageError::Items),
            (
                |writer| writer.roster_entry(&vec![0; ROSTER_ENTRY_BYTES_MAX + 1]),
                PackageError::Items,
            ),
            (|writer| writer.item(kind::INTRODUCTION, &[0; 47]), PackageError::Items),
            (|writer| writer.item(9, b"later"), PackageError::TooNew),
            (
                |writer| (0..=ROSTER_ENTRIES_MAX).for_each(|_| writer.roster_entry(b"r")),
                PackageError::TooLarge,
            ),
        ];
        for (at, (build, error)) in cases.iter().enumerate() {
            let mut writer = PackageWriter::new(VaultId([0; 32]));
            build(&mut writer);
            assert_eq!(read_package(&writer.finish()), Err(*error), "case {at}");
        }
        for (at, byte, error) in [
            (4, 1, PackageError::Magic),
            (5, 2, PackageError::TooNew),
            (6, 1, PackageError::TooNew),
        ] {
            let mut bytes = package();
            bytes[at] = byte;
            assert_eq!(read_package(&bytes), Err(error), "byte {at}");
        }
    }
}
