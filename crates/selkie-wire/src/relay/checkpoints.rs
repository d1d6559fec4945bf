//! Messages about checkpoints.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::{PushOutcome, at_most};
use crate::ids::{DeviceId, Digest};
use crate::limits::PAGE_SEGMENTS_MAX;

/// What a relay says of its checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CheckpointSummary {
    /// Digest of the newest manifest that counts; the segments it covers are not here any more.
    #[n(0)]
    pub settled: Option<Digest>,
    /// Digest of a newer one that waits for a co-signature.
    #[n(1)]
    pub candidate: Option<Digest>,
    /// Bytes of segments that the newer of the two does not cover.
    #[n(2)]
    pub log_bytes: u64,
    /// Bytes of the newer of the two.
    #[n(3)]
    pub checkpoint_bytes: u64,
}

/// `POST /v1/vaults/{vault}/chunks`: chunks the caller sealed, before the manifest that names them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PutChunksRequest {
    /// Whole envelopes, in any order.
    #[cbor(n(0), decode_with = "at_most::<PAGE_SEGMENTS_MAX, _>")]
    pub chunks: Vec<ByteVec>,
}

/// Answer to [`PutChunksRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PutChunksResponse {
    /// One for each chunk, in order; only stored, duplicate, refused and quota occur.
    #[n(0)]
    pub outcomes: Vec<PushOutcome>,
}

/// `POST /v1/vaults/{vault}/chunks/fetch`: asks for chunks by name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FetchChunksRequest {
    /// Their digests; at most 1024.
    #[n(0)]
    pub digests: Vec<Digest>,
}

/// Answer to [`FetchChunksRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FetchChunksResponse {
    /// The first ones asked for, as many as a page holds; an empty one is not here.
    #[cbor(n(0), decode_with = "at_most::<PAGE_SEGMENTS_MAX, _>")]
    pub chunks: Vec<ByteVec>,
}

/// `POST /v1/vaults/{vault}/checkpoints`: a manifest of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PutManifestRequest {
    /// The whole manifest.
    #[n(0)]
    pub manifest: ByteVec,
}

/// What became of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ManifestOutcome {
    /// It waits for a co-signature.
    #[n(0)]
    Stored,
    /// It was here already.
    #[n(1)]
    Duplicate,
    /// Chunks it names are not here: send them, and the manifest again.
    #[n(2)]
    ChunksMissing,
    /// It covers less than the checkpoint that counts: fetch that one first.
    #[n(3)]
    Behind,
    /// Structure, author, signature, or a digest of what it covers is wrong.
    #[n(4)]
    Refused,
    /// The vault's quota is used up.
    #[n(5)]
    Quota,
}

/// Answer to [`PutManifestRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PutManifestResponse {
    /// What became of it.
    #[n(0)]
    pub outcome: ManifestOutcome,
    /// The chunks that are missing.
    #[n(1)]
    pub missing: Vec<Digest>,
}

/// Answer to `GET /v1/vaults/{vault}/checkpoints/{digest}`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestResponse {
    /// The whole manifest.
    #[n(0)]
    pub manifest: ByteVec,
    /// Who co-signed it, if someone did.
    #[n(1)]
    pub cosigner: Option<DeviceId>,
    /// That device's signature.
    #[n(2)]
    pub cosignature: Option<ByteVec>,
}

/// `POST /v1/vaults/{vault}/checkpoints/{digest}/cosign`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CosignRequest {
    /// The caller's signature.
    #[n(0)]
    pub signature: ByteVec,
}

/// What became of a co-signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CosignOutcome {
    /// It counts from now on; what it covers was removed.
    #[n(0)]
    Settled,
    /// It counted already.
    #[n(1)]
    Duplicate,
    /// The manifest is not here any more.
    #[n(2)]
    Gone,
    /// By its author, or the signature is wrong.
    #[n(3)]
    Refused,
}

/// Answer to [`CosignRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CosignResponse {
    /// What became of it.
    #[n(0)]
    pub outcome: CosignOutcome,
}
