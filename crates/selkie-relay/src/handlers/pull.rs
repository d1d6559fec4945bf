//! `POST /v1/vaults/{vault}/pull`: gives a member what the others sent.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use selkie_wire::limits::{ENVELOPE_BYTES_MAX, PAGE_BYTES_MAX};
use selkie_wire::relay::{PullRequest, PullResponse};

use super::VaultPath;
use crate::app::App;
use crate::body::{self, Answer};
use crate::limits::SMALL_BODY_BYTES_MAX;
use crate::problem::Problem;
use crate::store::PullPlan;

/// What a page may take: it is closed at the first, and always holds one envelope.
pub(super) const PAGE_HELD_BYTES: u32 = if PAGE_BYTES_MAX > ENVELOPE_BYTES_MAX {
    PAGE_BYTES_MAX as u32
} else {
    ENVELOPE_BYTES_MAX as u32
};

/// One page after the caller's place, or from the beginning if the place is of another epoch.
pub(super) async fn pull(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let caller = match app.caller(vault, &headers) {
        Ok(caller) => caller,
        Err(problem) => return Err(body::refuse(&app, body, problem).await),
    };
    let received = body::read(&app, body, SMALL_BODY_BYTES_MAX).await?;
    let PullRequest { epoch, cursor, incarnation } = received.decode()?;
    let mut held = Arc::clone(&app.body_bytes)
        .try_acquire_many_owned(PAGE_HELD_BYTES)
        .map_err(|_| Problem::busy())?;
    let (pulled, roster) = app
        .as_member(caller, |member, keys| {
            let (chain, _) = keys.chain(incarnation);
            app.store.pull(PullPlan { member, chain, epoch, cursor })
        })
        .await?;
    let taken: usize = pulled.envelopes.iter().map(Vec::len).sum();
    // Most pages are small: what this one does not take is for others.
    drop((PAGE_HELD_BYTES as usize).checked_sub(taken).and_then(|rest| held.split(rest)));
    let answer = Answer::of(&PullResponse {
        epoch: app.store.epoch(),
        envelopes: pulled.envelopes.into_iter().map(Into::into).collect(),
        cursor: pulled.cursor,
        more: pulled.more,
        head: pulled.head,
        roster,
        checkpoints: Some(pulled.checkpoints),
    });
    Ok(answer.holding(held))
}
