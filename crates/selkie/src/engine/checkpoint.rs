//! What a run does about checkpoints: judge, take over, co-sign, make.

mod chunks;

use std::collections::BTreeSet;
use std::fmt;

use minicbor::bytes::ByteVec;
use selkie_core::seal::checkpoint::{open_manifest, shard_of};
use selkie_core::sync::{Engine, Standing};
use selkie_wire::checkpoint::{Manifest, is_cosigned, is_within};
use selkie_wire::limits::{PAGE_SEGMENTS_MAX, PUSH_BYTES_MAX};
use selkie_wire::relay::{
    CosignOutcome, CosignRequest, ManifestOutcome, ManifestResponse, PushOutcome, PutChunksRequest,
    PutManifestRequest,
};
use selkie_wire::{Digest, SegmentNumber};

use self::chunks::Walk;
use super::steps::{Failure, Run};
use super::sync::SyncPhase;
use crate::store::{Built, Incoming, malformed};
use crate::transport::TransportError;
use crate::{Error, ErrorKind};

/// How often a checkpoint is made anew in a run because the relay lacks chunks it was thought to have.
const MAKES_MAX: u32 = 3;

/// What is wrong with a checkpoint that a relay holds. Such a one is neither taken over nor co-signed,
/// and this device offers another in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// It is not intact, or nobody who belongs to the vault vouches for it.
    Forged,
    /// It tells another history of this device, or of a device this one knows.
    OtherHistory,
    /// The relay shows an older one than it has shown before.
    Rollback,
    /// It is not the state that this device knows: something is missing, added or changed.
    NotTheState,
}

impl fmt::Display for CheckpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forged => "a checkpoint at the relay is not intact, or of no member of the vault",
            Self::OtherHistory => "a checkpoint at the relay tells another history of a device",
            Self::Rollback => "the relay shows an older checkpoint than before",
            Self::NotTheState => "a checkpoint at the relay is not the state this device knows",
        })
    }
}

impl Run<'_, '_> {
    /// Fetches a manifest, and says what it means for this device.
    pub(super) fn look(&mut self, engine: &mut Engine, digest: Digest) -> Result<(), Failure> {
        self.report.rounds += 1;
        let response = match self.transport.manifest(digest) {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(engine.checkpoint_gone(digest)?),
            Err(TransportError::NoCheckpoints) => {
                return Ok(engine.looked(digest, Standing::default())?);
            }
            Err(error) => return Err(Error::from_transport(error)),
        };
        let settled = self.summary.settled == Some(digest);
        let standing = match self.judge(digest, &response, settled)? {
            Ok(standing) => standing,
            Err(fault) => {
                self.report.checkpoint_faults.push(fault);
                Standing { refused: true, ..Standing::default() }
            }
        };
        engine.looked(digest, standing)?;
        self.tell(SyncPhase::Checkpoint);
        Ok(())
    }

    fn judge(
        &mut self,
        digest: Digest,
        response: &ManifestResponse,
        settled: bool,
    ) -> Result<Result<Standing, CheckpointFault>, Error> {
        let roster = &self.identity.roster;
        let Ok(manifest) = Manifest::parse(response.manifest.to_vec()) else {
            return Ok(Err(CheckpointFault::Forged));
        };
        let opened = open_manifest(&manifest, roster, &self.identity.epoch_keys);
        let (true, Ok(secrets)) = (manifest.digest() == digest, opened) else {
            return Ok(Err(CheckpointFault::Forged));
        };
        let (author, key_id) = (manifest.body().author, manifest.body().key_id);
        let live = |device| roster.member(device).is_some_and(|member| member.revoked.is_none());
        let cosigner =
            response.cosigner.zip(response.cosignature.as_ref()).filter(|(by, signature)| {
                let key = roster.member(*by).map(|member| member.keys.signing_key);
                *by != author
                    && key.is_some_and(|key| is_cosigned(&key, roster.vault(), digest, signature))
            });
        // A signature of a device that has left could be of today: it lets nothing go.
        let cosigned = cosigner.is_some_and(|(by, _)| live(by));
        // Of two who vouched one may have left since; what only leavers say nobody vouches for.
        if !live(author) && !cosigned {
            return Ok(Err(CheckpointFault::Forged));
        }
        let find = |key: &&selkie_core::keys::EpochKey| key.derive_key_id(roster.vault()) == key_id;
        let Some(key) = self.identity.epoch_keys.iter().find(find) else {
            return Ok(Err(CheckpointFault::Forged));
        };
        let shard_key = shard_of(key, roster.vault());
        let incoming = Incoming { digest, manifest, secrets, shard_key };
        let judged = self.compare(&incoming, settled, cosigned)?;
        self.incoming = Some(incoming);
        Ok(judged)
    }

