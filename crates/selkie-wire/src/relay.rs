//! Messages between a device and a relay, as CBOR (`docs/PROTOCOL.md`).

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::ids::{Cursor, DeviceId, Digest, RelayEpoch, RosterNumber, SegmentNumber, VaultId};

/// What a device signs to prove itself to a relay.
pub const AUTH_SIGNATURE_LABEL: &[u8] = b"selkie/1/relay-auth\0";
/// Media type of every message.
pub const MEDIA_TYPE: &str = "application/cbor";
/// Media type of errors (RFC 9457).
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// `POST /v1/challenge`: asks for bytes to sign.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChallengeRequest {
    /// The vault.
    #[n(0)]
    pub vault: VaultId,
    /// The device that asks.
    #[n(1)]
    pub device: DeviceId,
}

/// Answer to [`ChallengeRequest`]; it looks the same for a vault that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChallengeResponse {
    /// Opaque, valid for a minute.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub challenge: Vec<u8>,
}

/// `POST /v1/token`: the signed challenge.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenRequest {
    /// The vault.
    #[n(0)]
    pub vault: VaultId,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// As received.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub challenge: Vec<u8>,
    /// The address the device connected to, so that one relay cannot use it at another.
    #[n(3)]
    pub origin: String,
    /// Ed25519 by the device's auth key over [`auth_bytes`], under [`AUTH_SIGNATURE_LABEL`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// Answer to [`TokenRequest`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenResponse {
    /// Sent as `Authorization: Bearer <hex>`; bound to vault and device.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub token: Vec<u8>,
    /// How long it is good for.
    #[n(1)]
    pub lifetime_ms: u64,
}

/// What the auth key signs: origin, vault, device, challenge; the lengths leave no ambiguity.
#[must_use]
pub fn auth_bytes(origin: &str, vault: VaultId, device: DeviceId, challenge: &[u8]) -> Vec<u8> {
    let origin_len = u32::try_from(origin.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&origin_len[..], origin.as_bytes(), &vault.0, &device.0, challenge].concat()
}

/// Roster entries, genesis first: body of `POST /v1/vaults` and answer of `GET …/roster`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RosterEntries {
    /// Entries in order.
    #[n(0)]
    pub entries: Vec<ByteVec>,
}

/// The last segment a relay holds of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// Its number; 0 if there is none.
    #[n(0)]
    pub number: SegmentNumber,
    /// Its digest; absent if there is none.
    #[n(1)]
    pub digest: Option<Digest>,
}

/// `POST /v1/vaults/{vault}/push`: consecutive envelopes of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PushRequest {
    /// In order of number.
    #[n(0)]
    pub envelopes: Vec<ByteVec>,
}

/// What became of one pushed envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PushOutcome {
    /// Stored, durably.
    #[n(0)]
    Stored,
    /// The same bytes were there already.
    #[n(1)]
    Duplicate,
    /// Other bytes are there under this number: the device's chain has two histories.
    #[n(2)]
    Fork,
    /// The envelope before it is missing here.
    #[n(3)]
    Gap,
    /// Structure, device or signature is wrong.
    #[n(4)]
    Refused,
    /// The vault's quota is used up.
    #[n(5)]
    Quota,
}

/// Answer to [`PushRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PushResponse {
    /// The relay's epoch.
    #[n(0)]
    pub epoch: RelayEpoch,
    /// One for each envelope, in order.
    #[n(1)]
    pub outcomes: Vec<PushOutcome>,
    /// The caller's last segment here, after this push.
    #[n(2)]
    pub head: Head,
}

/// `POST /v1/vaults/{vault}/pull`: what other devices sent since a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PullRequest {
    /// The epoch the cursor belongs to; absent at first.
    #[n(0)]
    pub epoch: Option<RelayEpoch>,
    /// After this place.
    #[n(1)]
    pub cursor: Cursor,
}

/// Answer to [`PullRequest`]. If the epoch differs from the one asked with, the relay answers from
/// the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PullResponse {
    /// The relay's epoch.
    #[n(0)]
    pub epoch: RelayEpoch,
    /// Envelopes of other devices, oldest first.
    #[n(1)]
    pub envelopes: Vec<ByteVec>,
    /// Where to go on.
    #[n(2)]
    pub cursor: Cursor,
    /// Whether there is more now.
    #[n(3)]
    pub more: bool,
    /// The caller's last segment here.
    #[n(4)]
    pub head: Head,
    /// The last roster entry here.
    #[n(5)]
    pub roster: RosterNumber,
}
