//! `POST /v1/vaults`, `GET` and `POST /v1/vaults/{vault}/roster`: the chains of rosters.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::REQUEST_BYTES_MAX;
use selkie_wire::relay::RosterEntries;
use selkie_wire::{RosterEntry, RosterError};

use super::VaultPath;
use crate::app::App;
use crate::body::{self, Answer, Received};
use crate::problem::Problem;
use crate::rosters::vault_of;
use crate::store::Judged;

/// Makes a vault from its roster, genesis first. Who has the admin key needs no token: the entries
/// prove themselves, and a chain can only grow.
pub(super) async fn create(State(app): State<Arc<App>>, body: Body) -> Result<Answer, Problem> {
    let received = body::read(&app, body, REQUEST_BYTES_MAX).await?;
    let (entries, vault, _held) = parse(&app, received, vault_of).await?;
    let (head, created) = app
        .rosters
        .offer(vault, entries, || app.may_create_vault())
        .await
        .map_err(|fault| app.roster_refused(&fault))?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Answer::of(&head).with_status(status))
}

/// Adds entries for a member.
pub(super) async fn extend(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let allowed = match app.caller(vault, &headers) {
        Ok(caller) => app.member(caller).await,
        Err(problem) => Err(problem),
    };
    let seen = match allowed {
        Ok((seen, _)) => seen,
        Err(problem) => return Err(body::refuse(&app, body, problem).await),
    };
    let received = body::read(&app, body, REQUEST_BYTES_MAX).await?;
    let (entries, (), _held) = parse(&app, received, |_| Ok(())).await?;
    let offered = app.rosters.offer(seen.vault, entries, || false).await;
    let (head, _) = offered.map_err(|fault| app.roster_refused(&fault))?;
    app.waiters.wake(seen.vault);
    Ok(Answer::of(&head))
}

/// Gives entries to a member, a page at a time.
pub(super) async fn roster(
    State(app): State<Arc<App>>,
    VaultPath(vault): VaultPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let caller = app.caller(vault, &headers)?;
    let from = from_number(query.as_deref()).ok_or_else(Problem::not_found)?;
    let store = &app.store;
    let read = async |seen: crate::store::Seen| {
        let page = store.roster(seen.vault, from).await?;
        Ok(page.filter(|page| page.last == seen.roster).map_or(Judged::Moved, Judged::Done))
    };
    let (page, _) = app.as_member(caller, |seen, _| Box::pin(read(seen))).await?;
    let entries = page.entries.into_iter().map(Into::into).collect();
    Ok(Answer::of(&RosterEntries { entries }))
}

/// Parses what was posted, and passes it on with what `more` finds in it.
async fn parse<T: Send + 'static>(
    app: &App,
    mut received: Received,
    more: impl FnOnce(&[RosterEntry]) -> Result<T, RosterError> + Send + 'static,
) -> Result<(Arc<[RosterEntry]>, T, Received), Problem> {
    let work = move || {
        let RosterEntries { entries } = received.take()?;
        let parsed: Result<Arc<[_]>, RosterError> =
            entries.into_iter().map(|entry| RosterEntry::parse(entry.into())).collect();
        let parsed = parsed.map_err(Problem::roster_refused)?;
        let found = more(&parsed).map_err(Problem::roster_refused)?;
        Ok((parsed, found, received))
    };
    app.rosters.check(work).await.map_err(|error| app.failed(&error))?
}

/// `from=N` of the query; 0 without a query.
fn from_number(query: Option<&str>) -> Option<RosterNumber> {
    match query {
        None | Some("") => Some(RosterNumber(0)),
        Some(query) => query.strip_prefix("from=")?.parse().ok().map(RosterNumber),
    }
}
