//! Checkpoints of the relay in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use selkie_wire::checkpoint::{is_cosigned, is_within};
use selkie_wire::limits::PAGE_BYTES_MAX;
use selkie_wire::relay::{
    CheckpointSummary, CosignOutcome, Head, ManifestOutcome, ManifestResponse, PushOutcome,
    PutManifestResponse,
};
use selkie_wire::{DeviceId, Digest, Envelope, EnvelopeType, Manifest, Roster, SegmentNumber};

use super::State;

/// The chunks, and the manifests that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    chunks: BTreeMap<Digest, Vec<u8>>,
    settled: Option<Kept>,
    candidate: Option<Kept>,
    /// What settled checkpoints cover of each chain.
    bases: BTreeMap<DeviceId, (SegmentNumber, Digest)>,
}

#[derive(Clone, Debug)]
struct Kept {
    manifest: Arc<Manifest>,
    digest: Digest,
    cosigned: Option<(DeviceId, Vec<u8>)>,
}

impl Checkpoints {
    pub(super) fn base(&self, device: DeviceId) -> Option<(SegmentNumber, Digest)> {
        self.bases.get(&device).copied()
    }

    /// Whether a chain may go on after this segment, which a checkpoint here covers.
    pub(super) fn bridges(&self, device: DeviceId, number: SegmentNumber, digest: Digest) -> bool {
        let kept = self.settled.iter().chain(&self.candidate);
        kept.into_iter()
            .any(|kept| kept.manifest.body().covers.get(&device) == Some(&(number, digest)))
    }

    pub(super) fn stored_bytes(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let kept = self.settled.iter().chain(&self.candidate);
        self.chunks.values().cloned().chain(kept.map(|kept| kept.manifest.bytes().to_vec()))
    }

    fn kept(&self, digest: Digest) -> Option<&Kept> {
        self.settled.iter().chain(&self.candidate).find(|kept| kept.digest == digest)
    }

    fn drop_unnamed(&mut self) {
        let kept = self.settled.iter().chain(&self.candidate);
        let names: std::collections::BTreeSet<Digest> =
            kept.flat_map(|kept| &kept.manifest.body().chunks).map(|chunk| chunk.digest).collect();
        self.chunks.retain(|digest, _| names.contains(digest));
    }
}

impl State {
    pub(super) fn summary(&self) -> CheckpointSummary {
        let Checkpoints { settled, candidate, .. } = &self.checkpoints;
        let newest = candidate.as_ref().or(settled.as_ref()).map(|kept| &kept.manifest);
        let covered = |device, number| {
            let covers = newest.map(|manifest| &manifest.body().covers);
            covers.and_then(|covers| covers.get(device)).is_some_and(|(last, _)| number <= last)
        };
        let log = self.segments.iter().filter(|stored| !covered(&stored.device, &stored.number));
        CheckpointSummary {
            settled: settled.as_ref().map(|kept| kept.digest),
            candidate: candidate.as_ref().map(|kept| kept.digest),
            log_bytes: log.map(|stored| stored.bytes.len() as u64).sum(),
            checkpoint_bytes: newest.map_or(0, |manifest| manifest.size_bytes()),
        }
    }

    fn signing_key(&self, device: DeviceId) -> Option<[u8; 32]> {
        let roster = Roster::from_entries(self.roster.iter().cloned()).ok()?;
        roster.member(device).map(|member| member.keys.signing_key)
    }

    pub(super) fn put_chunk(&mut self, device: DeviceId, bytes: Vec<u8>) -> PushOutcome {
        let Ok(envelope) = Envelope::parse(bytes) else { return PushOutcome::Refused };
        let header = envelope.header();
        if header.envelope_type != EnvelopeType::CheckpointChunk || header.device != device {
            return PushOutcome::Refused;
        }
        let digest = envelope.digest();
        match self.checkpoints.chunks.insert(digest, envelope.into_bytes()) {
            Some(_) => PushOutcome::Duplicate,
            None => PushOutcome::Stored,
        }
    }

