//! Push and pull.

use selkie_wire::envelope::HEADER_LEN;
use selkie_wire::limits::PAGE_SEGMENTS_MAX;
use selkie_wire::relay::{Head, PushOutcome as O};
use selkie_wire::{Cursor, DeviceId, Digest, EnvelopeType, RelayEpoch, SegmentNumber, VaultId};

use crate::support::{Device, Vault, code, relay, relay_with};

fn head(device: &Device) -> Head {
    Head { number: SegmentNumber(device.number), digest: Some(device.last) }
}

#[test]
fn two_devices_exchange_what_they_seal() {
    let (_relay, client) = relay();
    let (vault, mut phone, mut laptop) = Vault::with_two(1);
    client.create(&vault);
    let (on_phone, on_laptop) = (client.member(&phone), client.member(&laptop));
    let from_phone = phone.seal_many(3);
    let pushed = on_phone.push(&from_phone);
    assert_eq!(pushed.outcomes, [O::Stored; 3]);
    assert_eq!(pushed.head, head(&phone));
    let pulled = on_laptop.pull(None, 0);
    assert_eq!(pulled.envelopes.iter().map(|e| e.to_vec()).collect::<Vec<_>>(), from_phone);
    assert_eq!((pulled.epoch, pulled.more), (pushed.epoch, false));
    assert_eq!((pulled.head, pulled.roster), (Head::default(), vault.roster.last()));
    let from_laptop = laptop.seal_many(2);
    assert_eq!(on_laptop.outcomes(&from_laptop), [O::Stored; 2]);
    assert_eq!(on_phone.pull_all(), from_laptop);
    let nothing_new = on_laptop.pull(Some(pulled.epoch), pulled.cursor.0);
    assert_eq!(nothing_new.envelopes, []);
    let all = [from_phone, from_laptop].concat();
    let end = all.iter().fold(Cursor(0), |place, bytes| place.after(Digest::of(bytes)));
    assert_eq!((nothing_new.cursor, nothing_new.head), (end, head(&laptop)));
}

#[test]
fn a_push_whose_answer_was_lost_can_be_sent_again() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let on_phone = client.member(&phone);
    let envelopes = phone.seal_many(3);
    assert_eq!(on_phone.outcomes(&envelopes[..2]), [O::Stored; 2]);
    assert_eq!(on_phone.outcomes(&envelopes), [O::Duplicate, O::Duplicate, O::Stored]);
    assert_eq!(client.member(&laptop).pull_all(), envelopes);
    assert_eq!(on_phone.push(&[]).head, head(&phone));
}

#[test]
fn a_fork_and_a_gap_are_told_and_change_nothing() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let on_phone = client.member(&phone);
    let mut restored = phone.clone();
    let sent = phone.seal_many(2);
    on_phone.push(&sent);
    // A copy of the device goes on from before its first segment, as after a restored backup.
    let forked = [restored.seal(50), restored.seal(50), restored.seal(50)];
    assert_eq!(on_phone.outcomes(&forked), [O::Fork; 3]);
    let _never_sent = phone.seal(100);
    let after_a_hole = phone.seal(100);
    assert_eq!(on_phone.outcomes(&[after_a_hole]), [O::Gap]);
    assert_eq!(client.member(&laptop).pull_all(), sent);
}

#[test]
fn an_envelope_that_is_not_the_callers_is_refused_and_the_rest_is_judged_alone() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let on_phone = client.member(&phone);
    let header = phone.header(100);
    let mut flipped = phone.sign_envelope(&header, 1);
    flipped[HEADER_LEN] ^= 1;
    let mut other_type = header.clone();
    other_type.envelope_type = EnvelopeType::CheckpointChunk;
    let mut other_vault = header.clone();
    other_vault.vault = VaultId([9; 32]);
    let mut other_device = header.clone();
    other_device.device = DeviceId([9; 16]);
    let mut unrooted = header.clone();
    unrooted.previous = Digest([0; 32]);
    let whole = phone.sign_envelope(&header, 1);
    let refused = [
        Vec::new(),
        b"rubbish".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        flipped,
        laptop.sign_envelope(&header, 1),
        laptop.sign_envelope(&laptop.header(100), 1),
        phone.sign_envelope(&other_type, 1),
        phone.sign_envelope(&other_vault, 1),
        phone.sign_envelope(&other_device, 1),
        phone.sign_envelope(&unrooted, 1),
    ];
    let good = phone.seal(100);
    let all = [&refused[..], std::slice::from_ref(&good)].concat();
    let outcomes = [vec![O::Refused; refused.len()], vec![O::Stored]].concat();
    assert_eq!(on_phone.outcomes(&all), outcomes);
    assert_eq!(client.member(&laptop).pull_all(), [good]);
}

#[test]
fn a_long_log_comes_in_pages() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let on_phone = client.member(&phone);
    let many = phone.seal_many(PAGE_SEGMENTS_MAX);
    on_phone.push(&many);
    let large = [phone.seal(3 << 20), phone.seal(700 << 10), phone.seal(700 << 10)];
    assert_eq!(on_phone.outcomes(&large), [O::Stored; 3]);
    let on_laptop = client.member(&laptop);
    let first = on_laptop.pull(None, 0);
    assert!(first.more && first.envelopes.len() == PAGE_SEGMENTS_MAX);
    assert!(on_laptop.pull_all() == [many, large.to_vec()].concat());
}

#[test]
fn a_cursor_of_another_epoch_reads_from_the_beginning() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let sealed = phone.seal_many(2);
    client.member(&phone).push(&sealed);
    let on_laptop = client.member(&laptop);
    let epoch = on_laptop.pull(None, 0).epoch;
    let first = Cursor(0).after(Digest::of(&sealed[0]));
    let (first, second) = (first.0, first.after(Digest::of(&sealed[1])).0);
    for (epoch, cursor, envelopes) in [
        (Some(epoch), first, 1),
        (Some(epoch), second, 0),
        (Some(epoch), second - 1, 2),
        (Some(epoch), second + 1, 2),
        (Some(RelayEpoch([0; 16])), second, 2),
        (None, second, 2),
    ] {
        let page = on_laptop.pull(epoch, cursor);
        assert_eq!(page.envelopes.len(), envelopes, "{epoch:?} {cursor}");
    }
}

#[test]
fn a_full_vault_is_told_and_pulls_go_on() {
    let (_relay, client) = relay_with(|config| config.quotas.vault_bytes_max = 4096);
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let first = phone.seal(100);
    let envelopes = [first.clone(), phone.seal(4096), phone.seal(10_000)];
    let on_phone = client.member(&phone);
    assert_eq!(on_phone.outcomes(&envelopes), [O::Stored, O::Quota, O::Gap]);
    assert_eq!(client.member(&laptop).pull_all(), [first]);
}

#[test]
fn vaults_are_apart() {
    let (_relay, client) = relay();
    let (vault, mut phone, _) = Vault::with_two(1);
    let (other, stranger, _) = Vault::with_two(2);
    client.create(&vault);
    client.create(&other);
    client.member(&phone).push(&phone.seal_many(2));
    let on_stranger = client.member(&stranger);
    assert_eq!(on_stranger.pull_all(), Vec::<Vec<u8>>::new());
    assert_eq!(on_stranger.outcomes(&[phone.seal(100)]), [O::Refused]);
    let foreign = crate::support::Member { vault: vault.id(), ..on_stranger };
    assert_eq!(foreign.try_pull(None, 0).problem(), code(401, "unauthorized"));
}