    fn compare(
        &mut self,
        incoming: &Incoming,
        settled: bool,
        cosigned: bool,
    ) -> Result<Result<Standing, CheckpointFault>, Error> {
        let own = self.identity.device_id();
        let mut database = self.vault.database();
        let mut covers = incoming.manifest.body().covers.clone();
        let mut known = database.relay_checkpoint(self.url)?;
        if settled && known.epoch == self.epoch && !is_within(&known.covers, &covers) {
            return Ok(Err(CheckpointFault::Rollback));
        }
        let own_covered = covers.remove(&database.chain(own)?);
        if let Some((number, digest)) = own_covered {
            let right = database.own_digest(number)? == Some(digest);
            if number.0 > 0 && !right {
                return Ok(Err(CheckpointFault::OtherHistory));
            }
        }
        if database.makes_up_own(own, incoming)? {
            return Ok(Err(CheckpointFault::OtherHistory));
        }
        let heads = database.heads()?;
        let other = |(device, (number, digest)): (_, &(SegmentNumber, Digest))| {
            heads.get(device).is_some_and(|(n, d)| n == number && d != digest)
        };
        if covers.iter().any(other) {
            return Ok(Err(CheckpointFault::OtherHistory));
        }
        let behind = !is_within(&covers, &heads);
        let mine = incoming.manifest.body().author == own;
        let may_cosign = !settled && !mine && !behind && database.can_judge(own, incoming)?;
        if !behind && settled {
            if cosigned {
                database.release_covered(own, &incoming.manifest.body().covers)?;
            }
            known.settled = Some(incoming.digest);
            known.covers = incoming.manifest.body().covers.clone();
        }
        if mine && !settled {
            known.candidate = Some(incoming.digest);
        }
        known.epoch = self.epoch;
        database.store_relay_checkpoint(self.url, &known)?;
        let own_covered = own_covered.map_or(SegmentNumber(0), |(number, _)| number);
        Ok(Ok(Standing { behind, may_cosign, refused: false, own_covered }))
    }

    fn take_incoming(&mut self, digest: Digest) -> Result<Incoming, Failure> {
        let taken = self.incoming.take().filter(|incoming| incoming.digest == digest);
        taken.ok_or_else(|| Failure::Final(malformed()))
    }

    /// Takes a checkpoint over, page by page.
    pub(super) fn join_checkpoint(
        &mut self,
        engine: &mut Engine,
        digest: Digest,
    ) -> Result<(), Failure> {
        let incoming = self.take_incoming(digest)?;
        self.report.checkpoint_chunks_total = incoming.manifest.body().chunks.len() as u64;
        let mut finished = false;
        while !finished {
            let remaining = self.vault.database().begin_checkpoint(&incoming)?;
            let index = self.vault.database().shard_index(&incoming.shard_key)?;
            let walk = self.walk(&incoming, remaining, &mut |run, shards, sealed| {
                let mut database = run.vault.database();
                let now_ms = run.vault.now_ms();
                let joined =
                    database.join_shards(&run.identity, &incoming, &index, shards, now_ms)?;
                database.remember_sealed(sealed)?;
                drop(database);
                run.vault.tell(&joined.events);
                run.report.checkpoint_records += joined.records;
                finished = joined.finished;
                run.tell(SyncPhase::Checkpoint);
                Ok(true)
            })?;
            if matches!(walk, Walk::Gone) {
                return Ok(engine.checkpoint_gone(digest)?);
            }
        }
        self.report.checkpoints_applied += 1;
        let mut database = self.vault.database();
        let mut known = database.relay_checkpoint(self.url)?;
        if self.summary.settled == Some(digest) {
            known.settled = Some(digest);
            known.covers = incoming.manifest.body().covers.clone();
        } else {
            known.candidate = Some(digest);
        }
        known.epoch = self.epoch;
        database.store_relay_checkpoint(self.url, &known)?;
        // What waited for what the checkpoint has brought.
        let applied = database.apply_page(&self.identity, None, Vec::new(), self.vault.now_ms())?;
        drop(database);
        self.vault.tell(&applied.events);
        self.report.segments_received += applied.segments;
        self.report.changes_received += applied.changes;
        engine.checkpoint_applied()?;
        Ok(())
    }

    /// Compares a candidate with what is here, and co-signs it if it is the same.
    pub(super) fn cosign(&mut self, engine: &mut Engine, digest: Digest) -> Result<(), Failure> {
        let incoming = self.take_incoming(digest)?;
        let own = self.identity.device_id();
        let covers = self.vault.database().covers_what_it_holds(own, &incoming)?;
        let mut sealed_all = Vec::new();
        let mut right = covers != Some(false);
        if covers == Some(true) {
            let index = self.vault.database().shard_index(&incoming.shard_key)?;
            let all = (0..=u8::MAX).collect();
            let walk = self.walk(&incoming, all, &mut |run, shards, sealed| {
                let mut database = run.vault.database();
                right = database.is_what_is_here(own, &incoming, &index, &shards)?;
                sealed_all.extend_from_slice(sealed);
                Ok(right)
            });
            match walk {
                Ok(Walk::Gone) => return Ok(engine.checkpoint_gone(digest)?),
                Ok(_) => {}
                // Chunks that are not what the manifest's author vouched for.
                Err(Failure::Final(error)) if error.kind() == ErrorKind::Relay => right = false,
                Err(error) => return Err(error),
            }
        }
        if !right {
            self.report.checkpoint_faults.push(CheckpointFault::NotTheState);
            return Ok(engine.cosigned(digest, false)?);
        }
        let mut known = self.vault.database().relay_checkpoint(self.url)?;
        known.candidate = Some(digest);
        if covers == Some(true) && self.send_cosignature(digest)? {
            let mut database = self.vault.database();
            database.remember_sealed(&sealed_all)?;
            // Its author has all of it.
            database.release_covered(own, &incoming.manifest.body().covers)?;
            known.settled = Some(digest);
            known.covers = incoming.manifest.body().covers.clone();
            self.report.checkpoints_cosigned += 1;
        }
        known.epoch = self.epoch;
        self.vault.database().store_relay_checkpoint(self.url, &known)?;
        engine.cosigned(digest, true)?;
        self.tell(SyncPhase::Checkpoint);
        Ok(())
    }

