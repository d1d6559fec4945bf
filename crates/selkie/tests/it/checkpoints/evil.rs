//! Checkpoints that are cut off, exchanged, damaged, forged, or made up by a member.

use selkie::transport::relay::{
    CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse, ManifestResponse,
    PullRequest, PullResponse, PushRequest, PushResponse, PutChunksRequest, PutChunksResponse,
    PutManifestRequest, PutManifestResponse, RosterEntries,
};
use selkie::transport::{MemoryTransport, Transport, TransportError};
use selkie::{CheckpointFault, ErrorKind};
use selkie_core::change::{ChangeNumber, Dot};
use selkie_core::keys::{DeviceSecrets, EpochKey};
use selkie_core::ports::{RandomError, RandomSource};
use selkie_core::seal::checkpoint::{
    CheckpointSeal, ChunkBody, ManifestSecrets, ShardRecord, open_chunk, open_manifest, read_shard,
    seal_chunk, seal_manifest, shard_of, write_shard,
};
use selkie_wire::checkpoint::{ChunkName, Manifest};
use selkie_wire::{Covers, Digest, Envelope, Roster, RosterNumber};

use super::*;

type OnChunks<'h> = Box<dyn FnMut(&mut FetchChunksResponse) + 'h>;
type OnManifest<'h> = Box<dyn FnMut(&mut ManifestResponse) + 'h>;
type OnPull<'h> = Box<dyn FnMut(&mut PullResponse) + 'h>;

/// Passes everything on, meddled with.
struct Meddler<'h> {
    inner: MemoryTransport,
    calls_left: u32,
    /// Chunks in an answer at most.
    chunks_max: usize,
    on_chunks: OnChunks<'h>,
    on_manifest: OnManifest<'h>,
    on_pull: OnPull<'h>,
}

impl<'h> Meddler<'h> {
    fn new(relay: &MemoryRelay, store: &Store) -> Self {
        Self {
            inner: relay.connect(store.vault.device_id()),
            calls_left: u32::MAX,
            chunks_max: usize::MAX,
            on_chunks: Box::new(|_| {}),
            on_manifest: Box::new(|_| {}),
            on_pull: Box::new(|_| {}),
        }
    }

    fn call(&mut self) -> Result<&mut MemoryTransport, TransportError> {
        let cut = || TransportError::Unreachable("cut off by the test".to_owned());
        self.calls_left = self.calls_left.checked_sub(1).ok_or_else(cut)?;
        Ok(&mut self.inner)
    }

    fn sync(&mut self, store: &Store) -> Result<SyncReport, selkie::Error> {
        store.vault.sync_over("memory", self, &mut |_| {})
    }
}

