//! Sync by packages alone: lost, doubled, in any order, damaged, hostile.

use selkie::transport::MemoryRelay;
use selkie::{CollectionPolicy, ErrorKind, EventKind, PackageReport, SyncPackage, SyncPoint};
use selkie_wire::package::{PackageWriter, read_package};
use serde_json::json;

use crate::support::{Store, copy_of, join, pair, relay, store};
use crate::transport_contract::devices::{count, devices, get, put};

fn make(store: &Store, since: Option<&SyncPoint>) -> SyncPackage {
    store.vault.prepare_sync_package(since).unwrap()
}

fn apply(store: &Store, package: &SyncPackage) -> PackageReport {
    store.vault.apply_sync_package(&package.bytes, &mut |_| {}).unwrap()
}

fn error_of(store: &Store, bytes: &[u8]) -> ErrorKind {
    let before = store.vault.digest().unwrap();
    let error = store.vault.apply_sync_package(bytes, &mut |_| {}).unwrap_err();
    assert_eq!(store.vault.digest().unwrap(), before, "nothing was changed");
    error.kind()
}

fn assert_equal(one: &Store, other: &Store) {
    assert_eq!(one.vault.digest().unwrap(), other.vault.digest().unwrap());
}

#[test]
fn two_devices_converge_by_packages_alone_and_conflicts_are_told_once() {
    let [laptop, tablet] = devices();
    let policy = CollectionPolicy::from_names("user_choice", "edit_wins").unwrap();
    laptop.vault.set_policy("notes", policy).unwrap();
    put(&laptop, "n", 1);
    let report = apply(&tablet, &make(&laptop, None));
    assert_eq!((report.changes_applied, report.conflicts.len()), (2, 0));
    put(&laptop, "n", 2);
    put(&tablet, "n", 3);
    put(&tablet, "m", 4);
    let from_laptop = make(&laptop, None);
    let report = apply(&tablet, &from_laptop);
    assert_eq!((report.changes_applied, report.segments_known), (1, 1));
    assert_eq!(report.conflicts.len(), 1);
    assert_eq!(
        (report.conflicts[0].collection.as_str(), report.conflicts[0].id.as_str()),
        ("notes", "n")
    );
    assert!(apply(&tablet, &from_laptop).conflicts.is_empty(), "told already");
    assert_eq!(apply(&laptop, &make(&tablet, None)).conflicts.len(), 1);
    assert_equal(&laptop, &tablet);
}

#[test]
fn packages_may_be_doubled_and_come_in_any_order() {
    let [laptop, _] = devices();
    let mut since = None;
    let packages: Vec<SyncPackage> = (0..4)
        .map(|n| {
            put(&laptop, "a", n);
            let package = make(&laptop, since.as_ref());
            since = Some(package.point.clone());
            assert_eq!((package.segments, package.changes, package.is_complete), (1, 1, true));
            package
        })
        .collect();
    for code in 0..24 {
        let (mut code, mut left) = (code, (0..4).collect::<Vec<usize>>());
        let [_, tablet] = devices();
        let mut came = Vec::new();
        for size in (1..=4).rev() {
            let at = left.remove(code % size);
            code /= size;
            came.push(at);
            let report = apply(&tablet, &packages[at]);
            let again = apply(&tablet, &packages[at]);
            assert_eq!((again.changes_applied, again.segments_refused), (0, 0));
            let read = (0..4).take_while(|n| came.contains(n)).count() as u64;
            assert_eq!(tablet.vault.status().unwrap().segments_held, came.len() as u64 - read);
            assert_eq!(report.segments_held, u64::from(at as u64 >= read));
            assert_eq!(get(&tablet, "a"), read.checked_sub(1).map(|n| json!(n)), "{came:?}");
        }
        assert_equal(&laptop, &tablet);
    }
}

#[test]
fn a_lost_package_is_made_up_for_by_one_since_what_the_other_has() {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    apply(&tablet, &make(&laptop, None));
    put(&laptop, "b", 2);
    let lost = make(&laptop, None);
    put(&laptop, "c", 3);
    let late = make(&laptop, Some(&lost.point));
    assert_eq!((apply(&tablet, &late).segments_held, count(&tablet)), (1, 1));
    // The tablet says what it has, as text; the laptop packs the rest.
    let has: SyncPoint = tablet.vault.sync_point().unwrap().to_string().parse().unwrap();
    let rest = make(&laptop, Some(&has));
    assert_eq!(rest.segments, 2);
    let report = apply(&tablet, &rest);
    assert_eq!((report.segments_applied, report.segments_held), (2, 0));
    assert_equal(&laptop, &tablet);
    let has = tablet.vault.sync_point().unwrap();
    assert_eq!(make(&laptop, Some(&has)).segments, 0);
}

