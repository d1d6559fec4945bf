//! A vault's life: made, joined, rotated, revoked, recovered; and a vault made by another hand.

use selkie_wire::ids::RosterNumber;
use selkie_wire::roster::{Operation, ROSTER_SIGNATURE_LABEL, RecoveryKeys, Rotation};
use selkie_wire::{Digest, Roster, RosterEntry, SegmentNumber, VaultId};

use super::*;
use crate::keys::testing::{Failing, Seeded, Stuck, array, hex, list, vectors};
use crate::keys::{AdminKey, DeviceSecrets, EpochKey, RecoveryCode};

struct World {
    admin: AdminKey,
    laptop: DeviceSecrets,
    code: RecoveryCode,
    vault: NewVault,
    random: Seeded,
}

fn world() -> World {
    let mut random = Seeded::new(7);
    let admin = AdminKey::generate(&mut random).unwrap();
    let laptop = DeviceSecrets::generate(&mut random).unwrap();
    let code = RecoveryCode::generate(&mut random).unwrap();
    let vault = create_vault(&admin, &laptop, &code, &mut random).unwrap();
    World { admin, laptop, code, vault, random }
}

fn apply(roster: &mut Roster, entry: Vec<u8>) {
    roster.apply(&RosterEntry::parse(entry).unwrap()).unwrap();
}

fn exposed(keys: &[(u32, EpochKey)]) -> Vec<(u32, [u8; 32])> {
    keys.iter().map(|(epoch, key)| (*epoch, *key.expose())).collect()
}

#[test]
fn a_vault_made_from_the_specification_verifies_and_opens() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/roster.json"));
    let entries = list(&vectors["entries"]).iter().map(hex);
    let roster = Roster::from_entries(entries.clone()).unwrap();
    assert_eq!(roster.vault(), VaultId(array(&vectors["vault"])));
    assert_eq!(roster.last_digest(), Digest(array(&vectors["last_digest"])));

    let keys: Vec<(u32, [u8; 32])> =
        (0..).zip(list(&vectors["epoch_keys"]).iter().map(array)).collect();
    let laptop = DeviceSecrets::from_bytes(&hex(&vectors["laptop"])).unwrap();
    let phone = DeviceSecrets::from_bytes(&hex(&vectors["phone"])).unwrap();
    let code = RecoveryCode::from_bytes(array(&vectors["recovery_code"]));
    assert_eq!(exposed(&epoch_keys(&roster, &phone).unwrap()), keys);
    assert_eq!(
        exposed(&epoch_keys(&roster, &laptop).unwrap()),
        keys[..2],
        "revoked before epoch 2"
    );
    assert_eq!(exposed(&epoch_keys_from_recovery(&roster, &code).unwrap()), keys);
    let admin = admin_key_from_recovery(&roster, &code).unwrap();
    assert_eq!(admin.expose(), &array(&vectors["admin_key"]));
    let revoked = roster.member(laptop.device_id()).unwrap().revoked;
    assert_eq!(revoked, Some((SegmentNumber(5), Digest([0x55; 32]))));

    // A device before the rotation that first wraps for it finds nothing, which is no error.
    let early = Roster::from_entries(entries.take(4)).unwrap();
    assert!(epoch_keys(&early, &phone).unwrap().is_empty());
}

#[test]
fn a_new_vault_is_read_by_its_device_and_its_words() {
    let World { admin, laptop, code, vault, .. } = world();
    let verified = Roster::from_entries(vault.entries.clone()).unwrap();
    assert_eq!(verified, vault.roster);
    let expected = [(0, *vault.epoch_key.expose())];
    assert_eq!(exposed(&epoch_keys(&verified, &laptop).unwrap()), expected);
    assert_eq!(exposed(&epoch_keys_from_recovery(&verified, &code).unwrap()), expected);
    let recovered = admin_key_from_recovery(&verified, &code).unwrap();
    assert_eq!(recovered.expose(), admin.expose());
}

