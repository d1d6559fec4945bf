//! `/v1/vaults/{vault}/chunks` and `/v1/vaults/{vault}/checkpoints`: what stands in for a log.

use core::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use selkie_wire::checkpoint::is_cosigned;
use selkie_wire::limits::{MANIFEST_BYTES_MAX, PAGE_SEGMENTS_MAX, REQUEST_BYTES_MAX};
use selkie_wire::relay::{
    CosignOutcome, CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse,
    ManifestOutcome, ManifestResponse, PutChunksRequest, PutChunksResponse, PutManifestRequest,
    PutManifestResponse,
};
use selkie_wire::roster::Member;
use selkie_wire::{Digest, Envelope, EnvelopeType, Manifest, VaultId};

use super::VaultPath;
use super::pull::PAGE_HELD_BYTES;
use crate::app::{App, Caller};
use crate::body::{self, Answer, Received};
use crate::limits::SMALL_BODY_BYTES_MAX;
use crate::problem::Problem;
use crate::store::{CosignPlan, FetchPlan, ManifestPlan, ManifestQuery, PutChunksPlan};

/// A list of as many digests as one may ask for.
const DIGESTS_BODY_BYTES_MAX: usize = 64 + PAGE_SEGMENTS_MAX * 34;
/// A manifest inside its message.
const MANIFEST_BODY_BYTES_MAX: usize = MANIFEST_BYTES_MAX + 64;

/// Vault and manifest of the path; none where the path holds no id.
pub(super) struct ManifestPath(Option<VaultId>, Option<Digest>);

impl<S: Send + Sync> FromRequestParts<S> for ManifestPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Path((vault, digest))) = texts else { return Ok(Self(None, None)) };
        Ok(Self(VaultId::from_hex(&vault), Digest::from_hex(&digest)))
    }
}

/// The caller, still a member; anything else is answered before the body is looked at.
async fn admit(
    app: &App,
    vault: Option<VaultId>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Caller, Member, Body), Problem> {
    let allowed = match app.caller(vault, headers) {
        Ok(caller) => app.member(caller).await.map(|(_, member)| (caller, member)),
        Err(problem) => Err(problem),
    };
    match allowed {
        Ok((caller, member)) => Ok((caller, member, body)),
        Err(problem) => Err(body::refuse(app, body, problem).await),
    }
}

/// Takes chunks that the caller sealed.
pub(super) async fn put_chunks(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let (caller, member, body) = admit(&app, vault, &headers, body).await?;
    let mut received = body::read(&app, body, REQUEST_BYTES_MAX).await?;
    let work = move || judge_all(&mut received, caller, &member).map(|chunks| (chunks, received));
    let judged = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?;
    // The body's permits count for the chunks until they are written.
    let (chunks, _received) = judged?;
    let (outcomes, _) = app
        .as_member(caller, |member, _| {
            app.store.put_chunks(PutChunksPlan { member, chunks: Arc::clone(&chunks) })
        })
        .await?;
    Ok(Answer::of(&PutChunksResponse { outcomes }))
}

type Chunks = Arc<[Option<(Digest, Vec<u8>)>]>;

fn judge_all(received: &mut Received, caller: Caller, member: &Member) -> Result<Chunks, Problem> {
    let PutChunksRequest { chunks } = received.take()?;
    Ok(chunks.into_iter().map(|bytes| judge(bytes.into(), caller, member)).collect())
}

/// A chunk that the caller sealed for this vault; none for anything else.
fn judge(bytes: Vec<u8>, caller: Caller, member: &Member) -> Option<(Digest, Vec<u8>)> {
    let envelope = Envelope::parse(bytes).ok()?;
    let header = envelope.header();
    let own = header.envelope_type == EnvelopeType::CheckpointChunk
        && header.vault == caller.vault
        && header.device == caller.device;
    let right = own && envelope.verify(&member.keys.signing_key).is_ok();
    right.then(|| (envelope.digest(), envelope.into_bytes()))
}

