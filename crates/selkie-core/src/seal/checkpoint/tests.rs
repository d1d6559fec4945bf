//! Round trips, every flip and cut, and each check by itself.

use selkie_wire::checkpoint::{ChunkName, Manifest};
use selkie_wire::{Digest, Envelope, Incarnations, SegmentNumber, VersionVector};

use super::*;
use crate::change::{ChangeNumber, Dot};
use crate::clock::Stamp;
use crate::keys::roster::{NewVault, create_vault};
use crate::keys::testing::Seeded;
use crate::keys::{AdminKey, RecoveryCode};
use crate::record::{Path, RecordKey};
use crate::seal::{Expected, open_segment};

struct World {
    phone: DeviceSecrets,
    vault: NewVault,
    keys: Vec<EpochKey>,
}

fn world(seed: u64) -> World {
    let mut random = Seeded::new(seed);
    let admin = AdminKey::generate(&mut random).unwrap();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let code = RecoveryCode::generate(&mut random).unwrap();
    let vault = create_vault(&admin, &phone, &code, &mut random).unwrap();
    let keys = vec![EpochKey::from_bytes(*vault.epoch_key.expose())];
    World { phone, vault, keys }
}

impl World {
    fn seal(&self) -> CheckpointSeal<'_> {
        CheckpointSeal {
            vault: self.vault.roster.vault(),
            device: &self.phone,
            roster: self.vault.roster.last(),
            epoch_key: &self.vault.epoch_key,
        }
    }

    fn chunk(&self, body: &ChunkBody) -> Envelope {
        seal_chunk(&self.seal(), body, &mut Seeded::new(3)).unwrap()
    }

    fn manifest(&self, secrets: &ManifestSecrets, chunks: Vec<ChunkName>) -> Manifest {
        let covers = [(self.phone.device_id(), (SegmentNumber(3), Digest([4; 32])))].into();
        seal_manifest(&self.seal(), covers, chunks, secrets, &mut Seeded::new(4)).unwrap()
    }
}

fn record(id: &str) -> ShardRecord {
    ShardRecord {
        collection: "notes".to_owned(),
        id: id.to_owned(),
        document: Some("{}".to_owned()),
        state: vec![0x80],
        created_at_ms: 1,
        updated_at_ms: 2,
    }
}

fn secrets(world: &World) -> ManifestSecrets {
    let device = world.phone.device_id();
    let dot = Dot { device, number: ChangeNumber(9) };
    let key = RecordKey::new("notes", "n").unwrap();
    ManifestSecrets {
        stamp: Stamp(7),
        contiguous: VersionVector::from_iter([(device, 5)]),
        beyond_gaps: vec![dot],
        dead: vec![(dot, key, Path::root())],
        incarnations: vec![(device, [6; 32])],
        shards: vec![(1, 1), (200, 2)],
    }
}

fn names(count: u8) -> Vec<ChunkName> {
    (0..count).map(|n| ChunkName { digest: Digest([n; 32]), size_bytes: 756 }).collect()
}

#[test]
fn what_is_sealed_opens_for_members_of_the_vault_alone() {
    let (here, there) = (world(1), world(2));
    let body = ChunkBody::cut(7, b"records").unwrap().remove(0);
    let chunk = here.chunk(&body);
    assert_eq!(open_chunk(&chunk, &here.vault.roster, &here.keys), Ok(body));
    assert_eq!(open_chunk(&chunk, &there.vault.roster, &there.keys), Err(OpenError::Vault));
    assert_eq!(open_chunk(&chunk, &here.vault.roster, &[]), Err(OpenError::MissingKey));
    let said = secrets(&here);
    let manifest = here.manifest(&said, names(3));
    assert_eq!(open_manifest(&manifest, &here.vault.roster, &here.keys), Ok(said));
    assert_eq!(open_manifest(&manifest, &there.vault.roster, &there.keys), Err(OpenError::Vault));
    assert_eq!(open_manifest(&manifest, &here.vault.roster, &[]), Err(OpenError::MissingKey));
}

#[test]
fn a_chunk_is_no_segment() {
    let here = world(1);
    let chunk = here.chunk(&ChunkBody::cut(7, b"records").unwrap().remove(0));
    let previous = here.vault.roster.member(here.phone.device_id()).unwrap().added;
    let expected = Expected { number: SegmentNumber(1), previous };
    let chains = Incarnations::default();
    let opened =
        open_segment(&chunk, &here.vault.roster, &chains, expected, |_| Some(&here.keys[0]));
    assert_eq!(opened.unwrap_err(), OpenError::Type);
}

