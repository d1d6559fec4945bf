//! Many small own files become few: a folder stays quick to list, however long its devices write.
//!
//! The merged file is whole on the disk before any small one goes, and readers take either; so a crash
//! or a sync program in between leaves too much, never too little.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use selkie_wire::limits::FOLDER_FILE_BYTES_MAX;
use selkie_wire::{Digest, Envelope, SegmentNumber};

use super::files;
use super::names::SegmentName;
use super::own::own_envelopes;
use crate::transport::Session;

/// Segments in a merged file.
const MERGED_SEGMENTS: usize = 64;
/// The newest stay alone: others are about to read them.
const NEWEST_ALONE: u64 = 64;
/// A merged file is closed once it would hold more than this.
const MERGED_BYTES_MAX: usize = FOLDER_FILE_BYTES_MAX / 2;
/// Fewer than this, because they are large, are not worth a file.
const MERGED_SEGMENTS_MIN: usize = 8;
/// Files merged in one run: what is old waits for the next one.
const MERGES_PER_RUN: usize = 16;

/// Merges own files well before `head`, of which none before is missing.
pub(super) fn merge_old(folder: &Path, head: SegmentNumber, session: &Session) {
    let Some(before) = head.0.checked_sub(NEWEST_ALONE) else { return };
    let names = files::list(folder);
    let names: Vec<_> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    let merged = merged_already(folder, &names, session);
    let mut alone: BTreeMap<u64, SegmentName> = BTreeMap::new();
    for name in names.iter().filter(|name| name.is_single() && name.last.0 <= before) {
        if merged.contains(&(name.last, name.digest)) {
            // Left by a run that was cut off before it could remove it.
            remove(folder, *name);
        } else {
            alone.insert(name.last.0, *name);
        }
    }
    let mut merges = 0;
    while let Some((&first, _)) = alone.first_key_value() {
        let group = take_group(folder, first, &mut alone, session);
        if group.len() < MERGED_SEGMENTS_MIN || merges == MERGES_PER_RUN {
            continue;
        }
        merges += 1;
        if write(folder, &group).is_err() {
            return;
        }
    }
}

/// The segments in files that hold several, as far as they are this device's.
fn merged_already(
    folder: &Path,
    names: &[SegmentName],
    session: &Session,
) -> BTreeSet<(SegmentNumber, Digest)> {
    let covers_one_alone = |merged: &&SegmentName| {
        let inside = |name: &SegmentName| {
            name.is_single() && merged.first <= name.first && name.last <= merged.last
        };
        !merged.is_single() && names.iter().any(inside)
    };
    let envelopes = names
        .iter()
        .filter(covers_one_alone)
        .flat_map(|name| own_envelopes(folder, *name, session));
    envelopes.map(|envelope| (envelope.header().number, envelope.digest())).collect()
}

/// Takes consecutive files from `first` on, as many as one merged file holds: none if they are too few
/// yet, or one of them is not whole.
fn take_group(
    folder: &Path,
    first: u64,
    alone: &mut BTreeMap<u64, SegmentName>,
    session: &Session,
) -> Vec<(SegmentName, Envelope)> {
    let (mut group, mut size_bytes, mut is_full) = (Vec::new(), 0, false);
    for number in first.. {
        let Some(name) = alone.get(&number).copied() else { break };
        let Some(envelope) = own_envelopes(folder, name, session).pop() else {
            alone.remove(&number);
            break;
        };
        size_bytes += envelope.bytes().len();
        is_full = group.len() == MERGED_SEGMENTS || size_bytes > MERGED_BYTES_MAX;
        if is_full && !group.is_empty() {
            break;
        }
        alone.remove(&number);
        group.push((name, envelope));
    }
    is_full |= group.len() == MERGED_SEGMENTS;
    if is_full { group } else { Vec::new() }
}

fn write(folder: &Path, group: &[(SegmentName, Envelope)]) -> std::io::Result<()> {
    let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) else { return Ok(()) };
    let bytes: Vec<&[u8]> = group.iter().map(|(_, envelope)| envelope.bytes()).collect();
    let bytes = bytes.concat();
    let name = SegmentName { first: first.first, last: last.last, digest: Digest::of(&bytes) };
    files::write_whole(&folder.join(name.to_string()), &bytes)?;
    group.iter().for_each(|(name, _)| remove(folder, *name));
    Ok(())
}

fn remove(folder: &Path, name: SegmentName) {
    let _may_be_gone = fs::remove_file(folder.join(name.to_string()));
}
