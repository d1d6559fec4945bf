//! Checkpoints in a store: what is asked, and the rules that every store judges by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selkie_wire::checkpoint::is_within;
use selkie_wire::limits::LONE_CHECKPOINT_MS;
use selkie_wire::relay::{Head, ManifestOutcome};
use selkie_wire::{Covers, DeviceId, Digest, Manifest, SegmentNumber};

use super::{Offer, Seen};

/// A chunk's name, and the whole envelope.
pub(crate) type Chunk = (Digest, Vec<u8>);

/// Chunks that a member sealed; none where one was refused already.
#[derive(Clone, Debug)]
pub(crate) struct PutChunksPlan {
    pub(crate) member: Seen,
    pub(crate) chunks: Arc<[Option<Chunk>]>,
}

/// Chunks that a member asks for.
#[derive(Clone, Debug)]
pub(crate) struct FetchPlan {
    pub(crate) member: Seen,
    pub(crate) digests: Arc<[Digest]>,
}

/// A manifest that its author, the caller, has signed.
#[derive(Clone, Debug)]
pub(crate) struct ManifestPlan {
    pub(crate) member: Seen,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) digest: Digest,
    pub(crate) now_ms: u64,
}

/// What became of a [`ManifestPlan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestPut {
    pub(crate) outcome: ManifestOutcome,
    pub(crate) missing: Vec<Digest>,
}

impl From<ManifestOutcome> for ManifestPut {
    fn from(outcome: ManifestOutcome) -> Self {
        Self { outcome, missing: Vec::new() }
    }
}

/// A manifest that a member asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ManifestQuery {
    pub(crate) member: Seen,
    pub(crate) digest: Digest,
}

/// A manifest as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredManifest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cosigned: Option<(DeviceId, Vec<u8>)>,
}

/// The caller's co-signature, which verifies.
#[derive(Clone, Debug)]
pub(crate) struct CosignPlan {
    pub(crate) member: Seen,
    pub(crate) digest: Digest,
    pub(crate) signature: Vec<u8>,
}

/// What a chain has here: where it begins after pruning, and where it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) base: Head,
    pub(crate) head: Head,
}

/// Whether a manifest may become the candidate: it must not cover less than what is settled, for that
/// much is not in the log any more; and where it names segments that are here, these must be the ones.
/// `digest_at` finds the digest of a segment that is here.
pub(crate) fn judge_covers<E>(
    covers: &Covers,
    settled: Option<&Covers>,
    mut digest_at: impl FnMut(DeviceId, SegmentNumber) -> Result<Option<Digest>, E>,
) -> Result<Option<ManifestOutcome>, E> {
    if settled.is_some_and(|settled| !is_within(settled, covers)) {
        return Ok(Some(ManifestOutcome::Behind));
    }
    for (chain, (number, digest)) in covers {
        if digest_at(*chain, *number)?.is_some_and(|known| known != *digest) {
            return Ok(Some(ManifestOutcome::Refused));
        }
    }
    Ok(None)
}

/// Whether a candidate has waited so long that a vault's only device need not wait longer.
pub(crate) fn is_old_enough(member: Seen, put_ms: u64, now_ms: u64) -> bool {
    member.alone && now_ms.saturating_sub(put_ms) >= LONE_CHECKPOINT_MS
}

/// Where a chain stands that continues right after what a checkpoint here covers, though this relay has
/// never had, or has lost, the segments before.
pub(crate) fn bridged<'m>(
    chain: Chain,
    device: DeviceId,
    offer: &Offer,
    manifests: impl IntoIterator<Item = &'m Manifest>,
) -> Option<Chain> {
    let before = SegmentNumber(offer.number.0.checked_sub(1)?);
    if before <= chain.head.number {
        return None;
    }
    let place = (before, offer.previous);
    let covered = manifests.into_iter().any(|it| it.body().covers.get(&device) == Some(&place));
    let head = Head { number: before, digest: Some(offer.previous) };
    covered.then_some(Chain { base: head, head })
}

/// A chain after a checkpoint that covers it up to `number` was settled.
pub(crate) fn settled_chain(chain: Chain, number: SegmentNumber, digest: Digest) -> Chain {
    let covered = Head { number, digest: Some(digest) };
    let further = |head: Head| if head.number < number { covered } else { head };
    Chain { base: further(chain.base), head: further(chain.head) }
}

/// The chunks that these manifests name.
pub(crate) fn named_chunks<'m>(
    manifests: impl IntoIterator<Item = &'m Manifest>,
) -> BTreeSet<Digest> {
    manifests.into_iter().flat_map(|it| &it.body().chunks).map(|chunk| chunk.digest).collect()
}

/// Those chunks of a manifest that are not here, or have another size.
pub(crate) fn missing_chunks(manifest: &Manifest, here: &BTreeMap<Digest, u64>) -> Vec<Digest> {
    let is_here = |chunk: &&selkie_wire::checkpoint::ChunkName| {
        here.get(&chunk.digest) != Some(&u64::from(chunk.size_bytes))
    };
    manifest.body().chunks.iter().filter(is_here).map(|chunk| chunk.digest).collect()
}
