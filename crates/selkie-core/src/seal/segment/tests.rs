//! Known answers, every flip and cut, and each check by itself.

use std::cell::Cell;

use proptest::prelude::*;
use selkie_wire::{DeviceId, EnvelopeError, RosterEntry};

use super::*;
use crate::keys::roster::{NewVault, create_vault, revoke_device, rotate};
use crate::keys::testing::{Failing, Scripted, Seeded, Stuck, array, hex, list, vectors};
use crate::keys::{AdminKey, RecoveryCode};
use crate::ports::RandomError;
use crate::seal::body::{BodyError, ChangesOf};
use crate::seal::padding::padded_len;

struct World {
    admin: AdminKey,
    phone: DeviceSecrets,
    vault: NewVault,
    random: Seeded,
}

fn world() -> World {
    let mut random = Seeded::new(11);
    let admin = AdminKey::generate(&mut random).unwrap();
    let phone = DeviceSecrets::generate(&mut random).unwrap();
    let code = RecoveryCode::generate(&mut random).unwrap();
    let vault = create_vault(&admin, &phone, &code, &mut random).unwrap();
    World { admin, phone, vault, random }
}

fn body(changes: &[&[u8]]) -> SegmentBody {
    SegmentBody {
        stamp: 5,
        heads: [(DeviceId([1; 16]), (SegmentNumber(2), Digest([3; 32])))].into(),
        first_change: 1,
        changes: changes.iter().map(|change| change.to_vec()).collect(),
        changes_of: ChangesOf::Sender,
    }
}

impl World {
    fn context(&self) -> SealContext<'_> {
        let member = self.vault.roster.member(self.phone.device_id()).unwrap();
        SealContext {
            vault: self.vault.roster.vault(),
            device: &self.phone,
            incarnation: None,
            number: SegmentNumber(1),
            previous: member.added,
            roster: self.vault.roster.last(),
            epoch_key: &self.vault.epoch_key,
            compress: true,
        }
    }

    fn seal(&self, body: &SegmentBody) -> Envelope {
        seal_segment(&self.context(), body, &mut Seeded::new(12)).unwrap()
    }

    fn expected(&self) -> Expected {
        Expected { number: SegmentNumber(1), previous: self.context().previous }
    }

    fn open(&self, envelope: &Envelope) -> Result<SegmentBody, OpenError> {
        let key_id = self.vault.epoch_key.derive_key_id(self.vault.roster.vault());
        open_segment(
            envelope,
            &self.vault.roster,
            &Incarnations::default(),
            self.expected(),
            |wanted| (wanted == key_id).then_some(&self.vault.epoch_key),
        )
    }

    /// Seals any plaintext, rightly signed: what a broken or hostile member could send.
    fn seal_plaintext(&self, plaintext: &[u8]) -> Envelope {
        self.seal_as(
            &self.vault.epoch_key,
            self.vault.epoch_key.derive_key_id(self.context().vault),
            plaintext,
        )
    }

    fn seal_as(&self, key: &EpochKey, key_id: KeyId, plaintext: &[u8]) -> Envelope {
        let SealContext { vault, device, number, previous, roster, .. } = self.context();
        let sender = device.device_id();
        let header = Header {
            envelope_type: EnvelopeType::Segment,
            vault,
            device: sender,
            number,
            previous,
            roster,
            key_id,
            nonce: [9; 24],
            ciphertext_len: (plaintext.len() + TAG_LEN) as u32,
        };
        let associated = header.to_bytes();
        let key = key.derive_segment_key(vault, sender);
        let sealed = aead::seal(&key, &header.nonce, &associated, plaintext).unwrap();
        resigned(device, [&associated[..], &sealed].concat())
    }
}

fn resigned(device: &DeviceSecrets, mut bytes: Vec<u8>) -> Envelope {
    let signature = device.sign_segment(&bytes);
    bytes.extend_from_slice(&signature);
    Envelope::parse(bytes).unwrap()
}

