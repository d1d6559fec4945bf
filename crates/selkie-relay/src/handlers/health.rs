//! `GET /v1/health`: for load balancers.

use std::sync::Arc;

use axum::extract::State;
use selkie_wire::relay::{HealthResponse, PROTOCOL_VERSION};

use crate::app::App;
use crate::body::Answer;
use crate::problem::Problem;

/// 200 while writes are possible.
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<Answer, Problem> {
    if !app.store.healthy() {
        return Err(Problem::busy());
    }
    Ok(Answer::of(&HealthResponse { protocol: PROTOCOL_VERSION }))
}
