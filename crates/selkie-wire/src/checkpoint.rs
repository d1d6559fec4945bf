//! Checkpoint manifests, as everyone may see them (`docs/FORMAT.md`, checkpoint): what they cover, of
//! which chunks they are made, and who vouches for them. What they hold is sealed.

use core::fmt;
use std::collections::BTreeMap;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode};

use crate::cbor::{self, CborError};
use crate::envelope::{
    EnvelopeError, EnvelopeType, MAGIC, Reader, SIGNATURE_LEN, SUITE_1, verify_digest,
};
use crate::ids::{DeviceId, Digest, KeyId, RosterNumber, SegmentNumber, VaultId};
use crate::limits::{CHECKPOINT_CHUNKS_MAX, DEVICES_MAX, MANIFEST_BYTES_MAX};

/// What a checkpoint's author signs, before the SHA-256 of the manifest without its signature.
pub const MANIFEST_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/checkpoint\0";
/// What a co-signer signs, before the SHA-256 of [`cosigned_bytes`].
pub const COSIGN_SIGNATURE_LABEL: &[u8] = b"selkie/1/sig/checkpoint-cosign\0";
/// Bytes before a manifest's body.
const HEADER_LEN: usize = 44;
/// Keys of the body.
const FIELDS: u64 = 6;

/// For each chain of segments: the last one that a checkpoint covers, and its digest.
pub type Covers = BTreeMap<DeviceId, (SegmentNumber, Digest)>;

/// A chunk, by its name and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChunkName {
    /// Digest of the whole envelope.
    #[n(0)]
    pub digest: Digest,
    /// Its length.
    #[n(1)]
    pub size_bytes: u32,
}

/// The public part of a manifest, and the sealed part as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestBody {
    /// The device that made it.
    #[n(0)]
    pub author: DeviceId,
    /// The last roster entry its author had applied.
    #[n(1)]
    pub roster: RosterNumber,
    /// Of the epoch key that everything of it is sealed under.
    #[n(2)]
    pub key_id: KeyId,
    /// The segments that nobody needs who has this checkpoint.
    #[n(3)]
    pub covers: Covers,
    /// Its chunks, in order of shard and part.
    #[n(4)]
    pub chunks: Vec<ChunkName>,
    /// For members: what it holds.
    #[n(5)]
    pub sealed: ByteVec,
}

/// Why bytes are not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// The layout around the body is wrong, or the signature does not verify.
    Structure(EnvelopeError),
    /// The body is not what it must be.
    Body(CborError),
    /// Larger than allowed: the whole, its chains or its chunks.
    Limit,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(error) => write!(f, "checkpoint manifest: {error}"),
            Self::Body(error) => write!(f, "checkpoint manifest: {error}"),
            Self::Limit => f.write_str("the checkpoint manifest is larger than allowed"),
        }
    }
}

impl core::error::Error for ManifestError {}

impl From<EnvelopeError> for ManifestError {
    fn from(error: EnvelopeError) -> Self {
        Self::Structure(error)
    }
}

/// A manifest whose structure is right; who signed it is for those to check who know the roster.
///
/// ```
/// use selkie_wire::checkpoint::{ChunkName, Manifest, ManifestBody};
/// use selkie_wire::{DeviceId, Digest, KeyId, RosterNumber, SegmentNumber, VaultId};
/// let phone = DeviceId([1; 16]);
/// let body = ManifestBody {
///     author: phone,
///     roster: RosterNumber(2),
///     key_id: KeyId([3; 32]),
///     covers: [(phone, (SegmentNumber(7), Digest([4; 32])))].into(),
///     chunks: vec![ChunkName { digest: Digest([5; 32]), size_bytes: 756 }],
///     sealed: vec![0; 40].into(),
/// };
/// let unsigned = Manifest::unsigned_bytes(VaultId([9; 32]), &body);
/// let manifest = Manifest::parse([&unsigned[..], &[0; 64]].concat())?;
/// assert_eq!(manifest.body(), &body);
/// assert!(!manifest.signed_by(&[1; 32]));
/// # Ok::<(), selkie_wire::checkpoint::ManifestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    vault: VaultId,
    body: ManifestBody,
    bytes: Vec<u8>,
}

