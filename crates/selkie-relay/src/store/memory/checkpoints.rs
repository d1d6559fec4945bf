//! Checkpoints of a vault in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX};
use selkie_wire::relay::{CheckpointSummary, CosignOutcome, ManifestOutcome, PushOutcome};
use selkie_wire::{DeviceId, Digest, Manifest};

use super::super::checkpoints::{
    is_old_enough, judge_covers, missing_chunks, named_chunks, settled_chain,
};
use super::super::{
    CosignPlan, FetchPlan, ManifestPlan, ManifestPut, PutChunksPlan, Seen, StoredManifest,
};
use super::Vault;

/// The chunks, and the manifests that count.
#[derive(Default)]
pub(super) struct Checkpoints {
    chunks: BTreeMap<Digest, Vec<u8>>,
    settled: Option<Kept>,
    candidate: Option<Kept>,
}

struct Kept {
    digest: Digest,
    manifest: Arc<Manifest>,
    put_ms: u64,
    cosigned: Option<(DeviceId, Vec<u8>)>,
}

impl Checkpoints {
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.settled.iter().chain(&self.candidate).map(|kept| &*kept.manifest)
    }

    fn kept(&self, digest: Digest) -> Option<&Kept> {
        self.settled.iter().chain(&self.candidate).find(|kept| kept.digest == digest)
    }

    fn size_bytes(&self) -> u64 {
        let chunks: u64 = self.chunks.values().map(|chunk| chunk.len() as u64).sum();
        chunks + self.manifests().map(|manifest| manifest.bytes().len() as u64).sum::<u64>()
    }
}

impl Vault {
    pub(super) fn summary(&self) -> CheckpointSummary {
        let Checkpoints { settled, candidate, .. } = &self.checkpoints;
        let newest = candidate.as_ref().or(settled.as_ref()).map(|kept| &kept.manifest);
        let covered = |device, number| {
            let covers = newest.map(|manifest| &manifest.body().covers);
            covers.and_then(|covers| covers.get(device)).is_some_and(|(last, _)| number <= last)
        };
        let log = self.segments.iter().filter(|it| !covered(&it.device, &it.number));
        CheckpointSummary {
            settled: settled.as_ref().map(|kept| kept.digest),
            candidate: candidate.as_ref().map(|kept| kept.digest),
            log_bytes: log.map(|segment| segment.bytes.len() as u64).sum(),
            checkpoint_bytes: newest.map_or(0, |manifest| manifest.size_bytes()),
        }
    }

    pub(super) fn put_chunks(&mut self, plan: &PutChunksPlan, room_bytes: u64) -> Vec<PushOutcome> {
        let put = |chunk: &Option<(Digest, Vec<u8>)>| {
            let Some((digest, bytes)) = chunk else { return PushOutcome::Refused };
            if self.checkpoints.chunks.contains_key(digest) {
                return PushOutcome::Duplicate;
            }
            if self.used_bytes + bytes.len() as u64 > room_bytes {
                return PushOutcome::Quota;
            }
            self.used_bytes += bytes.len() as u64;
            self.checkpoints.chunks.insert(*digest, bytes.clone());
            PushOutcome::Stored
        };
        plan.chunks.iter().map(put).collect()
    }

    pub(super) fn chunks(&self, plan: &FetchPlan) -> Vec<Vec<u8>> {
        let mut page: Vec<Vec<u8>> = Vec::new();
        let mut size_bytes = 0;
        for digest in plan.digests.iter().take(PAGE_SEGMENTS_MAX) {
            let chunk = self.checkpoints.chunks.get(digest).cloned().unwrap_or_default();
            size_bytes += chunk.len();
            if size_bytes > PAGE_BYTES_MAX && !page.is_empty() {
                break;
            }
            page.push(chunk);
        }
        page
    }