#[test]
fn what_waits_for_a_gap_is_passed_on_to_others() {
    let [laptop, tablet, watch] = devices();
    put(&laptop, "a", 1);
    let first = make(&laptop, None);
    put(&laptop, "b", 2);
    let second = make(&laptop, Some(&first.point));
    apply(&watch, &first);
    apply(&tablet, &second);
    assert_eq!(apply(&watch, &make(&tablet, None)).segments_applied, 1);
    assert_equal(&laptop, &watch);
}

#[test]
fn a_new_member_is_known_from_its_first_package() {
    let pairing = relay();
    let (phone, laptop) = pair(&pairing.url());
    let tablet = join(&phone, &pairing.url());
    put(&tablet, "t", 1);
    let report = apply(&laptop, &make(&tablet, None));
    assert_eq!((report.changes_applied, report.segments_refused), (1, 0));
    assert_eq!(laptop.vault.status().unwrap().devices.len(), 3);
}

#[test]
fn a_package_and_a_relay_go_together() {
    let [laptop, tablet] = devices();
    let meeting = MemoryRelay::new();
    let sync = |store: &Store| {
        let mut transport = meeting.connect(store.vault.device_id());
        store.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap()
    };
    put(&laptop, "a", 1);
    let package = make(&laptop, None);
    assert_eq!(laptop.vault.status().unwrap().unsent_changes, 1, "who knows if it arrives");
    apply(&tablet, &package);
    assert_eq!(sync(&laptop).segments_sent, 1);
    assert_eq!(sync(&tablet).changes_received, 0, "known already");
    assert_equal(&laptop, &tablet);
}

#[test]
fn what_is_no_whole_package_of_this_vault_changes_nothing() {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    let bytes = make(&laptop, None).bytes;
    for len in [0, 3, 4, 39, 40, 44, 200, bytes.len() - 1] {
        assert_eq!(error_of(&tablet, &bytes[..len]), ErrorKind::InvalidInput, "{len}");
    }
    for at in (0..bytes.len()).step_by(97) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let kind = error_of(&tablet, &flipped);
        assert!(matches!(kind, ErrorKind::InvalidInput | ErrorKind::TooNew), "{at}: {kind:?}");
    }
    let mut newer = bytes.clone();
    newer[5] = 2;
    assert_eq!(error_of(&tablet, &newer), ErrorKind::TooNew);
    let other = store();
    assert_eq!(error_of(&other, &bytes), ErrorKind::InvalidInput);
    assert_eq!(error_of(&tablet, b"From: mum\r\nSubject: photos\r\n"), ErrorKind::InvalidInput);
    assert_eq!(apply_bytes(&tablet, &bytes).changes_applied, 1);
}

fn apply_bytes(store: &Store, bytes: &[u8]) -> PackageReport {
    store.vault.apply_sync_package(bytes, &mut |_| {}).unwrap()
}

/// A whole package with other envelopes and entries.
fn rebuilt(bytes: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>, &mut Vec<Vec<u8>>)) -> Vec<u8> {
    let (vault, content) = read_package(bytes).unwrap();
    let owned = |items: &[&[u8]]| items.iter().map(|item| item.to_vec()).collect::<Vec<_>>();
    let (mut roster, mut envelopes) = (owned(&content.roster), owned(&content.envelopes));
    change(&mut roster, &mut envelopes);
    let mut writer = PackageWriter::new(vault);
    roster.iter().for_each(|entry| writer.roster_entry(entry));
    envelopes.iter().for_each(|envelope| writer.envelope(envelope));
    writer.finish()
}

#[test]
fn a_package_put_together_by_someone_else_gets_nothing_in() {
    let [laptop, tablet] = devices();
    for n in 0..3 {
        put(&laptop, "a", n);
        make(&laptop, None);
    }
    let bytes = make(&laptop, None).bytes;
    type Change = fn(&mut Vec<Vec<u8>>, &mut Vec<Vec<u8>>);
    let refused: &[(&str, Change)] = &[
        ("a flipped cipher", |_, envelopes| envelopes[0][200] ^= 1),
        ("a flipped number", |_, envelopes| envelopes[0][56] ^= 2),
        ("a flipped signature", |_, envelopes| *envelopes[0].last_mut().unwrap() ^= 1),
        ("a cut one", |_, envelopes| envelopes[0].truncate(100)),
        ("another vault's", |_, envelopes| envelopes[0][8] ^= 1),
        ("garbage", |_, envelopes| envelopes[0].fill(7)),
    ];
    for (what, change) in refused {
        let report = apply_bytes(&tablet, &rebuilt(&bytes, change));
        assert_eq!((report.segments_refused, report.segments_held), (1, 2), "{what}");
        assert_eq!(get(&tablet, "a"), None, "{what}");
    }
    let roster: &[(&str, Change)] = &[
        ("another genesis", |roster, _| roster[0][90] ^= 1),
        ("a flipped entry", |roster, _| *roster.last_mut().unwrap().last_mut().unwrap() ^= 1),
        ("a doubled end", |roster, _| {
            let last = roster.len() - 1;
            let mut more = roster[last].clone();
            more[40..48].copy_from_slice(&(last as u64 + 1).to_le_bytes());
            roster.push(more);
        }),
    ];
    for (what, change) in roster {
        let kind = error_of(&tablet, &rebuilt(&bytes, change));
        assert!(
            matches!(kind, ErrorKind::Fork | ErrorKind::Relay | ErrorKind::TooNew),
            "{what}: {kind:?}"
        );
    }
    let backwards = rebuilt(&bytes, |_, envelopes| envelopes.reverse());
    let report = apply_bytes(&tablet, &backwards);
    assert_eq!((report.segments_held, report.segments_refused), (0, 0));
    assert_equal(&laptop, &tablet);
}

