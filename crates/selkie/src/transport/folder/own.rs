//! This device's own files: which of its segments the folder has, and writing those it has not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use selkie_wire::limits::ENVELOPE_BYTES_MAX;
use selkie_wire::relay::{Head, PushOutcome};
use selkie_wire::{Digest, Envelope, SegmentNumber};

use super::files;
use super::manifest::{self, Manifest};
use super::merging;
use super::names::SegmentName;
use super::segments::{self, Content};
use crate::transport::Session;

/// One file of so many is read whole when the folder is listed, in turns: bytes that changed and kept
/// their length show in no other way.
const SLICES: u64 = 16;

/// This device's folder.
#[derive(Debug)]
pub(super) struct Own {
    folder: PathBuf,
    /// The last own segment here of which none before is missing; no digest if that number has two
    /// byte strings, both signed by this device.
    pub(super) head: Head,
}

impl Own {
    /// Finds the head: by the manifest if that holds, else by listing; by listing in any case if a slice
    /// of the files is to be read and checked.
    pub(super) fn find(folder: PathBuf, session: &Session, slice: Option<u64>) -> Self {
        let quick = if slice.is_some() { None } else { head_by_manifest(&folder, session) };
        let head = quick.unwrap_or_else(|| head_by_listing(&folder, session, slice));
        Self { folder, head }
    }

    /// Writes a segment that is not there.
    pub(super) fn put(
        &mut self,
        envelope: &Envelope,
        session: &Session,
    ) -> io::Result<PushOutcome> {
        if !session.is_own(envelope) {
            return Ok(PushOutcome::Refused);
        }
        let number = envelope.header().number;
        let name = SegmentName::single(number, envelope.digest());
        let path = self.folder.join(name.to_string());
        if files::read(&path, ENVELOPE_BYTES_MAX).as_deref() == Some(envelope.bytes()) {
            self.advance(number, name.digest);
            return Ok(PushOutcome::Duplicate);
        }
        if number <= self.head.number {
            let there = self.digests_of(number, session);
            if there.iter().any(|digest| *digest != name.digest) {
                return Ok(PushOutcome::Fork);
            }
            if !there.is_empty() {
                return Ok(PushOutcome::Duplicate);
            }
        }
        if self.head.number.next().is_none_or(|next| number > next) {
            return Ok(PushOutcome::Gap);
        }
        files::write_whole(&path, envelope.bytes())?;
        self.advance(number, name.digest);
        Ok(PushOutcome::Stored)
    }

    fn advance(&mut self, number: SegmentNumber, digest: Digest) {
        if self.head.number.next() == Some(number) {
            self.head = Head { number, digest: Some(digest) };
        }
    }

    /// What this device signed under a number and the folder has.
    fn digests_of(&self, number: SegmentNumber, session: &Session) -> Vec<Digest> {
        let names = files::list(&self.folder);
        let names = names.iter().filter_map(|name| SegmentName::parse(name));
        names
            .filter(|name| name.first <= number && number <= name.last)
            .flat_map(|name| own_envelopes(&self.folder, name, session))
            .filter(|own| own.header().number == number)
            .map(|own| own.digest())
            .collect()
    }

    /// Merges what is old into few files, unless the chain has two histories.
    pub(super) fn merge_old(&self, session: &Session) {
        if self.head.digest.is_some() {
            merging::merge_old(&self.folder, self.head.number, session);
        }
    }

    /// Says in the manifest where the chain ends. Without it the folder works on, only slower.
    pub(super) fn write_manifest(&self) {
        let Some(digest) = self.head.digest else { return };
        let file = SegmentName::single(self.head.number, digest).to_string();
        if let Some(manifest) = Manifest::new(self.head, file) {
            let path = self.folder.join(manifest::FILE_NAME);
            let _only_slower = files::write_whole(&path, &manifest.to_bytes());
        }
    }
}

/// The envelopes of an own file, if this device signed all of them.
pub(super) fn own_envelopes(folder: &Path, name: SegmentName, session: &Session) -> Vec<Envelope> {
    let path = folder.join(name.to_string());
    match segments::read(&path, name, session.vault(), session.chain) {
        Content::Whole(envelopes) if envelopes.iter().all(|own| session.is_own(own)) => envelopes,
        _ => Vec::new(),
    }
}

/// The head a file ends with.
fn head_of(folder: &Path, name: SegmentName, session: &Session) -> Option<Head> {
    let last = own_envelopes(folder, name, session).pop()?;
    Some(Head { number: last.header().number, digest: Some(last.digest()) })
}

fn head_by_manifest(folder: &Path, session: &Session) -> Option<Head> {
    let manifest = files::read(&folder.join(manifest::FILE_NAME), manifest::BYTES_MAX)?;
    let manifest = Manifest::parse(&manifest)?;
    let head = head_of(folder, SegmentName::parse(&manifest.file)?, session)?;
    ((head.number, head.digest) == (manifest.number, Some(manifest.digest))).then_some(head)
}

/// Walks the chain from its beginning, to the first segment that is missing or not whole.
fn head_by_listing(folder: &Path, session: &Session, slice: Option<u64>) -> Head {
    let listed = files::list(folder);
    files::clear_temporary(folder, &listed);
    let mut names: BTreeMap<SegmentNumber, Vec<SegmentName>> = BTreeMap::new();
    for name in listed.iter().filter_map(|name| SegmentName::parse(name)) {
        names.entry(name.first).or_default().push(name);
    }
    let mut walked: Vec<SegmentName> = Vec::new();
    let mut next = SegmentNumber(1);
    while let Some(candidates) = names.get_mut(&next) {
        let signed = |name: &SegmentName| !own_envelopes(folder, *name, session).is_empty();
        let is_read = slice.map(|slice| slice % SLICES) == Some(next.0 % SLICES);
        candidates.retain(|name| {
            segments::looks_whole(&folder.join(name.to_string()), *name)
                && (!is_read || signed(name))
        });
        let doubled = candidates.iter().filter(|name| name.is_single()).count() > 1;
        // More than one: some may be made up, which only their signatures tell.
        if doubled {
            candidates.retain(signed);
            if candidates.iter().filter(|name| name.is_single()).count() > 1 {
                return Head { number: next, digest: None };
            }
        }
        let Some(widest) = candidates.iter().max_by_key(|name| name.last) else { break };
        walked.push(*widest);
        let Some(after) = widest.last.next() else { break };
        next = after;
    }
    // The last one speaks for the chain, so it is read whole; what only looked like one is not counted.
    while let Some(name) = walked.pop() {
        if let Some(head) = head_of(folder, name, session) {
            return head;
        }
    }
    Head::default()
}
