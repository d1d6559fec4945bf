//! A folder whose files come late, half, twice, under wrong names, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use selkie::ErrorKind;
use selkie::transport::ids::RosterNumber;
use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{Transport, TransportError};
use selkie_wire::Digest;
use serde_json::json;

use super::devices::{assert_equal, devices, get, put, reopened, sync, try_sync};
use super::places::{Place, SharedFolder, copy};
use super::spy::Spy;
use crate::support::{Store, copy_of, join, pair, relay};

/// More runs than may pass before a folder is listed whatever its manifests say.
const RUNS_UNTIL_LISTED: usize = 8;

/// The segment files of a device, in order of number.
fn segments(folder: &SharedFolder, store: &Store) -> Vec<PathBuf> {
    let number = |path: &PathBuf| -> u64 {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.split('-').next().unwrap().parse().unwrap()
    };
    let entries = fs::read_dir(folder.device(&store.vault)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    paths.sort_by_key(number);
    paths
}

/// A laptop that wrote `count` segments to a folder, and a tablet that has not looked yet.
fn written<const N: usize>(count: u64) -> (SharedFolder, [Store; N]) {
    let (folder, stores) = (SharedFolder::new(), devices::<N>());
    for n in 0..count {
        put(&stores[0], "a", n);
        sync(&folder, &stores[0]);
    }
    (folder, stores)
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn files_of_other_programs_change_nothing() {
    let (folder, [laptop, tablet]) = written(2);
    let device = folder.device(&laptop.vault);
    let segment = segments(&folder, &laptop).remove(0);
    let conflict = name(&segment).replace(".seg", ".sync-conflict-20260101-ABCDEF.seg");
    let vault = device.parent().unwrap().parent().unwrap();
    for place in [folder.folder.path(), vault, &vault.join("d"), &vault.join("roster"), &device] {
        for file in [".DS_Store", "readme.txt", ".0123456789abcdef.tmp", "99-99-zz.seg", &conflict]
        {
            fs::write(place.join(file), b"not ours").unwrap();
        }
        fs::create_dir(place.join("a folder")).unwrap();
    }
    fs::create_dir(vault.join("d").join("f".repeat(32))).unwrap();
    fs::create_dir(device.join(format!("9-9-{}.seg", "a".repeat(64)))).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/dev/zero", device.join(format!("8-8-{}.seg", "b".repeat(64))))
        .unwrap();
    put(&tablet, "t", 1);
    for store in [&tablet, &laptop] {
        assert_eq!(sync(&folder, store).segments_refused, 0);
    }
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn a_half_copied_file_stops_its_device_only_and_is_read_once_it_is_whole() {
    let (folder, [laptop, tablet, watch]) = written(3);
    put(&watch, "w", 7);
    sync(&folder, &watch);
    let second = segments(&folder, &laptop).remove(1);
    let whole = fs::read(&second).unwrap();
    for len in [0, 1, 163, 164, 300, whole.len() - 1] {
        fs::write(&second, &whole[..len]).unwrap();
        let report = sync(&folder, &tablet);
        assert_eq!((report.segments_refused, report.segments_held), (1, 1), "{len}");
        assert_eq!((get(&tablet, "a"), get(&tablet, "w")), (Some(json!(0)), Some(json!(7))));
    }
    fs::write(&second, &whole).unwrap();
    let report = sync(&folder, &tablet);
    assert_eq!((report.segments_refused, report.segments_received), (0, 2));
    for store in [&laptop, &watch] {
        sync(&folder, store);
    }
    assert_equal(&[&laptop, &tablet, &watch]);
}

#[test]
fn files_may_arrive_in_any_order() {
    let (source, [laptop]) = written(4);
    let files = segments(&source, &laptop);
    let orders: Vec<Vec<usize>> = (0..24)
        .map(|mut code| {
            let mut left: Vec<usize> = (0..4).collect();
            (1..=4).rev().map(|size| (left.remove(code % size), code /= size).0).collect()
        })
        .collect();
    for order in orders {
        let (target, [_, tablet]) = (SharedFolder::new(), devices());
        let place = target.device(&laptop.vault);
        copy(source.folder.path(), target.folder.path());
        for file in &files {
            fs::remove_file(place.join(name(file))).unwrap();
        }
        let mut came = Vec::new();
        for at in &order {
            fs::copy(&files[*at], place.join(name(&files[*at]))).unwrap();
            came.push(*at);
            let report = sync(&target, &tablet);
            let read = (0..4).take_while(|n| came.contains(n)).count();
            assert_eq!(report.segments_held, (came.len() - read) as u64, "{order:?}");
            let seen = read.checked_sub(1).map(|n| json!(n));
            assert_eq!(get(&tablet, "a"), seen, "{order:?} {came:?}");
        }
        assert_eq!(tablet.vault.digest().unwrap(), laptop.vault.digest().unwrap());
    }
}

#[test]
fn a_made_up_file_is_never_trusted_and_blocks_nobody_else() {
    let (folder, [laptop, tablet, watch]) = written(2);
    put(&watch, "w", 7);
    sync(&folder, &watch);
    let files = segments(&folder, &laptop);
    let whole = fs::read(&files[1]).unwrap();
    let device = folder.device(&laptop.vault);
    let put_file = |place: &Path, numbers: &str, bytes: &[u8]| {
        fs::write(place.join(format!("{numbers}-{}.seg", Digest::of(bytes))), bytes).unwrap();
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    // Under its own digest, so that only the signature tells: cipher, number, previous, signature.
    for at in [200, 56, 70, whole.len() - 1] {
        put_file(&device, "2-2", &flipped(at));
        put_file(&device, "3-3", &flipped(at));
    }
    put_file(&device, "7-7", &whole);
    put_file(&device, "1-2", &whole);
    put_file(&device, "3-9", &[whole.clone(), whole.clone()].concat());
    put_file(&device, "3-3", &[0; 500]);
    put_file(&device, "3-3", b"");
    put_file(&folder.device(&watch.vault), "2-2", &whole);
    fs::write(device.join(format!("4-4-{}.seg", "0".repeat(64))), &whole).unwrap();
    let report = sync(&folder, &tablet);
    assert!(report.segments_refused > 5, "{report:?}");
    assert_eq!((get(&tablet, "a"), get(&tablet, "w")), (Some(json!(1)), Some(json!(7))));
    for store in [&laptop, &watch, &tablet] {
        sync(&folder, store);
    }
    assert_equal(&[&laptop, &tablet, &watch]);
}

#[test]
fn a_file_made_up_under_this_devices_name_does_not_stop_it() {
    let (folder, [laptop, tablet]) = written(2);
    let device = folder.device(&laptop.vault);
    let mut fake = fs::read(&segments(&folder, &laptop)[1]).unwrap();
    // Structure and number are right; the signature cannot be.
    fake[56] = 3;
    fs::write(device.join(format!("3-3-{}.seg", Digest::of(&fake))), &fake).unwrap();
    fake[56] = 1;
    fs::write(device.join(format!("1-1-{}.seg", Digest::of(&fake))), &fake).unwrap();
    for n in 10..20 {
        put(&laptop, "a", n);
        assert_eq!(sync(&folder, &laptop).segments_sent, 1);
    }
    sync(&folder, &tablet);
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn a_copy_that_writes_to_another_replica_loses_nothing_when_they_meet() {
    let (folder, [laptop, tablet, watch]) = written(1);
    let copied = copy_of(&laptop);
    sync(&folder, &tablet);
    put(&laptop, "a", 10);
    sync(&folder, &laptop);
    // The copy writes to a replica that does not have the laptop's last file yet.
    let replica = SharedFolder::new();
    copy(folder.folder.path(), replica.folder.path());
    fs::remove_file(replica.device(&laptop.vault).join(name(&segments(&folder, &laptop)[1])))
        .unwrap();
    put(&copied, "c", 20);
    sync(&replica, &copied);
    sync(&folder, &tablet);
    copy(replica.folder.path(), folder.folder.path());
    put(&watch, "w", 1);
    let all = [&watch, &tablet, &laptop, &copied];
    for store in all.iter().cycle().take(2 * all.len()) {
        sync(&folder, store);
    }
    assert_eq!((get(&tablet, "a"), get(&tablet, "c")), (Some(json!(10)), Some(json!(20))));
    assert_equal(&all);
}

#[test]
fn own_files_that_were_lost_or_cut_are_written_again() {
    let (folder, [laptop, tablet]) = written(5);
    let files = segments(&folder, &laptop);
    fs::remove_file(&files[1]).unwrap();
    fs::write(&files[3], b"cut").unwrap();
    for _ in 0..RUNS_UNTIL_LISTED {
        sync(&folder, &laptop);
    }
    assert_eq!(segments(&folder, &laptop), files);
    assert_eq!(sync(&folder, &tablet).segments_received, 5);
    assert_equal(&[&laptop, &tablet]);
    // The last file is looked at each time.
    fs::remove_file(&files[4]).unwrap();
    assert_eq!(sync(&folder, &laptop).segments_sent, 1);
    assert_eq!(segments(&folder, &laptop), files);
}

#[test]
fn an_own_file_whose_bytes_changed_is_written_again_in_time() {
    let (folder, [laptop, tablet]) = written(3);
    let files = segments(&folder, &laptop);
    let whole = fs::read(&files[1]).unwrap();
    let mut changed = whole.clone();
    changed[200] ^= 1;
    fs::write(&files[1], &changed).unwrap();
    assert!(sync(&folder, &tablet).segments_refused > 0);
    // One of sixteen files is read in each listing, in turns.
    let runs = (0..16 * RUNS_UNTIL_LISTED).take_while(|_| {
        sync(&folder, &laptop);
        fs::read(&files[1]).unwrap() != whole
    });
    assert!(runs.count() < 16 * RUNS_UNTIL_LISTED, "never");
    sync(&folder, &tablet);
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn files_that_vanish_between_two_pages_are_missed_and_not_mourned() {
    let (folder, [laptop, tablet]) = (SharedFolder::new(), devices());
    let mut state = 1u64;
    for n in 0..8u64 {
        let mut text = String::new();
        for _ in 0..40_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&format!("{:016x}", state ^ (state >> 29)));
        }
        let notes = laptop.vault.collection("notes").unwrap();
        notes.put(&n.to_string(), &json!({ "text": text })).unwrap();
        sync(&folder, &laptop);
    }
    let kept = SharedFolder::new();
    copy(folder.folder.path(), kept.folder.path());
    let files = segments(&folder, &laptop);
    let mut pages = 0;
    let mut spy = Spy {
        inner: folder.connect(&tablet.vault),
        push: &mut |inner, request: &PushRequest| inner.push(request),
        pulled: &mut |answer| {
            if answer.as_ref().is_ok_and(|page| page.more) && pages == 0 {
                pages += 1;
                files.iter().for_each(|file| drop(fs::remove_file(file)));
            }
        },
    };
    tablet.vault.sync_over(&folder.address(), &mut spy, &mut |_| {}).unwrap();
    assert_eq!(pages, 1, "the files went in the middle of the run");
    copy(kept.folder.path(), folder.folder.path());
    sync(&folder, &tablet);
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn segments_merged_into_one_file_are_read_beside_the_old_ones() {
    let (folder, [laptop, tablet, watch]) = written(3);
    sync(&folder, &tablet);
    for n in 10..13 {
        put(&laptop, "a", n);
        sync(&folder, &laptop);
    }
    let files = segments(&folder, &laptop);
    let merged: Vec<u8> = files[..5].iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let device = folder.device(&laptop.vault);
    fs::write(device.join(format!("1-5-{}.seg", Digest::of(&merged))), &merged).unwrap();
    // Old and new together; then the merged one alone.
    assert_eq!(sync(&folder, &tablet).segments_received, 3);
    files[..5].iter().for_each(|file| fs::remove_file(file).unwrap());
    assert_eq!(sync(&folder, &watch).segments_received, 6);
    for _ in 0..=RUNS_UNTIL_LISTED {
        assert_eq!(sync(&folder, &laptop).segments_sent, 0, "nothing is missing there");
    }
    put(&laptop, "a", 20);
    for store in [&laptop, &tablet, &watch] {
        sync(&folder, store);
    }
    assert_equal(&[&laptop, &tablet, &watch]);
}

#[test]
fn a_device_merges_its_old_files_and_nobody_misses_any() {
    let (folder, [laptop, tablet, watch]) = (SharedFolder::new(), devices());
    let mut since = None;
    let mut write = |count: u64| {
        for n in 0..count {
            put(&laptop, "a", n);
            // Seals a segment of its own.
            since = Some(laptop.vault.prepare_sync_package(since.as_ref()).unwrap().point);
        }
        for _ in 0..=RUNS_UNTIL_LISTED {
            sync(&folder, &laptop);
        }
        segments(&folder, &laptop)
    };
    assert_eq!(write(127).len(), 127, "too few to merge");
    for _ in 0..2 {
        sync(&folder, &tablet);
    }
    let before = segments(&folder, &laptop);
    let small: Vec<_> = before.iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    let files = write(70);
    assert_eq!(files.len(), 2 + (197 - 128), "{files:?}");
    assert_eq!(name(&files[0]).split('-').nth(1), Some("64"));
    // Some had read a part, some nothing.
    assert_eq!(sync(&folder, &tablet).segments_received, 70);
    assert_eq!(sync(&folder, &watch).segments_received, 197);
    // What a cut-off run, or a sync program, left beside the merged file goes the next time.
    small.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    assert!(write(0) == files);
    // A merged file that was cut, within its first segment or later, is made up for like any other.
    let whole = fs::read(&files[1]).unwrap();
    for len in [3, whole.len() / 2] {
        fs::write(&files[1], &whole[..len]).unwrap();
        write(0);
        assert!(write(0) == files, "{len}");
        assert_eq!(fs::read(&files[1]).unwrap(), whole, "{len}");
    }
    let [_, _, fresh] = devices();
    sync(&folder, &fresh);
    for store in [&tablet, &watch, &fresh] {
        assert_eq!(store.vault.digest().unwrap(), laptop.vault.digest().unwrap());
    }
}

#[test]
fn a_manifest_that_lies_misleads_nobody() {
    let (folder, [laptop, tablet]) = written(2);
    let manifest = folder.device(&laptop.vault).join("manifest");
    let old = fs::read(&manifest).unwrap();
    sync(&folder, &tablet);
    for (n, lie) in [&b""[..], b"garbage", &[0; 5000], &old].into_iter().enumerate() {
        put(&laptop, "a", 10 + n as u64);
        sync(&folder, &laptop);
        fs::write(&manifest, lie).unwrap();
        assert_eq!(sync(&folder, &tablet).segments_received, 1, "{lie:?}");
        assert_eq!(sync(&folder, &laptop).segments_sent, 0, "{lie:?}");
        assert_equal(&[&laptop, &tablet]);
    }
}

/// Sets the time at which the folders of a vault seem to have changed last.
fn set_times(folder: &SharedFolder, store: &Store, seconds: u64) {
    let device = folder.device(&store.vault);
    for path in [device.parent().unwrap(), &device] {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    }
}

#[test]
fn unchanged_folders_are_not_listed_and_a_time_that_stands_still_only_delays() {
    let (folder, [laptop, tablet]) = written(1);
    sync(&folder, &tablet);
    set_times(&folder, &laptop, 1_000_000);
    sync(&folder, &tablet);
    put(&laptop, "a", 2);
    sync(&folder, &laptop);
    set_times(&folder, &laptop, 1_000_000);
    assert_eq!(sync(&folder, &tablet).segments_received, 0, "as if nothing had changed");
    set_times(&folder, &laptop, 1_000_001);
    assert_eq!(sync(&folder, &tablet).segments_received, 1, "a change is seen at once");
    sync(&folder, &tablet);
    put(&laptop, "a", 3);
    sync(&folder, &laptop);
    set_times(&folder, &laptop, 1_000_001);
    let received: Vec<u64> =
        (0..RUNS_UNTIL_LISTED).map(|_| sync(&folder, &tablet).segments_received).collect();
    assert_eq!((received[0], received.iter().sum::<u64>()), (0, 1), "{received:?}");
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let (mut folder, [laptop]) = (SharedFolder::new(), devices());
    put(&laptop, "a", 1);
    let path = folder.folder.path().to_owned();
    fs::remove_dir(&path).unwrap();
    let error = try_sync(&folder, &laptop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("folder") && !path.exists(), "{error}");
    fs::create_dir(&path).unwrap();
    folder.wipe();
    assert_eq!(sync(&folder, &laptop).segments_sent, 1);
    assert_eq!(laptop.vault.status().unwrap().last_sync.unwrap().url, folder.address());
}

#[test]
fn replicas_kept_in_step_by_copying_converge() {
    let [laptop, tablet] = devices();
    let replicas = [SharedFolder::new(), SharedFolder::new()];
    let (mut laptop, mut tablet) = (laptop, tablet);
    for n in 0..6 {
        put(&laptop, &format!("l{n}"), n);
        put(&tablet, &format!("t{n}"), n);
        put(&laptop, "same", n);
        put(&tablet, "same", 100 + n);
        sync(&replicas[0], &laptop);
        sync(&replicas[1], &tablet);
        copy(replicas[0].folder.path(), replicas[1].folder.path());
        copy(replicas[1].folder.path(), replicas[0].folder.path());
        (laptop, tablet) = (reopened(laptop), reopened(tablet));
    }
    for (replica, store) in [(&replicas[0], &laptop), (&replicas[1], &tablet)] {
        sync(replica, store);
    }
    assert_equal(&[&laptop, &tablet]);
}

#[test]
fn two_rosters_signed_for_one_number_are_a_fork() {
    let folder = SharedFolder::new();
    let (pairing, other) = (relay(), relay());
    let (phone, _laptop) = pair(&pairing.url());
    let copied = copy_of(&phone);
    let _one = join(&phone, &pairing.url());
    let _two = join(&copied, &other.url());
    sync(&folder, &phone);
    let before = fs::read_dir(folder.folder.path()).unwrap().count();
    let error = try_sync(&folder, &copied).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fork);
    assert!(error.to_string().contains("members"), "{error}");
    assert_eq!(fs::read_dir(folder.folder.path()).unwrap().count(), before);
    sync(&folder, &phone);
}

/// Passes on everything but the beginning of a run.
struct Forgetful(Box<dyn Transport>);

impl Transport for Forgetful {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.0.pull(request)
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.0.push(request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.0.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.0.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.0.traffic_bytes()
    }
}

#[test]
fn a_wrapper_that_does_not_pass_the_beginning_on_is_told_so() {
    let (folder, [laptop]) = (SharedFolder::new(), devices());
    put(&laptop, "a", 1);
    let mut forgetful = Forgetful(folder.connect(&laptop.vault));
    let error = laptop.vault.sync_over(&folder.address(), &mut forgetful, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("Transport::begin"), "{error}");
    assert_eq!(sync(&folder, &laptop).segments_sent, 1);
}
