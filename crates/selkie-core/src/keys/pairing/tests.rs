//! The exchange, its known answers, and a relay in the middle that changes things.

use std::collections::BTreeMap;

use selkie_wire::ids::RosterNumber;
use selkie_wire::roster::DeviceKeys;
use selkie_wire::{DeviceId, Digest, MailboxId, Roster, SegmentNumber, VaultId};

use super::message::{GrantBody, RequestBody, SecretBytes, Step, encode, header};
use super::sponsor::{grant_info, request_info};
use super::*;
use crate::keys::derive;
use crate::keys::kem::{self, ENCAPSULATION_LEN};
use crate::keys::roster::{NewVault, add_device, create_vault, revoke_device, rotate};
use crate::keys::testing::{Failing, Scripted, Seeded, Stuck, array, hex, list, vectors};
use crate::keys::{AdminKey, DeviceSecrets, EpochKey, RecoveryCode};

const NOW_MS: u64 = 1_800_000_000_000;

struct World {
    admin: AdminKey,
    vault: NewVault,
    code: PairingCode,
    phone: DeviceSecrets,
    sponsor: Sponsor,
    offer: Vec<u8>,
    random: Seeded,
}

fn world() -> World {
    let mut random = Seeded::new(3);
    let admin = AdminKey::generate(&mut random).unwrap();
    let laptop = DeviceSecrets::generate(&mut random).unwrap();
    let recovery = RecoveryCode::generate(&mut random).unwrap();
    let vault = create_vault(&admin, &laptop, &recovery, &mut random).unwrap();
    let code = PairingCode::generate(&mut random).unwrap();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let id = vault.roster.vault();
    let (sponsor, offer) = Sponsor::offer(&code, id, NOW_MS, &mut random).unwrap();
    World { admin, vault, code, phone, sponsor, offer, random }
}

impl World {
    fn join(&mut self) -> (Joiner, Vec<u8>) {
        Joiner::request(&self.code, &self.offer, &self.phone, NOW_MS, &mut self.random).unwrap()
    }

    fn entries_with(&mut self, request: &[u8]) -> Vec<Vec<u8>> {
        let asked = self.sponsor.read_request(request, NOW_MS).unwrap();
        let add = add_device(&self.admin, &self.vault.roster, asked.keys, asked.consent).unwrap();
        [self.vault.entries.clone(), vec![add]].concat()
    }

    fn grant(&mut self, entries: &[Vec<u8>]) -> Result<Vec<u8>, PairingError> {
        let keys = [(0, EpochKey::from_bytes(*self.vault.epoch_key.expose()))];
        let heads = BTreeMap::from([(DeviceId([7; 16]), (SegmentNumber(3), Digest([8; 32])))]);
        self.sponsor.grant(&self.admin, entries, &keys, &heads, NOW_MS, &mut self.random)
    }
}

#[test]
fn codes_and_messages_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/pairing.json"));
    for case in list(&vectors["codes"]) {
        let code = PairingCode::from_bytes(array(&case["secret"]));
        assert_eq!(*code.text(), case["text"].as_str().unwrap());
        assert_eq!(PairingCode::parse(&code.text()).unwrap().expose(), code.expose());
        assert_eq!(code.mailbox_id(), MailboxId(array(&case["mailbox"])));
        assert_eq!(*code.derive(derive::PAIRING_PSK), array(&case["psk"]));
        assert_eq!(*code.derive(derive::PAIRING_OFFER), array(&case["offer_key"]));
    }

    let case = &vectors["exchange"];
    let code = PairingCode::from_bytes(array(&case["secret"]));
    let vault = VaultId(array(&case["vault"]));
    let draws = [hex(&case["one_time_kem_seed"]), hex(&case["offer_nonce"])].concat();
    let now_ms = case["expires_ms"].as_u64().unwrap() - PAIRING_LIFETIME_MS;
    let (mut sponsor, offer) = Sponsor::offer(&code, vault, now_ms, &mut Scripted(draws)).unwrap();
    assert_eq!(offer, hex(&case["offer"]));

    let phone = DeviceSecrets::from_bytes(&hex(&case["phone"])).unwrap();
    let request = hex(&case["request"]);
    let asked = sponsor.read_request(&request, now_ms).unwrap();
    assert_eq!(asked.digits.to_string(), case["digits"].as_str().unwrap());
    assert_eq!(asked.keys, phone.public());

    let psk = code.derive(derive::PAIRING_PSK);
    let joiner = Joiner { psk, vault, offer, request };
    assert_eq!(joiner.digits(), asked.digits);
    let granted = joiner.read_grant(&hex(&case["grant"]), &phone, None).unwrap();
    assert_eq!(granted.admin_key.expose(), &array(&case["admin_key"]));
    let keys: Vec<[u8; 32]> = granted.epoch_keys.iter().map(|(_, key)| *key.expose()).collect();
    assert_eq!(keys, list(&case["epoch_keys"]).iter().map(array).collect::<Vec<[u8; 32]>>());
    let laptop = DeviceId(array(&case["laptop_id"]));
    assert_eq!(granted.heads, BTreeMap::from([(laptop, (SegmentNumber(5), Digest([0x55; 32])))]));
}

