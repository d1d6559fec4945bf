//! What every transport must keep. Each case gets an empty place.

use selkie::ErrorKind;
use selkie::transport::TransportError;
use selkie::transport::relay::{PullResponse, PushOutcome, PushRequest};
use selkie_wire::limits::{ENVELOPE_BYTES_MAX, PAGE_BYTES_MAX};
use serde_json::json;

use super::devices::{assert_equal, count, devices, get, opens, put, reopened, sync};
use super::places::Place;
use super::spy::{Cut, Spy};
use crate::support::{Store, copy_of, join, pair, relay};

/// Syncs while looking at each answer to a pull.
fn sync_seeing(
    place: &dyn Place,
    store: &Store,
    pulled: &mut dyn FnMut(&Result<PullResponse, TransportError>),
) -> selkie::SyncReport {
    let inner = place.connect(&store.vault);
    let push = &mut |inner: &mut dyn selkie::transport::Transport, request: &PushRequest| {
        inner.push(request)
    };
    let mut spy = Spy { inner, push, pulled: &mut |response| pulled(response) };
    store.vault.sync_over(&place.address(), &mut spy, &mut |_| {}).unwrap()
}

pub fn an_empty_place_has_nothing_and_takes_the_roster(place: &mut dyn Place) {
    let [laptop] = devices();
    let mut answers = Vec::new();
    let first = sync_seeing(place, &laptop, &mut |answer| answers.push(answer.clone()));
    assert_eq!(answers[0], Err(TransportError::Unknown), "nobody knows the vault there");
    let roster = answers[1].as_ref().unwrap().roster;
    assert!(roster.0 > 0, "now it does");
    assert_eq!((first.segments_sent, first.segments_received), (0, 0));
    assert_eq!(sync(place, &laptop).rounds, 1);
}

pub fn two_devices_converge(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    assert_eq!(sync(place, &laptop).changes_sent, 1);
    assert_eq!(sync(place, &tablet).changes_received, 1);
    put(&laptop, "a", 2);
    put(&tablet, "b", 3);
    tablet.vault.collection("notes").unwrap().delete("b").unwrap();
    for store in [&laptop, &tablet, &laptop] {
        sync(place, store);
    }
    assert_equal(&[&laptop, &tablet]);
    assert_eq!((get(&tablet, "a"), get(&laptop, "b")), (Some(json!(2)), None));
}

pub fn nothing_new_moves_no_segment_in_a_new_process_either(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    for n in 0..5 {
        put(&laptop, "a", n);
        sync(place, &laptop);
    }
    assert_eq!(sync(place, &tablet).segments_received, 5);
    let mut tablet = tablet;
    for _ in 0..10 {
        tablet = reopened(tablet);
        let mut moved = 0;
        let report = sync_seeing(place, &tablet, &mut |answer| {
            moved += answer.as_ref().unwrap().envelopes.len();
        });
        assert_eq!((moved, report.rounds, report.segments_sent), (0, 1, 0));
    }
    put(&laptop, "a", 9);
    sync(place, &laptop);
    assert_eq!(sync(place, &tablet).segments_received, 1);
    assert_equal(&[&laptop, &tablet]);
}

pub fn a_push_that_comes_twice_is_a_duplicate(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    sync(place, &laptop);
    put(&laptop, "a", 1);
    let inner = place.connect(&laptop.vault);
    let mut outcomes = Vec::new();
    let push = &mut |inner: &mut dyn selkie::transport::Transport, request: &PushRequest| {
        let first = inner.push(request)?;
        let second = inner.push(request)?;
        outcomes.extend(first.outcomes.iter().chain(&second.outcomes).copied());
        assert_eq!(first.head, second.head);
        Ok(second)
    };
    let mut spy = Spy { inner, push, pulled: &mut |_| {} };
    laptop.vault.sync_over(&place.address(), &mut spy, &mut |_| {}).unwrap();
    assert_eq!(outcomes, [PushOutcome::Stored, PushOutcome::Duplicate]);
    assert_eq!(sync(place, &tablet).segments_received, 1);
    assert_equal(&[&laptop, &tablet]);
}

pub fn a_gap_is_refused_and_then_filled(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    sync(place, &laptop);
    // Two segments that this place has not: another one took them.
    let elsewhere = selkie::transport::MemoryRelay::new();
    for n in 0..2 {
        put(&laptop, "a", n);
        let mut other = elsewhere.connect(laptop.vault.device_id());
        laptop.vault.sync_over("elsewhere", &mut other, &mut |_| {}).unwrap();
    }
    let inner = place.connect(&laptop.vault);
    let mut outcomes = Vec::new();
    let push = &mut |inner: &mut dyn selkie::transport::Transport, request: &PushRequest| {
        let late = PushRequest { envelopes: request.envelopes[1..].to_vec(), ..*request };
        let response = inner.push(&late)?;
        assert_eq!(response.head.number.0, 0);
        outcomes.extend(response.outcomes);
        inner.push(request)
    };
    let mut spy = Spy { inner, push, pulled: &mut |_| {} };
    laptop.vault.sync_over(&place.address(), &mut spy, &mut |_| {}).unwrap();
    assert_eq!(outcomes, [PushOutcome::Gap]);
    assert_eq!(sync(place, &tablet).segments_received, 2);
    assert_equal(&[&laptop, &tablet]);
}