#[test]
fn envelopes_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/envelope.json"));
    let device = DeviceSecrets::from_bytes(&hex(&vectors["device_secrets"])).unwrap();
    let vault = VaultId(array(&vectors["vault"]));
    let epoch_key = EpochKey::from_bytes(array(&vectors["epoch_key"]));
    for case in list(&vectors["cases"]) {
        let heads = list(&case["heads"]).iter().map(|head| {
            let number = SegmentNumber(head[1].as_u64().unwrap());
            (DeviceId(array(&head[0])), (number, Digest(array(&head[2]))))
        });
        let body = SegmentBody {
            stamp: case["stamp"].as_u64().unwrap(),
            heads: heads.collect(),
            first_change: case["first_change"].as_u64().unwrap(),
            changes: list(&case["changes"]).iter().map(hex).collect(),
            changes_of: ChangesOf::Sender,
        };
        let envelope = Envelope::parse(hex(&case["envelope"])).unwrap();
        assert_eq!(envelope.digest(), Digest(array(&case["digest"])));
        envelope.verify(&device.public().signing_key).unwrap();
        let header = envelope.header();
        let key = epoch_key.derive_segment_key(vault, device.device_id());
        let aad = envelope.associated_data();
        let plain = aead::open(&key, &header.nonce, aad, envelope.ciphertext()).unwrap();
        assert_eq!(*plain, hex(&case["plaintext"]));
        assert_eq!(plaintext::decode(&plain).unwrap(), body, "{}", case["name"]);
        if case["compressed"].as_bool().unwrap() {
            // Two encoders may compress differently; what they write, both must read.
            continue;
        }
        let context = SealContext {
            vault,
            device: &device,
            incarnation: None,
            number: SegmentNumber(case["number"].as_u64().unwrap()),
            previous: Digest(array(&case["previous"])),
            roster: RosterNumber(case["roster"].as_u64().unwrap()),
            epoch_key: &epoch_key,
            compress: false,
        };
        let sealed = seal_segment(&context, &body, &mut Scripted(hex(&case["nonce"]))).unwrap();
        assert_eq!(sealed, envelope, "{}", case["name"]);
    }
}

