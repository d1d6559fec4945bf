//! Handlers: one file an endpoint, each from request to answer.
//!
//! In: HTTP requests. Out: CBOR messages, or problems. What never happens here: reading a sealed
//! body, or looking anything of a vault up before its token is checked.

mod auth;
mod health;
mod mailboxes;
mod pull;
mod push;
mod recover;
mod vaults;
mod wait;

use core::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use selkie_wire::VaultId;

use crate::app::App;
use crate::problem::Problem;

/// All paths.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/health", get(health::health))
        .route("/v1/challenge", post(auth::challenge))
        .route("/v1/token", post(auth::token))
        .route("/v1/recover", post(recover::recover))
        .route("/v1/vaults", post(vaults::create))
        .route("/v1/vaults/{vault}/roster", get(vaults::roster).post(vaults::extend))
        .route("/v1/vaults/{vault}/push", post(push::push))
        .route("/v1/vaults/{vault}/pull", post(pull::pull))
        .route("/v1/vaults/{vault}/wait", post(wait::wait))
        .route("/v1/mailboxes/{id}/{slot}", put(mailboxes::put).get(mailboxes::message))
        .route("/v1/mailboxes/{id}", delete(mailboxes::remove))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(Arc::clone(&app), in_time))
        .with_state(app)
}

/// Answers 503 if a request takes longer than its body and its work may take together.
async fn in_time(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let timeouts = &app.config.timeouts;
    let limit = timeouts.body + timeouts.handler;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy().into_response(),
    }
}

/// The vault of the path; none if the path holds no id, which is answered like an absent vault.
pub(crate) struct VaultPath(Option<VaultId>);

impl<S: Send + Sync> FromRequestParts<S> for VaultPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(text.ok().and_then(|Path(text)| VaultId::from_hex(&text))))
    }
}
