//! Faults of the disk and of the format, made from within.

use selkie_core::seal::{SealContext, SegmentBody, seal_segment};
use selkie_core::sync::{BlockReason, Link, SyncState};
use selkie_wire::SegmentNumber;
use selkie_wire::relay::PushRequest;
use serde_json::json;

use super::*;
use crate::system::SystemRandom;
use crate::transport::MemoryRelay;
use crate::unlock::Unlock;

const PASSPHRASE: &str = "seals sleep under water";

struct Device {
    vault: Vault,
    directory: tempfile::TempDir,
}

/// The sponsor of a new vault, and so many devices that it let in.
fn devices(count: usize) -> Vec<Device> {
    let http = selkie_relay::Background::start(selkie_relay::Config::in_memory()).unwrap();
    let url = http.url();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = Vault::create(&path, Unlock::Passphrase(PASSPHRASE)).unwrap().vault;
    let mut devices = vec![Device { vault, directory }];
    for _ in 0..count {
        let invitation = devices[0].vault.invite(&url, Unlock::Passphrase(PASSPHRASE)).unwrap();
        let code = invitation.code().to_owned();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let vault = std::thread::scope(|scope| {
            let join = || Vault::join(&path, &url, &code, Unlock::Key(&[7; 32]), &mut |_| true);
            let joining = scope.spawn(join);
            invitation.wait(&mut || true).unwrap().confirm().unwrap();
            joining.join().unwrap().unwrap()
        });
        devices.push(Device { vault, directory });
    }
    devices
}

fn manager(device: &Device, relay: &MemoryRelay) -> SyncManager {
    let (relay, id) = (relay.clone(), device.vault.device_id());
    SyncManager::over(&device.vault, "memory", move || Ok(Box::new(relay.connect(id)))).unwrap()
}

fn sync(device: &Device, relay: &MemoryRelay) {
    let mut transport = relay.connect(device.vault.device_id());
    device.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
}

#[test]
fn a_full_disk_blocks_and_nothing_is_half_applied() {
    let (devices, relay) = (devices(1), MemoryRelay::new());
    let [phone, laptop] = &devices[..] else { panic!("two") };
    let manager = manager(laptop, &relay);
    sync(phone, &relay);
    manager.turn();
    let text = "x".repeat(100_000);
    for n in 0..8 {
        let long = json!({ "text": format!("{n}{text}") });
        phone.vault.collection("notes").unwrap().put(&format!("{n}"), &long).unwrap();
    }
    sync(phone, &relay);
    let (before, position) = {
        let position = laptop.vault.database().relay_state("memory").unwrap().position;
        (laptop.vault.digest().unwrap(), position)
    };
    laptop.vault.database().fill_disk(true);
    manager.sync_now();
    manager.turn();
    assert_eq!(manager.state().link, Link::Blocked(BlockReason::DiskFull));
    assert_eq!(laptop.vault.digest().unwrap(), before);
    assert_eq!(laptop.vault.database().relay_state("memory").unwrap().position, position);
    laptop.vault.database().fill_disk(false);
    manager.sync_now();
    manager.turn();
    assert_eq!(manager.state().state, SyncState::UpToDate);
    assert_eq!(laptop.vault.digest().unwrap(), phone.vault.digest().unwrap());
}

#[test]
fn a_damaged_store_blocks_and_says_so() {
    let (devices, relay) = (devices(0), MemoryRelay::new());
    let phone = &devices[0];
    let manager = manager(phone, &relay);
    manager.turn();
    // A page goes bad on the disk; what is in memory of it goes with the connection.
    let page = phone.vault.database().page_of("conflict");
    phone.vault.suspend().unwrap();
    let path = phone.directory.path().join("store.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(page - 1) * 4096 + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    phone.vault.resume().unwrap();
    manager.sync_now();
    manager.turn();
    assert_eq!(manager.state().link, Link::Blocked(BlockReason::Damaged));
    let store = phone.vault.examine(None).remove(0);
    assert_eq!((store.name, store.level), ("store", crate::CheckLevel::Fail));
}

#[test]
fn a_newer_format_waits_sealed_and_other_devices_go_on() {
    let (devices, relay) = (devices(2), MemoryRelay::new());
    let [phone, laptop, tablet] = &devices[..] else { panic!("three") };
    for device in [phone, laptop, tablet] {
        sync(device, &relay);
    }
    // A segment of the laptop's whose change this version cannot read.
    let identity = laptop.vault.database().identity().unwrap();
    let context = SealContext {
        vault: identity.roster.vault(),
        device: &identity.device,
        incarnation: None,
        number: SegmentNumber(1),
        previous: identity.roster.member(laptop.vault.device_id()).unwrap().added,
        roster: identity.roster.last(),
        epoch_key: identity.current_epoch_key().unwrap(),
        compress: true,
    };
    let body = SegmentBody { first_change: 1, changes: vec![vec![0xff]], ..SegmentBody::default() };
    let newer = seal_segment(&context, &body, &mut SystemRandom).unwrap().into_bytes();
    let mut way = relay.connect(laptop.vault.device_id());
    way.push(&PushRequest { envelopes: vec![newer.into()], incarnation: None }).unwrap();
    tablet.vault.collection("notes").unwrap().put("tablet", &json!({})).unwrap();
    sync(tablet, &relay);
    let manager = manager(phone, &relay);
    manager.turn();
    assert_eq!(manager.state().link, Link::Idle);
    assert_eq!(phone.vault.collection("notes").unwrap().count().unwrap(), 1);
    let status = phone.vault.status().unwrap();
    assert_eq!(
        (status.held[0].device, status.held[0].reason.as_str()),
        (laptop.vault.device_id(), "update")
    );
    let told = status.notices.iter().find(|found| found.code == "held_update").unwrap();
    assert!(told.message.contains("update the app"));
}