impl Transport for Meddler<'_> {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let mut response = self.call()?.pull(request)?;
        (self.on_pull)(&mut response);
        Ok(response)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.call()?.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.call()?.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.call()?.publish_roster(entries)
    }
    fn put_chunks(&mut self, put: &PutChunksRequest) -> Result<PutChunksResponse, TransportError> {
        self.call()?.put_chunks(put)
    }
    fn fetch_chunks(
        &mut self,
        request: &FetchChunksRequest,
    ) -> Result<FetchChunksResponse, TransportError> {
        let mut response = self.call()?.fetch_chunks(request)?;
        response.chunks.truncate(self.chunks_max);
        (self.on_chunks)(&mut response);
        Ok(response)
    }
    fn put_manifest(
        &mut self,
        request: &PutManifestRequest,
    ) -> Result<PutManifestResponse, TransportError> {
        self.call()?.put_manifest(request)
    }
    fn manifest(&mut self, digest: Digest) -> Result<Option<ManifestResponse>, TransportError> {
        let mut response = self.call()?.manifest(digest)?;
        response.as_mut().map(&mut self.on_manifest);
        Ok(response)
    }
    fn cosign(
        &mut self,
        digest: Digest,
        request: &CosignRequest,
    ) -> Result<CosignResponse, TransportError> {
        self.call()?.cosign(digest, request)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

/// Phone and laptop, and a relay with a settled checkpoint of `count` records.
fn settled_memory(count: u64) -> (Background, MemoryRelay, Store, Store) {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    for n in 0..count {
        put(&phone, &n.to_string(), &json!({"n": n, "text": text(n, 3)}));
    }
    settle(&phone, &laptop, &relay);
    (http, relay, phone, laptop)
}

fn settle(author: &Store, cosigner: &Store, relay: &MemoryRelay) {
    eager(&[author]);
    sync_memory(cosigner, relay);
    assert_eq!(sync_memory(author, relay).checkpoints_made, 1);
    assert_eq!(sync_memory(cosigner, relay).checkpoints_cosigned, 1);
    author.vault.set_checkpoint_log_bytes_min(1 << 30);
    sync_memory(author, relay);
}

#[test]
fn a_first_sync_cut_off_at_any_call_goes_on_and_the_store_is_used_meanwhile() {
    let (http, relay, phone, laptop) = settled_memory(120);
    put(&phone, "later", &json!({"n": 1}));
    sync_memory(&phone, &relay);
    let tablet = join(&phone, &http.url());
    sync_memory(&phone, &relay);
    let (mut cuts, mut counts, mut fetched) = (0u64, Vec::new(), 0);
    loop {
        let mut transport = Meddler::new(&relay, &tablet);
        (transport.calls_left, transport.chunks_max) = (4, 10);
        let mut chunks = 0;
        transport.on_chunks = Box::new(|response| chunks += response.chunks.len());
        let outcome = transport.sync(&tablet);
        drop(transport);
        fetched += chunks;
        match outcome {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Network, "{error}"),
        }
        cuts += 1;
        assert!(cuts < 100 && !tablet.vault.initial_sync_complete().unwrap());
        let notes = tablet.vault.collection("notes").unwrap();
        counts.push(notes.count().unwrap());
        put(&tablet, &format!("own{cuts}"), &json!({"n": cuts}));
        // Whatever has arrived can be edited, and its delete is one.
        let arrived =
            (0..120).find(|n| get(&tablet, &n.to_string()).is_some_and(|it| it["text"] != 0));
        if let Some(n) = arrived {
            put(&tablet, &n.to_string(), &json!({"n": n, "text": 0}));
        }
    }
    assert!(cuts > 3 && counts.windows(2).all(|pair| pair[0] < pair[1]), "{cuts}: {counts:?}");
    assert!(tablet.vault.initial_sync_complete().unwrap());
    assert!(fetched < 250, "{fetched}: nothing is fetched again but what the cut lost");
    let edited = (0..120).filter(|n| get(&tablet, &n.to_string()).unwrap()["text"] == 0).count();
    assert!(edited >= 3, "{edited}");
    for store in [&tablet, &phone, &laptop, &tablet] {
        sync_memory(store, &relay);
    }
    assert_equal(&[&phone, &laptop, &tablet]);
    assert_eq!(get(&laptop, "own1"), Some(json!({"n": 1})));
    let still = (0..120).filter(|n| get(&phone, &n.to_string()).unwrap()["text"] == 0).count();
    assert_eq!(still, edited);
}

#[test]
fn a_checkpoint_exchanged_half_way_brings_back_nothing_and_loses_nothing() {
    for overwritten_there in [false, true] {
        let (http, relay, phone, laptop) = settled_memory(60);
        let tablet = join(&phone, &http.url());
        sync_memory(&phone, &relay);
        let mut transport = Meddler::new(&relay, &tablet);
        (transport.calls_left, transport.chunks_max) = (4, 10);
        transport.sync(&tablet).unwrap_err();
        let arrived: Vec<u64> =
            (0..60).filter(|n| get(&tablet, &n.to_string()).is_some()).collect();
        let [edited, deleted, ..] = arrived[..] else { panic!("{arrived:?}") };
        put(&tablet, &edited.to_string(), &json!({"n": "tablet"}));
        tablet.vault.collection("notes").unwrap().delete(&deleted.to_string()).unwrap();
        // Meanwhile the others settle another one, in which these records are as they were, or are not.
        put(&phone, "large", &json!({"text": text(1, 20_000)}));
        if overwritten_there {
            put(&laptop, &deleted.to_string(), &json!({"n": "laptop"}));
        }
        settle(&phone, &laptop, &relay);
        assert_eq!(sync_memory(&tablet, &relay).checkpoints_applied, 1);
        assert_eq!(get(&tablet, &edited.to_string()), Some(json!({"n": "tablet"})));
        let wanted = overwritten_there.then(|| json!({"n": "laptop"}));
        assert_eq!(get(&tablet, &deleted.to_string()), wanted);
        for store in [&phone, &laptop, &tablet] {
            sync_memory(store, &relay);
        }
        assert_equal(&[&phone, &laptop, &tablet]);
    }
}

