//! Signatures that a lenient verifier takes: keys and points of small order, and a second form of S.

use ed25519_dalek::{Signer, SigningKey};
use selkie_wire::envelope::{SEGMENT_SIGNATURE_LABEL, signature_message};
use selkie_wire::{
    DeviceId, Digest, Envelope, EnvelopeType, Header, KeyId, RosterNumber, SegmentNumber, VaultId,
};

/// The encodings of the eight points of small order.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];
/// The order of the group, little endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn bytes(hex: &str) -> [u8; 32] {
    core::array::from_fn(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
}

fn unsigned() -> Vec<u8> {
    let header = Header {
        envelope_type: EnvelopeType::Segment,
        vault: VaultId([1; 32]),
        device: DeviceId([2; 16]),
        number: SegmentNumber(1),
        previous: Digest([3; 32]),
        roster: RosterNumber(2),
        key_id: KeyId([4; 32]),
        nonce: [5; 24],
        ciphertext_len: 16,
    };
    [&header.to_bytes()[..], &[6; 16]].concat()
}

fn verifies(key: &[u8; 32], signature: &[u8]) -> bool {
    Envelope::parse([&unsigned(), signature].concat()).unwrap().verify(key).is_ok()
}

#[test]
fn keys_and_points_of_small_order_sign_nothing() {
    for key in SMALL_ORDER.map(bytes) {
        for point in SMALL_ORDER.map(bytes) {
            // With S = 0 the equation of a lenient verifier holds for any message.
            assert!(!verifies(&key, &[point, [0; 32]].concat()), "{key:02x?} {point:02x?}");
        }
    }
}

#[test]
fn a_signature_has_one_form() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = signature_message(SEGMENT_SIGNATURE_LABEL, &unsigned());
    let signature = key.sign(&message).to_bytes();
    let public = key.verifying_key().to_bytes();
    assert!(verifies(&public, &signature));
    let (mut second, mut carry) = (signature, 0);
    for (digit, add) in second[32..].iter_mut().zip(bytes(ORDER)) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert!(!verifies(&public, &second), "S and S + order are the same number");
}
