//! The store in memory: for tests and for trying things out; gone with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX, ROSTER_PAGE_BYTES_MAX};
use selkie_wire::relay::{CosignOutcome, Head, PushOutcome};
use selkie_wire::{Cursor, DeviceId, Digest, MailboxId, RelayEpoch, SegmentNumber, VaultId};

use super::checkpoints::{Chain, bridged};
use super::{
    CosignPlan, FetchPlan, Judged, ManifestPlan, ManifestPut, ManifestQuery, Message,
    MessageOutcome, PullPlan, Pulled, PushPlan, Pushed, PutChunksPlan, Reply, Room, RosterOutcome,
    RosterPage, RosterPlan, Seen, Store, StoreError, StoredManifest, judge,
};

mod checkpoints;

/// All vaults, in maps.
pub(crate) struct MemoryStore {
    epoch: RelayEpoch,
    room: Room,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    vaults: BTreeMap<VaultId, Vault>,
    messages: BTreeMap<(MailboxId, u8), (Vec<u8>, u64)>,
}

#[derive(Default)]
struct Vault {
    roster: Vec<Vec<u8>>,
    recovery: Option<[u8; 32]>,
    used_bytes: u64,
    /// In the order stored, with their cursors.
    segments: Vec<Segment>,
    /// The cursor of the last segment stored.
    cursor: Cursor,
    chains: BTreeMap<DeviceId, Chain>,
    checkpoints: checkpoints::Checkpoints,
}

struct Segment {
    cursor: Cursor,
    device: DeviceId,
    number: SegmentNumber,
    digest: Digest,
    bytes: Vec<u8>,
}

impl MemoryStore {
    /// An empty store with a name of its own.
    pub(crate) fn new(epoch: RelayEpoch, room: Room) -> Self {
        Self { epoch, room, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The vault, if its roster still ends where the member was judged.
    fn judged(&mut self, member: Seen) -> Option<&mut Vault> {
        self.vaults.get_mut(&member.vault).filter(|vault| vault.last() == Some(member.roster))
    }
}

impl Vault {
    fn last(&self) -> Option<RosterNumber> {
        self.roster.len().checked_sub(1).map(|last| RosterNumber(last as u64))
    }

    fn chain(&self, device: DeviceId) -> Chain {
        self.chains.get(&device).copied().unwrap_or_default()
    }

    fn digest(&self, device: DeviceId, number: SegmentNumber) -> Option<Digest> {
        let chain = self.chain(device);
        if chain.base.number == number {
            return chain.base.digest;
        }
        let place = |segment: &&Segment| (segment.device, segment.number) == (device, number);
        self.segments.iter().find(place).map(|segment| segment.digest)
    }

    fn push(&mut self, plan: &PushPlan, vault_bytes_max: u64) -> Pushed {
        let device = plan.chain;
        self.settle_if_alone(plan.member, plan.now_ms);
        let mut outcomes = Vec::with_capacity(plan.offers.len());
        for offer in plan.offers.iter() {
            let Some(offer) = offer else {
                outcomes.push(PushOutcome::Refused);
                continue;
            };
            let room_bytes = vault_bytes_max.saturating_sub(self.used_bytes);
            let stored = self.digest(device, offer.number);
            let mut chain = self.chain(device);
            chain = bridged(chain, device, offer, self.checkpoints.manifests()).unwrap_or(chain);
            let outcome =
                judge(&chain.head, &chain.base, plan.beginning, offer, stored, room_bytes);
            if outcome == PushOutcome::Stored {
                self.used_bytes += offer.bytes.len() as u64;
                chain.head = Head { number: offer.number, digest: Some(offer.digest) };
                self.chains.insert(device, chain);
                self.cursor = self.cursor.after(offer.digest);
                let (number, digest, bytes) = (offer.number, offer.digest, offer.bytes.clone());
                let cursor = self.cursor;
                self.segments.push(Segment { cursor, device, number, digest, bytes });
            }
            outcomes.push(outcome);
        }
        Pushed { outcomes, head: self.chain(device).head }
    }

    fn is_place(&self, cursor: Cursor) -> bool {
        cursor == self.cursor || self.segments.iter().any(|segment| segment.cursor == cursor)
    }

    fn pull(&self, plan: &PullPlan, epoch: RelayEpoch) -> Pulled {
        let device = plan.chain;
        // A place of another list is not found in this one.
        let known = plan.epoch == Some(epoch) && self.is_place(plan.cursor);
        let start = if known { plan.cursor } else { Cursor(0) };
        let mut page = Pulled {
            envelopes: Vec::new(),
            cursor: self.cursor,
            more: false,
            head: self.chain(device).head,
            checkpoints: self.summary(),
        };
        let (mut bytes, mut last) = (0, start);
        for segment in &self.segments {
            if segment.cursor <= start || segment.device == device {
                continue;
            }
            let full = bytes + segment.bytes.len() > PAGE_BYTES_MAX
                || page.envelopes.len() == PAGE_SEGMENTS_MAX;
            if full && !page.envelopes.is_empty() {
                (page.cursor, page.more) = (last, true);
                break;
            }
            bytes += segment.bytes.len();
            last = segment.cursor;
            page.envelopes.push(segment.bytes.clone());
        }
        page
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Reply<'a, T> {
    Box::pin(std::future::ready(Ok::<_, StoreError>(value)))
}

impl Store for MemoryStore {
    fn epoch(&self) -> RelayEpoch {
        self.epoch
    }

    fn roster(&self, vault: VaultId, from: RosterNumber) -> Reply<'_, Option<RosterPage>> {
        let state = self.state();
        let Some(vault) = state.vaults.get(&vault) else { return ready(None) };
        let mut bytes = 0;
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        let entries = vault.roster.iter().skip(from).take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.len();
            first || bytes <= ROSTER_PAGE_BYTES_MAX
        });
        let entries = entries.cloned().collect();
        ready(vault.last().map(|last| RosterPage { entries, last }))
    }

