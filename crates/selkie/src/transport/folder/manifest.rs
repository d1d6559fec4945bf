//! Where a device's chain ends, in a small file beside it: it spares the device a walk through all its
//! files at each run.
//!
//! Nothing rests on it. It may be absent, old or wrong: what it names is checked, and the device walks
//! all the same every few runs.

use minicbor::{Decode, Encode};
use selkie_wire::relay::Head;
use selkie_wire::{Digest, SegmentNumber, cbor};

/// Its name, in the device's folder.
pub(super) const FILE_NAME: &str = "manifest";
/// Longer is none.
pub(super) const BYTES_MAX: usize = 256;
/// The one version there is.
const VERSION: u32 = 1;

/// The end of a device's chain in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Manifest {
    #[n(0)]
    version: u32,
    /// The last segment of which none before is missing.
    #[n(1)]
    pub(super) number: SegmentNumber,
    /// Its digest.
    #[n(2)]
    pub(super) digest: Digest,
    /// The file that ends with it.
    #[n(3)]
    pub(super) file: String,
}

impl Manifest {
    pub(super) fn new(head: Head, file: String) -> Option<Self> {
        Some(Self { version: VERSION, number: head.number, digest: head.digest?, file })
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = cbor::decode(bytes).ok()?;
        (manifest.version == VERSION).then_some(manifest)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }
}
