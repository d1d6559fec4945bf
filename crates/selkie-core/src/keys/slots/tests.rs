//! Known answers, wrong keys, and damage at every byte.

use selkie_wire::Digest;

use super::*;
use crate::keys::passphrase::KdfParameters;
use crate::keys::secret::{AdminKey, StoreKey};
use crate::keys::testing::{Failing, Scripted, Seeded, Stuck, array, hex, vectors};

const CALLER: [u8; 32] = [5; 32];

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn code() -> RecoveryCode {
    RecoveryCode::from_bytes([3; 32])
}

fn keys() -> (StoreKey, AdminKey) {
    (StoreKey::from_bytes([1; 32]), AdminKey::from_bytes([2; 32]))
}

fn all_slots() -> KeySlots {
    let (store, admin) = keys();
    let (words, secret) = (code(), passphrase("old"));
    let mut random = Seeded::new(1);
    let floor = KdfParameters::FLOOR;
    KeySlots::create(&store, &admin, Some(&secret), Some(&words), Some(&CALLER), floor, &mut random)
        .unwrap()
}

/// A file whose public checksum fits, as an attacker would write it.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 32);
    let checksum = Digest::of(&bytes);
    bytes.extend_from_slice(&checksum.0);
    bytes
}

#[test]
fn the_file_is_that_of_the_specification() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/slots.json"));
    let file = hex(&vectors["file"]);
    let secret = passphrase(vectors["passphrase"].as_str().unwrap());
    let words = RecoveryCode::from_bytes(array(&vectors["recovery_code"]));
    let caller: [u8; 32] = array(&vectors["caller_key"]);
    let stretched = secret.derive_key(&array(&vectors["salt"]), KdfParameters::FLOOR).unwrap();
    assert_eq!(*stretched, array(&vectors["stretched"]));

    let slots = KeySlots::parse(&file).unwrap();
    let (store, admin): ([u8; 32], [u8; 32]) =
        (array(&vectors["store_key"]), array(&vectors["admin_key"]));
    assert_eq!(slots.store_id(), StoreId(array(&vectors["store_id"])));
    for credential in [Credential::Passphrase(&secret), Credential::Recovery(&words)] {
        assert_eq!(slots.unlock(&credential).unwrap().expose(), &store);
        assert_eq!(slots.unlock_admin(&credential).unwrap().expose(), &admin);
    }
    assert_eq!(slots.unlock(&Credential::CallerKey(&caller)).unwrap().expose(), &store);
    assert_eq!(slots.to_bytes(), file);

    let nonces: Vec<_> = vectors["nonces"].as_array().unwrap().iter().map(hex).collect();
    let draws = [hex(&vectors["store_id"]), hex(&vectors["salt"]), nonces.concat()].concat();
    let written = KeySlots::create(
        &StoreKey::from_bytes(store),
        &AdminKey::from_bytes(admin),
        Some(&secret),
        Some(&words),
        Some(&caller),
        KdfParameters::FLOOR,
        &mut Scripted(draws),
    );
    assert_eq!(written.unwrap().to_bytes(), file);
}

#[test]
fn a_wrong_key_is_one_error_and_changes_nothing() {
    let slots = all_slots();
    let before = slots.to_bytes();
    let (wrong, words) = (passphrase("wrong"), RecoveryCode::from_bytes([4; 32]));
    let credentials = [
        Credential::Passphrase(&wrong),
        Credential::Recovery(&words),
        Credential::CallerKey(&[6; 32]),
    ];
    for credential in credentials {
        assert_eq!(slots.unlock(&credential).unwrap_err(), SlotError::WrongKey);
        assert_eq!(slots.unlock_admin(&credential).unwrap_err(), SlotError::WrongKey);
    }
    assert_eq!(slots.to_bytes(), before);
}

#[test]
fn a_callers_key_administers_nothing() {
    let error = all_slots().unlock_admin(&Credential::CallerKey(&CALLER)).unwrap_err();
    assert_eq!(error, SlotError::NoAdminKey);
}

#[test]
fn a_missing_slot_is_named_and_an_empty_file_is_not_made() {
    let (store, admin) = keys();
    let mut random = Seeded::new(1);
    let floor = KdfParameters::FLOOR;
    let slots =
        KeySlots::create(&store, &admin, None, None, Some(&CALLER), floor, &mut random).unwrap();
    let secret = passphrase("x");
    assert_eq!(slots.unlock(&Credential::Passphrase(&secret)).unwrap_err(), SlotError::NoSlot);
    assert_eq!(slots.unlock(&Credential::Recovery(&code())).unwrap_err(), SlotError::NoSlot);
    let none = KeySlots::create(&store, &admin, None, None, None, floor, &mut random);
    assert_eq!(none.unwrap_err(), SlotError::NoSlot);
}