#[test]
fn segments_from_elsewhere_in_between_make_the_join_begin_anew() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let late = join(&phone, &http.url());
    let (relay, other) = (MemoryRelay::new(), MemoryRelay::new());
    let over = |store: &Store, name: &str, relay: &MemoryRelay| {
        let mut transport = relay.connect(store.vault.device_id());
        store.vault.sync_over(name, &mut transport, &mut |_| {}).unwrap()
    };
    for n in 0..60 {
        put(&phone, &n.to_string(), &json!({"n": n, "text": text(n, 3)}));
    }
    // Another relay has what was written first, and not what overwrote it.
    over(&phone, "other", &other);
    sync_memory(&phone, &relay);
    sync_memory(&laptop, &relay);
    for n in 0..60 {
        put(&laptop, &n.to_string(), &json!({"n": n, "by": "laptop"}));
    }
    settle(&laptop, &phone, &relay);
    let mut transport = Meddler::new(&relay, &late);
    (transport.calls_left, transport.chunks_max) = (4, 10);
    transport.sync(&late).unwrap_err();
    assert!(late.vault.collection("notes").unwrap().count().unwrap() > 0, "half of it is here");
    assert!(over(&late, "other", &other).changes_received > 0);
    assert_eq!(sync_memory(&late, &relay).checkpoints_applied, 1);
    assert_equal(&[&phone, &laptop, &late]);
}

#[test]
fn chunks_that_are_not_the_ones_named_are_refused_and_the_honest_answer_heals() {
    let (http, relay, phone, _laptop) = settled_memory(60);
    let (_http, foreign, ..) = settled_memory(1);
    let foreign: Vec<Vec<u8>> =
        foreign.stored_bytes().into_iter().filter(|bytes| bytes[4] == 2).collect();
    type Change = Box<dyn FnMut(&mut FetchChunksResponse)>;
    let attacks: Vec<(&str, Change)> = vec![
        ("a flipped byte", Box::new(|page| page.chunks[0][200] ^= 1)),
        ("a flipped signature", Box::new(|page| *page.chunks[1].last_mut().unwrap() ^= 1)),
        ("another shard's", Box::new(|page| page.chunks.swap(0, 1))),
        ("another vault's", Box::new(move |page| page.chunks[0] = foreign[0].clone().into())),
        ("cut", Box::new(|page| page.chunks[0].truncate(300))),
        ("more than asked for", Box::new(|page| page.chunks.push(vec![1].into()))),
        ("none", Box::new(|page| page.chunks.clear())),
    ];
    let tablet = join(&phone, &http.url());
    sync_memory(&phone, &relay);
    for (name, attack) in attacks {
        let mut transport = Meddler::new(&relay, &tablet);
        transport.on_chunks = attack;
        let error = transport.sync(&tablet).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Relay, "{name}: {error}");
        assert_eq!(tablet.vault.collection("notes").unwrap().count().unwrap(), 0, "{name}");
    }
    let mut transport = Meddler::new(&relay, &tablet);
    transport.on_chunks = Box::new(|page| page.chunks[3].clear());
    assert_eq!(transport.sync(&tablet).unwrap_err().kind(), ErrorKind::Relay, "never there");
    assert_eq!(sync_memory(&tablet, &relay).checkpoints_applied, 1);
    assert_equal(&[&phone, &tablet]);
}

#[test]
fn a_forged_manifest_is_not_believed() {
    let (http, relay, phone, _laptop) = settled_memory(20);
    let tablet = join(&phone, &http.url());
    sync_memory(&phone, &relay);
    type Change = fn(&mut ManifestResponse);
    let attacks: &[(&str, Change)] = &[
        ("a flipped byte of the sealed part", |it| {
            let at = it.manifest.len() - 100;
            it.manifest[at] ^= 1;
        }),
        ("a flipped signature", |it| *it.manifest.last_mut().unwrap() ^= 1),
        ("another vault", |it| it.manifest[8] ^= 1),
        ("cut", |it| it.manifest.truncate(300)),
        ("nothing", |it| it.manifest.clear()),
    ];
    for (name, attack) in attacks {
        let mut transport = Meddler::new(&relay, &tablet);
        transport.on_manifest = Box::new(attack);
        // Without it the relay's list makes no sense to a new device, and nothing is made up.
        let report = transport.sync(&tablet).unwrap();
        assert_eq!(report.checkpoint_faults, [CheckpointFault::Forged], "{name}");
        assert_eq!((report.checkpoints_applied, report.checkpoints_cosigned), (0, 0), "{name}");
        assert_eq!(tablet.vault.collection("notes").unwrap().count().unwrap(), 0, "{name}");
    }
    sync_memory(&tablet, &relay);
    assert_equal(&[&phone, &tablet]);
}