#[test]
fn the_joiner_ends_with_everything_a_member_needs() {
    let mut world = world();
    let (joiner, request) = world.join();
    let entries = world.entries_with(&request);
    assert_eq!(world.sponsor.read_request(&request, NOW_MS).unwrap().digits, joiner.digits());
    let grant = world.grant(&entries).unwrap();
    let granted = joiner.read_grant(&grant, &world.phone, None).unwrap();
    assert_eq!(granted.roster_entries, entries);
    assert_eq!(granted.admin_key.expose(), world.admin.expose());
    assert_eq!(granted.epoch_keys[0].1.expose(), world.vault.epoch_key.expose());
    assert_eq!(granted.heads.len(), 1);
    assert_eq!(joiner.vault(), world.vault.roster.vault());
}

#[test]
fn every_changed_byte_of_every_message_is_refused() {
    let mut world = world();
    let (joiner, request) = world.join();
    let entries = world.entries_with(&request);
    let grant = world.grant(&entries).unwrap();
    let offer = world.offer.clone();
    let (code, phone) = (PairingCode::from_bytes(*world.code.expose()), &world.phone);
    let mut random = Seeded::new(4);
    let mut sponsor = world.sponsor;
    // Every byte of the short offer; of the long ones the headers, both ends of each part, and a step.
    let sampled = |len: usize| {
        (0..len)
            .filter(move |at| *at < 24 || *at % 61 == 0 || len - *at < 20 || at.abs_diff(1136) < 3)
    };
    for at in 0..offer.len() {
        let mut bytes = offer.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(Joiner::request(&code, &bytes, phone, NOW_MS, &mut random).is_err(), "offer {at}");
        assert!(Joiner::request(&code, &offer[..at], phone, NOW_MS, &mut random).is_err());
    }
    for at in sampled(request.len()) {
        let mut bytes = request.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(sponsor.read_request(&bytes, NOW_MS).is_err(), "request {at}");
        assert!(sponsor.read_request(&request[..at], NOW_MS).is_err());
    }
    for at in sampled(grant.len()) {
        let mut bytes = grant.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(joiner.read_grant(&bytes, phone, None).is_err(), "grant {at}");
        assert!(joiner.read_grant(&grant[..at], phone, None).is_err());
    }
    // Messages in each other's place, and a newer version.
    for (one, other) in [(&offer, &request), (&request, &grant), (&grant, &offer)] {
        assert!(sponsor.read_request(other, NOW_MS).is_err() || other == &request);
        assert!(joiner.read_grant(one, phone, None).is_err() || one == &grant);
    }
    for at in 8..16 {
        let mut bytes = grant.clone();
        bytes[at] ^= 1;
        let error = joiner.read_grant(&bytes, phone, None).unwrap_err();
        assert!(matches!(error, PairingError::Message | PairingError::TooLarge), "header {at}");
    }
    for at in 5..8 {
        let mut bytes = grant.clone();
        bytes[at] ^= 0x10;
        let error = joiner.read_grant(&bytes, phone, None).unwrap_err();
        assert_eq!(error, PairingError::TooNew);
    }
}

#[test]
fn without_the_code_nobody_joins() {
    let mut world = world();
    let other = PairingCode::from_bytes([9; 16]);
    let refused = Joiner::request(&other, &world.offer, &world.phone, NOW_MS, &mut world.random);
    assert_eq!(refused.unwrap_err(), PairingError::WrongCode);
    // One who knows the one-time key, and not the code, is refused by the pre-shared key.
    let (_, request) = world.join();
    world.sponsor.psk = other.derive(derive::PAIRING_PSK);
    let refused = world.sponsor.read_request(&request, NOW_MS).unwrap_err();
    assert_eq!(refused, PairingError::WrongCode);
}