#[test]
fn no_flipped_or_missing_byte_goes_unnoticed() {
    let here = world(1);
    let roster = &here.vault.roster;
    let chunk = here.chunk(&ChunkBody::cut(7, b"records").unwrap().remove(0)).into_bytes();
    let manifest = here.manifest(&secrets(&here), names(3)).bytes().to_vec();
    for at in 0..chunk.len() {
        let mut flipped = chunk.clone();
        flipped[at] ^= 1;
        let opened = Envelope::parse(flipped).ok();
        assert!(opened.is_none_or(|it| open_chunk(&it, roster, &here.keys).is_err()), "{at}");
        assert!(Envelope::parse(chunk[..at].to_vec()).is_err(), "{at}");
    }
    for at in 0..manifest.len() {
        let mut flipped = manifest.clone();
        flipped[at] ^= 1;
        let opened = Manifest::parse(flipped).ok();
        assert!(opened.is_none_or(|it| open_manifest(&it, roster, &here.keys).is_err()), "{at}");
        assert!(Manifest::parse(manifest[..at].to_vec()).is_err(), "{at}");
    }
}

#[test]
fn a_manifest_whose_shards_are_not_its_chunks_is_refused() {
    let here = world(1);
    for (shards, chunks) in [
        (vec![(1, 1), (200, 2)], 2),
        (vec![(1, 1), (200, 2)], 4),
        (vec![(200, 2), (1, 1)], 3),
        (vec![(1, 1), (1, 2)], 3),
        (vec![(1, 0), (2, 3)], 3),
    ] {
        let said = ManifestSecrets { shards: shards.clone(), ..secrets(&here) };
        let manifest = here.manifest(&said, names(chunks));
        let opened = open_manifest(&manifest, &here.vault.roster, &here.keys);
        assert!(matches!(opened, Err(OpenError::Body(_))), "{shards:?} {chunks}");
    }
}

#[test]
fn a_shard_is_cut_where_it_must_and_comes_together_again() {
    use selkie_wire::limits::{SHARD_PART_BYTES_MAX, SHARD_PARTS_MAX};
    let bytes = vec![5; SHARD_PART_BYTES_MAX + 1];
    let parts = ChunkBody::cut(9, &bytes).unwrap();
    let place = |body: &ChunkBody| (body.shard, body.part, body.parts, body.bytes.len());
    let places: Vec<_> = parts.iter().map(place).collect();
    assert_eq!(places, [(9, 0, 2, SHARD_PART_BYTES_MAX), (9, 1, 2, 1)]);
    assert_eq!(ChunkBody::cut(9, &vec![0; SHARD_PART_BYTES_MAX * SHARD_PARTS_MAX + 1]), None);
    // Text that does not compress still fits an envelope.
    let here = world(1);
    let mut noise = vec![0; SHARD_PART_BYTES_MAX];
    crate::ports::RandomSource::fill(&mut Seeded::new(8), &mut noise).unwrap();
    let part = ChunkBody::cut(9, &noise).unwrap().remove(0);
    assert_eq!(open_chunk(&here.chunk(&part), &here.vault.roster, &here.keys), Ok(part));
}

#[test]
fn records_are_read_only_in_their_order_and_their_shard() {
    let here = world(1);
    let key = shard_of(&here.keys[0], here.vault.roster.vault());
    // Two ids of one shard, and one of another.
    let shard = key.of("notes", "0");
    let ids: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let mut same = ids.iter().filter(|id| key.of("notes", id) == shard);
    let (one, two) = (same.next().unwrap(), same.next().unwrap());
    let (one, two) = (one.min(two), one.max(two));
    let other = ids.iter().find(|id| key.of("notes", id) != shard).unwrap();
    let right = [record(one), record(two)];
    assert_eq!(read_shard(&write_shard(&right), shard, &key).unwrap(), right);
    for (case, wrong) in [
        ("order", vec![record(two), record(one)]),
        ("twice", vec![record(one), record(one)]),
        ("another shard's", vec![record(one), record(two), record(other)]),
        ("no id", vec![record("")]),
    ] {
        assert!(read_shard(&write_shard(&wrong), shard, &key).is_err(), "{case}");
    }
    let cut = write_shard(&right);
    assert!((0..cut.len()).all(|len| read_shard(&cut[..len], shard, &key).is_err()));
    assert_ne!(key.of("ab", "c"), key.of("a", "bc"), "names do not run into each other");
}
