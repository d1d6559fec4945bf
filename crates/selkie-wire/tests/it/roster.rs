//! What a roster takes, and what leaves it as it was.

use ed25519_dalek::{Signer, SigningKey};
use selkie_wire::envelope::signature_message;
use selkie_wire::limits::ROSTER_ENTRY_BYTES_MAX;
use selkie_wire::roster::{
    DeviceKeys, ENTRY_HEADER_LEN, MEMBER_SIGNATURE_LABEL, Operation, ROSTER_SIGNATURE_LABEL,
    RecoveryKeys, Rotation, Wrap,
};
use selkie_wire::{
    DeviceId, Digest, EnvelopeError, KeyId, Roster, RosterEntry, RosterError, RosterNumber,
    SegmentNumber, VaultId,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn sign(key: &SigningKey, label: &[u8], bytes: &[u8]) -> [u8; 64] {
    key.sign(&signature_message(label, bytes)).to_bytes()
}

fn recovery(seed: u8) -> RecoveryKeys {
    RecoveryKeys { kem_key: vec![seed; 8], sealed_admin_key: vec![seed; 8], proof: None }
}

fn seal(
    signer: u8,
    vault: VaultId,
    number: u64,
    previous: Digest,
    operation: &Operation,
) -> Vec<u8> {
    let unsigned = RosterEntry::unsigned_bytes(vault, RosterNumber(number), previous, operation);
    let signature = sign(&key(signer), ROSTER_SIGNATURE_LABEL, &unsigned);
    [&unsigned[..], &signature].concat()
}

fn entry(bytes: Vec<u8>) -> RosterEntry {
    RosterEntry::parse(bytes).unwrap()
}

const ADMIN: u8 = 1;

fn genesis() -> Vec<u8> {
    let admin_key = key(ADMIN).verifying_key().to_bytes();
    let operation = Operation::Genesis { admin_key, recovery: recovery(1) };
    seal(ADMIN, VaultId([0; 32]), 0, Digest([0; 32]), &operation)
}

/// The next entry, signed by the admin key.
fn next(roster: &Roster, operation: &Operation) -> RosterEntry {
    let number = roster.last().0 + 1;
    entry(seal(ADMIN, roster.vault(), number, roster.last_digest(), operation))
}

fn keys(seed: u8) -> DeviceKeys {
    DeviceKeys {
        signing_key: key(seed).verifying_key().to_bytes(),
        auth_key: key(!seed).verifying_key().to_bytes(),
        kem_key: vec![seed; 8],
    }
}

fn add(vault: VaultId, seed: u8) -> Operation {
    let keys = keys(seed);
    let consent = sign(&key(seed), MEMBER_SIGNATURE_LABEL, &keys.consent_bytes(vault));
    Operation::Add { keys, consent }
}

fn rotation(epoch: u32, key_id: u8, wraps: &[DeviceId]) -> Rotation {
    let wrap = |device: &DeviceId| Wrap { device: *device, sealed: vec![1; 8] };
    Rotation {
        epoch,
        suite: 1,
        key_id: KeyId([key_id; 32]),
        wraps: wraps.iter().map(wrap).collect(),
        recovery_wrap: vec![2; 8],
        previous_key: if epoch == 0 { Vec::new() } else { vec![3; 8] },
    }
}

fn rotate(rotation: Rotation) -> Operation {
    Operation::Rotate { rotation }
}

fn revoke(device: DeviceId, rotation: Rotation) -> Operation {
    Operation::Revoke {
        device,
        last: SegmentNumber(7),
        last_digest: Digest([7; 32]),
        rotation,
        chains: None,
    }
}

/// Two devices (seeds 10 and 11), one epoch, version 3, and a third device (12) that is revoked.
fn roster() -> Roster {
    let mut roster = Roster::from_entries([genesis()]).unwrap();
    let vault = roster.vault();
    for operation in [
        add(vault, 10),
        rotate(rotation(0, 1, &[keys(10).device_id()])),
        add(vault, 11),
        add(vault, 12),
        Operation::MinVersion { version: 3 },
        revoke(keys(12).device_id(), rotation(1, 2, &[keys(10).device_id()])),
    ] {
        roster.apply(&next(&roster, &operation)).unwrap();
    }
    roster
}

#[test]
fn a_good_chain_says_who_belongs() {
    let roster = roster();
    let live: Vec<_> = roster.live_members().map(|(device, _)| device).collect();
    let mut expected = [10, 11].map(|seed| keys(seed).device_id());
    expected.sort();
    assert_eq!(live, expected);
    let revoked = roster.member(keys(12).device_id()).unwrap();
    assert_eq!(revoked.revoked, Some((SegmentNumber(7), Digest([7; 32]))));
    assert_eq!((roster.last(), roster.min_version()), (RosterNumber(6), 3));
    assert_eq!(roster.rotations().len(), 2);
    assert_eq!(roster.recovery(), &recovery(1));
}

#[test]
fn what_contradicts_the_roster_changes_nothing() {
    use RosterError::{Meaning, Signature, TooNew};
    let roster = roster();
    let (vault, phone, gone) = (roster.vault(), keys(10).device_id(), keys(12).device_id());
    let admin_key = *roster.admin_key();
    let mut consent_of_another = add(vault, 13);
    if let Operation::Add { keys: other, .. } = &mut consent_of_another {
        other.kem_key.push(0);
    }
    let newer = Rotation { suite: 2, ..rotation(2, 3, &[]) };
    for (case, operation, error) in [
        ("second genesis", Operation::Genesis { admin_key, recovery: recovery(1) }, Meaning),
        ("added twice", add(vault, 10), Meaning),
        ("added after its revocation", add(vault, 12), Meaning),
        ("consent for another vault", add(VaultId([9; 32]), 13), Signature),
        ("consent for other keys", consent_of_another, Signature),
        ("revoked twice", revoke(gone, rotation(2, 3, &[])), Meaning),
        ("revoked, never added", revoke(DeviceId([9; 16]), rotation(2, 3, &[])), Meaning),
        ("key given to whom it revokes", revoke(phone, rotation(2, 3, &[phone])), Meaning),
        ("revoked without a new epoch", revoke(phone, rotation(1, 3, &[])), Meaning),
        ("revoked with an old key", revoke(phone, rotation(2, 1, &[])), Meaning),
        ("epoch again", rotate(rotation(1, 3, &[])), Meaning),
        ("epoch skipped", rotate(rotation(3, 3, &[])), Meaning),
        ("key again", rotate(rotation(2, 2, &[])), Meaning),
        ("key twice to one device", rotate(rotation(2, 3, &[phone, phone])), Meaning),
        ("key for a device that left", rotate(rotation(2, 3, &[phone, gone])), Meaning),
        ("key for a stranger", rotate(rotation(2, 3, &[DeviceId([9; 16])])), Meaning),
        ("no way back", rotate(Rotation { previous_key: vec![], ..rotation(2, 3, &[]) }), Meaning),
        ("suite unknown", rotate(Rotation { suite: 2, ..rotation(2, 3, &[]) }), TooNew),
        ("revoked into an unknown suite", revoke(phone, newer), TooNew),
        ("version lowered", Operation::MinVersion { version: 2 }, Meaning),
    ] {
        let mut after = roster.clone();
        assert_eq!(after.apply(&next(&roster, &operation)), Err(error), "{case}");
        assert_eq!(after, roster, "{case}");
    }
}

#[test]
fn the_first_epoch_has_no_key_before_it() {
    let mut roster = Roster::from_entries([genesis()]).unwrap();
    let before = Rotation { previous_key: vec![3; 8], ..rotation(0, 1, &[]) };
    let refused = roster.apply(&next(&roster, &rotate(before)));
    assert_eq!(refused, Err(RosterError::Meaning));
    assert_eq!(roster.apply(&next(&roster, &rotate(rotation(0, 1, &[])))), Ok(()));
}

#[test]
fn an_entry_out_of_place_changes_nothing() {
    let roster = roster();
    let (vault, last) = (roster.vault(), roster.last_digest());
    let operation = Operation::MinVersion { version: 4 };
    for (case, signer, of, number, previous, expected) in [
        ("in place", ADMIN, vault, 7, last, Ok(())),
        ("of another vault", ADMIN, VaultId([9; 32]), 7, last, Err(RosterError::Vault)),
        ("again", ADMIN, vault, 6, last, Err(RosterError::Number)),
        ("too far", ADMIN, vault, 8, last, Err(RosterError::Number)),
        ("at the end of numbers", ADMIN, vault, u64::MAX, last, Err(RosterError::Number)),
        ("after another", ADMIN, vault, 7, Digest([9; 32]), Err(RosterError::Fork)),
        ("by a member", 10, vault, 7, last, Err(RosterError::Signature)),
    ] {
        let mut after = roster.clone();
        let applied = after.apply(&entry(seal(signer, of, number, previous, &operation)));
        assert_eq!(applied, expected, "{case}");
        assert_eq!(after == roster, expected.is_err(), "{case}");
    }
}

#[test]
fn no_byte_of_an_entry_can_be_changed() {
    let roster = roster();
    let good = next(&roster, &Operation::MinVersion { version: 4 });
    for at in 0..good.bytes().len() {
        let mut bytes = good.bytes().to_vec();
        bytes[at] ^= 1;
        let applied = RosterEntry::parse(bytes).and_then(|entry| roster.clone().apply(&entry));
        assert!(applied.is_err(), "byte {at}");
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let good = genesis();
    for len in 0..good.len() {
        assert!(RosterEntry::parse(good[..len].to_vec()).is_err(), "{len}");
    }
    let longer = RosterEntry::parse([&good[..], &[0]].concat());
    assert_eq!(longer, Err(RosterError::Structure(EnvelopeError::Length)));
    let huge = RosterEntry::parse(vec![0; ROSTER_ENTRY_BYTES_MAX + 1]);
    assert_eq!(huge, Err(RosterError::Limit));
}

#[test]
fn a_body_that_is_not_the_one_encoding_is_refused() {
    let good = genesis();
    // The array header of the operation, in a longer form than it needs.
    let mut bytes = good.clone();
    let first = bytes[ENTRY_HEADER_LEN];
    assert_eq!(first & 0xe0, 0x80, "an array");
    bytes.splice(ENTRY_HEADER_LEN..=ENTRY_HEADER_LEN, [0x98, first & 0x1f]);
    let body_len = (bytes.len() - ENTRY_HEADER_LEN - 64) as u32;
    bytes[ENTRY_HEADER_LEN - 4..ENTRY_HEADER_LEN].copy_from_slice(&body_len.to_le_bytes());
    assert!(matches!(RosterEntry::parse(bytes), Err(RosterError::Body(_))));
}

#[test]
fn only_a_genesis_of_its_own_key_begins_a_roster() {
    let admin_key = key(ADMIN).verifying_key().to_bytes();
    let operation = Operation::Genesis { admin_key, recovery: recovery(1) };
    let (no_vault, no_digest) = (VaultId([0; 32]), Digest([0; 32]));
    let plain = Operation::MinVersion { version: 1 };
    for (case, bytes, error) in [
        ("by another key", seal(2, no_vault, 0, no_digest, &operation), RosterError::Signature),
        (
            "with a vault",
            seal(ADMIN, VaultId([1; 32]), 0, no_digest, &operation),
            RosterError::Number,
        ),
        ("with a number", seal(ADMIN, no_vault, 1, no_digest, &operation), RosterError::Number),
        (
            "after something",
            seal(ADMIN, no_vault, 0, Digest([1; 32]), &operation),
            RosterError::Number,
        ),
        ("no genesis", seal(ADMIN, no_vault, 0, no_digest, &plain), RosterError::Number),
    ] {
        assert_eq!(Roster::from_entries([bytes]), Err(error), "{case}");
    }
    assert_eq!(Roster::from_entries([]), Err(RosterError::Number));
    assert_eq!(Roster::from_entries([genesis(), genesis()]), Err(RosterError::Vault));
}

/// Whoever changes the layout of an entry changes every vault's id; this notices.
#[test]
fn the_bytes_of_an_entry_stay_what_they_were() {
    let roster = Roster::from_entries([genesis()]).unwrap();
    assert_eq!(
        roster.vault().to_string(),
        "fb560de8d1368393dde1e5ddd659443b49f0100ba92e5e6f44a209ad66d4887e"
    );
}
