//! Known answers for derivations, and what must hold of every secret type.

use selkie_wire::{DeviceId, KeyId, VaultId};

use super::testing::{Failing, Seeded, Stuck, array, hex, list, vectors};
use super::*;
use crate::ports::{RandomError, RandomSource};

#[test]
fn derived_keys_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../docs/vectors/derivation.json"));
    for case in list(&vectors["cases"]) {
        let (bytes, vault) = (array(&case["key"]), VaultId(array(&case["vault"])));
        let (store, epoch) = (StoreKey::from_bytes(bytes), EpochKey::from_bytes(bytes));
        assert_eq!(store.derive_database_key().expose(), &array(&case["database_key"]));
        let mac_key = store.derive_slots_mac_key(&array(&case["store_id"]));
        assert_eq!(*mac_key, array(&case["slots_mac_key"]));
        assert_eq!(epoch.derive_key_id(vault), KeyId(array(&case["key_id"])));
        let segment_key = epoch.derive_segment_key(vault, DeviceId(array(&case["device"])));
        assert_eq!(*segment_key, array(&case["segment_key"]));
        assert_eq!(AdminKey::from_bytes(bytes).public_key(), array(&case["d_sig_public"]));
        let stored = [&[1u8][..], &bytes, &[8; 32], &[9; 32]].concat();
        let device = DeviceSecrets::from_bytes(&stored).unwrap();
        assert_eq!(device.device_id(), DeviceId(array(&case["device_id"])));
    }
    let case = &vectors["challenge"];
    let device = DeviceSecrets::from_bytes(&hex(&case["device_secrets"])).unwrap();
    let origin = case["origin"].as_str().unwrap();
    let vault = VaultId(array(&case["vault"]));
    let signature = device.sign_challenge(origin, vault, &hex(&case["challenge"]));
    assert_eq!(signature, array(&case["signature"]));
}

#[test]
fn recovery_words_and_keys_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../docs/vectors/recovery.json"));
    for case in list(&vectors["cases"]) {
        let code = RecoveryCode::from_words(case["words"].as_str().unwrap()).unwrap();
        assert_eq!(code.expose(), &array(&case["entropy"]));
        assert_eq!(*code.words(), case["words"].as_str().unwrap());
        assert_eq!(code.derive_kem_seed().expose(), &array(&case["kem_seed"]));
        assert_eq!(code.kem_public_key(), hex(&case["kem_public_key"]));
        let key = code.derive_admin_key_encryption_key();
        assert_eq!(*key, array(&case["admin_key_encryption_key"]));
    }
}

#[test]
fn no_secret_shows_itself() {
    // 0xab is 171: neither may occur in what is shown.
    let bytes = [0xab; 32];
    let device = DeviceSecrets::from_bytes(&[&[1u8][..], &[0xab; 96]].concat()).unwrap();
    let passphrase = Passphrase::new("171 abab").unwrap();
    let code = PairingCode::from_bytes([0xab; 16]);
    let recovery = RecoveryCode::from_bytes(bytes);
    let mut random = Seeded::new(1);
    let vault = VaultId([0; 32]);
    let (sponsor, offer) = Sponsor::offer(&code, vault, 0, &mut random).unwrap();
    let (joiner, _) = Joiner::request(&code, &offer, &device, 0, &mut random).unwrap();
    let shown = [
        format!("{:?}", StoreKey::from_bytes(bytes)),
        format!("{:?}", AdminKey::from_bytes(bytes)),
        format!("{:?}", EpochKey::from_bytes(bytes)),
        format!("{:?}", DatabaseKey::from_bytes(bytes)),
        format!("{passphrase:?}"),
        format!("{recovery:?}"),
        format!("{code:?}"),
        format!("{sponsor:?}"),
        format!("{joiner:?}"),
        format!("{:?}", Credential::Passphrase(&passphrase)),
        format!("{:?}", Credential::Recovery(&recovery)),
        format!("{:?}", Credential::CallerKey(&bytes)),
        format!("{device:?}"),
    ];
    for text in shown {
        assert!(text.contains("<redacted>"), "{text}");
        assert!(!text.contains("abab") && !text.contains("171"), "{text}");
    }
}

#[test]
fn a_broken_random_source_makes_no_key() {
    fn each(random: &mut dyn RandomSource) -> Vec<Option<RandomError>> {
        vec![
            StoreKey::generate(random).err(),
            AdminKey::generate(random).err(),
            EpochKey::generate(random).err(),
            DatabaseKey::generate(random).err(),
            RecoveryCode::generate(random).err(),
            PairingCode::generate(random).err(),
            DeviceSecrets::generate(random).err(),
        ]
    }
    assert!(each(&mut Failing(0)).iter().all(|error| *error == Some(RandomError)));
    assert!(each(&mut Stuck).iter().all(|error| *error == Some(RandomError)));
    for draws in 0..3 {
        assert!(DeviceSecrets::generate(&mut Failing(draws)).is_err(), "{draws}");
    }
    assert!(DeviceSecrets::generate(&mut Failing(3)).is_ok());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_never_a_panic(text: String) {
        let _ = (Passphrase::new(&text), RecoveryCode::from_words(&text), PairingCode::parse(&text));
    }
}

#[test]
fn stored_device_secrets_have_one_length_and_version() {
    let stored = *DeviceSecrets::generate(&mut Seeded::new(2)).unwrap().to_bytes();
    for len in 0..stored.len() {
        let error = DeviceSecrets::from_bytes(&stored[..len]).unwrap_err();
        assert_eq!(error, DeviceSecretsError::Length);
    }
    let longer = [&stored[..], &[0]].concat();
    assert_eq!(DeviceSecrets::from_bytes(&longer).unwrap_err(), DeviceSecretsError::Length);
    let newer = [&[2], &stored[1..]].concat();
    assert_eq!(DeviceSecrets::from_bytes(&newer).unwrap_err(), DeviceSecretsError::TooNew);
}