impl Manifest {
    /// The bytes that the author signs.
    #[must_use]
    pub fn unsigned_bytes(vault: VaultId, body: &ManifestBody) -> Vec<u8> {
        let body = cbor::encode(body);
        let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_LEN + body.len() + SIGNATURE_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[EnvelopeType::CheckpointManifest as u8, SUITE_1, 0, 0]);
        bytes.extend_from_slice(&vault.0);
        bytes.extend_from_slice(&body_len.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Checks layout, body and limits.
    ///
    /// # Errors
    /// [`ManifestError`], never a panic, whatever the bytes.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Limit);
        }
        let mut reader = Reader { rest: &bytes };
        if reader.take::<4>()? != MAGIC {
            return Err(EnvelopeError::Magic.into());
        }
        if reader.take::<4>()? != [EnvelopeType::CheckpointManifest as u8, SUITE_1, 0, 0] {
            return Err(EnvelopeError::TooNew.into());
        }
        let vault = VaultId(reader.take()?);
        let body_len = u32::from_le_bytes(reader.take()?) as usize;
        let (body, signature) =
            reader.rest.split_at_checked(body_len).ok_or(EnvelopeError::Length)?;
        if signature.len() != SIGNATURE_LEN {
            return Err(EnvelopeError::Length.into());
        }
        // Who co-signs says that a checkpoint is right: nobody says that of keys they do not know.
        cbor::check(body).map_err(ManifestError::Body)?;
        let shape = |_| ManifestError::Body(CborError::Shape);
        match Decoder::new(body).map().map_err(shape)? {
            Some(FIELDS) => {}
            Some(more) if more > FIELDS => return Err(EnvelopeError::TooNew.into()),
            _ => return Err(ManifestError::Body(CborError::Shape)),
        }
        let body: ManifestBody = cbor::decode(body).map_err(ManifestError::Body)?;
        if body.chunks.len() > CHECKPOINT_CHUNKS_MAX || body.covers.len() > DEVICES_MAX {
            return Err(ManifestError::Limit);
        }
        Ok(Self { vault, body, bytes })
    }

    /// The vault it belongs to.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &ManifestBody {
        &self.body
    }

    /// The whole manifest, as stored and sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its name: SHA-256 of the whole.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Bytes of all its chunks and of itself.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let chunks: u64 = self.body.chunks.iter().map(|chunk| u64::from(chunk.size_bytes)).sum();
        chunks + self.bytes.len() as u64
    }

    /// Whether the holder of this signing key made it.
    #[must_use]
    pub fn signed_by(&self, signing_key: &[u8; 32]) -> bool {
        let (unsigned, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN);
        verify_digest(signing_key, MANIFEST_SIGNATURE_LABEL, unsigned, signature)
    }
}

/// What a co-signer signs: that this checkpoint of this vault is the state it knows.
#[must_use]
pub fn cosigned_bytes(vault: VaultId, manifest: Digest) -> Vec<u8> {
    [vault.0, manifest.0].concat()
}

/// Whether the holder of this signing key co-signed a manifest.
#[must_use]
pub fn is_cosigned(
    signing_key: &[u8; 32],
    vault: VaultId,
    manifest: Digest,
    signature: &[u8],
) -> bool {
    let bytes = cosigned_bytes(vault, manifest);
    verify_digest(signing_key, COSIGN_SIGNATURE_LABEL, &bytes, signature)
}

/// Whether `covers` goes beyond `known` in no chain.
#[must_use]
pub fn is_within(covers: &Covers, known: &Covers) -> bool {
    covers.iter().all(|(chain, (number, _))| {
        number.0 == 0 || known.get(chain).is_some_and(|(known, _)| number <= known)
    })
}