#[test]
fn a_new_passphrase_takes_the_old_ones_place_and_leaves_the_rest() {
    let slots = all_slots();
    let (old, new, words) = (passphrase("old"), passphrase("new"), code());
    let mut random = Seeded::new(2);
    for credential in [Credential::Passphrase(&old), Credential::Recovery(&words)] {
        let bytes =
            slots.replace_passphrase(&credential, &new, KdfParameters::FLOOR, &mut random).unwrap();
        // Until the caller renames the new file over the old one, the old one still opens.
        assert!(slots.unlock(&Credential::Passphrase(&old)).is_ok());
        let changed = KeySlots::parse(&bytes).unwrap();
        assert_eq!(changed.store_id(), slots.store_id());
        let refused = changed.unlock(&Credential::Passphrase(&old)).unwrap_err();
        assert_eq!(refused, SlotError::WrongKey);
        let admin = changed.unlock_admin(&Credential::Passphrase(&new)).unwrap();
        assert_eq!(admin.expose(), &[2; 32]);
        assert!(changed.unlock(&Credential::Recovery(&words)).is_ok());
        assert!(changed.unlock(&Credential::CallerKey(&CALLER)).is_ok());
    }
    let floor = KdfParameters::FLOOR;
    let caller = Credential::CallerKey(&CALLER);
    let refused = slots.replace_passphrase(&caller, &new, floor, &mut random).unwrap_err();
    assert_eq!(refused, SlotError::NoAdminKey);
}

#[test]
fn words_and_callers_key_come_and_go_and_something_always_opens() {
    let slots = all_slots();
    let (secret, new) = (passphrase("old"), RecoveryCode::from_bytes([8; 32]));
    let old = Credential::Passphrase(&secret);
    let mut random = Seeded::new(2);
    let changed =
        KeySlots::parse(&slots.replace_recovery(&old, &new, &mut random).unwrap()).unwrap();
    let admin = changed.unlock_admin(&Credential::Recovery(&new)).unwrap();
    assert_eq!(admin.expose(), &[2; 32]);
    let refused = changed.unlock(&Credential::Recovery(&code())).unwrap_err();
    assert_eq!(refused, SlotError::WrongKey);

    let other = [6; 32];
    let changed = slots.set_caller_key(&old, Some(&other), &mut random).unwrap();
    let changed = KeySlots::parse(&changed).unwrap();
    assert!(changed.unlock(&Credential::CallerKey(&other)).is_ok());
    let refused = changed.unlock(&Credential::CallerKey(&CALLER)).unwrap_err();
    assert_eq!(refused, SlotError::WrongKey);
    let without =
        KeySlots::parse(&changed.set_caller_key(&old, None, &mut random).unwrap()).unwrap();
    assert!(!without.has_caller_key() && without.unlock(&old).is_ok());

    let (store, admin) = keys();
    let floor = KdfParameters::FLOOR;
    let only =
        KeySlots::create(&store, &admin, None, None, Some(&CALLER), floor, &mut random).unwrap();
    let caller = Credential::CallerKey(&CALLER);
    let refused = only.set_caller_key(&caller, None, &mut random).unwrap_err();
    assert_eq!(refused, SlotError::NoSlot);
    let refused = only.replace_recovery(&caller, &new, &mut random).unwrap_err();
    assert_eq!(refused, SlotError::NoAdminKey);
}

#[test]
fn damage_at_every_byte_is_damage_and_not_a_wrong_passphrase() {
    let file = all_slots().to_bytes();
    for index in 0..file.len() {
        let mut bytes = file.clone();
        bytes[index] ^= 1 << (index % 8);
        assert_eq!(KeySlots::parse(&bytes).unwrap_err(), SlotError::Damaged, "{index}");
        assert_eq!(KeySlots::parse(&file[..index]).unwrap_err(), SlotError::Damaged);
    }
    let longer = [&file[..], &[0]].concat();
    assert_eq!(KeySlots::parse(&longer).unwrap_err(), SlotError::Damaged);
}

#[test]
fn a_change_at_any_byte_on_purpose_never_opens() {
    let file = all_slots().to_bytes();
    let words = code();
    for index in 0..file.len() - 32 {
        for flip in [0x01, 0x80] {
            let mut bytes = file.clone();
            bytes[index] ^= flip;
            let Ok(slots) = KeySlots::parse(&with_checksum(bytes)) else { continue };
            for credential in [Credential::Recovery(&words), Credential::CallerKey(&CALLER)] {
                let error = slots.unlock(&credential).unwrap_err();
                assert!(matches!(error, SlotError::WrongKey | SlotError::Damaged), "{index}");
            }
        }
    }
}

