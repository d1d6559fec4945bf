//! Sealing checkpoints: shards in chunks, and the manifest that names them (`docs/FORMAT.md`,
//! checkpoint).

mod chunk;
mod manifest;
mod shard;

use selkie_wire::ids::RosterNumber;
use selkie_wire::{KeyId, Roster, VaultId};
use subtle::ConstantTimeEq;

pub use chunk::{ChunkBody, open_chunk, seal_chunk};
pub use manifest::{ManifestSecrets, open_manifest, seal_manifest};
pub use shard::{ShardKey, ShardRecord, read_shard, shard_of, write_shard};

use crate::keys::{DeviceSecrets, EpochKey};
use crate::seal::OpenError;

/// What seals a checkpoint.
#[derive(Debug)]
pub struct CheckpointSeal<'a> {
    /// The vault.
    pub vault: VaultId,
    /// The author.
    pub device: &'a DeviceSecrets,
    /// The last roster entry the author has applied.
    pub roster: RosterNumber,
    /// The current epoch's key.
    pub epoch_key: &'a EpochKey,
}

/// The key that a key id names, if the roster knows it and it is here.
fn committed_key<'k>(
    roster: &Roster,
    epoch_keys: &'k [EpochKey],
    key_id: KeyId,
) -> Result<&'k EpochKey, OpenError> {
    if !roster.rotations().iter().any(|rotation| rotation.key_id == key_id) {
        return Err(OpenError::UnknownEpoch);
    }
    // The commitment, recomputed from the key at hand: XChaCha20-Poly1305 does not commit to its key.
    let is_meant =
        |key: &&EpochKey| bool::from(key.derive_key_id(roster.vault()).0.ct_eq(&key_id.0));
    epoch_keys.iter().find(is_meant).ok_or(OpenError::MissingKey)
}

#[cfg(test)]
mod tests;
