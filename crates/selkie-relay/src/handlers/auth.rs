//! `POST /v1/challenge`, `POST /v1/token`: from a device's auth key to a token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use selkie_wire::relay::{ChallengeRequest, ChallengeResponse, TokenRequest, TokenResponse};

use crate::app::{App, Caller};
use crate::auth::signed_by;
use crate::body::{self, Answer};
use crate::limits::{SMALL_BODY_BYTES_MAX, TOKEN_TTL_MS};
use crate::problem::Problem;

/// Gives bytes to sign, for any vault.
pub(super) async fn challenge(State(app): State<Arc<App>>, body: Body) -> Result<Answer, Problem> {
    let received = body::read(&app, body, SMALL_BODY_BYTES_MAX).await?;
    let request: ChallengeRequest = received.decode()?;
    let challenge = app
        .auth
        .challenge(request.vault, request.device, app.now_ms())
        .map_err(|_| Problem::internal())?;
    Ok(Answer::of(&ChallengeResponse { challenge }))
}

/// Gives a token for a signed challenge.
pub(super) async fn token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let received = body::read(&app, body, SMALL_BODY_BYTES_MAX).await?;
    let request: TokenRequest = received.decode()?;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !app.auth.is_own_origin(&request.origin, host) {
        return Err(Problem::origin_mismatch());
    }
    let now_ms = app.now_ms();
    let TokenRequest { vault, device, challenge, .. } = &request;
    if !app.auth.knows_challenge(*vault, *device, challenge, now_ms) {
        return Err(Problem::unauthorized());
    }
    let (_, member) = app.member(Caller { vault: *vault, device: *device }).await?;
    if !signed_by(&member.keys.auth_key, &request) {
        return Err(Problem::unauthorized());
    }
    let token = app.auth.token(*vault, *device, now_ms);
    Ok(Answer::of(&TokenResponse { token, lifetime_ms: TOKEN_TTL_MS }))
}