#[test]
fn a_code_is_good_for_one_device() {
    let mut world = world();
    let (_, first) = world.join();
    world.sponsor.read_request(&first, NOW_MS).unwrap();
    assert!(world.sponsor.read_request(&first, NOW_MS).is_ok(), "the same one may be read again");
    let thief = DeviceSecrets::generate(&mut world.random).unwrap();
    let (_, second) =
        Joiner::request(&world.code, &world.offer, &thief, NOW_MS, &mut world.random).unwrap();
    let refused = world.sponsor.read_request(&second, NOW_MS).unwrap_err();
    assert_eq!(refused, PairingError::Used);
}

#[test]
fn who_sits_in_between_with_the_code_shows_other_digits() {
    let mut world = world();
    let id = world.vault.roster.vault();
    let (code, random) = (&world.code, &mut world.random);
    let thief = DeviceSecrets::generate(random).unwrap();
    let (_, request) = Joiner::request(code, &world.offer, &thief, NOW_MS, random).unwrap();
    let shown_here = world.sponsor.read_request(&request, NOW_MS).unwrap().digits;
    let (_, offer) = Sponsor::offer(code, id, NOW_MS, random).unwrap();
    let (joiner, _) = Joiner::request(code, &offer, &world.phone, NOW_MS, random).unwrap();
    assert_ne!(joiner.digits(), shown_here);
}

#[test]
fn a_code_is_good_for_ten_minutes() {
    let mut world = world();
    let (_, request) = world.join();
    let late = NOW_MS + PAIRING_LIFETIME_MS + 1;
    let refused = world.sponsor.read_request(&request, late).unwrap_err();
    assert_eq!(refused, PairingError::Expired);
    assert!(world.sponsor.read_request(&request, late - 1).is_ok());
    let entries = world.vault.entries.clone();
    let (keys, heads) = ([], BTreeMap::new());
    let refused =
        world.sponsor.grant(&world.admin, &entries, &keys, &heads, late, &mut world.random);
    assert_eq!(refused.unwrap_err(), PairingError::Expired);
    let late = late + 5 * 60 * 1000;
    let refused = Joiner::request(&world.code, &world.offer, &world.phone, late, &mut world.random);
    assert_eq!(refused.unwrap_err(), PairingError::Expired);
}

#[test]
fn a_sponsor_grants_only_what_fits_together() {
    let mut world = world();
    let plain = world.vault.entries.clone();
    assert_eq!(world.grant(&plain).unwrap_err(), PairingError::Message, "no request was read");
    let (_, request) = world.join();
    let entries = world.entries_with(&request);
    assert_eq!(world.grant(&plain).unwrap_err(), PairingError::NotAdded);
    let heads = BTreeMap::new();
    let mut grant = |admin: &AdminKey, keys: &[(u32, EpochKey)]| {
        world.sponsor.grant(admin, &entries, keys, &heads, NOW_MS, &mut world.random).unwrap_err()
    };
    assert_eq!(grant(&AdminKey::from_bytes([1; 32]), &[]), PairingError::Vault);
    assert_eq!(grant(&world.admin, &[]), PairingError::EpochKey);
    let wrong = [(0, EpochKey::from_bytes([1; 32]))];
    assert_eq!(grant(&world.admin, &wrong), PairingError::EpochKey);
    let right = || (0, EpochKey::from_bytes(*world.vault.epoch_key.expose()));
    assert_eq!(grant(&world.admin, &[right(), right()]), PairingError::EpochKey, "doubled");
}

