//! `POST /v1/vaults/{vault}/push`: takes a member's sealed envelopes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use selkie_wire::limits::REQUEST_BYTES_MAX;
use selkie_wire::relay::{PushRequest, PushResponse};
use selkie_wire::roster::Member;
use selkie_wire::{Envelope, EnvelopeType};

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
    let work = move || judge_all(&mut received, caller, &member).map(|offers| (offers, received));
    let judged = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?;
    // The body's permits count for the envelopes until they are written.
    let (offers, _received) = judged?;
    let now_ms = app.now_ms();
    let (pushed, _) = app
        .as_member(caller, |member, keys| {
            let offers = Arc::clone(&offers);
            app.store.push(PushPlan { member, added: keys.added, offers, now_ms })
        })
        .await?;
    Ok(Answer::of(&PushResponse {
        epoch: app.store.epoch(),
        outcomes: pushed.outcomes,
        head: pushed.head,
    }))
}

type Offers = Arc<[Option<Offer>]>;

fn judge_all(received: &mut Received, caller: Caller, member: &Member) -> Result<Offers, Problem> {
    let PushRequest { envelopes } = received.take()?;
    let judged = envelopes.into_iter().map(|bytes| judge(bytes.into(), caller, member));
    Ok(judged.collect())
}

/// An envelope that the caller sealed for this vault; none for anything else. Clients judge again
/// and never rely on this: it only keeps rubbish out.
fn judge(bytes: Vec<u8>, caller: Caller, member: &Member) -> Option<Offer> {
    let envelope = Envelope::parse(bytes).ok()?;
    let header = envelope.header();
    let own = header.envelope_type == EnvelopeType::Segment
        && header.vault == caller.vault
        && header.device == caller.device;
    if !own || envelope.verify(&member.keys.signing_key).is_err() {
        return None;
    }
    let (number, previous, digest) = (header.number, header.previous, envelope.digest());
    Some(Offer { number, previous, digest, bytes: envelope.into_bytes() })
}