#[test]
fn a_late_device_reads_the_whole_past_after_the_next_rotation() {
    let World { admin, laptop, mut vault, mut random, .. } = world();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let consent = phone.sign_consent(vault.roster.vault());
    let add = add_device(&admin, &vault.roster, phone.public(), consent).unwrap();
    apply(&mut vault.roster, add);
    assert!(epoch_keys(&vault.roster, &phone).unwrap().is_empty());
    let mut current = vault.epoch_key;
    for _ in 0..4 {
        let (entry, next) = rotate(&admin, &vault.roster, &current, &mut random).unwrap();
        apply(&mut vault.roster, entry);
        current = next;
    }
    let read = epoch_keys(&vault.roster, &phone).unwrap();
    assert_eq!(read.iter().map(|(epoch, _)| *epoch).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(exposed(&read), exposed(&epoch_keys(&vault.roster, &laptop).unwrap()));
}

#[test]
fn a_revoked_device_reads_nothing_new() {
    let World { admin, laptop, mut vault, mut random, .. } = world();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let consent = phone.sign_consent(vault.roster.vault());
    let add = add_device(&admin, &vault.roster, phone.public(), consent).unwrap();
    apply(&mut vault.roster, add);
    let (entry, one) = rotate(&admin, &vault.roster, &vault.epoch_key, &mut random).unwrap();
    apply(&mut vault.roster, entry);
    let last = (SegmentNumber(0), vault.roster.member(phone.device_id()).unwrap().added);
    let (entry, two) = revoke_device(
        &admin,
        &vault.roster,
        phone.device_id(),
        last,
        Vec::new(),
        &one,
        &mut random,
    )
    .unwrap();
    apply(&mut vault.roster, entry);
    assert_eq!(epoch_keys(&vault.roster, &phone).unwrap().len(), 2);
    let read = epoch_keys(&vault.roster, &laptop).unwrap();
    assert_eq!(read.last().unwrap().1.expose(), two.expose());
    // Neither a second revocation nor the same device again.
    let again = revoke_device(
        &admin,
        &vault.roster,
        phone.device_id(),
        last,
        Vec::new(),
        &two,
        &mut random,
    );
    assert_eq!(again.unwrap_err(), AuthorError::Roster(RosterError::Meaning));
    let again = add_device(&admin, &vault.roster, phone.public(), consent);
    assert_eq!(again.unwrap_err(), AuthorError::Roster(RosterError::Meaning));
}

#[test]
fn new_words_open_everything_and_the_old_ones_nothing() {
    let World { admin, code, mut vault, mut random, .. } = world();
    let new = RecoveryCode::generate(&mut random).unwrap();
    let (entries, _) =
        replace_recovery(&admin, &vault.roster, &new, &vault.epoch_key, &mut random).unwrap();
    for entry in entries {
        apply(&mut vault.roster, entry);
    }
    assert_eq!(epoch_keys_from_recovery(&vault.roster, &new).unwrap().len(), 2);
    assert_eq!(admin_key_from_recovery(&vault.roster, &new).unwrap().expose(), admin.expose());
    let old = epoch_keys_from_recovery(&vault.roster, &code).unwrap_err();
    assert_eq!(old, EpochError::WrongCode);
    let old = admin_key_from_recovery(&vault.roster, &code).unwrap_err();
    assert_eq!(old, EpochError::WrongCode);
}

#[test]
fn another_admin_another_vault_or_an_old_epoch_writes_nothing() {
    let World { admin, vault, mut random, .. } = world();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let consent = phone.sign_consent(vault.roster.vault());
    let other = AdminKey::from_bytes([1; 32]);
    let refused = add_device(&other, &vault.roster, phone.public(), consent).unwrap_err();
    assert_eq!(refused, AuthorError::NotAdmin);
    let elsewhere = phone.sign_consent(VaultId([1; 32]));
    let refused = add_device(&admin, &vault.roster, phone.public(), elsewhere).unwrap_err();
    assert_eq!(refused, AuthorError::Roster(RosterError::Signature));
    let mut keys = phone.public();
    keys.kem_key.pop();
    let refused = add_device(&admin, &vault.roster, keys, consent).unwrap_err();
    assert_eq!(refused, AuthorError::DeviceKeys);
    let stale = EpochKey::from_bytes([1; 32]);
    let refused = rotate(&admin, &vault.roster, &stale, &mut random).unwrap_err();
    assert_eq!(refused, AuthorError::NotCurrentEpoch);
    assert!(raise_min_version(&admin, &vault.roster, 2).is_ok());
    let refused = raise_min_version(&admin, &vault.roster, 0).unwrap_err();
    assert_eq!(refused, AuthorError::Roster(RosterError::Meaning));
}

/// What a hostile or broken administrator could sign.
fn signed(admin: &AdminKey, roster: &Roster, rotation: Rotation) -> Result<Roster, RosterError> {
    let number = RosterNumber(roster.last().0 + 1);
    let operation = Operation::Rotate { rotation };
    let (vault, previous) = (roster.vault(), roster.last_digest());
    let mut bytes = RosterEntry::unsigned_bytes(vault, number, previous, &operation);
    let signature = admin.sign(ROSTER_SIGNATURE_LABEL, &bytes);
    bytes.extend_from_slice(&signature);
    let mut roster = roster.clone();
    roster.apply(&RosterEntry::parse(bytes).unwrap())?;
    Ok(roster)
}

#[test]
fn a_key_that_is_not_the_one_committed_to_is_refused() {
    let World { admin, laptop, code, vault, mut random } = world();
    let (entry, _) = rotate(&admin, &vault.roster, &vault.epoch_key, &mut random).unwrap();
    let Operation::Rotate { rotation } = RosterEntry::parse(entry).unwrap().operation().clone()
    else {
        panic!("rotate writes a rotation")
    };
    // Key overwriting: a well-sealed wrap, of another key than the rotation names.
    let info = wrap_info(vault.roster.vault(), 1, laptop.device_id());
    let to = laptop.public().kem_key;
    let sealed =
        crate::keys::kem::seal(&to, None, &info, &rotation.key_id.0, &[9; 32], &mut random)
            .unwrap();
    let mut overwritten = rotation.clone();
    overwritten.wraps[0].sealed = sealed;
    let roster = signed(&admin, &vault.roster, overwritten).unwrap();
    assert_eq!(epoch_keys(&roster, &laptop).unwrap_err(), EpochError::Commitment(1));

    // A wrap moved from another epoch, cut, or with any other byte, does not open.
    let Rotation { wraps, .. } = &vault.roster.rotations()[0];
    let mut cut = rotation.wraps[0].sealed.clone();
    cut.pop();
    for sealed in [wraps[0].sealed.clone(), cut, Vec::new()] {
        let mut moved = rotation.clone();
        moved.wraps[0].sealed = sealed;
        let roster = signed(&admin, &vault.roster, moved).unwrap();
        assert_eq!(epoch_keys(&roster, &laptop).unwrap_err(), EpochError::Wrap(1));
    }
    let newer = signed(&admin, &vault.roster, Rotation { suite: 2, ..rotation.clone() });
    assert_eq!(newer, Err(RosterError::TooNew), "not even applied");
    // The same for the words, and for the step back to the epoch before.
    let mut moved = rotation.clone();
    moved.recovery_wrap[2] ^= 1;
    let roster = signed(&admin, &vault.roster, moved).unwrap();
    assert_eq!(epoch_keys_from_recovery(&roster, &code).unwrap_err(), EpochError::Wrap(1));
    let mut moved = rotation;
    moved.previous_key[30] ^= 1;
    let roster = signed(&admin, &vault.roster, moved).unwrap();
    assert_eq!(epoch_keys(&roster, &laptop).unwrap_err(), EpochError::Wrap(0));
}

#[test]
fn a_sealed_admin_key_that_signs_for_nobody_is_refused() {
    let World { admin, code, mut random, .. } = world();
    // Sealed as it should be, to these words, and bound to this admin key: of another seed.
    let kem_key = code.kem_public_key();
    let associated = admin_associated(&admin.public_key(), &kem_key);
    let key = code.derive_admin_key_encryption_key();
    let sealed = |secret: &[u8; 32], associated: &[u8], random: &mut Seeded| {
        crate::keys::aead::wrap(&key, associated, secret, random).unwrap().to_vec()
    };
    let genesis = |sealed_admin_key: Vec<u8>| {
        let recovery = RecoveryKeys { kem_key: kem_key.clone(), sealed_admin_key, proof: None };
        let operation = Operation::Genesis { admin_key: admin.public_key(), recovery };
        let nowhere = (VaultId([0; 32]), RosterNumber(0), Digest([0; 32]));
        let mut bytes = RosterEntry::unsigned_bytes(nowhere.0, nowhere.1, nowhere.2, &operation);
        let signature = admin.sign(ROSTER_SIGNATURE_LABEL, &bytes);
        bytes.extend_from_slice(&signature);
        Roster::from_entries([bytes]).unwrap()
    };
    let right = genesis(sealed(admin.expose(), &associated, &mut random));
    assert!(admin_key_from_recovery(&right, &code).is_ok());
    let other = sealed(&[9; 32], &associated, &mut random);
    let unbound = sealed(admin.expose(), b"", &mut random);
    for sealed in [other, unbound, Vec::new()] {
        let error = admin_key_from_recovery(&genesis(sealed), &code).unwrap_err();
        assert_eq!(error, EpochError::AdminKey);
    }
}

#[test]
fn a_broken_random_source_makes_no_vault() {
    let admin = AdminKey::from_bytes([1; 32]);
    let laptop = DeviceSecrets::generate(&mut Seeded::new(1)).unwrap();
    let code = RecoveryCode::from_bytes([2; 32]);
    for draws in 0..4 {
        let error = create_vault(&admin, &laptop, &code, &mut Failing(draws)).unwrap_err();
        assert_eq!(error, AuthorError::Random(RandomError), "{draws}");
    }
    assert!(create_vault(&admin, &laptop, &code, &mut Failing(4)).is_ok());
    let error = create_vault(&admin, &laptop, &code, &mut Stuck).unwrap_err();
    assert_eq!(error, AuthorError::Random(RandomError));
}