    pub(super) fn chunks(&self, digests: &[Digest]) -> Vec<Vec<u8>> {
        let mut page: Vec<Vec<u8>> = Vec::new();
        let mut size_bytes = 0;
        for digest in digests {
            let chunk = self.checkpoints.chunks.get(digest).cloned().unwrap_or_default();
            size_bytes += chunk.len();
            if size_bytes > PAGE_BYTES_MAX && !page.is_empty() {
                break;
            }
            page.push(chunk);
        }
        page
    }

    pub(super) fn put_manifest(&mut self, device: DeviceId, bytes: Vec<u8>) -> PutManifestResponse {
        let answer = |outcome| PutManifestResponse { outcome, missing: Vec::new() };
        let Ok(manifest) = Manifest::parse(bytes) else { return answer(ManifestOutcome::Refused) };
        let signed = self.signing_key(device).is_some_and(|key| manifest.signed_by(&key));
        let digest = manifest.digest();
        if manifest.body().author != device || !signed {
            return answer(ManifestOutcome::Refused);
        }
        if self.checkpoints.kept(digest).is_some() {
            return answer(ManifestOutcome::Duplicate);
        }
        let settled = self.checkpoints.settled.as_ref();
        if settled.is_some_and(|it| !is_within(&it.manifest.body().covers, &manifest.body().covers))
        {
            return answer(ManifestOutcome::Behind);
        }
        let names = manifest.body().chunks.iter().map(|chunk| chunk.digest);
        let missing: Vec<_> =
            names.filter(|digest| !self.checkpoints.chunks.contains_key(digest)).collect();
        if !missing.is_empty() {
            return PutManifestResponse { outcome: ManifestOutcome::ChunksMissing, missing };
        }
        self.checkpoints.candidate =
            Some(Kept { manifest: Arc::new(manifest), digest, cosigned: None });
        self.checkpoints.drop_unnamed();
        answer(ManifestOutcome::Stored)
    }

    pub(super) fn manifest(&self, digest: Digest) -> Option<ManifestResponse> {
        let kept = self.checkpoints.kept(digest)?;
        let (cosigner, cosignature) = kept.cosigned.clone().unzip();
        let manifest = kept.manifest.bytes().to_vec().into();
        Some(ManifestResponse { manifest, cosigner, cosignature: cosignature.map(Into::into) })
    }

    pub(super) fn cosign(
        &mut self,
        device: DeviceId,
        digest: Digest,
        signature: &[u8],
    ) -> CosignOutcome {
        let settled = self.checkpoints.settled.as_ref();
        if settled.is_some_and(|kept| kept.digest == digest) {
            return CosignOutcome::Duplicate;
        }
        let key = self.signing_key(device);
        let waits = self.checkpoints.candidate.take_if(|kept| kept.digest == digest);
        let Some(mut kept) = waits else { return CosignOutcome::Gone };
        let vault = kept.manifest.vault();
        let signed = key.is_some_and(|key| is_cosigned(&key, vault, digest, signature));
        if !signed || kept.manifest.body().author == device {
            self.checkpoints.candidate = Some(kept);
            return CosignOutcome::Refused;
        }
        kept.cosigned = Some((device, signature.to_vec()));
        for (device, (number, digest)) in &kept.manifest.body().covers {
            let base = self.checkpoints.bases.entry(*device).or_insert((*number, *digest));
            if base.0 < *number {
                *base = (*number, *digest);
            }
        }
        self.checkpoints.settled = Some(kept);
        self.checkpoints.drop_unnamed();
        let bases = &self.checkpoints.bases;
        self.segments.retain(|stored| {
            bases.get(&stored.device).is_none_or(|(base, _)| stored.number > *base)
        });
        CosignOutcome::Settled
    }
}

/// The later of two ends of a chain.
pub(super) fn later(head: Head, base: Option<(SegmentNumber, Digest)>) -> Head {
    match base {
        Some((number, digest)) if number > head.number => Head { number, digest: Some(digest) },
        _ => head,
    }
}
