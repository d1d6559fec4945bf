//! A walk through a checkpoint's chunks: fetched a page at a time, opened, and shown shard by shard.

use std::collections::{BTreeMap, VecDeque};

use selkie_core::seal::checkpoint::{open_chunk, read_shard};
use selkie_wire::checkpoint::ChunkName;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX};
use selkie_wire::relay::FetchChunksRequest;
use selkie_wire::{Digest, Envelope};

use crate::engine::steps::{Failure, Run};
use crate::store::{Incoming, OpenedShard, SealedShard, malformed};
use crate::{Error, ErrorKind};

/// How a walk through the chunks ended.
pub(super) enum Walk {
    /// All shards were seen.
    Done,
    /// A chunk is not at the relay any more.
    Gone,
    /// The visitor has seen enough.
    Stopped,
}

pub(super) type Visit<'v, 'r, 'h> =
    &'v mut dyn FnMut(&mut Run<'r, 'h>, Vec<OpenedShard>, &[SealedShard]) -> Result<bool, Failure>;

impl<'r, 'h> Run<'r, 'h> {
    /// Fetches the chunks of shards, a page at a time, and shows each whole shard to `visit`.
    pub(super) fn walk(
        &mut self,
        incoming: &Incoming,
        shards: Vec<u8>,
        visit: Visit<'_, 'r, 'h>,
    ) -> Result<Walk, Failure> {
        let names = incoming.chunks_by_shard();
        let nothing = Vec::new();
        let of = |shard: u8| names.get(&shard).unwrap_or(&nothing);
        let mut waiting: VecDeque<u8> = shards.into();
        let mut here: BTreeMap<Digest, Vec<u8>> = BTreeMap::new();
        while !waiting.is_empty() {
            let absent = waiting.iter().flat_map(|shard| of(*shard));
            let absent = absent.filter(|name| !here.contains_key(&name.digest));
            let asked = page_of(absent);
            if !asked.is_empty() && !self.fetch(&asked, &mut here)? {
                return Ok(Walk::Gone);
            }
            let (mut opened, mut sealed) = (Vec::new(), Vec::new());
            while let Some(shard) = waiting.front().copied() {
                if !of(shard).iter().all(|name| here.contains_key(&name.digest)) {
                    break;
                }
                waiting.pop_front();
                let parts: Option<Vec<_>> =
                    of(shard).iter().map(|name| here.remove(&name.digest)).collect();
                let (shard, known) = self.open_shard(incoming, shard, parts.unwrap_or_default())?;
                opened.push(shard);
                sealed.extend(known);
            }
            if !opened.is_empty() && !visit(self, opened, &sealed)? {
                return Ok(Walk::Stopped);
            }
        }
        Ok(Walk::Done)
    }

    fn fetch(
        &mut self,
        asked: &[Digest],
        here: &mut BTreeMap<Digest, Vec<u8>>,
    ) -> Result<bool, Failure> {
        self.report.rounds += 1;
        let request = FetchChunksRequest { digests: asked.to_vec() };
        let response = self.transport.fetch_chunks(&request).map_err(Error::from_transport)?;
        if response.chunks.is_empty() || response.chunks.len() > asked.len() {
            return Err(Failure::Final(damaged_chunk()));
        }
        for (digest, bytes) in asked.iter().zip(response.chunks) {
            if bytes.is_empty() {
                return Ok(false);
            }
            if Digest::of(&bytes) != *digest {
                return Err(Failure::Final(damaged_chunk()));
            }
            self.report.checkpoint_chunks += 1;
            here.insert(*digest, bytes.into());
        }
        Ok(true)
    }

    fn open_shard(
        &self,
        incoming: &Incoming,
        shard: u8,
        parts: Vec<Vec<u8>>,
    ) -> Result<(OpenedShard, Option<SealedShard>), Error> {
        let count = parts.len();
        if count == 0 {
            return Ok((OpenedShard { shard, records: Vec::new() }, None));
        }
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        let mut chunks = Vec::with_capacity(count);
        for (part, envelope) in parts.into_iter().enumerate() {
            let size_bytes = u32::try_from(envelope.len()).map_err(|_| malformed())?;
            let envelope = Envelope::parse(envelope).map_err(|_| malformed())?;
            chunks.push(ChunkName { digest: envelope.digest(), size_bytes });
            let body = open_chunk(&envelope, &self.identity.roster, &self.identity.epoch_keys)
                .map_err(|_| malformed())?;
            if (body.shard, usize::from(body.part), usize::from(body.parts)) != (shard, part, count)
            {
                return Err(malformed());
            }
            bytes.extend_from_slice(&body.bytes);
        }
        let records = read_shard(&bytes, shard, &incoming.shard_key).map_err(|_| malformed())?;
        let (key_id, digest) = (incoming.manifest.body().key_id, Digest::of(&bytes));
        let sealed = SealedShard { shard, key_id, digest, chunks };
        Ok((OpenedShard { shard, records }, Some(sealed)))
    }
}

fn damaged_chunk() -> Error {
    Error::new(
        ErrorKind::Relay,
        "the relay gave something else for a part of a checkpoint; nothing of it was taken over",
    )
}

/// As many chunks as the relay gives in one answer.
fn page_of<'n>(names: impl Iterator<Item = &'n ChunkName>) -> Vec<Digest> {
    let mut size_bytes = 0;
    let fits = |name: &&ChunkName| {
        let first = size_bytes == 0;
        size_bytes += name.size_bytes as usize;
        first || size_bytes <= PAGE_BYTES_MAX
    };
    names.take(PAGE_SEGMENTS_MAX).take_while(fits).map(|name| name.digest).collect()
}