#[test]
fn padded_lengths_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/padme.json"));
    for case in list(&vectors["cases"]) {
        let (len, padded) = (case[0].as_u64().unwrap(), case[1].as_u64().unwrap());
        assert_eq!(padded_len(len as usize), padded as usize, "{len}");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let world = world();
    let bytes = world.seal(&body(&[b"a change"])).into_bytes();
    assert!(world.open(&Envelope::parse(bytes.clone()).unwrap()).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let opened = Envelope::parse(bytes).map(|envelope| world.open(&envelope));
        assert!(!matches!(opened, Ok(Ok(_))), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert_eq!(Envelope::parse(bytes[..len].to_vec()).unwrap_err(), EnvelopeError::Length);
    }
}

/// The signature aside, the AEAD alone must notice every change: flips signed by the device itself.
#[test]
fn every_flipped_bit_is_refused_even_if_signed() {
    let world = world();
    let envelope = world.seal(&body(&[b"a change"]));
    let signed = &envelope.bytes()[..envelope.bytes().len() - SIGNATURE_LEN];
    let (vault, sender) = (world.context().vault, world.phone.device_id());
    let key = world.vault.epoch_key.derive_segment_key(vault, sender);
    for bit in 0..signed.len() * 8 {
        let mut bytes = signed.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (aad, sealed) = bytes.split_at(HEADER_LEN);
        let nonce: [u8; 24] = aad[136..160].try_into().unwrap();
        assert!(aead::open(&key, &nonce, aad, sealed).is_err(), "bit {bit}");
    }
}

#[test]
fn checks_come_in_their_order_and_each_has_its_name() {
    let world = world();
    let envelope = world.seal(&body(&[b"x"]));
    let roster = &world.vault.roster;
    let nothing = |_: KeyId| -> Option<&EpochKey> { None };
    let changed = |at: usize| {
        let mut bytes = envelope.bytes().to_vec();
        bytes[at] ^= 2;
        Envelope::parse(bytes).unwrap()
    };
    assert_eq!(world.open(&changed(4)).unwrap_err(), OpenError::Type);
    assert_eq!(world.open(&changed(8)).unwrap_err(), OpenError::Vault);
    assert_eq!(world.open(&changed(40)).unwrap_err(), OpenError::UnknownDevice);
    // Whatever else is changed, the signature is looked at first.
    for at in [56, 64, 96, 104, 136, 164, envelope.bytes().len() - 1] {
        assert_eq!(world.open(&changed(at)).unwrap_err(), OpenError::Signature, "byte {at}");
    }
    let next = Expected { number: SegmentNumber(2), previous: envelope.digest() };
    let replayed =
        open_segment(&envelope, roster, &Incarnations::default(), next, nothing).unwrap_err();
    let (expected, found) = (SegmentNumber(2), SegmentNumber(1));
    assert_eq!(replayed, OpenError::Number { expected, found });
    let forked = Expected { number: SegmentNumber(1), previous: Digest([1; 32]) };
    let forked =
        open_segment(&envelope, roster, &Incarnations::default(), forked, nothing).unwrap_err();
    assert_eq!(forked, OpenError::Previous);
    let unknown = world.seal_as(&world.vault.epoch_key, KeyId([1; 32]), &[0; 512]);
    assert_eq!(world.open(&unknown).unwrap_err(), OpenError::UnknownEpoch);
    let missing =
        open_segment(&envelope, roster, &Incarnations::default(), world.expected(), nothing)
            .unwrap_err();
    assert_eq!(missing, OpenError::MissingKey);
    let other = EpochKey::from_bytes([1; 32]);
    let swapped =
        open_segment(&envelope, roster, &Incarnations::default(), world.expected(), |_| {
            Some(&other)
        })
        .unwrap_err();
    assert_eq!(swapped, OpenError::Commitment);
    let key_id = world.vault.epoch_key.derive_key_id(roster.vault());
    let wrong = world.seal_as(&other, key_id, &[0; 512]);
    assert_eq!(world.open(&wrong).unwrap_err(), OpenError::Decryption);
}

/// The worst case: the device itself signs what was put together, so that the AEAD alone must notice.
#[test]
fn ciphertexts_of_any_two_segments_cannot_be_swapped_even_if_signed() {
    let world = world();
    let mut context = world.context();
    let mut chain = Vec::new();
    for number in 1..=4 {
        context.number = SegmentNumber(number);
        let changes: &[&[u8]] = &[&[number as u8]];
        let sealed = seal_segment(&context, &body(changes), &mut Seeded::new(number)).unwrap();
        chain.push((context.previous, sealed.clone()));
        context.previous = sealed.digest();
    }
    let key_id = world.vault.epoch_key.derive_key_id(context.vault);
    let open = |envelope: &Envelope, previous: Digest| {
        let expected = Expected { number: envelope.header().number, previous };
        open_segment(envelope, &world.vault.roster, &Incarnations::default(), expected, |wanted| {
            (wanted == key_id).then_some(&world.vault.epoch_key)
        })
    };
    for (at, (previous, one)) in chain.iter().enumerate() {
        assert_eq!(open(one, *previous).unwrap().changes, [[at as u8 + 1]]);
        for (from, (_, other)) in chain.iter().enumerate().filter(|(from, _)| *from != at) {
            let unsigned = |nonce: &[u8; 24]| {
                let mut header = one.header().to_bytes();
                header[136..160].copy_from_slice(nonce);
                [&header[..], other.ciphertext()].concat()
            };
            // With its own nonce, and with the nonce that the ciphertext was made with.
            for nonce in [one.header().nonce, other.header().nonce] {
                let signed = resigned(&world.phone, unsigned(&nonce));
                let error = open(&signed, *previous).unwrap_err();
                assert_eq!(error, OpenError::Decryption, "{from} in {at}");
                let signature = &one.bytes()[one.bytes().len() - SIGNATURE_LEN..];
                let bytes = [&unsigned(&nonce)[..], signature].concat();
                let error = open(&Envelope::parse(bytes).unwrap(), *previous).unwrap_err();
                assert_eq!(error, OpenError::Signature, "{from} in {at}");
            }
        }
    }
}

/// One device, one epoch key even, and two vaults: what was sealed for the one is nothing in the other.
#[test]
fn a_segment_of_another_vault_is_refused_even_if_its_device_and_key_are_the_same() {
    let (world, mut random) = (world(), Seeded::new(21));
    let code = RecoveryCode::generate(&mut random).unwrap();
    let other = create_vault(&world.admin, &world.phone, &code, &mut random).unwrap();
    assert_ne!(other.roster.vault(), world.vault.roster.vault());
    let previous = other.roster.member(world.phone.device_id()).unwrap().added;
    let (vault, key) = (other.roster.vault(), &world.vault.epoch_key);
    let expected = Expected { number: SegmentNumber(1), previous };
    let open = |envelope: &Envelope| {
        let none = Incarnations::default();
        open_segment(envelope, &other.roster, &none, expected, |_| Some(key)).unwrap_err()
    };
    let envelope = world.seal(&body(&[b"x"]));
    assert_eq!(open(&envelope), OpenError::Vault);
    let end = envelope.bytes().len() - SIGNATURE_LEN;
    let mut renamed = envelope.bytes()[..end].to_vec();
    renamed[8..40].copy_from_slice(&vault.0);
    renamed[64..96].copy_from_slice(&previous.0);
    let whole = [&renamed[..], &envelope.bytes()[end..]].concat();
    assert_eq!(open(&Envelope::parse(whole).unwrap()), OpenError::Signature);
    assert_eq!(open(&resigned(&world.phone, renamed.clone())), OpenError::UnknownEpoch);
    // Under the name of the other vault's epoch, the key at hand is not the one committed to.
    let named = other.epoch_key.derive_key_id(vault);
    renamed[104..136].copy_from_slice(&named.0);
    let renamed = resigned(&world.phone, renamed);
    assert_eq!(open(&renamed), OpenError::Commitment);
    let none = Incarnations::default();
    let error = open_segment(&renamed, &other.roster, &none, expected, |_| Some(&other.epoch_key));
    assert_eq!(error.unwrap_err(), OpenError::Decryption);
}

#[test]
fn what_a_member_signed_as_another_type_is_no_segment() {
    let world = world();
    let envelope = world.seal(&body(&[b"x"]));
    let signed = &envelope.bytes()[..envelope.bytes().len() - SIGNATURE_LEN];
    for byte in (0..=u8::MAX).filter(|byte| *byte != 1) {
        let mut bytes = signed.to_vec();
        bytes[4] = byte;
        let signature = world.phone.sign_segment(&bytes);
        let parsed = Envelope::parse([&bytes[..], &signature].concat());
        match parsed.map(|envelope| world.open(&envelope)) {
            Ok(opened) => assert_eq!(opened.unwrap_err(), OpenError::Type, "{byte}"),
            Err(error) => assert_eq!(error, EnvelopeError::TooNew, "{byte}"),
        }
    }
}

#[test]
fn the_key_is_asked_for_once_and_only_for_what_is_signed() {
    let world = world();
    let envelope = world.seal(&body(&[b"x"]));
    let asked = Cell::new(0);
    let lookup = |_| {
        asked.set(asked.get() + 1);
        Some(&world.vault.epoch_key)
    };
    open_segment(
        &envelope,
        &world.vault.roster,
        &Incarnations::default(),
        world.expected(),
        lookup,
    )
    .unwrap();
    assert_eq!(asked.get(), 1);
    let mut bytes = envelope.into_bytes();
    bytes[200] ^= 1;
    let envelope = Envelope::parse(bytes).unwrap();
    let opened = open_segment(
        &envelope,
        &world.vault.roster,
        &Incarnations::default(),
        world.expected(),
        lookup,
    );
    assert_eq!(opened.unwrap_err(), OpenError::Signature);
    assert_eq!(asked.get(), 1);
}

#[test]
fn a_revoked_device_counts_up_to_its_last_segment() {
    let World { admin, phone, vault, mut random } = world();
    let NewVault { mut roster, epoch_key, .. } = vault;
    let mut context = SealContext {
        vault: roster.vault(),
        device: &phone,
        incarnation: None,
        number: SegmentNumber(1),
        previous: roster.member(phone.device_id()).unwrap().added,
        roster: roster.last(),
        epoch_key: &epoch_key,
        compress: true,
    };
    let first = seal_segment(&context, &body(&[b"1"]), &mut random).unwrap();
    let other_first = seal_segment(&context, &body(&[b"other"]), &mut random).unwrap();
    (context.number, context.previous) = (SegmentNumber(2), first.digest());
    let second = seal_segment(&context, &body(&[b"2"]), &mut random).unwrap();
    let last = (SegmentNumber(1), first.digest());
    let id = phone.device_id();
    let (entry, _) =
        revoke_device(&admin, &roster, id, last, Vec::new(), &epoch_key, &mut random).unwrap();
    roster.apply(&RosterEntry::parse(entry).unwrap()).unwrap();
    let open = |envelope: &Envelope| {
        let header = envelope.header();
        let expected = Expected { number: header.number, previous: header.previous };
        open_segment(envelope, &roster, &Incarnations::default(), expected, |_| Some(&epoch_key))
            .map(|_| ())
    };
    assert_eq!(open(&first), Ok(()));
    assert_eq!(open(&second), Err(OpenError::Revoked));
    assert_eq!(open(&other_first), Err(OpenError::Revoked), "another history of the last one");
}

#[test]
fn older_epochs_still_open() {
    let World { admin, phone, vault, mut random } = world();
    let mut roster = vault.roster.clone();
    let (entry, next) = rotate(&admin, &roster, &vault.epoch_key, &mut random).unwrap();
    roster.apply(&RosterEntry::parse(entry).unwrap()).unwrap();
    let previous = roster.member(phone.device_id()).unwrap().added;
    for key in [&vault.epoch_key, &next] {
        let context = SealContext {
            vault: roster.vault(),
            device: &phone,
            incarnation: None,
            number: SegmentNumber(1),
            previous,
            roster: roster.last(),
            epoch_key: key,
            compress: false,
        };
        let envelope = seal_segment(&context, &body(&[b"x"]), &mut random).unwrap();
        let expected = Expected { number: SegmentNumber(1), previous };
        assert!(
            open_segment(&envelope, &roster, &Incarnations::default(), expected, |_| Some(key))
                .is_ok()
        );
    }
}

#[test]
fn only_one_padding_and_one_frame_are_right() {
    let world = world();
    let cbor = body(&[b"x"]).to_cbor().unwrap();
    let frame = |head: [u8; 4], declared: usize, len: usize| {
        let mut bytes = [&head[..], &(declared as u32).to_le_bytes(), &cbor].concat();
        bytes.resize(len, 0);
        bytes
    };
    let right = frame([1, 0, 0, 0], cbor.len(), 512);
    assert!(world.open(&world.seal_plaintext(&right)).is_ok());
    let mut dirty = right.clone();
    dirty[511] = 1;
    let mut hidden = right.clone();
    hidden[8 + cbor.len()] = 0x80;
    let cases = [
        (frame([1, 0, 0, 0], cbor.len(), 513), OpenError::Padding),
        (frame([1, 0, 0, 0], cbor.len(), 511), OpenError::Padding),
        (frame([1, 0, 0, 0], cbor.len(), 544), OpenError::Padding),
        (frame([1, 0, 0, 0], 505, 512), OpenError::Padding),
        (frame([1, 0, 0, 0], u32::MAX as usize, 512), OpenError::Padding),
        (dirty, OpenError::Padding),
        (hidden, OpenError::Padding),
        (vec![1, 0, 0], OpenError::Padding),
        (Vec::new(), OpenError::Padding),
        (frame([2, 0, 0, 0], cbor.len(), 512), OpenError::TooNew),
        (frame([1, 2, 0, 0], cbor.len(), 512), OpenError::TooNew),
        (frame([1, 0, 1, 0], cbor.len(), 512), OpenError::TooNew),
        (frame([1, 0, 0, 1], cbor.len(), 512), OpenError::TooNew),
        (frame([1, 1, 0, 0], cbor.len(), 512), OpenError::Compression),
    ];
    for (index, (plaintext, error)) in cases.into_iter().enumerate() {
        let opened = world.open(&world.seal_plaintext(&plaintext));
        assert_eq!(opened.unwrap_err(), error, "case {index}");
    }
    let longer = world.seal_plaintext(&frame([1, 0, 0, 0], cbor.len() + 1, 512));
    assert!(matches!(world.open(&longer).unwrap_err(), OpenError::Body(BodyError::Cbor(_))));
}

#[test]
fn compression_is_used_where_it_helps_and_where_it_is_allowed() {
    let world = world();
    let long: String = (0..200).map(|n| format!("the same words again, {n}. ")).collect();
    let body = body(&[long.as_bytes()]);
    let mut context = world.context();
    let packed = seal_segment(&context, &body, &mut Seeded::new(1)).unwrap();
    context.compress = false;
    let stored = seal_segment(&context, &body, &mut Seeded::new(1)).unwrap();
    assert!(packed.bytes().len() < 1500, "{}", packed.bytes().len());
    assert!(stored.bytes().len() > 5000);
    assert_eq!(world.open(&packed).unwrap(), body);
    assert_eq!(world.open(&stored).unwrap(), body);
}

#[test]
fn what_no_relay_would_take_is_not_sealed() {
    let world = world();
    let big = vec![0u8; 3 * 1024 * 1024];
    let two = SegmentBody { changes: vec![big.clone(), big], ..SegmentBody::default() };
    let mut context = world.context();
    context.compress = false;
    let sealed = seal_segment(&context, &two, &mut Seeded::new(1));
    assert_eq!(sealed.unwrap_err(), SealError::TooLarge);
    let one = SegmentBody { changes: vec![vec![7; 3 * 1024 * 1024]], ..SegmentBody::default() };
    assert!(seal_segment(&context, &one, &mut Seeded::new(1)).is_ok(), "the largest change fits");
    let more =
        SegmentBody { changes: vec![vec![7; 3 * 1024 * 1024 + 1]], ..SegmentBody::default() };
    let sealed = seal_segment(&context, &more, &mut Seeded::new(1));
    assert_eq!(sealed.unwrap_err(), SealError::Body(BodyError::Limit));
    context.number = SegmentNumber(0);
    let sealed = seal_segment(&context, &body(&[]), &mut Seeded::new(1));
    assert_eq!(sealed.unwrap_err(), SealError::Number);
}

#[test]
fn without_randomness_nothing_is_sealed() {
    let world = world();
    for random in [&mut Failing(0) as &mut dyn RandomSource, &mut Stuck] {
        let sealed = seal_segment(&world.context(), &body(&[]), random);
        assert_eq!(sealed.unwrap_err(), SealError::Random(RandomError));
    }
}

#[test]
fn every_failure_says_what_can_be_done() {
    let (expected, found) = (SegmentNumber(1), SegmentNumber(3));
    let cases = [
        (OpenError::UnknownDevice, OpenAction::UpdateRoster),
        (OpenError::UnknownEpoch, OpenAction::UpdateRoster),
        (OpenError::Number { expected, found }, OpenAction::FillGap),
        (OpenError::TooNew, OpenAction::UpdateApp),
        (OpenError::Body(BodyError::TooNew), OpenAction::UpdateApp),
        (OpenError::Body(BodyError::Limit), OpenAction::Quarantine),
        (OpenError::Signature, OpenAction::Quarantine),
        (OpenError::Revoked, OpenAction::Quarantine),
    ];
    for (error, action) in cases {
        assert_eq!(error.action(), action, "{error}");
    }
}

proptest! {
    #[test]
    fn any_body_comes_back(
        stamp: u64,
        first_change in 0..u64::MAX / 2,
        changes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        heads in prop::collection::btree_map(any::<[u8; 16]>(), (any::<u64>(), any::<[u8; 32]>()), 0..5),
        compress: bool,
    ) {
        let world = world();
        let heads = heads
            .into_iter()
            .map(|(device, (number, digest))| (DeviceId(device), (SegmentNumber(number), Digest(digest))))
            .collect();
        let body = SegmentBody { stamp, heads, first_change, changes, ..SegmentBody::default() };
        let mut context = world.context();
        context.compress = compress;
        let envelope = seal_segment(&context, &body, &mut Seeded::new(stamp)).unwrap();
        prop_assert_eq!(world.open(&envelope).unwrap(), body);
    }

    #[test]
    fn any_plaintext_is_refused_or_read_and_never_a_panic(plaintext: Vec<u8>) {
        let _ = plaintext::decode(&plaintext);
    }
}

#[test]
fn further_chains_are_those_of_the_specification() {
    let vectors = vectors(include_str!("../../../../../docs/vectors/incarnation.json"));
    let device = DeviceSecrets::from_bytes(&hex(&vectors["device_secrets"])).unwrap();
    let vault = VaultId(array(&vectors["vault"]));
    let epoch_key = EpochKey::from_bytes(array(&vectors["epoch_key"]));
    let token = IncarnationToken(array(&vectors["token"]));
    let earlier = IncarnationToken(array(&vectors["earlier"]));
    assert_eq!(device.incarnation_id(token), DeviceId(array(&vectors["chain"])));
    assert_eq!(device.incarnation_id(earlier), DeviceId(array(&vectors["earlier_chain"])));
    let of = [ChangesOf::Sender, ChangesOf::Device, ChangesOf::Incarnation(earlier)];
    for (case, changes_of) in list(&vectors["cases"]).iter().zip(of) {
        let body = SegmentBody {
            stamp: 3,
            heads: Default::default(),
            first_change: 5,
            changes: vec![vec![0x80]],
            changes_of,
        };
        assert_eq!(*body.to_cbor().unwrap(), hex(&case["body"]), "{}", case["name"]);
        let context = SealContext {
            vault,
            device: &device,
            incarnation: Some(token),
            number: SegmentNumber(1),
            previous: Digest(token.0),
            roster: RosterNumber(vectors["roster"].as_u64().unwrap()),
            epoch_key: &epoch_key,
            compress: false,
        };
        let sealed = seal_segment(&context, &body, &mut Scripted(hex(&case["nonce"]))).unwrap();
        assert_eq!(sealed.bytes(), hex(&case["envelope"]), "{}", case["name"]);
    }
}