#[test]
fn a_slot_of_another_store_does_not_fit() {
    let (one, mut other) = (all_slots(), all_slots());
    let (store, admin) = keys();
    let secret = passphrase("old");
    let mut random = Seeded::new(9);
    let floor = KdfParameters::FLOOR;
    let foreign =
        KeySlots::create(&store, &admin, Some(&secret), None, None, floor, &mut random).unwrap();
    assert_ne!(foreign.store_id(), one.store_id());
    other.passphrase.clone_from(&foreign.passphrase);
    let error = other.unlock(&Credential::Passphrase(&secret)).unwrap_err();
    assert_eq!(error, SlotError::WrongKey);
}

#[test]
fn slots_doubled_out_of_order_too_long_or_too_few_are_damage() {
    let file = all_slots().to_bytes();
    let header = &file[..26];
    // kind, length, rest: the words' slot has 144 bytes, the caller's 72.
    let caller = &file[file.len() - 64 - 75..file.len() - 64];
    let words = &file[file.len() - 64 - 75 - 147..file.len() - 64 - 75];
    let longer = [&[3, 73, 0], &caller[3..], &[0]].concat();
    let shorter = [&[3, 71, 0], &caller[3..74]].concat();
    let zero = [&[0, 72, 0], &caller[3..]].concat();
    let cases: &[(&str, u8, &[&[u8]])] = &[
        ("doubled", 2, &[caller, caller]),
        ("out of order", 2, &[caller, words]),
        ("too long", 1, &[&longer]),
        ("too short", 1, &[&shorter]),
        ("kind zero", 1, &[&zero]),
        ("fewer than counted", 2, &[caller]),
        ("more than counted", 1, &[words, caller]),
        ("none", 0, &[]),
    ];
    for (name, count, slots) in cases {
        let bytes = [header, &[*count], &slots.concat(), &[0; 64]].concat();
        let error = KeySlots::parse(&with_checksum(bytes)).unwrap_err();
        assert_eq!(error, SlotError::Damaged, "{name}");
    }
    let right = [header, &[2], words, caller, &[0; 64]].concat();
    assert!(KeySlots::parse(&with_checksum(right)).is_ok());
}

#[test]
fn what_is_newer_asks_for_an_update() {
    let file = all_slots().to_bytes();
    // Suite, flags, version; then the kind of the last slot (72 bytes and its header before the MAC).
    let last_kind = file.len() - 64 - 72 - 3;
    for index in [5, 6, 7, 8, 9, last_kind] {
        let mut bytes = file.clone();
        bytes[index] ^= 0x40;
        let error = KeySlots::parse(&with_checksum(bytes)).unwrap_err();
        assert_eq!(error, SlotError::TooNew, "byte {index}");
    }
}

#[test]
fn lowered_or_absurd_parameters_in_a_file_are_refused_before_any_work() {
    let file = all_slots().to_bytes();
    // The first slot's parameters begin after header, count, kind and length.
    let cases = [(30, 8u32), (30, u32::MAX), (34, 1), (34, u32::MAX), (38, 0), (38, 9)];
    for (offset, value) in cases {
        let mut bytes = file.clone();
        bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        let error = KeySlots::parse(&with_checksum(bytes)).unwrap_err();
        assert_eq!(error, SlotError::Kdf(KdfError::OutOfBounds), "{offset} {value}");
    }
    let (store, admin) = keys();
    let feeble = KdfParameters { passes: 1, ..KdfParameters::FLOOR };
    let secret = passphrase("x");
    let mut random = Seeded::new(1);
    let made = KeySlots::create(&store, &admin, Some(&secret), None, None, feeble, &mut random);
    assert_eq!(made.unwrap_err(), SlotError::Kdf(KdfError::OutOfBounds));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_a_panic(tail: Vec<u8>, headed: bool) {
        let mut bytes = tail;
        if headed {
            bytes = [&b"SLK1\x07\x01\0\0\x01\0"[..], &[9; 16], &bytes].concat();
        }
        let checksum = Digest::of(&bytes);
        bytes.extend_from_slice(&checksum.0);
        proptest::prop_assert!(KeySlots::parse(&bytes).is_err());
    }
}

#[test]
fn a_broken_random_source_makes_no_file() {
    let (store, admin) = keys();
    let words = code();
    let floor = KdfParameters::FLOOR;
    let make = |random: &mut dyn crate::ports::RandomSource| {
        KeySlots::create(&store, &admin, None, Some(&words), Some(&CALLER), floor, random)
    };
    for draws in 0..4 {
        let error = make(&mut Failing(draws)).unwrap_err();
        assert_eq!(error, SlotError::Random(RandomError));
    }
    assert!(make(&mut Failing(4)).is_ok());
    assert_eq!(make(&mut Stuck).unwrap_err(), SlotError::Random(RandomError));
}