    fn send_cosignature(&mut self, digest: Digest) -> Result<bool, Failure> {
        let vault = self.identity.roster.vault();
        let signature = self.identity.device.cosign_checkpoint(vault, digest).to_vec().into();
        let sent = self.transport.cosign(digest, &CosignRequest { signature });
        let outcome = sent.map_err(Error::from_transport)?.outcome;
        Ok(matches!(outcome, CosignOutcome::Settled | CosignOutcome::Duplicate))
    }

    /// Makes a checkpoint and sends it, unless that has to wait.
    pub(super) fn make_checkpoint(&mut self, engine: &mut Engine) -> Result<(), Failure> {
        for _ in 0..MAKES_MAX {
            // A statement of its own: the lock must not be held while the relay is spoken to.
            let built = self.vault.database().build_checkpoint(&self.identity)?;
            let Some(built) = built else { break };
            match self.send_checkpoint(&built) {
                Ok(Sent::Stored) => {
                    let mut database = self.vault.database();
                    database.remember_sealed(&built.shards)?;
                    let mut known = database.relay_checkpoint(self.url)?;
                    known.candidate = Some(built.manifest.digest());
                    known.epoch = self.epoch;
                    database.store_relay_checkpoint(self.url, &known)?;
                    drop(database);
                    self.report.checkpoints_made += 1;
                    self.report.checkpoint_records = built.records;
                    engine.checkpoint_made(Some(built.own_covered))?;
                    self.tell(SyncPhase::Checkpoint);
                    return Ok(());
                }
                Ok(Sent::Missing(missing)) => self.vault.database().forget_sealed(&missing)?,
                Ok(Sent::Later) => break,
                Err(Failure::Final(error)) => return Err(Failure::Final(error)),
                Err(other) => return Err(other),
            }
        }
        Ok(engine.checkpoint_made(None)?)
    }

    fn send_checkpoint(&mut self, built: &Built) -> Result<Sent, Failure> {
        self.report.checkpoint_chunks_total = built.fresh.len() as u64;
        for batch in batches(&built.fresh) {
            self.report.rounds += 1;
            let chunks: Vec<ByteVec> = batch.iter().map(|chunk| chunk.clone().into()).collect();
            let response = match self.transport.put_chunks(&PutChunksRequest { chunks }) {
                Err(TransportError::NoCheckpoints) => return Ok(Sent::Later),
                other => other.map_err(Error::from_transport)?,
            };
            if response.outcomes.contains(&PushOutcome::Quota) {
                self.report.quota_exhausted = true;
                return Ok(Sent::Later);
            }
            self.report.checkpoint_chunks += batch.len() as u64;
            self.tell(SyncPhase::Checkpoint);
        }
        self.report.rounds += 1;
        let manifest = built.manifest.bytes().to_vec().into();
        let put = match self.transport.put_manifest(&PutManifestRequest { manifest }) {
            Err(TransportError::NoCheckpoints) => return Ok(Sent::Later),
            other => other.map_err(Error::from_transport)?,
        };
        Ok(match put.outcome {
            ManifestOutcome::Stored | ManifestOutcome::Duplicate => Sent::Stored,
            ManifestOutcome::ChunksMissing => Sent::Missing(put.missing.into_iter().collect()),
            ManifestOutcome::Quota => {
                self.report.quota_exhausted = true;
                Sent::Later
            }
            ManifestOutcome::Behind | ManifestOutcome::Refused => Sent::Later,
        })
    }
}

/// What became of a checkpoint that was sent.
enum Sent {
    Stored,
    /// Chunks that were not sent again, since the relay had them once.
    Missing(BTreeSet<Digest>),
    /// Not now: no room, or the relay knows more than this device.
    Later,
}

/// Chunks in the portions that go into one request.
fn batches(chunks: &[Vec<u8>]) -> Vec<&[Vec<u8>]> {
    let (mut batches, mut rest) = (Vec::new(), chunks);
    while !rest.is_empty() {
        let mut size_bytes = 0;
        let fits = |chunk: &&Vec<u8>| {
            size_bytes += chunk.len();
            size_bytes <= PUSH_BYTES_MAX
        };
        let count = rest.iter().take(PAGE_SEGMENTS_MAX).take_while(fits).count().max(1);
        let (batch, after) = rest.split_at(count.min(rest.len()));
        batches.push(batch);
        rest = after;
    }
    batches
}