#[test]
fn a_long_roster_is_fetched_and_its_end_cannot_be_hidden() {
    let mut world = world();
    let (joiner, request) = world.join();
    let mut entries = world.entries_with(&request);
    let mut roster = Roster::from_entries(entries.clone()).unwrap();
    let mut keys = vec![(0, EpochKey::from_bytes(*world.vault.epoch_key.expose()))];
    for epoch in 1..=16 {
        let current = &keys.last().unwrap().1;
        let (entry, next) = rotate(&world.admin, &roster, current, &mut world.random).unwrap();
        roster.apply(&selkie_wire::RosterEntry::parse(entry.clone()).unwrap()).unwrap();
        entries.push(entry);
        keys.push((epoch, next));
    }
    let heads = BTreeMap::new();
    let grant = world
        .sponsor
        .grant(&world.admin, &entries, &keys, &heads, NOW_MS, &mut world.random)
        .unwrap();
    let refused = joiner.read_grant(&grant, &world.phone, None).unwrap_err();
    assert_eq!(refused, PairingError::RosterNeeded);
    let hidden = entries[..entries.len() - 1].to_vec();
    let refused = joiner.read_grant(&grant, &world.phone, Some(hidden)).unwrap_err();
    assert_eq!(refused, PairingError::Vault);
    let other = [&entries[..entries.len() - 1], &[Vec::new()]].concat();
    assert!(joiner.read_grant(&grant, &world.phone, Some(other)).is_err());
    let granted = joiner.read_grant(&grant, &world.phone, Some(entries.clone())).unwrap();
    assert_eq!(granted.epoch_keys.len(), 17);
    // By the time it is fetched, the roster may have grown; the new epoch is then wrapped for us.
    let current = &keys.last().unwrap().1;
    let (entry, next) = rotate(&world.admin, &roster, current, &mut world.random).unwrap();
    entries.push(entry);
    let granted = joiner.read_grant(&grant, &world.phone, Some(entries)).unwrap();
    let (epoch, newest) = granted.epoch_keys.last().unwrap();
    assert_eq!((*epoch, newest.expose()), (17, next.expose()));
}

impl World {
    /// A grant as a sponsor could write it that holds the code, and lies.
    fn forge(
        &mut self,
        request: &[u8],
        admin: [u8; 32],
        key: [u8; 32],
        entries: &[Vec<u8>],
    ) -> Vec<u8> {
        let roster_digest = entries.last().map_or(Digest([0; 32]), |entry| Digest::of(entry));
        let body = encode(&GrantBody {
            admin_key: SecretBytes(admin),
            roster_number: RosterNumber(entries.len() as u64 - 1),
            roster_digest,
            roster_entries: entries.iter().cloned().map(Into::into).collect(),
            epoch_keys: vec![(0, SecretBytes(key))],
            heads: BTreeMap::new(),
        });
        let header = header(Step::Grant, ENCAPSULATION_LEN + body.len() + 16).unwrap();
        let info = grant_info(&self.offer, request);
        let psk = self.code.derive(derive::PAIRING_PSK);
        let to = self.phone.public().kem_key;
        let sealed = kem::seal(&to, Some(&psk), &info, &header, &body, &mut self.random).unwrap();
        [&header[..], &sealed].concat()
    }
}

#[test]
fn a_sponsor_that_lies_is_not_believed() {
    let mut world = world();
    let (joiner, request) = world.join();
    let entries = world.entries_with(&request);
    let (admin, key) = (*world.admin.expose(), *world.vault.epoch_key.expose());
    let roster = Roster::from_entries(entries.clone()).unwrap();
    let phone = world.phone.device_id();

    // The same phone, let in with a KEM key that is not its own.
    let mut stored = *world.phone.to_bytes();
    stored[96] ^= 1;
    let other_kem = DeviceSecrets::from_bytes(&stored).unwrap();
    let consent = other_kem.sign_consent(roster.vault());
    let add = add_device(&world.admin, &world.vault.roster, other_kem.public(), consent).unwrap();
    let wrong_keys = [world.vault.entries.clone(), vec![add]].concat();

    let last = (SegmentNumber(0), roster.member(phone).unwrap().added);
    let current = &world.vault.epoch_key;
    let (revoke, _) =
        revoke_device(&world.admin, &roster, phone, last, Vec::new(), current, &mut world.random)
            .unwrap();
    let revoked = [entries.clone(), vec![revoke]].concat();

    // A whole other vault, in order in itself, that the phone agreed to join as well.
    let code = RecoveryCode::from_bytes([8; 32]);
    let laptop = DeviceSecrets::generate(&mut world.random).unwrap();
    let other = create_vault(&world.admin, &laptop, &code, &mut world.random).unwrap();
    let consent = world.phone.sign_consent(other.roster.vault());
    let add = add_device(&world.admin, &other.roster, world.phone.public(), consent).unwrap();
    let elsewhere = [other.entries.clone(), vec![add]].concat();

    let mut swapped = entries.clone();
    swapped.swap(1, 2);
    let not_added = world.vault.entries.clone();
    let other_key = *other.epoch_key.expose();
    let cases = [
        (admin, key, &not_added, PairingError::NotAdded),
        (admin, key, &wrong_keys, PairingError::NotAdded),
        (admin, key, &revoked, PairingError::NotAdded),
        (admin, other_key, &elsewhere, PairingError::Vault),
        ([9; 32], key, &entries, PairingError::Vault),
        (admin, [9; 32], &entries, PairingError::EpochKey),
        (admin, key, &swapped, PairingError::Roster(RosterError::Number)),
    ];
    for (index, (admin, key, entries, error)) in cases.into_iter().enumerate() {
        let grant = world.forge(&request, admin, key, entries);
        let refused = joiner.read_grant(&grant, &world.phone, None).unwrap_err();
        assert_eq!(refused, error, "case {index}");
    }
    let honest = world.forge(&request, admin, key, &entries);
    assert!(joiner.read_grant(&honest, &world.phone, None).is_ok());
}

