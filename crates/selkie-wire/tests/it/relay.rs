//! Relay messages, byte by byte, written from the tables of `docs/PROTOCOL.md` and not from the code.

use core::fmt::Debug;

use minicbor::{Decode, Encode};
use selkie_wire::relay::{
    AUTH_SIGNATURE_LABEL, ChallengeRequest, ChallengeResponse, Head, HealthResponse, PullRequest,
    PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries, RosterHead, TokenRequest,
    TokenResponse, WaitRequest, WaitResponse, auth_bytes,
};
use selkie_wire::{
    Cursor, DeviceId, Digest, RelayEpoch, RosterNumber, SegmentNumber, VaultId, cbor,
};

const VAULT: VaultId = VaultId([0x11; 32]);
const DEVICE: DeviceId = DeviceId([0x22; 16]);
const DIGEST: Digest = Digest([0x33; 32]);
const EPOCH: RelayEpoch = RelayEpoch([0x44; 16]);

/// `11*32` is byte 0x11, 32 times; anything else is hexadecimal.
fn bytes(text: &str) -> Vec<u8> {
    let byte = |hex: &str| u8::from_str_radix(hex, 16).unwrap();
    let part = |part: &str| match part.split_once('*') {
        Some((hex, times)) => vec![byte(hex); times.parse().unwrap()],
        None => part.as_bytes().chunks(2).map(|two| byte(str::from_utf8(two).unwrap())).collect(),
    };
    text.split_whitespace().flat_map(part).collect()
}

fn check<T>(message: &T, expected: &str)
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    let expected = bytes(expected);
    assert_eq!(cbor::encode(message), expected);
    let decoded: T = cbor::decode(&expected).unwrap();
    assert_eq!(cbor::encode(&decoded), expected);
}

#[test]
fn messages_have_the_bytes_of_the_specification() {
    check(&HealthResponse { protocol: 1 }, "a1 00 01");
    check(&ChallengeRequest { vault: VAULT, device: DEVICE }, "a2 00 5820 11*32 01 50 22*16");
    check(&ChallengeResponse { challenge: vec![1, 2] }, "a1 00 42 0102");
    check(
        &TokenRequest {
            vault: VAULT,
            device: DEVICE,
            challenge: vec![1, 2],
            origin: "http://a".to_owned(),
            signature: vec![7; 64],
        },
        "a5 00 5820 11*32 01 50 22*16 02 42 0102 03 68 687474703a2f2f61 04 5840 07*64",
    );
    check(&TokenResponse { token: vec![9], lifetime_ms: 900_000 }, "a2 00 41 09 01 1a000dbba0");
    check(&RosterEntries { entries: vec![vec![1].into(), vec![].into()] }, "a1 00 82 41 01 40");
    check(
        &RosterHead { vault: VAULT, number: RosterNumber(2), digest: DIGEST },
        "a3 00 5820 11*32 01 02 02 5820 33*32",
    );
    check(&PushRequest { envelopes: vec![vec![1].into()], incarnation: None }, "a1 00 81 41 01");
}

#[test]
fn answers_have_the_bytes_of_the_specification() {
    use PushOutcome::{Duplicate, Fork, Gap, Quota, Refused, Stored};
    let head = Head { number: SegmentNumber(5), digest: Some(DIGEST) };
    check(
        &PushResponse {
            epoch: EPOCH,
            outcomes: vec![Stored, Duplicate, Fork, Gap, Refused, Quota],
            head,
        },
        "a3 00 50 44*16 01 86 000102030405 02 a2 00 05 01 5820 33*32",
    );
    check(
        &PushResponse { epoch: EPOCH, outcomes: vec![], head: Head::default() },
        "a3 00 50 44*16 01 80 02 a1 00 00",
    );
    check(&PullRequest { epoch: None, cursor: Cursor(0), incarnation: None }, "a1 01 00");
    check(
        &PullRequest { epoch: Some(EPOCH), cursor: Cursor(24), incarnation: None },
        "a2 00 50 44*16 01 1818",
    );
    let roster = RosterNumber(2);
    check(
        &WaitRequest { epoch: None, cursor: Cursor(0), roster, incarnation: None },
        "a2 01 00 02 02",
    );
    check(
        &WaitRequest { epoch: Some(EPOCH), cursor: Cursor(24), roster, incarnation: None },
        "a3 00 50 44*16 01 1818 02 02",
    );
    check(&WaitResponse { news: true }, "a1 00 f5");
    check(
        &PullResponse {
            epoch: EPOCH,
            envelopes: vec![vec![1].into()],
            cursor: Cursor(6),
            more: true,
            head,
            roster: RosterNumber(1),
        },
        "a6 00 50 44*16 01 81 41 01 02 06 03 f5 04 a2 00 05 01 5820 33*32 05 01",
    );
}

fn accepts<T: for<'b> Decode<'b, ()> + PartialEq + Debug>(text: &str, expected: &T) {
    assert_eq!(cbor::decode::<T>(&bytes(text)).as_ref(), Ok(expected), "{text}");
}

#[test]
fn what_a_later_version_adds_is_passed_over_and_null_is_nothing() {
    accepts(
        "a2 01 00 1863 81 f6",
        &PullRequest { epoch: None, cursor: Cursor(0), incarnation: None },
    );
    accepts("a2 00 f6 01 00", &PullRequest { epoch: None, cursor: Cursor(0), incarnation: None });
    accepts("a2 00 00 01 f6", &Head::default());
}

#[test]
fn the_signed_bytes_of_a_challenge_are_those_of_the_specification() {
    let signed = auth_bytes("http://a", VAULT, DEVICE, &[1, 2]);
    assert_eq!(signed, bytes("08000000 687474703a2f2f61 11*32 22*16 0102"));
    assert_eq!(AUTH_SIGNATURE_LABEL, b"selkie/1/relay-auth\0");
}
