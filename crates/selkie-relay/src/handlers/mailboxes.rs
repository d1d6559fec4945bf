//! `/v1/mailboxes/{id}/{slot}`: where two devices that pair leave each other messages.
//!
//! Neither belongs to a vault the relay could check, so this needs no token; it is bounded instead.
//! Whoever knows the pairing code knows the id, and the messages are sealed under the code.

use core::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use selkie_wire::MailboxId;
use selkie_wire::limits::{MAILBOX_BYTES_MAX, MAILBOX_SLOTS, MAILBOX_TTL_MS};

use crate::app::App;
use crate::body::{self, Answer};
use crate::problem::Problem;
use crate::store::{Message, MessageOutcome};

/// Mailbox and slot of the path; none if they are out of range.
pub(super) struct SlotPath(Option<(MailboxId, u8)>);

impl<S: Send + Sync> FromRequestParts<S> for SlotPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        Ok(Self(texts.ok().and_then(|Path((mailbox, text))| {
            let slot = (0..MAILBOX_SLOTS).find(|slot| slot.to_string() == text)?;
            Some((MailboxId::from_hex(&mailbox)?, slot))
        })))
    }
}

/// Leaves a message; a slot is never overwritten, so nobody can replace an offer.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    SlotPath(place): SlotPath,
    body: Body,
) -> Result<Answer, Problem> {
    let Some((mailbox, slot)) = place else {
        return Err(body::refuse(&app, body, Problem::not_found()).await);
    };
    let received = body::read(&app, body, MAILBOX_BYTES_MAX).await?;
    let now_ms = app.now_ms();
    let expires_ms = now_ms.saturating_add(MAILBOX_TTL_MS);
    let message = Message { mailbox, slot, bytes: received.bytes, now_ms, expires_ms };
    let outcome = app.store.put_message(message).await.map_err(|error| app.failed(&error))?;
    match outcome {
        MessageOutcome::Stored => Ok(Answer::empty(StatusCode::CREATED)),
        MessageOutcome::Duplicate => Ok(Answer::empty(StatusCode::OK)),
        MessageOutcome::Taken => Err(Problem::slot_taken()),
        MessageOutcome::Full => Err(Problem::mailboxes_full()),
    }
}

/// Reads a message, as often as it takes: the answer may be lost on the way.
pub(super) async fn message(
    State(app): State<Arc<App>>,
    SlotPath(place): SlotPath,
) -> Result<Answer, Problem> {
    let (mailbox, slot) = place.ok_or_else(Problem::not_found)?;
    let message = app.store.message(mailbox, slot, app.now_ms()).await;
    let bytes = message.map_err(|error| app.failed(&error))?.ok_or_else(Problem::not_found)?;
    Ok(Answer::opaque(bytes))
}

/// Ends a pairing.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Answer, Problem> {
    let mailbox = id.ok().and_then(|Path(id)| MailboxId::from_hex(&id));
    let mailbox = mailbox.ok_or_else(Problem::not_found)?;
    app.store.remove_mailbox(mailbox).await.map_err(|error| app.failed(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