#[test]
fn an_older_settled_checkpoint_is_noticed() {
    let (_http, relay, phone, laptop) = settled_memory(20);
    let mut old = None;
    let mut transport = Meddler::new(&relay, &phone);
    transport.on_pull = Box::new(|page| old = page.checkpoints);
    transport.sync(&phone).unwrap();
    drop(transport);
    let old = old.unwrap().settled.unwrap();
    let kept = relay.connect(phone.vault.device_id()).manifest(old).unwrap().unwrap();
    put(&phone, "more", &json!({"text": text(3, 20_000)}));
    settle(&phone, &laptop, &relay);
    let before = phone.vault.digest().unwrap();
    let mut transport = Meddler::new(&relay, &phone);
    transport.on_pull = Box::new(|page| page.checkpoints.as_mut().unwrap().settled = Some(old));
    transport.on_manifest = Box::new(|response| *response = kept.clone());
    let newest = {
        let mut newest = None;
        let mut look = Meddler::new(&relay, &laptop);
        look.on_pull = Box::new(|page| newest = page.checkpoints.unwrap().settled);
        look.sync(&laptop).unwrap();
        drop(look);
        newest.unwrap()
    };
    assert_ne!(newest, old);
    // The relay itself has no such manifest any more; a hostile one would.
    struct Remembering<'h>(Meddler<'h>, Digest);
    impl Transport for Remembering<'_> {
        fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
            self.0.pull(request)
        }
        fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
            self.0.push(request)
        }
        fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
            self.0.roster(from)
        }
        fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
            self.0.publish_roster(entries)
        }
        fn manifest(&mut self, _: Digest) -> Result<Option<ManifestResponse>, TransportError> {
            self.0.manifest(self.1)
        }
        fn traffic_bytes(&self) -> (u64, u64) {
            self.0.traffic_bytes()
        }
    }
    let mut hostile = Remembering(transport, newest);
    let report = phone.vault.sync_over("memory", &mut hostile, &mut |_| {}).unwrap();
    assert_eq!(report.checkpoint_faults, [CheckpointFault::Rollback]);
    assert_eq!(phone.vault.digest().unwrap(), before);
}

#[test]
fn a_made_up_cosignature_lets_nothing_go() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&laptop, "a", &json!({"n": 1}));
    eager(&[&laptop]);
    assert_eq!(sync_memory(&laptop, &relay).checkpoints_made, 1);
    let (secrets, ..) = identity_of(&laptop);
    let signed = |digest| secrets.cosign_checkpoint(laptop.vault.id(), digest).to_vec();
    let own = laptop.vault.device_id();
    type Cosigned<'s> = Box<dyn Fn(Digest) -> (selkie::DeviceId, Vec<u8>) + 's>;
    let attacks: Vec<(&str, Cosigned<'_>)> = vec![
        ("by its author", Box::new(|digest| (own, signed(digest)))),
        ("in another's name", Box::new(|digest| (phone.vault.device_id(), signed(digest)))),
        ("by a stranger", Box::new(|digest| (selkie::DeviceId([9; 16]), signed(digest)))),
    ];
    for (name, attack) in attacks {
        let mut transport = Meddler::new(&relay, &laptop);
        transport.on_pull = Box::new(|page| {
            let summary = page.checkpoints.as_mut().unwrap();
            summary.settled = summary.candidate.take();
        });
        transport.on_manifest = Box::new(|response| {
            let digest = Digest::of(&response.manifest);
            let (cosigner, signature) = attack(digest);
            response.cosigner = Some(cosigner);
            response.cosignature = Some(signature.into());
        });
        transport.sync(&laptop).unwrap();
        let kept = "SELECT min(length(bytes)) FROM segment";
        let kept: i64 = raw_database(&laptop.path()).query_row(kept, [], |row| row.get(0)).unwrap();
        assert!(kept > 0, "{name}");
    }
}

struct Chance(u64);

