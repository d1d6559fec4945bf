//! `POST /v1/recover`: a vault's roster, for a device that has its recovery words and nothing else.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use selkie_wire::envelope::verify_digest;
use selkie_wire::relay::{
    RECOVERY_AUTH_SIGNATURE_LABEL, RecoverRequest, RosterEntries, recovery_auth_bytes,
};

use crate::app::App;
use crate::body::{self, Answer};
use crate::limits::SMALL_BODY_BYTES_MAX;
use crate::problem::Problem;

/// Gives a page of the roster to whoever signs with the words' key. Nothing is looked up before that
/// is verified, and words of no vault are answered like a wrong signature.
pub(super) async fn recover(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let received = body::read(&app, body, SMALL_BODY_BYTES_MAX).await?;
    let request: RecoverRequest = received.decode()?;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !app.auth.is_own_origin(&request.origin, host) {
        return Err(Problem::origin_mismatch());
    }
    let RecoverRequest { key, challenge, origin, signature, from } = request;
    let asked = RecoverRequest::challenge_for(&key);
    let bytes = recovery_auth_bytes(&origin, &key, &challenge);
    if !app.auth.knows_challenge(asked.vault, asked.device, &challenge, app.now_ms())
        || !verify_digest(&key, RECOVERY_AUTH_SIGNATURE_LABEL, &bytes, &signature)
    {
        return Err(Problem::unauthorized());
    }
    let vault = app.store.recovers(key).await.map_err(|error| app.failed(&error))?;
    let vault = vault.ok_or_else(Problem::unauthorized)?;
    let page = app.store.roster(vault, from).await.map_err(|error| app.failed(&error))?;
    let page = page.ok_or_else(Problem::unauthorized)?;
    let entries = page.entries.into_iter().map(Into::into).collect();
    Ok(Answer::of(&RosterEntries { entries }))
}
