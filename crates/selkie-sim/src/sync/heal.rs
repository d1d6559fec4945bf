//! Incarnations: what a store does that is a copy, a restored backup, or an earlier state of itself.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::{Change, ChangeNumber, Dot, Renaming};
use selkie_core::merge::{Context, Replica, apply_own};
use selkie_core::ports::RandomSource;
use selkie_core::record::RecordKey;
use selkie_core::seal::{ChangesOf, Expected, open_segment};
use selkie_core::sync::EngineError;
use selkie_wire::relay::{PullRequest, PullResponse};
use selkie_wire::{
    Cursor, DeviceId, Digest, Envelope, Incarnation, IncarnationToken, SegmentNumber,
    VersionVector, cbor,
};

use super::bugs::Bug;
use super::driver::{Run, Stop};
use super::ledger::Ledger;
use super::relay::Request;
use super::store::{ChainFile, Resend, Store};
use super::template::template;
use crate::world::Random;

#[derive(Default)]
struct Theirs {
    segments: BTreeMap<SegmentNumber, Digest>,
    changes: BTreeMap<u64, Digest>,
}

#[derive(Default)]
struct Own {
    kept: Vec<Change>,
    renamed: Vec<Change>,
    first_renamed: u64,
}

impl Store {
    /// What a store does when it is opened: a copy, or one that is older than what it has sent, goes
    /// on in a chain of its own.
    pub(super) fn open(
        &mut self,
        file: &mut Option<ChainFile>,
        random: &mut Random,
        bug: Option<Bug>,
    ) {
        if !self.agrees_with(file.as_ref()) && bug != Some(Bug::CopiesGoOn) {
            let token = IncarnationToken(random.array().expect("the seed's randomness"));
            let last = self.own_head().number;
            self.leave_chain(u64::MAX, last, bug);
            self.enter_chain(token);
        }
        *file = Some(self.chain_file());
    }

    /// Leaves the chain written so far: what it has of changes before `end` is sent again.
    fn leave_chain(&mut self, end: u64, last: SegmentNumber, bug: Option<Bug>) {
        let (chain, token) = (self.chain(), self.incarnation);
        // What was still to be sent again stays before it.
        let mut again = Vec::new();
        for segment in &self.segments {
            let body = &segment.body;
            let of = match body.changes_of {
                ChangesOf::Sender => token,
                ChangesOf::Device => None,
                ChangesOf::Incarnation(token) => Some(token),
            };
            let own = body.changes_of == ChangesOf::Sender;
            for (number, bytes) in (body.first_change..).zip(&body.changes) {
                if !own || number < end {
                    let stamp = selkie_core::clock::Stamp(body.stamp);
                    again.push(Resend { of, number, stamp, bytes: bytes.clone() });
                }
            }
        }
        for (number, stamp, bytes) in self.log.iter().filter(|(number, ..)| *number < end) {
            again.push(Resend { of: token, number: *number, stamp: *stamp, bytes: bytes.clone() });
        }
        self.resend.extend(again);
        if bug == Some(Bug::CopiesRename) {
            for (_, next) in (1u64..).zip(&mut self.resend) {
                next.number += 1000;
            }
        }
        let changes = self.changes.min(end.saturating_sub(1));
        self.set_context(chain, changes);
        if let Some(digest) = self.own_digest(last) {
            self.heads.insert(chain, (last, digest));
        }
        self.log.clear();
        self.segments.clear();
        for state in self.relays.values_mut() {
            state.position.cursor = Cursor(0);
            state.acknowledged = SegmentNumber(0);
        }
    }

    /// What of a chain counts as seen, up to a number.
    fn set_context(&mut self, chain: DeviceId, changes: u64) {
        let (records, context, dead) = core::mem::take(&mut self.replica).into_parts();
        let mut vector = VersionVector::default();
        for (device, number) in context.version_vector().iter().filter(|(one, _)| *one != chain) {
            vector.advance(device, number);
        }
        if changes > 0 {
            vector.advance(chain, changes);
        }
        let cloud: Vec<Dot> = context.cloud().filter(|dot| dot.device != chain).collect();
        self.replica = Replica::from_parts(records, Context::from_parts(vector, cloud), dead);
    }

    fn enter_chain(&mut self, token: IncarnationToken) {
        let incarnation = Incarnation { member: self.member(), token };
        self.incarnations.insert(self.roster(), incarnation);
        self.incarnation = Some(token);
        self.changes = 0;
    }

    /// Notes an envelope of a relay, if it is of this store's chain.
    fn note_theirs(&self, bytes: Vec<u8>, theirs: &mut Theirs) {
        let Ok(envelope) = Envelope::parse(bytes) else { return };
        let header = envelope.header();
        if header.device != self.chain() {
            return;
        }
        let vault = self.roster().vault();
        let expected = Expected { number: header.number, previous: header.previous };
        let keys = template().epoch_keys(self.entries);
        let find = |wanted| keys.iter().find(|key| key.derive_key_id(vault) == wanted);
        let opened = open_segment(&envelope, self.roster(), &self.incarnations, expected, find);
        let Ok(body) = opened else { return };
        theirs.segments.insert(header.number, envelope.digest());
        if body.changes_of == ChangesOf::Sender {
            let numbered = (body.first_change..).zip(&body.changes);
            theirs.changes.extend(numbered.map(|(number, bytes)| (number, Digest::of(bytes))));
        }
    }