/// Gives chunks by name, a page at a time.
pub(super) async fn chunks(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let (caller, _, body) = admit(&app, vault, &headers, body).await?;
    let received = body::read(&app, body, DIGESTS_BODY_BYTES_MAX).await?;
    let FetchChunksRequest { digests } = received.decode()?;
    let digests: Arc<[Digest]> = digests.into();
    let mut held = Arc::clone(&app.body_bytes)
        .try_acquire_many_owned(PAGE_HELD_BYTES)
        .map_err(|_| Problem::busy())?;
    let (chunks, _) = app
        .as_member(caller, |member, _| {
            app.store.chunks(FetchPlan { member, digests: Arc::clone(&digests) })
        })
        .await?;
    let taken: usize = chunks.iter().map(Vec::len).sum();
    drop((PAGE_HELD_BYTES as usize).checked_sub(taken).and_then(|rest| held.split(rest)));
    let chunks = chunks.into_iter().map(Into::into).collect();
    Ok(Answer::of(&FetchChunksResponse { chunks }).holding(held))
}

/// Takes a manifest of the caller, once its chunks are here.
pub(super) async fn put_manifest(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let (caller, member, body) = admit(&app, vault, &headers, body).await?;
    let mut received = body::read(&app, body, MANIFEST_BODY_BYTES_MAX).await?;
    let work = move || {
        let PutManifestRequest { manifest } = received.take()?;
        let right = |manifest: &Manifest| {
            manifest.vault() == caller.vault
                && manifest.body().author == caller.device
                && manifest.signed_by(&member.keys.signing_key)
        };
        let manifest = Manifest::parse(manifest.into()).ok().filter(right);
        Ok::<_, Problem>((manifest.map(|it| (it.digest(), Arc::new(it))), received))
    };
    let judged = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?;
    let (manifest, _received) = judged?;
    let Some((digest, manifest)) = manifest else {
        let outcome = ManifestOutcome::Refused;
        return Ok(Answer::of(&PutManifestResponse { outcome, missing: Vec::new() }));
    };
    let now_ms = app.now_ms();
    let (put, _) = app
        .as_member(caller, |member, _| {
            let manifest = Arc::clone(&manifest);
            app.store.put_manifest(ManifestPlan { member, manifest, digest, now_ms })
        })
        .await?;
    Ok(Answer::of(&PutManifestResponse { outcome: put.outcome, missing: put.missing }))
}

/// Gives a manifest, and who co-signed it.
pub(super) async fn manifest(
    State(app): State<Arc<App>>,
    ManifestPath(vault, digest): ManifestPath,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let caller = app.caller(vault, &headers)?;
    app.member(caller).await?;
    let digest = digest.ok_or_else(Problem::not_found)?;
    let (found, _) = app
        .as_member(caller, |member, _| app.store.manifest(ManifestQuery { member, digest }))
        .await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let (cosigner, cosignature) = found.cosigned.unzip();
    Ok(Answer::of(&ManifestResponse {
        manifest: found.bytes.into(),
        cosigner,
        cosignature: cosignature.map(Into::into),
    }))
}

/// Takes a co-signature; from then on what the checkpoint covers is not kept.
pub(super) async fn cosign(
    State(app): State<Arc<App>>,
    ManifestPath(vault, digest): ManifestPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let (caller, member, body) = admit(&app, vault, &headers, body).await?;
    let received = body::read(&app, body, SMALL_BODY_BYTES_MAX).await?;
    let CosignRequest { signature } = received.decode()?;
    let digest = digest.ok_or_else(Problem::not_found)?;
    if !is_cosigned(&member.keys.signing_key, caller.vault, digest, &signature) {
        return Ok(Answer::of(&CosignResponse { outcome: CosignOutcome::Refused }));
    }
    let (outcome, _) = app
        .as_member(caller, |member, _| {
            app.store.cosign(CosignPlan { member, digest, signature: signature.to_vec() })
        })
        .await?;
    Ok(Answer::of(&CosignResponse { outcome }))
}
