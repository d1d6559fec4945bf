//! Which files to read: those of other devices that hold what this device lacks.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use selkie_wire::limits::PAGE_SEGMENTS_MAX;
use selkie_wire::{DeviceId, Digest, Envelope, Roster, SegmentNumber};

use super::files;
use super::names::SegmentName;
use super::segments::{self, Content};
use crate::transport::Session;
use crate::transport::session::SegmentId;

/// Files of devices that the roster does not name: looked at last, and not without end. A roster entry
/// that is on its way may make them members.
const UNKNOWN_FILES_MAX: usize = PAGE_SEGMENTS_MAX;
/// Bytes of them at most.
const UNKNOWN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Damaged files that a run tells of.
const DAMAGED_TOLD_MAX: u32 = 64;

/// A file that may hold what is lacking.
#[derive(Debug)]
struct Candidate {
    device: DeviceId,
    name: SegmentName,
    path: PathBuf,
}

/// The files still to be read in a run.
#[derive(Debug, Default)]
pub(super) struct Scan {
    files: VecDeque<Candidate>,
    /// Files that were not whole, or went before they were read.
    damaged: u32,
    /// A merged file was read up to here: smaller files of the same are skipped.
    covered: Option<(DeviceId, SegmentNumber)>,
}

/// What a file gives to a page.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) envelopes: Vec<Vec<u8>>,
    /// Those that are whole.
    pub(super) segments: Vec<SegmentId>,
    pub(super) bytes_read: u64,
}

impl Scan {
    /// Looks through the devices' folders.
    pub(super) fn new(devices: &Path, session: &Session, roster: &Roster) -> Self {
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for device in others(devices, session) {
            let found = lacking(&devices.join(device.to_string()), device, session);
            let is_member = signing_key(device, session, roster).is_some();
            if is_member { known.extend(found) } else { unknown.extend(found) }
        }
        let mut unknown_bytes = 0;
        let within = unknown.into_iter().take(UNKNOWN_FILES_MAX).take_while(|candidate| {
            unknown_bytes += files::len(&candidate.path).unwrap_or(0);
            unknown_bytes <= UNKNOWN_BYTES_MAX
        });
        let files = known.into_iter().chain(within).collect();
        Self { files, ..Self::default() }
    }

    /// Whether all that was read was whole, so that nothing is to be looked at again.
    pub(super) fn is_clean(&self) -> bool {
        self.damaged == 0
    }

    pub(super) fn is_over(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads the next file. One that is damaged gives an empty envelope, which the receiver refuses and
    /// counts: a person should hear of it, and it stops nothing else.
    pub(super) fn next(&mut self, session: &Session, roster: &Roster) -> Found {
        let Some(Candidate { device, name, path }) = self.files.pop_front() else {
            return Found::default();
        };
        if self.covered.is_some_and(|(of, last)| of == device && name.last <= last) {
            return Found::default();
        }
        let envelopes = match segments::read(&path, name, session.vault(), device) {
            Content::Gone => {
                self.damaged += 1;
                return Found::default();
            }
            Content::Whole(envelopes) if is_signed(&envelopes, device, session, roster) => {
                envelopes
            }
            Content::Whole(_) | Content::Damaged => {
                self.damaged += 1;
                let told = self.damaged <= DAMAGED_TOLD_MAX;
                let envelopes = if told { vec![Vec::new()] } else { Vec::new() };
                return Found { envelopes, ..Found::default() };
            }
        };
        if !name.is_single() {
            self.covered = Some((device, name.last));
        }
        let bytes_read = envelopes.iter().map(|envelope| envelope.bytes().len() as u64).sum();
        let mut found = Found { bytes_read, ..Found::default() };
        for envelope in envelopes {
            let (number, digest) = (envelope.header().number, envelope.digest());
            if session.lacks(device, number, digest) {
                found.segments.push((device, number, digest));
                found.envelopes.push(envelope.into_bytes());
            }
        }
        found
    }
}

/// The other devices that have a folder.
fn others(devices: &Path, session: &Session) -> Vec<DeviceId> {
    let names = files::list(devices);
    let ids = names
        .iter()
        .filter_map(|name| DeviceId::from_hex(name).filter(|device| device.to_string() == *name));
    let mut others: Vec<_> = ids.filter(|device| *device != session.chain).collect();
    others.sort_unstable();
    others
}

/// A number that changes when another device's folder does, or the roster: while it stays, nothing need
/// be listed. `None` if a folder changed so lately that its time could not tell a further change.
pub(super) fn fingerprint(devices: &Path, session: &Session, roster: &Roster) -> Option<u32> {
    let mut seen = roster.last_digest().as_bytes().to_vec();
    seen.extend(files::settled_at(devices)?.to_le_bytes());
    for device in others(devices, session) {
        seen.extend(device.as_bytes());
        seen.extend(files::settled_at(&devices.join(device.to_string()))?.to_le_bytes());
    }
    let Digest(digest) = Digest::of(&seen);
    digest.first_chunk().map(|start| u32::from_le_bytes(*start).max(1))
}

/// The files of a device that may hold what is lacking, in order of number, the widest first.
fn lacking(folder: &Path, device: DeviceId, session: &Session) -> Vec<Candidate> {
    let mut names: Vec<SegmentName> =
        files::list(folder).iter().filter_map(|name| SegmentName::parse(name)).collect();
    names.retain(|name| may_lack(*name, device, session));
    names.sort_by_key(|name| (name.first, std::cmp::Reverse(name.last), name.digest));
    let candidate =
        |name: SegmentName| Candidate { device, name, path: folder.join(name.to_string()) };
    names.into_iter().map(candidate).collect()
}

fn may_lack(name: SegmentName, device: DeviceId, session: &Session) -> bool {
    if name.is_single() {
        return session.lacks(device, name.last, name.digest);
    }
    // The digest of a merged file tells nothing of its envelopes.
    let head = session.heads.get(&device).map_or(SegmentNumber(0), |(number, _)| *number);
    name.last > head
}

/// The key a device signs with, by the folder's roster or the device's own, whichever knows it.
fn signing_key<'a>(
    device: DeviceId,
    session: &'a Session,
    roster: &'a Roster,
) -> Option<&'a [u8; 32]> {
    let known = &session.incarnations;
    let owner = known.owner(roster, device).or_else(|| known.owner(session.roster(), device));
    Some(&owner?.1.keys.signing_key)
}

/// Whether a member signed all of these. Of a device not known yet nothing can be said here: the
/// receiver judges.
fn is_signed(envelopes: &[Envelope], device: DeviceId, session: &Session, roster: &Roster) -> bool {
    signing_key(device, session, roster)
        .is_none_or(|key| envelopes.iter().all(|envelope| envelope.verify(key).is_ok()))
}
