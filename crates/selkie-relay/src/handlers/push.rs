//! `POST /v1/vaults/{vault}/push`: takes a member's sealed envelopes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use selkie_wire::limits::REQUEST_BYTES_MAX;
use selkie_wire::relay::{PushOutcome, PushRequest, PushResponse};
use selkie_wire::roster::Member;
use selkie_wire::{DeviceId, Digest, Envelope, EnvelopeType, VaultId};

use super::VaultPath;
use crate::app::{App, Caller};
use crate::body::{self, Answer, Received};
use crate::problem::Problem;
use crate::store::{Offer, PushPlan};

/// Judges each envelope by the caller's keys, stores those that continue its chain, and says of
/// each what became of it.
pub(super) async fn push(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let allowed = match app.caller(vault, &headers) {
        Ok(caller) => app.member(caller).await.map(|(_, member)| (caller, member)),
        Err(problem) => Err(problem),
    };
    let (caller, member) = match allowed {
        Ok(allowed) => allowed,
        Err(problem) => return Err(body::refuse(&app, body, problem).await),
    };
    let mut received = body::read(&app, body, REQUEST_BYTES_MAX).await?;
    // A device's keys never change, so what they signed is judged once, however the roster moves.
    let work = move || judge_all(&mut received, caller, &member).map(|judged| (judged, received));
    let judged = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?;
    // The body's permits count for the envelopes until they are written.
    let (((chain, beginning), offers), _received) = judged?;
    let (pushed, _) = app
        .as_member(caller, |member, _| {
            let offers = Arc::clone(&offers);
            app.store.push(PushPlan { member, chain, beginning, offers })
        })
        .await?;
    if pushed.outcomes.contains(&PushOutcome::Stored) {
        app.waiters.wake(caller.vault);
    }
    Ok(Answer::of(&PushResponse {
        epoch: app.store.epoch(),
        outcomes: pushed.outcomes,
        head: pushed.head,
    }))
}

/// A chain, and what its first envelope follows.
type Chain = (DeviceId, Digest);
type Offers = Arc<[Option<Offer>]>;

fn judge_all(
    received: &mut Received,
    caller: Caller,
    member: &Member,
) -> Result<(Chain, Offers), Problem> {
    let PushRequest { envelopes, incarnation } = received.take()?;
    let chain = member.chain(incarnation);
    let (vault, key) = (caller.vault, &member.keys.signing_key);
    let judged = envelopes.into_iter().map(|bytes| judge(bytes.into(), vault, chain.0, key));
    Ok((chain, judged.collect()))
}

/// An envelope that the caller sealed for this vault; none for anything else. Clients judge again
/// and never rely on this: it only keeps rubbish out.
fn judge(bytes: Vec<u8>, vault: VaultId, chain: DeviceId, signing_key: &[u8; 32]) -> Option<Offer> {
    let envelope = Envelope::parse(bytes).ok()?;
    let header = envelope.header();
    let own = header.envelope_type == EnvelopeType::Segment
        && header.vault == vault
        && header.device == chain;
    if !own || envelope.verify(signing_key).is_err() {
        return None;
    }
    let (number, previous, digest) = (header.number, header.previous, envelope.digest());
    Some(Offer { number, previous, digest, bytes: envelope.into_bytes() })
}