    fn recovers(&self, key: [u8; 32]) -> Reply<'_, Option<VaultId>> {
        let state = self.state();
        let mut vaults = state.vaults.iter();
        ready(vaults.find(|(_, vault)| vault.recovery == Some(key)).map(|(id, _)| *id))
    }

    fn extend_roster(&self, plan: RosterPlan) -> Reply<'_, RosterOutcome> {
        let mut state = self.state();
        let known = state.vaults.get(&plan.vault);
        if known.and_then(Vault::last) != plan.after {
            return ready(RosterOutcome::Moved);
        }
        if known.is_none() && state.vaults.len() as u64 >= self.room.vaults_max {
            return ready(RosterOutcome::VaultsFull);
        }
        let used_bytes = known.map_or(0, |vault| vault.used_bytes)
            + plan.entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
        if used_bytes > self.room.vault_bytes_max {
            return ready(RosterOutcome::Quota);
        }
        let vault = state.vaults.entry(plan.vault).or_default();
        vault.used_bytes = used_bytes;
        vault.roster.extend(plan.entries);
        vault.recovery = plan.recovery;
        ready(RosterOutcome::Stored)
    }

    fn push(&self, plan: PushPlan) -> Reply<'_, Judged<Pushed>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.push(&plan, self.room.vault_bytes_max)))
    }

    fn pull(&self, plan: PullPlan) -> Reply<'_, Judged<Pulled>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.pull(&plan, self.epoch)))
    }

    fn has_news(&self, plan: PullPlan) -> Reply<'_, Judged<bool>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        let known = plan.epoch == Some(self.epoch)
            && (plan.cursor == Cursor(0) || vault.is_place(plan.cursor));
        ready(Judged::Done(!known || !vault.pull(&plan, self.epoch).envelopes.is_empty()))
    }

    fn put_chunks(&self, plan: PutChunksPlan) -> Reply<'_, Judged<Vec<PushOutcome>>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.put_chunks(&plan, self.room.vault_bytes_max)))
    }

    fn chunks(&self, plan: FetchPlan) -> Reply<'_, Judged<Vec<Vec<u8>>>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.chunks(&plan)))
    }

    fn put_manifest(&self, plan: ManifestPlan) -> Reply<'_, Judged<ManifestPut>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.put_manifest(&plan, self.room.vault_bytes_max)))
    }

    fn manifest(&self, query: ManifestQuery) -> Reply<'_, Judged<Option<StoredManifest>>> {
        let mut state = self.state();
        let Some(vault) = state.judged(query.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.manifest(query.digest)))
    }

    fn cosign(&self, plan: CosignPlan) -> Reply<'_, Judged<CosignOutcome>> {
        let mut state = self.state();
        let Some(vault) = state.judged(plan.member) else { return ready(Judged::Moved) };
        ready(Judged::Done(vault.cosign(&plan)))
    }

    fn put_message(&self, message: Message) -> Reply<'_, MessageOutcome> {
        let mut state = self.state();
        state.messages.retain(|_, (_, expires_ms)| *expires_ms > message.now_ms);
        let place = (message.mailbox, message.slot);
        if let Some((bytes, _)) = state.messages.get(&place) {
            let same = *bytes == message.bytes;
            return ready(if same { MessageOutcome::Duplicate } else { MessageOutcome::Taken });
        }
        if state.messages.len() as u64 >= self.room.mailbox_messages_max {
            return ready(MessageOutcome::Full);
        }
        state.messages.insert(place, (message.bytes, message.expires_ms));
        ready(MessageOutcome::Stored)
    }

    fn message(&self, mailbox: MailboxId, slot: u8, now_ms: u64) -> Reply<'_, Option<Vec<u8>>> {
        let state = self.state();
        let live = state.messages.get(&(mailbox, slot)).filter(|(_, expires)| *expires > now_ms);
        ready(live.map(|(bytes, _)| bytes.clone()))
    }

    fn remove_mailbox(&self, mailbox: MailboxId) -> Reply<'_, ()> {
        self.state().messages.retain(|(known, _), _| *known != mailbox);
        ready(())
    }

    fn healthy(&self) -> bool {
        true
    }

    fn close(&self) {}
}
