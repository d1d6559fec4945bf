//! The store: what the relay keeps.
//!
//! In: plans, already judged by the roster they name. Out: outcomes, once they are durable. What
//! never happens here: signatures, tokens, HTTP, a clock. Every implementation passes the same
//! `contract` tests.

use core::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{Head, PushOutcome};
use selkie_wire::{Cursor, DeviceId, Digest, MailboxId, RelayEpoch, SegmentNumber, VaultId};

#[cfg(test)]
mod contract;
pub(crate) mod memory;
pub(crate) mod sqlite;

/// What a store operation gives, later.
pub(crate) type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// More writes wait than it holds: come back.
    Busy,
    /// The disk or the database failed; for the operator.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many writes are waiting"),
            Self::Failed(detail) => f.write_str(detail),
        }
    }
}

/// How much the store may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) vault_bytes_max: u64,
    pub(crate) vaults_max: u64,
    pub(crate) mailbox_messages_max: u64,
}

/// A part of a vault's roster, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RosterPage {
    pub(crate) entries: Vec<Vec<u8>>,
    /// The last entry of the vault, whether in this page or not.
    pub(crate) last: RosterNumber,
}

/// Verified entries that continue a vault's roster, or begin it.
#[derive(Clone, Debug)]
pub(crate) struct RosterPlan {
    pub(crate) vault: VaultId,
    /// The entry they follow; none if they begin with genesis.
    pub(crate) after: Option<RosterNumber>,
    pub(crate) entries: Vec<Vec<u8>>,
    /// The key of the recovery words that stand after them.
    pub(crate) recovery: Option<[u8; 32]>,
}

/// What became of a [`RosterPlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RosterOutcome {
    /// Stored, durably.
    Stored,
    /// The roster no longer ends where the plan says: judge anew.
    Moved,
    /// No room for another vault.
    VaultsFull,
    /// No room in this vault.
    Quota,
}

/// One envelope that its roster vouches for.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) number: SegmentNumber,
    pub(crate) previous: Digest,
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// What a member pushes.
#[derive(Clone, Debug)]
pub(crate) struct PushPlan {
    pub(crate) member: Seen,
    /// Which of the member's chains the envelopes are of.
    pub(crate) chain: DeviceId,
    /// What that chain's first envelope follows.
    pub(crate) beginning: Digest,
    /// In the order sent; none where the envelope was refused already.
    pub(crate) offers: Arc<[Option<Offer>]>,
}

/// Who asks, and the roster entry up to which they were judged a live member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) vault: VaultId,
    pub(crate) device: DeviceId,
    pub(crate) roster: RosterNumber,
}

/// An answer that holds only while the roster is the one the asker was judged by, so that a revoked
/// device gets nothing, however late its revocation lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged<T> {
    Done(T),
    /// The vault's roster is not at the number the plan names: judge anew.
    Moved,
}

/// What became of a [`PushPlan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) outcomes: Vec<PushOutcome>,
    pub(crate) head: Head,
}

/// What a member asks for: others' envelopes after a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PullPlan {
    pub(crate) member: Seen,
    /// The chain that the member writes; its envelopes are left out.
    pub(crate) chain: DeviceId,
    pub(crate) epoch: Option<RelayEpoch>,
    pub(crate) cursor: Cursor,
}

/// A page of others' envelopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pulled {
    pub(crate) envelopes: Vec<Vec<u8>>,
    pub(crate) cursor: Cursor,
    pub(crate) more: bool,
    pub(crate) head: Head,
}

/// A pairing message to be left.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) mailbox: MailboxId,
    pub(crate) slot: u8,
    pub(crate) bytes: Vec<u8>,
    pub(crate) now_ms: u64,
    pub(crate) expires_ms: u64,
}

/// What became of a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageOutcome {
    /// It waits now.
    Stored,
    /// The same bytes wait already.
    Duplicate,
    /// Other bytes wait there.
    Taken,
    /// Too many messages wait at this relay.
    Full,
}

/// Durable storage. A write's reply comes after it is safe from a power cut.
pub(crate) trait Store: Send + Sync + 'static {
    /// Random name of this life of the storage.
    fn epoch(&self) -> RelayEpoch;
    /// Entries from a number on, up to a page; none if there is no such vault.
    fn roster(&self, vault: VaultId, from: RosterNumber) -> Reply<'_, Option<RosterPage>>;
    /// The vault whose recovery words have this key.
    fn recovers(&self, key: [u8; 32]) -> Reply<'_, Option<VaultId>>;
    /// Adds verified entries, if the roster still ends where they begin.
    fn extend_roster(&self, plan: RosterPlan) -> Reply<'_, RosterOutcome>;
    /// Stores each envelope that continues its device's chain.
    fn push(&self, plan: PushPlan) -> Reply<'_, Judged<Pushed>>;
    /// Reads a page of others' envelopes.
    fn pull(&self, plan: PullPlan) -> Reply<'_, Judged<Pulled>>;
    /// Whether a pull of the same plan would bring anything.
    fn has_news(&self, plan: PullPlan) -> Reply<'_, Judged<bool>>;
    /// Leaves a pairing message, unless something waits there.
    fn put_message(&self, message: Message) -> Reply<'_, MessageOutcome>;
    /// Reads a pairing message that has not expired.
    fn message(&self, mailbox: MailboxId, slot: u8, now_ms: u64) -> Reply<'_, Option<Vec<u8>>>;
    /// Removes all messages of a mailbox.
    fn remove_mailbox(&self, mailbox: MailboxId) -> Reply<'_, ()>;
    /// Whether writes are still possible.
    fn healthy(&self) -> bool;
    /// Ends all writes and closes the files.
    fn close(&self);
}

/// What one offer becomes, given the head it meets and the digest stored at its number.
///
/// The rule of every store: a chain only grows at its end, and nothing in it changes.
pub(crate) fn judge(
    head: &Head,
    beginning: Digest,
    offer: &Offer,
    stored: Option<Digest>,
    room_bytes: u64,
) -> PushOutcome {
    if offer.number <= head.number {
        return if stored == Some(offer.digest) {
            PushOutcome::Duplicate
        } else {
            PushOutcome::Fork
        };
    }
    if Some(offer.number) != head.number.next() {
        return PushOutcome::Gap;
    }
    match head.digest {
        // Its sender holds another envelope under the head's number than this relay does.
        Some(digest) if digest != offer.previous => return PushOutcome::Fork,
        None if beginning != offer.previous => return PushOutcome::Refused,
        _ => {}
    }
    if offer.bytes.len() as u64 > room_bytes { PushOutcome::Quota } else { PushOutcome::Stored }
}