impl RandomSource for Chance {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

/// What a device that turned on its own vault would use.
fn identity_of(store: &Store) -> (DeviceSecrets, Roster, Vec<EpochKey>) {
    let database = raw_database(&store.path());
    let secrets: Vec<u8> =
        database.query_row("SELECT secrets FROM device_key", [], |row| row.get(0)).unwrap();
    let mut entries = database.prepare("SELECT bytes FROM roster_entry ORDER BY number").unwrap();
    let entries = entries.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let roster = Roster::from_entries(entries.map(Result::unwrap)).unwrap();
    let mut keys = database.prepare("SELECT key FROM epoch_key ORDER BY epoch").unwrap();
    let keys = keys.query_map([], |row| row.get::<_, [u8; 32]>(0)).unwrap();
    let keys = keys.map(|key| EpochKey::from_bytes(key.unwrap())).collect();
    (DeviceSecrets::from_bytes(&secrets).unwrap(), roster, keys)
}

/// A checkpoint, taken apart.
struct Parts {
    covers: Covers,
    secrets: ManifestSecrets,
    shards: Vec<(u8, Vec<ShardRecord>)>,
}

impl Parts {
    fn of(store: &Store, relay: &MemoryRelay) -> Self {
        let (_, roster, keys) = identity_of(store);
        let stored = relay.stored_bytes();
        // The candidate comes last.
        let manifest = stored.iter().rfind(|bytes| bytes[4] == 10).unwrap().clone();
        let manifest = Manifest::parse(manifest).unwrap();
        let secrets = open_manifest(&manifest, &roster, &keys).unwrap();
        let shard_key = shard_of(&keys[0], roster.vault());
        let open = |name: &ChunkName| {
            let bytes = stored.iter().find(|bytes| Digest::of(bytes) == name.digest).unwrap();
            let envelope = Envelope::parse(bytes.clone()).unwrap();
            let body = open_chunk(&envelope, &roster, &keys).unwrap();
            (body.shard, read_shard(&body.bytes, body.shard, &shard_key).unwrap())
        };
        let shards = manifest.body().chunks.iter().map(open).collect();
        Self { covers: manifest.body().covers.clone(), secrets, shards }
    }