    pub(super) fn put_manifest(&mut self, plan: &ManifestPlan, room_bytes: u64) -> ManifestPut {
        self.settle_if_alone(plan.member, plan.now_ms);
        let stored = &self.checkpoints;
        if stored.kept(plan.digest).is_some() {
            return ManifestOutcome::Duplicate.into();
        }
        let sizes = stored.chunks.iter().map(|(digest, chunk)| (*digest, chunk.len() as u64));
        let missing = missing_chunks(&plan.manifest, &sizes.collect());
        let settled = stored.settled.as_ref().map(|kept| &kept.manifest.body().covers);
        let digest_at = |device, number| Ok::<_, Infallible>(self.digest(device, number));
        let Ok(judged) = judge_covers(&plan.manifest.body().covers, settled, digest_at);
        if let Some(outcome) = judged {
            return outcome.into();
        }
        if !missing.is_empty() {
            return ManifestPut { outcome: ManifestOutcome::ChunksMissing, missing };
        }
        if self.used_bytes + plan.manifest.bytes().len() as u64 > room_bytes {
            return ManifestOutcome::Quota.into();
        }
        let before = self.checkpoints.size_bytes();
        self.checkpoints.candidate = Some(Kept {
            digest: plan.digest,
            manifest: Arc::clone(&plan.manifest),
            put_ms: plan.now_ms,
            cosigned: None,
        });
        self.drop_unnamed(before);
        ManifestOutcome::Stored.into()
    }

    pub(super) fn manifest(&self, digest: Digest) -> Option<StoredManifest> {
        let kept = self.checkpoints.kept(digest)?;
        let bytes = kept.manifest.bytes().to_vec();
        Some(StoredManifest { bytes, cosigned: kept.cosigned.clone() })
    }

    pub(super) fn cosign(&mut self, plan: &CosignPlan) -> CosignOutcome {
        let Checkpoints { settled, candidate, .. } = &mut self.checkpoints;
        if settled
            .as_ref()
            .is_some_and(|kept| kept.digest == plan.digest && kept.cosigned.is_some())
        {
            return CosignOutcome::Duplicate;
        }
        let waits = candidate.as_mut().filter(|kept| kept.digest == plan.digest);
        let Some(kept) = waits else { return CosignOutcome::Gone };
        if kept.manifest.body().author == plan.member.device {
            return CosignOutcome::Refused;
        }
        kept.cosigned = Some((plan.member.device, plan.signature.clone()));
        self.settle();
        CosignOutcome::Settled
    }

    /// A vault's only device has nobody who could co-sign: after a while its word is enough.
    pub(super) fn settle_if_alone(&mut self, member: Seen, now_ms: u64) {
        let put_ms = self.checkpoints.candidate.as_ref().map(|kept| kept.put_ms);
        if put_ms.is_some_and(|put_ms| is_old_enough(member, put_ms, now_ms)) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let before = self.checkpoints.size_bytes();
        let Some(kept) = self.checkpoints.candidate.take() else { return };
        for (device, (number, digest)) in &kept.manifest.body().covers {
            let chain = self.chains.entry(*device).or_default();
            *chain = settled_chain(*chain, *number, *digest);
        }
        let (chains, used_bytes) = (&self.chains, &mut self.used_bytes);
        self.segments.retain(|segment| {
            let base = chains.get(&segment.device).map(|chain| chain.base.number);
            let kept = base.is_none_or(|base| segment.number > base);
            if !kept {
                *used_bytes = used_bytes.saturating_sub(segment.bytes.len() as u64);
            }
            kept
        });
        self.checkpoints.settled = Some(kept);
        self.drop_unnamed(before);
    }

    fn drop_unnamed(&mut self, before_bytes: u64) {
        let named = named_chunks(self.checkpoints.manifests());
        self.checkpoints.chunks.retain(|digest, _| named.contains(digest));
        let after_bytes = self.checkpoints.size_bytes();
        self.used_bytes = (self.used_bytes + after_bytes).saturating_sub(before_bytes);
    }
}