#[test]
fn a_restored_backup_takes_its_own_future_from_a_package() {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    make(&laptop, None);
    let restored = copy_of(&laptop);
    put(&laptop, "b", 2);
    let package = make(&laptop, None);
    apply(&tablet, &package);
    put(&restored, "c", 3);
    apply(&restored, &package);
    let back = make(&restored, None);
    apply(&laptop, &back);
    apply(&tablet, &back);
    for (id, n) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(get(&tablet, id), Some(json!(n)));
    }
    assert_equal(&laptop, &tablet);
    assert_equal(&laptop, &restored);
}

/// A package without a chain's first segment says whose chain it is, so the rest is kept, not refused.
#[test]
fn a_package_with_a_gap_introduces_the_chain_of_a_copy() {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    let copy = copy_of(&laptop);
    put(&copy, "b", 2);
    let first = make(&copy, None);
    put(&copy, "c", 3);
    let second = make(&copy, Some(&first.point));
    let report = apply(&tablet, &second);
    assert_eq!((report.segments_held, report.segments_refused), (1, 0), "{report:?}");
    apply(&tablet, &first);
    assert_equal(&copy, &tablet);
}

#[test]
fn a_package_can_be_read_by_nobody_else() {
    let [laptop] = devices();
    let notes = laptop.vault.collection("diaries").unwrap();
    notes.put("wednesday", &json!({"canary": "brightly-coloured bird"})).unwrap();
    let bytes = make(&laptop, None).bytes;
    for plain in ["diaries", "wednesday", "canary", "brightly"] {
        assert!(!bytes.windows(plain.len()).any(|part| part == plain.as_bytes()), "{plain}");
    }
}

#[test]
fn a_long_package_is_applied_in_portions_and_tells_how_far_it_is() {
    let [laptop, tablet] = devices();
    let mut state = 1u64;
    for batch in 0..6 {
        let mut text = String::new();
        for _ in 0..40_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&format!("{:016x}", state ^ (state >> 29)));
        }
        let notes = laptop.vault.collection("notes").unwrap();
        notes.put(&batch.to_string(), &json!({ "text": text })).unwrap();
    }
    let package = make(&laptop, None);
    let mut told = Vec::new();
    let progress = &mut |progress: selkie::SyncProgress| told.push(progress);
    tablet.vault.apply_sync_package(&package.bytes, progress).unwrap();
    assert!(told.len() > 1 && told.windows(2).all(|two| two[0].bytes < two[1].bytes), "{told:?}");
    assert_equal(&laptop, &tablet);
}

#[test]
fn what_was_not_sent_is_listed_until_it_was() {
    let [laptop] = devices();
    laptop.vault.set_clock(|| 1_800_000_000_000);
    put(&laptop, "a", 1);
    laptop
        .vault
        .transaction(|tx| {
            let notes = tx.collection("notes")?;
            notes.put("b", &json!({}))?;
            notes.put("c", &json!({}))
        })
        .unwrap();
    make(&laptop, None); // seals, and sends nothing
    laptop.vault.collection("notes").unwrap().delete("a").unwrap();
    let unsent = laptop.vault.unsent_changes(100).unwrap();
    let told: Vec<_> = unsent.iter().map(|one| (one.change, one.id.as_str(), one.kind)).collect();
    assert_eq!(
        told,
        [
            (1, "a", EventKind::Put),
            (2, "b", EventKind::Put),
            (2, "c", EventKind::Put),
            (3, "a", EventKind::Deleted)
        ]
    );
    assert!(unsent.iter().all(|one| one.at_ms == 1_800_000_000_000 && one.collection == "notes"));
    assert_eq!(laptop.vault.unsent_changes(2).unwrap(), unsent[..2]);
    assert_eq!(laptop.vault.status().unwrap().unsent_changes, 3);
    let mut transport = MemoryRelay::new().connect(laptop.vault.device_id());
    laptop.vault.sync_over("memory", &mut transport, &mut |_| {}).unwrap();
    assert_eq!(laptop.vault.unsent_changes(100).unwrap(), []);
}
