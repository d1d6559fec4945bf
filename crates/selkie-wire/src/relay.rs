//! Messages between a device and a relay, as CBOR (`docs/PROTOCOL.md`).

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode};

use crate::ids::{
    Cursor, DeviceId, Digest, IncarnationToken, RelayEpoch, RosterNumber, SegmentNumber, VaultId,
};
use crate::limits::{PAGE_SEGMENTS_MAX, ROSTER_ENTRIES_MAX};

/// What a device signs to prove itself to a relay.
pub const AUTH_SIGNATURE_LABEL: &[u8] = b"selkie/1/relay-auth\0";
/// Media type of every message.
pub const MEDIA_TYPE: &str = "application/cbor";
/// Media type of errors (RFC 9457).
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";
/// Version of the protocol; the first part of every path is `/v1`.
pub const PROTOCOL_VERSION: u32 = 1;

/// The `code` of a problem: stable, for programs; title and detail are for people.
pub mod problem_code {
    /// The body is not the one CBOR encoding of the message expected here.
    pub const BAD_BODY: &str = "bad-body";
    /// No live token for this vault: ask for one. Also for a vault that does not exist.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The signed origin is not this relay's.
    pub const ORIGIN_MISMATCH: &str = "origin-mismatch";
    /// Nothing is at this path, or not yet in this mailbox slot.
    pub const NOT_FOUND: &str = "not-found";
    /// The path exists, the method does not.
    pub const METHOD_NOT_ALLOWED: &str = "method-not-allowed";
    /// The client was too slow.
    pub const TIMEOUT: &str = "timeout";
    /// The roster has two histories, or the mailbox slot holds other bytes.
    pub const FORK: &str = "fork";
    /// Roster entries before these are missing at the relay.
    pub const GAP: &str = "gap";
    /// The body is larger than allowed.
    pub const TOO_LARGE: &str = "too-large";
    /// A roster entry's structure, signature or meaning is wrong.
    pub const ROSTER_REFUSED: &str = "roster-refused";
    /// Too many vaults were made in a short time.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// The relay failed; nothing was stored.
    pub const INTERNAL: &str = "internal";
    /// The relay has more to do than it can hold: come back later.
    pub const BUSY: &str = "busy";
    /// The vault's, the roster's or the relay's room is used up.
    pub const QUOTA: &str = "quota";
}

/// Answer to `GET /v1/health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HealthResponse {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub protocol: u32,
}

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

/// What the recovery words sign to fetch a vault's roster.
pub const RECOVERY_AUTH_SIGNATURE_LABEL: &[u8] = b"selkie/1/recovery-auth\0";

/// `POST /v1/recover`: asks for the roster of the vault that these recovery words belong to. The
/// challenge is one for the vault id that has the key's bytes, and the device id of zeros.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecoverRequest {
    /// Ed25519 public key derived from the words.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// As received.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub challenge: Vec<u8>,
    /// The address the device connected to.
    #[n(2)]
    pub origin: String,
    /// By the key over [`recovery_auth_bytes`], under [`RECOVERY_AUTH_SIGNATURE_LABEL`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// The first entry wanted; the answer is a page of [`RosterEntries`].
    #[n(4)]
    pub from: RosterNumber,
}

impl RecoverRequest {
    /// What to ask a challenge for.
    #[must_use]
    pub fn challenge_for(key: &[u8; 32]) -> ChallengeRequest {
        ChallengeRequest { vault: VaultId(*key), device: DeviceId([0; DeviceId::LEN]) }
    }
}

/// What the words sign: origin, their public key, challenge.
#[must_use]
pub fn recovery_auth_bytes(origin: &str, key: &[u8; 32], challenge: &[u8]) -> Vec<u8> {
    let origin_len = u32::try_from(origin.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&origin_len[..], origin.as_bytes(), key, challenge].concat()
}

/// The origin of a relay's URL, as [`TokenRequest::origin`] wants it: `scheme://host`, and `:port`
/// unless it is the scheme's own; lower case, without path, query or user (RFC 6454 §6.2).
///
/// ```
/// use selkie_wire::relay::origin_of;
/// assert_eq!(origin_of("HTTPS://Relay.example:443/base/").as_deref(), Some("https://relay.example"));
/// assert_eq!(origin_of("http://127.0.0.1:4001").as_deref(), Some("http://127.0.0.1:4001"));
/// assert_eq!(origin_of("relay.example"), None);
/// ```
#[must_use]
pub fn origin_of(url: &str) -> Option<String> {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://")?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    let odd = |c: char| !c.is_ascii_graphic() || c == '@';
    let no_host = authority.is_empty() || authority.starts_with(':');
    (!no_host && !authority.contains(odd)).then(|| format!("{scheme}://{authority}"))
}

