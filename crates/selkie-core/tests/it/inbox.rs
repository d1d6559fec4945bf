//! What an envelope is taken for, and what it waits for.

use std::collections::BTreeMap;

use selkie_core::change::{Change, ChangeNumber, Dot};
use selkie_core::clock::Stamp;
use selkie_core::keys::{AdminKey, DeviceSecrets, EpochKey, RecoveryCode, roster};
use selkie_core::ports::{RandomError, RandomSource};
use selkie_core::seal::{ChangesOf, SealContext, SegmentBody, seal_segment};
use selkie_core::sync::{HoldReason, Inbox, RefuseReason, Verdict};
use selkie_wire::roster::{ChainEnd, RosterEntry};
use selkie_wire::{DeviceId, Digest, IncarnationToken, Incarnations, Roster, SegmentNumber};

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

/// A vault with a phone that sends and a laptop that receives.
struct Scene {
    roster: Roster,
    epoch_keys: Vec<EpochKey>,
    phone: DeviceSecrets,
    laptop: DeviceSecrets,
    incarnation: Option<IncarnationToken>,
    changes_of: ChangesOf,
    previous: Digest,
    number: u64,
    change: u64,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut random = Counter(seed);
        let admin = AdminKey::generate(&mut random).unwrap();
        let phone = DeviceSecrets::generate(&mut random).unwrap();
        let laptop = DeviceSecrets::generate(&mut random).unwrap();
        let code = RecoveryCode::generate(&mut random).unwrap();
        let mut new = roster::create_vault(&admin, &phone, &code, &mut random).unwrap();
        let consent = laptop.sign_consent(new.roster.vault());
        let add = roster::add_device(&admin, &new.roster, laptop.public(), consent).unwrap();
        new.roster.apply(&RosterEntry::parse(add).unwrap()).unwrap();
        let previous = new.roster.member(phone.device_id()).unwrap().added;
        let epoch_keys = vec![new.epoch_key];
        Self {
            roster: new.roster,
            epoch_keys,
            phone,
            laptop,
            incarnation: None,
            changes_of: ChangesOf::Sender,
            previous,
            number: 0,
            change: 1,
        }
    }

    /// The phone goes on in a chain of its own; returns its id.
    fn begin_incarnation(&mut self, token: u8) -> DeviceId {
        let token = IncarnationToken([token; 32]);
        (self.number, self.change) = (0, 1);
        (self.incarnation, self.previous) = (Some(token), Digest(token.0));
        self.phone.incarnation_id(token)
    }

    fn seal(&mut self, changes: Vec<Vec<u8>>) -> Vec<u8> {
        self.number += 1;
        let body = SegmentBody {
            stamp: 7,
            first_change: self.change,
            changes,
            changes_of: self.changes_of,
            ..Default::default()
        };
        self.change += body.changes.len() as u64;
        let context = SealContext {
            vault: self.roster.vault(),
            device: &self.phone,
            incarnation: self.incarnation,
            number: SegmentNumber(self.number),
            previous: self.previous,
            roster: self.roster.last(),
            epoch_key: &self.epoch_keys[0],
            compress: true,
        };
        let envelope = seal_segment(&context, &body, &mut Counter(self.number)).unwrap();
        self.previous = envelope.digest();
        envelope.into_bytes()
    }

    fn change(&self) -> Vec<u8> {
        let dot = Dot { device: self.phone.device_id(), number: ChangeNumber(self.change) };
        Change { dot, stamp: Stamp(7), records: vec![] }.to_bytes()
    }

    fn inbox(&self) -> Inbox<'_> {
        Inbox {
            roster: &self.roster,
            incarnations: Incarnations::default(),
            own: self.laptop.device_id(),
            own_changes: ChangeNumber(0),
            epoch_keys: &self.epoch_keys,
            heads: BTreeMap::new(),
        }
    }
}