    fn own_changes(&self, theirs: &Theirs, acknowledged: SegmentNumber) -> Own {
        let chain = self.chain();
        let mut own = Own::default();
        let mut last = 0;
        let mut sort = |number: u64, bytes: &[u8], taken: bool| {
            let dot = Dot { device: chain, number: ChangeNumber(number) };
            let change = Change::from_bytes(dot, bytes).expect("an own change can be read");
            let same = theirs.changes.get(&number).map_or(taken, |one| *one == Digest::of(bytes));
            last = number;
            if same && own.renamed.is_empty() {
                own.kept.push(change);
            } else {
                own.first_renamed = own.renamed.first().map_or(number, |first| first.dot.number.0);
                own.renamed.push(change);
            }
        };
        for segment in &self.segments {
            if segment.body.changes_of == ChangesOf::Sender {
                for (number, bytes) in (segment.body.first_change..).zip(&segment.body.changes) {
                    sort(number, bytes, segment.number <= acknowledged);
                }
            }
        }
        for (number, _, bytes) in &self.log {
            sort(*number, bytes, false);
        }
        if own.renamed.is_empty() {
            own.first_renamed = last.max(self.changes - self.log.len() as u64) + 1;
        }
        own
    }

    fn last_common(&self, theirs: &Theirs, acknowledged: SegmentNumber) -> SegmentNumber {
        let same = |number: SegmentNumber, digest: Digest| {
            theirs.segments.get(&number).map_or(number <= acknowledged, |known| *known == digest)
        };
        let common = self.segments.iter().take_while(|one| same(one.number, one.digest));
        common.last().map_or(SegmentNumber(0), |last| last.number)
    }

    /// Begins a new chain where the relay's and this store's histories part.
    fn heal(
        &mut self,
        theirs: &Theirs,
        acknowledged: SegmentNumber,
        token: IncarnationToken,
        ledger: &mut Ledger,
    ) -> Result<(), EngineError> {
        let chain = self.chain();
        let own = self.own_changes(theirs, acknowledged);
        let new_chain = self.secrets().incarnation_id(token);
        let first = Dot { device: chain, number: ChangeNumber(own.first_renamed) };
        let mut renaming = Renaming::new(first, new_chain);
        own.kept.iter().for_each(|change| renaming.keep(change));
        let mut renamed = Vec::new();
        for change in own.renamed {
            let acts = ledger.of_change(&change.to_bytes());
            let change = renaming.rename(change);
            ledger.note_change(&change.to_bytes(), acts);
            renamed.push(change);
        }
        renamed.insert(0, renaming.first_change());
        let part = self.last_common(theirs, acknowledged);
        if theirs.segments.keys().next_back().is_none_or(|last| *last <= part) {
            return Err(EngineError::Inconsistent);
        }
        self.leave_chain(own.first_renamed, part, None);
        self.enter_chain(token);
        for change in &renamed {
            self.changes += 1;
            self.log.push((change.dot.number.0, change.stamp, change.to_bytes()));
        }
        self.rewrite(&renaming, &renamed);
        self.set_context(new_chain, self.changes);
        Ok(())
    }

    /// Writes the records that the renamed changes touch as if they had been written so.
    fn rewrite(&mut self, renaming: &Renaming, renamed: &[Change]) {
        let (mut records, context, dead) = core::mem::take(&mut self.replica).into_parts();
        let touched = renamed.iter().flat_map(|change| &change.records);
        let keys: BTreeSet<RecordKey> = touched.map(|record| record.key.clone()).collect();
        for key in keys {
            let mut registers = records.remove(&key).unwrap_or_default();
            renaming.take_out(&mut registers);
            for change in renamed {
                for record in change.records.iter().filter(|record| record.key == key) {
                    let operations = record.operations.clone();
                    let change = (&key, change.dot, change.stamp);
                    apply_own(&mut registers, change, operations, &mut |_| {});
                }
            }
            if !registers.is_empty() {
                records.insert(key, registers);
            }
        }
        self.replica = Replica::from_parts(records, context, dead);
    }
}

impl Run<'_> {
    /// Reads what the relay has of this store's chain, and begins a new chain where the two part.
    pub(super) fn heal(&mut self) -> Result<(), Stop> {
        let acknowledged = self.store.relays.get(&self.at).map(|state| state.acknowledged);
        let acknowledged = acknowledged.unwrap_or_default();
        let mut theirs = Theirs::default();
        let nobody = Some(self.new_token());
        let mut request = PullRequest { epoch: None, cursor: Cursor(0), incarnation: nobody };
        loop {
            let page: PullResponse = self.ask(Request::Pull(cbor::encode(&request)))?;
            // It may have gone back behind a rotation.
            if page.roster > self.store.roster().last() {
                self.learn_roster()?;
            }
            for bytes in page.envelopes {
                self.store.note_theirs(bytes.into(), &mut theirs);
            }
            if !page.more || page.cursor <= request.cursor {
                break;
            }
            (request.epoch, request.cursor) = (Some(page.epoch), page.cursor);
        }
        self.fuse.step()?;
        let token = self.new_token();
        self.store.heal(&theirs, acknowledged, token, self.ledger)?;
        self.report.healed = true;
        self.write_chain_file()?;
        Ok(())
    }
}