#[test]
fn a_joiner_that_did_not_agree_or_has_no_keys_is_refused() {
    let mut world = world();
    let mut request = |keys: DeviceKeys, consent: [u8; 64]| {
        let body = encode(&RequestBody { keys, consent });
        let header = header(Step::Request, ENCAPSULATION_LEN + body.len() + 16).unwrap();
        let psk = world.code.derive(derive::PAIRING_PSK);
        let to = world.sponsor.kem.public_key();
        let info = request_info(&world.offer);
        let sealed = kem::seal(&to, Some(&psk), &info, &header, &body, &mut world.random).unwrap();
        world.sponsor.read_request(&[&header[..], &sealed].concat(), NOW_MS)
    };
    let phone = &world.phone;
    let elsewhere = phone.sign_consent(VaultId([1; 32]));
    assert_eq!(request(phone.public(), elsewhere).unwrap_err(), PairingError::Device);
    let consent = phone.sign_consent(world.vault.roster.vault());
    let mut keys = phone.public();
    keys.kem_key.pop();
    assert_eq!(request(keys, consent).unwrap_err(), PairingError::Device);
    assert!(request(phone.public(), consent).is_ok());
}

#[test]
fn another_device_cannot_read_the_grant() {
    let mut world = world();
    let (joiner, request) = world.join();
    let entries = world.entries_with(&request);
    let grant = world.grant(&entries).unwrap();
    let other = DeviceSecrets::generate(&mut world.random).unwrap();
    assert_eq!(joiner.read_grant(&grant, &other, None).unwrap_err(), PairingError::WrongCode);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_a_panic(tail: Vec<u8>, step in 0..4u8, headed: bool) {
        let mut bytes = tail;
        if headed {
            let len = (bytes.len() as u32).to_le_bytes();
            bytes = [&b"SLK1\x04\x01\0\0"[..], &[step, 0, 0, 0], &len, &bytes].concat();
        }
        let code = PairingCode::from_bytes([1; 16]);
        let phone = DeviceSecrets::from_bytes(&[&[1u8][..], &[7; 96]].concat()).unwrap();
        let (psk, vault) = (code.derive(derive::PAIRING_PSK), VaultId([2; 32]));
        let joiner = Joiner { psk, vault, offer: Vec::new(), request: Vec::new() };
        let (mut sponsor, _) = Sponsor::offer(&code, vault, 0, &mut Seeded::new(1)).unwrap();
        proptest::prop_assert!(Joiner::request(&code, &bytes, &phone, 0, &mut Seeded::new(1)).is_err());
        proptest::prop_assert!(sponsor.read_request(&bytes, 0).is_err());
        proptest::prop_assert!(joiner.read_grant(&bytes, &phone, None).is_err());
    }
}

#[test]
fn a_broken_random_source_stops_the_pairing() {
    let code = PairingCode::from_bytes([1; 16]);
    let vault = VaultId([2; 32]);
    for draws in 0..2 {
        let error = Sponsor::offer(&code, vault, NOW_MS, &mut Failing(draws)).unwrap_err();
        assert_eq!(error, PairingError::Random(RandomError));
    }
    let (_, offer) = Sponsor::offer(&code, vault, NOW_MS, &mut Seeded::new(1)).unwrap();
    let phone = DeviceSecrets::generate(&mut Seeded::new(2)).unwrap();
    let error = Joiner::request(&code, &offer, &phone, NOW_MS, &mut Stuck).unwrap_err();
    assert_eq!(error, PairingError::Random(RandomError));
}
