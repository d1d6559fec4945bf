//! `POST /v1/vaults/{vault}/wait`: answers once there is something new for a member.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use selkie_wire::relay::{WaitRequest, WaitResponse};
use selkie_wire::roster::Member;

use super::VaultPath;
use crate::app::App;
use crate::body::{self, Answer};
use crate::limits::SMALL_BODY_BYTES_MAX;
use crate::problem::Problem;
use crate::store::PullPlan;

/// Waits without holding anything of the store; membership is checked anew each time something came.
pub(super) async fn wait(
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
    let WaitRequest { epoch, cursor, roster, incarnation } = received.decode()?;
    drop(received);
    // Only a member takes a place from others.
    app.member(caller).await?;
    let mut place = app.waiters.place(caller.vault).ok_or_else(Problem::busy)?;
    let news = Arc::clone(&place.news);
    let mut time_up = pin!(tokio::time::sleep(app.config.timeouts.wait));
    loop {
        // Enlisted before the look, so that nothing slips through in between.
        let mut woken = pin!(news.notified());
        woken.as_mut().enable();
        let look = |member, keys: &Member| {
            let (chain, _) = keys.chain(incarnation);
            app.store.has_news(PullPlan { member, chain, epoch, cursor })
        };
        let (found, last) = app.as_member(caller, look).await?;
        if found || last > roster {
            return Ok(Answer::of(&WaitResponse { news: true }));
        }
        tokio::select! {
            () = woken => {}
            () = &mut time_up => return Ok(Answer::of(&WaitResponse { news: false })),
            () = place.closing() => return Ok(Answer::of(&WaitResponse { news: false })),
        }
    }
}
