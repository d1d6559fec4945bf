//! Bytes of one type given for another: no parser takes what was made for another one.

use selkie_core::keys::pairing::{Joiner, Sponsor};
use selkie_core::keys::{
    AdminKey, DeviceSecrets, KdfParameters, KeySlots, PairingCode, RecoveryCode, StoreKey, roster,
};
use selkie_core::ports::{RandomError, RandomSource};
use selkie_core::seal::{SealContext, SegmentBody, seal_segment};
use selkie_wire::package::{PackageWriter, read_package};
use selkie_wire::{Envelope, RosterEntry, SegmentNumber};

struct Counter(u64);

impl RandomSource for Counter {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

const CODE: [u8; 16] = [7; 16];
const NOW_MS: u64 = 1_700_000_000_000;

/// A true one of each type: its type byte, its name, its bytes.
fn genuine() -> Vec<(u8, &'static str, Vec<u8>)> {
    let mut random = Counter(1);
    let admin = AdminKey::generate(&mut random).unwrap();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let words = RecoveryCode::generate(&mut random).unwrap();
    let vault = roster::create_vault(&admin, &phone, &words, &mut random).unwrap();
    let context = SealContext {
        vault: vault.roster.vault(),
        device: &phone,
        incarnation: None,
        number: SegmentNumber(1),
        previous: vault.roster.member(phone.device_id()).unwrap().added,
        roster: vault.roster.last(),
        epoch_key: &vault.epoch_key,
        compress: true,
    };
    let body = SegmentBody { first_change: 1, ..SegmentBody::default() };
    let segment = seal_segment(&context, &body, &mut random).unwrap().into_bytes();
    let store = StoreKey::from_bytes([1; 32]);
    let floor = KdfParameters::FLOOR;
    let slots = KeySlots::create(&store, &admin, None, Some(&words), None, floor, &mut random);
    let code = PairingCode::from_bytes(CODE);
    let (_, offer) = Sponsor::offer(&code, context.vault, NOW_MS, &mut random).unwrap();
    let mut package = PackageWriter::new(context.vault);
    package.roster_entry(&vault.entries[0]);
    package.envelope(&segment);
    vec![
        (1, "segment", segment.clone()),
        (3, "roster entry", vault.entries[1].clone()),
        (4, "pairing offer", offer),
        (7, "key slots", slots.unwrap().to_bytes().to_vec()),
        (9, "package", package.finish()),
    ]
}

/// What the parser of this type says.
fn is_taken(of_type: u8, bytes: &[u8]) -> bool {
    match of_type {
        1 => Envelope::parse(bytes.to_vec()).is_ok(),
        3 => RosterEntry::parse(bytes.to_vec()).is_ok(),
        4 => {
            let phone = DeviceSecrets::generate(&mut Counter(2)).unwrap();
            let code = PairingCode::from_bytes(CODE);
            Joiner::request(&code, bytes, &phone, NOW_MS, &mut Counter(3)).is_ok()
        }
        7 => KeySlots::parse(bytes).is_ok(),
        _ => read_package(bytes).is_ok(),
    }
}

#[test]
fn no_parser_takes_what_was_made_for_another() {
    let all = genuine();
    for (of_type, reader, _) in &all {
        for (made_as, name, bytes) in &all {
            assert_eq!(is_taken(*of_type, bytes), of_type == made_as, "a {name} as a {reader}");
            if made_as != of_type {
                let mut renamed = bytes.clone();
                renamed[4] = *of_type;
                assert!(!is_taken(*of_type, &renamed), "a {name} that says it is a {reader}");
            }
        }
    }
}

#[test]
fn an_unknown_type_suite_or_flag_is_refused_everywhere() {
    for (of_type, name, bytes) in genuine() {
        for (at, value) in [(0, b's'), (4, 0), (4, 10), (4, 255), (5, 0), (5, 2), (6, 1), (7, 0x80)]
        {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(!is_taken(of_type, &changed), "{name}: byte {at} is {value}");
        }
    }
}