/// Roster entries in order: body of `POST /v1/vaults` and of `POST …/roster`, answer of
/// `GET …/roster?from=N`, whose page may end before the roster does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RosterEntries {
    /// Entries in order.
    #[cbor(n(0), decode_with = "at_most::<ROSTER_ENTRIES_MAX, _>")]
    pub entries: Vec<ByteVec>,
}

/// Answer to roster entries that were posted: where the relay's chain ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RosterHead {
    /// The vault.
    #[n(0)]
    pub vault: VaultId,
    /// Its last entry.
    #[n(1)]
    pub number: RosterNumber,
    /// That entry's digest.
    #[n(2)]
    pub digest: Digest,
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

/// `POST /v1/vaults/{vault}/push`: consecutive envelopes of one chain of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PushRequest {
    /// In order of number.
    #[cbor(n(0), decode_with = "at_most::<PAGE_SEGMENTS_MAX, _>")]
    pub envelopes: Vec<ByteVec>,
    /// Which of the caller's chains they are of; absent: the one that has the device's own id.
    #[n(1)]
    pub incarnation: Option<IncarnationToken>,
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
    /// The last segment of that chain here, after this push.
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
    /// The caller's own chain, as in [`PushRequest`]; its envelopes are left out.
    #[n(2)]
    pub incarnation: Option<IncarnationToken>,
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
    #[cbor(n(1), decode_with = "at_most::<PAGE_SEGMENTS_MAX, _>")]
    pub envelopes: Vec<ByteVec>,
    /// Where to go on.
    #[n(2)]
    pub cursor: Cursor,
    /// Whether there is more now.
    #[n(3)]
    pub more: bool,
    /// The last segment of the caller's own chain here.
    #[n(4)]
    pub head: Head,
    /// The last roster entry here.
    #[n(5)]
    pub roster: RosterNumber,
}

/// `POST /v1/vaults/{vault}/wait`: asks to be answered once there is something new.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WaitRequest {
    /// The epoch the cursor belongs to; absent at first.
    #[n(0)]
    pub epoch: Option<RelayEpoch>,
    /// What came after this place is new.
    #[n(1)]
    pub cursor: Cursor,
    /// So is a roster entry after this one.
    #[n(2)]
    pub roster: RosterNumber,
    /// The caller's own chain, as in [`PullRequest`]: its envelopes are not new.
    #[n(3)]
    pub incarnation: Option<IncarnationToken>,
}

/// Answer to [`WaitRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WaitResponse {
    /// Whether there is something new; if not, the time was up.
    #[n(0)]
    pub news: bool,
}

/// Decodes a list of byte strings, refusing a long one before it takes memory: an empty string is
/// one byte here and 24 in memory.
fn at_most<'b, const MAX: usize, C>(
    d: &mut Decoder<'b>,
    _: &mut C,
) -> Result<Vec<ByteVec>, minicbor::decode::Error> {
    let position = d.position();
    let len = d.array()?.and_then(|len| usize::try_from(len).ok());
    if len.is_none_or(|len| len > MAX) {
        return Err(minicbor::decode::Error::message("a list is too long").at(position));
    }
    (0..len.unwrap_or_default()).map(|_| d.bytes().map(|bytes| bytes.to_vec().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn origins_have_one_form() {
        for (url, origin) in [
            ("http://localhost:80", Some("http://localhost")),
            ("http://localhost:443/", Some("http://localhost:443")),
            ("https://[::1]:8443?x", Some("https://[::1]:8443")),
            ("https://user@relay.example", None),
            ("https://", None),
            ("https://:443", None),
            ("ftp://relay.example", None),
            ("https://relay .example", None),
        ] {
            assert_eq!(origin_of(url).as_deref(), origin, "{url}");
        }
    }

    #[test]
    fn a_list_longer_than_a_page_is_refused() {
        let push = |len| PushRequest {
            envelopes: vec![ByteVec::from(Vec::new()); len],
            incarnation: None,
        };
        let longest = push(PAGE_SEGMENTS_MAX);
        assert_eq!(cbor::decode(&cbor::encode(&longest)), Ok(longest));
        let longer = cbor::encode(&push(PAGE_SEGMENTS_MAX + 1));
        assert_eq!(cbor::decode::<PushRequest>(&longer), Err(cbor::CborError::Shape));
    }
}
