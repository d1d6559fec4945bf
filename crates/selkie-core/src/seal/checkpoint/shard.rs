//! A shard's bytes: the records whose names hash to it, each with its document and its packed state.

use minicbor::{Decode, Encode};
use selkie_wire::cbor;
use zeroize::{Zeroize, Zeroizing};

use crate::keys::EpochKey;
use crate::keys::derive;
use crate::record::RecordKey;
use crate::seal::OpenError;
use crate::seal::body::BodyError;
use selkie_wire::VaultId;

/// One record of a shard.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct ShardRecord {
    /// Its collection.
    #[n(0)]
    pub collection: String,
    /// Its id.
    #[n(1)]
    pub id: String,
    /// The document that its author showed, as JSON text; nothing if it is deleted.
    #[n(2)]
    pub document: Option<String>,
    /// The packed state beside that document.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub state: Vec<u8>,
    /// The least stamp of all changes applied to it, in milliseconds since 1970 (UTC).
    #[n(4)]
    pub created_at_ms: u64,
    /// The greatest.
    #[n(5)]
    pub updated_at_ms: u64,
}

impl core::fmt::Debug for ShardRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ShardRecord(<redacted>)")
    }
}

impl Drop for ShardRecord {
    fn drop(&mut self) {
        self.document.zeroize();
        self.state.zeroize();
    }
}

/// The key of the names' hash, so that who lacks it cannot tell which record a chunk is about.
pub struct ShardKey(Zeroizing<[u8; 32]>);

impl core::fmt::Debug for ShardKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ShardKey(<redacted>)")
    }
}

/// The shard of records under one epoch key.
#[must_use]
pub fn shard_of(epoch_key: &EpochKey, vault: VaultId) -> ShardKey {
    ShardKey(epoch_key.derive_shard_key(vault))
}

impl ShardKey {
    /// The shard that a record belongs to.
    #[must_use]
    pub fn of(&self, collection: &str, id: &str) -> u8 {
        let len = u32::try_from(collection.len()).unwrap_or(u32::MAX).to_le_bytes();
        let name = [&len[..], collection.as_bytes(), id.as_bytes()].concat();
        let [shard, ..] = derive::authenticate(&self.0, &name);
        shard
    }
}

/// The bytes of a shard; its records are in order of collection and id.
#[must_use]
pub fn write_shard(records: &[ShardRecord]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(cbor::encode(&Borrowed(records)))
}

struct Borrowed<'a>(&'a [ShardRecord]);

impl<C> Encode<C> for Borrowed<'_> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|record| record.encode(e, ctx))
    }
}

/// The records of a shard, every one of them where it belongs, and none twice.
///
/// # Errors
/// [`OpenError::Body`] for bytes that no member's app writes.
pub fn read_shard(bytes: &[u8], shard: u8, key: &ShardKey) -> Result<Vec<ShardRecord>, OpenError> {
    let records: Vec<ShardRecord> =
        cbor::decode(bytes).map_err(|error| OpenError::Body(BodyError::Cbor(error)))?;
    let in_place = |record: &ShardRecord| {
        RecordKey::new(record.collection.as_str(), record.id.as_str()).is_ok()
            && key.of(&record.collection, &record.id) == shard
    };
    let name = |record: &ShardRecord| (record.collection.clone(), record.id.clone());
    let ascending = records.windows(2).all(|pair| match pair {
        [one, other] => name(one) < name(other),
        _ => false,
    });
    let right = ascending && records.iter().all(in_place);
    if right { Ok(records) } else { Err(OpenError::Body(BodyError::Limit)) }
}