pub fn copied_stores_go_on_and_lose_nothing(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    put(&laptop, "a", 1);
    sync(place, &laptop);
    let copy = copy_of(&laptop);
    put(&laptop, "b", 2);
    sync(place, &laptop);
    // One copy that writes beside its original, and one that is only behind.
    let behind = copy_of(&copy);
    put(&copy, "c", 3);
    let all = [&copy, &behind, &tablet, &laptop];
    for store in all.iter().cycle().take(3 * all.len()) {
        sync(place, store);
    }
    for (id, n) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(get(&tablet, id), Some(json!(n)));
    }
    assert_equal(&all);
}

pub fn a_device_that_was_away_gets_all_there_was(place: &mut dyn Place) {
    let [laptop, tablet, watch] = devices();
    put(&watch, "w", 0);
    for n in 0..20 {
        put(&laptop, "a", n);
        put(&tablet, &format!("t{n}"), n);
        sync(place, &laptop);
        sync(place, &tablet);
    }
    sync(place, &watch);
    for store in [&laptop, &tablet] {
        sync(place, store);
    }
    assert_equal(&[&laptop, &tablet, &watch]);
    assert_eq!((count(&watch), get(&laptop, "w")), (22, Some(json!(0))));
}

pub fn a_run_cut_off_at_any_message_loses_and_doubles_nothing(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    for (round, answer_lost) in [false, true, false, true].into_iter().enumerate() {
        for n in 0..3 {
            put(&laptop, &format!("l{round}-{n}"), n);
            put(&tablet, &format!("t{round}-{n}"), n);
            put(&laptop, "same", n);
            put(&tablet, "same", n + 10);
        }
        for store in [&laptop, &tablet, &laptop] {
            sync_through_cuts(place, store, answer_lost);
        }
        assert_equal(&[&laptop, &tablet]);
        assert_eq!(count(&laptop), (round as u64 + 1) * 6 + 1);
    }
    assert_eq!(sync(place, &laptop).changes_received, 0);
}

/// Cuts a run off at its n-th message, for every n, until a run gets through.
fn sync_through_cuts(place: &dyn Place, store: &Store, answer_lost: bool) {
    for calls_left in 0.. {
        let inner = place.connect(&store.vault);
        let mut cut = Cut { inner, calls_left, answer_lost };
        match store.vault.sync_over(&place.address(), &mut cut, &mut |_| {}) {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Network),
        }
        assert!(opens(store));
    }
}

pub fn a_wiped_place_is_filled_again(place: &mut dyn Place) {
    let [laptop, tablet, watch] = devices();
    put(&laptop, "a", 1);
    put(&tablet, "b", 2);
    for store in [&laptop, &tablet, &laptop] {
        sync(place, store);
    }
    place.wipe();
    put(&laptop, "c", 3);
    for store in [&laptop, &tablet, &laptop] {
        sync(place, store);
    }
    assert_equal(&[&laptop, &tablet]);
    // One that comes only now finds everything.
    sync(place, &watch);
    assert_equal(&[&laptop, &tablet, &watch]);
    assert_eq!(count(&watch), 3);
}

pub fn a_place_restored_from_a_backup_gets_what_it_lost(place: &mut dyn Place) {
    let [laptop, tablet, watch] = devices();
    put(&laptop, "a", 1);
    for store in [&laptop, &tablet] {
        sync(place, store);
    }
    place.back_up();
    put(&laptop, "b", 2);
    put(&tablet, "c", 3);
    for store in [&laptop, &tablet, &laptop] {
        sync(place, store);
    }
    place.restore();
    for store in [&laptop, &tablet, &watch] {
        sync(place, store);
    }
    assert_equal(&[&laptop, &tablet, &watch]);
    assert_eq!(count(&watch), 3);
}

pub fn a_new_member_is_known_after_one_run(place: &mut dyn Place) {
    let pairing = relay();
    let (phone, laptop) = pair(&pairing.url());
    put(&phone, "a", 1);
    for store in [&phone, &laptop] {
        sync(place, store);
    }
    let tablet = join(&phone, &pairing.url());
    put(&tablet, "t", 2);
    // The tablet brings its own admission there; the laptop learns of it and reads it in one run.
    assert_eq!(sync(place, &tablet).changes_received, 1);
    let report = sync(place, &laptop);
    assert_eq!((report.changes_received, report.segments_refused), (1, 0));
    assert_eq!(laptop.vault.status().unwrap().devices.len(), 3);
    sync(place, &phone);
    assert_equal(&[&phone, &laptop, &tablet]);
}

pub fn a_long_history_comes_in_pages(place: &mut dyn Place) {
    let [laptop, tablet] = devices();
    let mut state = 1u64;
    for batch in 0..20 {
        // Text that does not compress, so that several pages are needed.
        let mut text = String::new();
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&format!("{:016x}", state ^ (state >> 29)));
        }
        let notes = laptop.vault.collection("notes").unwrap();
        notes.put(&batch.to_string(), &json!({ "text": text })).unwrap();
    }
    assert!(sync(place, &laptop).rounds > 2);
    let mut pages = Vec::new();
    sync_seeing(place, &tablet, &mut |answer| {
        let Ok(page) = answer else { return };
        if !page.envelopes.is_empty() {
            pages.push((page.envelopes.iter().map(|one| one.len()).sum::<usize>(), page.more));
        }
    });
    assert!(pages.len() > 2, "{pages:?}");
    for (size_bytes, _) in &pages {
        assert!(*size_bytes <= PAGE_BYTES_MAX + ENVELOPE_BYTES_MAX, "{pages:?}");
    }
    let ends: Vec<bool> = pages.iter().map(|(_, more)| !more).collect();
    assert!(ends.iter().rev().skip(1).all(|end| !end) && ends[ends.len() - 1], "{pages:?}");
    assert_equal(&[&laptop, &tablet]);
}