fn held(verdict: Verdict) -> HoldReason {
    match verdict {
        Verdict::Held { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn segments_open_in_order_and_once() {
    let mut scene = Scene::new(1);
    let change = scene.change();
    let sealed: Vec<_> = (0..3).map(|_| scene.seal(vec![change.clone()])).collect();
    let mut inbox = scene.inbox();
    assert_eq!(held(inbox.receive(sealed[1].clone())), HoldReason::Gap);
    for (at, bytes) in sealed.iter().enumerate() {
        let Verdict::Opened { device, stamp, changes, .. } = inbox.receive(bytes.clone()) else {
            panic!("segment {at}")
        };
        assert_eq!((device, stamp, changes.len()), (scene.phone.device_id(), Stamp(7), 1));
        assert_eq!(changes[0].dot.number, ChangeNumber(at as u64 + 1));
    }
    for bytes in sealed {
        assert!(matches!(inbox.receive(bytes), Verdict::Duplicate));
    }
}

#[test]
fn what_a_newer_app_wrote_is_kept_sealed_and_not_skipped() {
    let mut scene = Scene::new(2);
    // A class that this version does not know, in an operation at path "a".
    let later = b"\xa2\x00\x01\x02\x81\x83\x61c\x61i\x81\xa3\x00\x42\x02a\x03\x01\x05\x09".to_vec();
    let change = scene.change();
    let unreadable = scene.seal(vec![change.clone(), later]);
    let after = scene.seal(vec![change]);
    let mut inbox = scene.inbox();
    for _ in 0..2 {
        assert_eq!(held(inbox.receive(unreadable.clone())), HoldReason::Update);
        assert_eq!(held(inbox.receive(after.clone())), HoldReason::Gap);
    }
    assert!(inbox.heads.is_empty(), "its stream waits there");
}

#[test]
fn two_histories_of_one_device_are_put_aside() {
    let mut one = Scene::new(3);
    let mut other = Scene::new(3);
    let change = one.change();
    let first = one.seal(vec![change.clone()]);
    let forked = other.seal(vec![change.clone(), change.clone()]);
    let after_fork = other.seal(vec![change]);
    let mut inbox = one.inbox();
    assert!(matches!(inbox.receive(first), Verdict::Opened { .. }));
    assert!(matches!(held(inbox.receive(forked)), HoldReason::Quarantine(_)));
    assert!(matches!(held(inbox.receive(after_fork)), HoldReason::Quarantine(_)));
}

#[test]
fn nothing_is_kept_that_no_member_signed() {
    let mut scene = Scene::new(4);
    let mut stranger = Scene::new(5);
    let change = scene.change();
    let mut flipped = scene.seal(vec![change.clone()]);
    flipped[200] ^= 1;
    let foreign = stranger.seal(vec![change]);
    let mut inbox = scene.inbox();
    for bytes in [flipped, foreign, vec![], vec![0; 300]] {
        assert!(matches!(
            inbox.receive(bytes),
            Verdict::Refused(RefuseReason::Structure(_) | RefuseReason::Foreign(_))
        ));
    }
    assert!(inbox.heads.is_empty());
}

#[test]
fn a_copy_begins_a_chain_of_its_own() {
    let mut scene = Scene::new(11);
    let change = scene.change();
    let before = scene.seal(vec![change.clone()]);
    let chain = scene.begin_incarnation(9);
    let first = scene.seal(vec![change.clone()]);
    let second = scene.seal(vec![change]);
    let mut inbox = scene.inbox();
    assert_eq!(held(inbox.receive(second.clone())), HoldReason::Gap, "no first segment yet");
    for (bytes, from) in [(first, chain), (before, scene.phone.device_id()), (second, chain)] {
        let Verdict::Opened { device, changes, .. } = inbox.receive(bytes) else { panic!() };
        assert_eq!((device, changes[0].dot.device), (from, from));
    }
    let known: Vec<_> = inbox.incarnations.iter().collect();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].0, known[0].1.member), (chain, scene.phone.device_id()));
}

#[test]
fn a_copy_sends_changes_of_an_earlier_chain_under_their_own_names() {
    let mut scene = Scene::new(12);
    let (change, phone) = (scene.change(), scene.phone.device_id());
    scene.seal(vec![change.clone(), change.clone()]);
    let chain = scene.begin_incarnation(9);
    (scene.change, scene.changes_of) = (2, ChangesOf::Device);
    let again = scene.seal(vec![change.clone()]);
    let other = IncarnationToken([3; 32]);
    scene.changes_of = ChangesOf::Incarnation(other);
    let of_other = scene.seal(vec![change]);
    let mut inbox = scene.inbox();
    for (bytes, wanted) in [(again, (phone, 2)), (of_other, (scene.phone.incarnation_id(other), 3))]
    {
        let Verdict::Opened { device, changes, .. } = inbox.receive(bytes) else { panic!() };
        assert_eq!(device, chain);
        assert_eq!((changes[0].dot.device, changes[0].dot.number.0), wanted);
    }
}

#[test]
fn nobody_begins_a_chain_for_another() {
    let mut scene = Scene::new(13);
    let change = scene.change();
    let chain = scene.begin_incarnation(9);
    let mut genuine = scene.seal(vec![change]);
    genuine[300] ^= 1;
    let mut inbox = scene.inbox();
    assert!(matches!(inbox.receive(genuine), Verdict::Refused(RefuseReason::Foreign(_))));
    assert_eq!(inbox.incarnations.iter().count(), 0, "what is not signed makes nothing known");
    let token = IncarnationToken([9; 32]);
    assert_ne!(scene.laptop.incarnation_id(token), chain, "one token, two devices, two chains");
}

#[test]
fn a_copy_that_is_ahead_of_this_store_is_not_applied_as_its_own() {
    let mut scene = Scene::new(14);
    let change = scene.change();
    scene.begin_incarnation(9);
    (scene.change, scene.changes_of) = (5, ChangesOf::Device);
    let ahead = scene.seal(vec![change]);
    let mut inbox = scene.inbox();
    (inbox.own, inbox.own_changes) = (scene.phone.device_id(), ChangeNumber(4));
    assert_eq!(held(inbox.receive(ahead.clone())), HoldReason::Gap);
    inbox.own_changes = ChangeNumber(5);
    assert!(matches!(inbox.receive(ahead), Verdict::Opened { .. }));
}

#[test]
fn a_revocation_ends_every_chain_of_its_device() {
    let mut scene = Scene::new(15);
    let change = scene.change();
    let chain = scene.begin_incarnation(8);
    let counted = scene.seal(vec![change.clone()]);
    let last_digest = scene.previous;
    let late = scene.seal(vec![change.clone()]);
    scene.begin_incarnation(9);
    let new_chain = scene.seal(vec![change]);
    let mut random = Counter(15);
    let admin = AdminKey::generate(&mut random).unwrap();
    let added = scene.roster.member(scene.phone.device_id()).unwrap().added;
    let end = ChainEnd { chain, last: SegmentNumber(1), last_digest };
    let (entry, _) = roster::revoke_device(
        &admin,
        &scene.roster,
        scene.phone.device_id(),
        (SegmentNumber(0), added),
        vec![end],
        &scene.epoch_keys[0],
        &mut random,
    )
    .unwrap();
    let entry = RosterEntry::parse(entry).unwrap();
    scene.roster.apply(&entry).unwrap();
    let mut inbox = scene.inbox();
    assert!(matches!(inbox.receive(counted), Verdict::Opened { .. }));
    for bytes in [late, new_chain] {
        assert!(matches!(held(inbox.receive(bytes)), HoldReason::Quarantine(_)));
    }
}
