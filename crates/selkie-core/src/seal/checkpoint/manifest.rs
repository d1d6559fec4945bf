//! The manifest: what it says to everyone, and what it says to members.

use minicbor::{Decode, Encode};
use selkie_wire::cbor;
use selkie_wire::checkpoint::{ChunkName, Covers, Manifest, ManifestBody};
use selkie_wire::limits::BODY_BYTES_MAX;
use selkie_wire::{DeviceId, Roster, VersionVector};
use zeroize::Zeroizing;

use super::{CheckpointSeal, committed_key};
use crate::change::{ChangeNumber, Dot};
use crate::clock::Stamp;
use crate::keys::{EpochKey, aead};
use crate::ports::RandomSource;
use crate::record::{Path, RecordKey};
use crate::seal::body::BodyError;
use crate::seal::{OpenError, SealError, frame};

/// What the sealed part is bound to, before vault and author.
const SEALED_LABEL: &[u8] = b"selkie/1/checkpoint-manifest\0";

/// What only members read of a manifest: the causal context, and how to put the chunks together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManifestSecrets {
    /// The author's clock.
    pub stamp: Stamp,
    /// All changes up to here are in the checkpoint.
    pub contiguous: VersionVector,
    /// And these single ones, beyond a gap.
    pub beyond_gaps: Vec<Dot>,
    /// Values that are overwritten already, and had not arrived.
    pub dead: Vec<(Dot, RecordKey, Path)>,
    /// The tokens that tell incarnations of a device apart.
    pub incarnations: Vec<(DeviceId, [u8; 32])>,
    /// The shards that have chunks, ascending, and how many parts each has.
    pub shards: Vec<(u8, u16)>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Secrets {
    #[n(0)]
    stamp: u64,
    #[n(1)]
    contiguous: std::collections::BTreeMap<DeviceId, u64>,
    #[n(2)]
    beyond_gaps: Vec<(DeviceId, u64)>,
    #[n(3)]
    dead: Vec<Dead>,
    #[n(4)]
    incarnations: Vec<Incarnation>,
    #[n(5)]
    shards: Vec<(u8, u16)>,
}

#[derive(Encode, Decode)]
struct Dead {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    number: u64,
    #[n(2)]
    collection: String,
    #[n(3)]
    id: String,
    #[cbor(n(4), with = "minicbor::bytes")]
    path: Vec<u8>,
}

#[derive(Encode, Decode)]
struct Incarnation {
    #[n(0)]
    device: DeviceId,
    #[cbor(n(1), with = "minicbor::bytes")]
    token: [u8; 32],
}

impl From<&ManifestSecrets> for Secrets {
    fn from(secrets: &ManifestSecrets) -> Self {
        let dead = |(dot, key, path): &(Dot, RecordKey, Path)| Dead {
            device: dot.device,
            number: dot.number.0,
            collection: key.collection().to_owned(),
            id: key.id().to_owned(),
            path: path.as_bytes().to_vec(),
        };
        let incarnation =
            |(device, token): &(DeviceId, [u8; 32])| Incarnation { device: *device, token: *token };
        Self {
            stamp: secrets.stamp.0,
            contiguous: secrets.contiguous.iter().collect(),
            beyond_gaps: secrets.beyond_gaps.iter().map(|dot| (dot.device, dot.number.0)).collect(),
            dead: secrets.dead.iter().map(dead).collect(),
            incarnations: secrets.incarnations.iter().map(incarnation).collect(),
            shards: secrets.shards.clone(),
        }
    }
}

impl Secrets {
    fn into_secrets(self) -> Option<ManifestSecrets> {
        let dot = |device, number| Dot { device, number: ChangeNumber(number) };
        let dead = |dead: Dead| {
            let key = RecordKey::new(dead.collection, dead.id).ok()?;
            Some((dot(dead.device, dead.number), key, Path::from_bytes(&dead.path)?))
        };
        Some(ManifestSecrets {
            stamp: Stamp(self.stamp),
            contiguous: self.contiguous.into_iter().collect(),
            beyond_gaps: self.beyond_gaps.into_iter().map(|(device, n)| dot(device, n)).collect(),
            dead: self.dead.into_iter().map(dead).collect::<Option<_>>()?,
            incarnations: self.incarnations.into_iter().map(|i| (i.device, i.token)).collect(),
            shards: self.shards,
        })
    }
}