    /// Put together and sent by `store`, as if its app had made it.
    fn send(mut self, store: &Store, relay: &MemoryRelay) {
        let (device, roster, keys) = identity_of(store);
        let seal = CheckpointSeal {
            vault: roster.vault(),
            device: &device,
            roster: roster.last(),
            epoch_key: &keys[0],
        };
        let mut random = Chance(self.shards.len() as u64);
        let (mut chunks, mut names) = (Vec::new(), Vec::new());
        self.shards.retain(|(_, records)| !records.is_empty());
        for (shard, records) in &self.shards {
            for body in ChunkBody::cut(*shard, &write_shard(records)).unwrap() {
                let envelope = seal_chunk(&seal, &body, &mut random).unwrap();
                let size_bytes = envelope.bytes().len() as u32;
                names.push(ChunkName { digest: envelope.digest(), size_bytes });
                chunks.push(envelope.into_bytes().into());
            }
        }
        self.secrets.shards = self.shards.iter().map(|(shard, _)| (*shard, 1)).collect();
        let manifest =
            seal_manifest(&seal, self.covers, names, &self.secrets, &mut random).unwrap();
        let mut transport = relay.connect(store.vault.device_id());
        transport.put_chunks(&PutChunksRequest { chunks }).unwrap();
        let manifest = manifest.bytes().to_vec().into();
        let put = transport.put_manifest(&PutManifestRequest { manifest }).unwrap();
        assert_eq!(put.outcome, selkie::transport::relay::ManifestOutcome::Stored);
    }
}

#[test]
fn a_checkpoint_that_is_not_the_state_is_never_cosigned_and_another_takes_its_place() {
    type Change = fn(&mut Parts, &Store, &Store);
    let nothing_said: &[CheckpointFault] = &[];
    let not_the_state: &[CheckpointFault] = &[CheckpointFault::NotTheState];
    let attacks: &[(&str, Change, &[CheckpointFault])] = &[
        ("a record is missing", |it, _, _| drop(it.shards[3].1.pop()), not_the_state),
        ("a shard is missing", |it, _, _| drop(it.shards.remove(2)), not_the_state),
        (
            "a value is another",
            |it, _, _| {
                let record = &mut it.shards[0].1[0];
                let text = record.document.as_mut().unwrap();
                *text = text.replacen("\"text\":\"", "\"text\":\"x", 1);
            },
            not_the_state,
        ),
        (
            "a record is in another shard",
            |it, _, _| {
                let moved = it.shards[0].1.pop().unwrap();
                it.shards[5].1 = vec![moved];
            },
            not_the_state,
        ),
        (
            "a record twice",
            |it, _, _| {
                let again = it.shards[1].1[0].clone();
                it.shards[1].1.push(again);
            },
            not_the_state,
        ),
        (
            "it covers a segment whose changes it does not hold",
            |it, phone, _| {
                let device = phone.vault.device_id();
                let number = it.secrets.contiguous.get(device);
                let less = it
                    .secrets
                    .contiguous
                    .iter()
                    .map(|(id, n)| (id, if id == device { number - 1 } else { n }));
                it.secrets.contiguous = less.collect();
                it.secrets.beyond_gaps = Vec::new();
            },
            not_the_state,
        ),
        (
            "it says it holds what nobody has written",
            |it, phone, _| it.secrets.contiguous.advance(phone.vault.device_id(), 10_000),
            &[CheckpointFault::OtherHistory],
        ),
        (
            "the same, beyond a gap",
            |it, _, laptop| {
                let device = laptop.vault.device_id();
                it.secrets.beyond_gaps.push(Dot { device, number: ChangeNumber(10_000) });
            },
            nothing_said,
        ),
        (
            "it tells another history of the one that judges",
            |it, phone, _| {
                it.covers.get_mut(&phone.vault.device_id()).unwrap().1 = Digest([9; 32]);
            },
            &[CheckpointFault::OtherHistory],
        ),
    ];
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    for n in 0..20 {
        put(&phone, &n.to_string(), &json!({"n": n, "text": text(n, 3)}));
    }
    for (name, change, faults) in attacks {
        let relay = MemoryRelay::new();
        let over = |store: &Store| {
            let mut transport = relay.connect(store.vault.device_id());
            store.vault.sync_over(name, &mut transport, &mut |_| {}).unwrap()
        };
        over(&phone);
        eager(&[&laptop]);
        assert_eq!(over(&laptop).checkpoints_made, 1);
        laptop.vault.set_checkpoint_log_bytes_min(1 << 30);
        let mut parts = Parts::of(&laptop, &relay);
        change(&mut parts, &phone, &laptop);
        parts.send(&laptop, &relay);
        let before = phone.vault.digest().unwrap();
        let report = over(&phone);
        assert_eq!(report.checkpoints_cosigned, 0, "{name}");
        assert_eq!(report.checkpoint_faults, *faults, "{name}");
        assert_eq!(phone.vault.digest().unwrap(), before, "{name}");
        // Who finds one wrong offers its own, and that one counts.
        if !faults.is_empty() {
            assert_eq!(report.checkpoints_made, 1, "{name}");
            assert_eq!(over(&laptop).checkpoints_cosigned, 1, "{name}");
        }
    }
}

#[test]
fn a_checkpoint_that_brings_back_what_it_has_seen_overwritten_is_not_cosigned() {
    let http = relay();
    let (phone, laptop) = pair(&http.url());
    let relay = MemoryRelay::new();
    put(&phone, "a", &json!({"n": 1}));
    sync_memory(&phone, &relay);
    eager(&[&laptop]);
    assert_eq!(sync_memory(&laptop, &relay).checkpoints_made, 1);
    let old = Parts::of(&laptop, &relay);
    put(&phone, "a", &json!({"n": 2}));
    sync_memory(&phone, &relay);
    // Big enough to be due, so that the laptop makes another one.
    put(&laptop, "b", &json!({"text": text(1, 5000)}));
    assert_eq!(sync_memory(&laptop, &relay).checkpoints_made, 1);
    let mut new = Parts::of(&laptop, &relay);
    let shard = old.shards[0].0;
    let place = new.shards.iter_mut().find(|(number, _)| *number == shard).unwrap();
    let is_a = |record: &&ShardRecord| record.id == "a";
    let revived = old.shards[0].1.iter().find(is_a).unwrap().clone();
    *place.1.iter_mut().find(|record| record.id == "a").unwrap() = revived;
    laptop.vault.set_checkpoint_log_bytes_min(1 << 30);
    new.send(&laptop, &relay);
    let report = sync_memory(&phone, &relay);
    assert_eq!(report.checkpoints_cosigned, 0);
    assert_eq!(report.checkpoint_faults, [CheckpointFault::NotTheState]);
    assert_eq!(get(&phone, "a"), Some(json!({"n": 2})));
}