/// Seals and signs a manifest of chunks.
///
/// # Errors
/// [`SealError`].
pub fn seal_manifest(
    seal: &CheckpointSeal<'_>,
    covers: Covers,
    chunks: Vec<ChunkName>,
    secrets: &ManifestSecrets,
    random: &mut dyn RandomSource,
) -> Result<Manifest, SealError> {
    let author = seal.device.device_id();
    let body = Zeroizing::new(cbor::encode(&Secrets::from(secrets)));
    if body.len() > BODY_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    let plaintext = frame::encode(&body, true).ok_or(SealError::TooLarge)?;
    let nonce: [u8; aead::NONCE_LEN] = random.draw()?;
    let key = seal.epoch_key.derive_checkpoint_key(seal.vault);
    let associated = [SEALED_LABEL, seal.vault.as_bytes(), author.as_bytes()].concat();
    let sealed =
        aead::seal(&key, &nonce, &associated, &plaintext).map_err(|_| SealError::Internal)?;
    let body = ManifestBody {
        author,
        roster: seal.roster,
        key_id: seal.epoch_key.derive_key_id(seal.vault),
        covers,
        chunks,
        sealed: [&nonce[..], &sealed].concat().into(),
    };
    let mut bytes = Manifest::unsigned_bytes(seal.vault, &body);
    let signature = seal.device.sign_manifest(&bytes);
    bytes.extend_from_slice(&signature);
    // Read back by the parser every receiver uses, so that what it would refuse is never sent.
    Manifest::parse(bytes).map_err(|_| SealError::TooLarge)
}

/// Opens a manifest, in the order of `docs/FORMAT.md`: vault, author, signature, key id, AEAD,
/// padding, body. Whether its author is a member still is for the caller to ask, who knows of
/// co-signatures.
///
/// # Errors
/// The first check that fails.
pub fn open_manifest(
    manifest: &Manifest,
    roster: &Roster,
    epoch_keys: &[EpochKey],
) -> Result<ManifestSecrets, OpenError> {
    if manifest.vault() != roster.vault() {
        return Err(OpenError::Vault);
    }
    let body = manifest.body();
    let member = roster.member(body.author).ok_or(OpenError::UnknownDevice)?;
    if !manifest.signed_by(&member.keys.signing_key) {
        return Err(OpenError::Signature);
    }
    let key = committed_key(roster, epoch_keys, body.key_id)?;
    let key = key.derive_checkpoint_key(manifest.vault());
    let (nonce, ciphertext) =
        body.sealed.split_first_chunk::<{ aead::NONCE_LEN }>().ok_or(OpenError::Decryption)?;
    let associated = [SEALED_LABEL, manifest.vault().as_bytes(), body.author.as_bytes()].concat();
    let plaintext =
        aead::open(&key, nonce, &associated, ciphertext).map_err(|_| OpenError::Decryption)?;
    let bytes = frame::decode(&plaintext)?;
    let read: Secrets =
        cbor::decode(&bytes).map_err(|error| OpenError::Body(BodyError::Cbor(error)))?;
    let secrets = read.into_secrets().ok_or(OpenError::Body(BodyError::Limit))?;
    let ascending = secrets.shards.windows(2).all(|pair| match pair {
        [(one, _), (other, _)] => one < other,
        _ => false,
    });
    let parts: usize = secrets.shards.iter().map(|(_, parts)| usize::from(*parts)).sum();
    let whole = ascending
        && parts == body.chunks.len()
        && secrets.shards.iter().all(|(_, parts)| *parts > 0);
    if whole { Ok(secrets) } else { Err(OpenError::Body(BodyError::Limit)) }
}
