//! Sync without a meeting place: what is new as bytes, to be carried by mail, stick or any other way.
//!
//! Packages may be lost, doubled, out of order and full of gaps: segments wait for those before them.

use std::collections::HashSet;

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{
    PACKAGE_BYTES_MAX, PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX, PUSH_BYTES_MAX, SEGMENT_BODY_BYTES_TARGET,
};
use selkie_wire::package::{PackageContent, PackageError, PackageWriter, read_package};
use selkie_wire::roster::RosterEntry;
use selkie_wire::{Digest, Envelope, Incarnations, Roster, RosterError, SegmentNumber};

use super::sync_point::SyncPoint;
use crate::engine::{SyncPhase, SyncProgress};
use crate::status::OpenConflict;
use crate::store::{Applied, Identity, Theirs};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// What is new here, sealed, for another device of the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPackage {
    /// The package: mail it, copy it, show it to nobody or to everybody; only the vault's devices can
    /// read it.
    pub bytes: Vec<u8>,
    /// Segments in it.
    pub segments: u64,
    /// Own changes in it.
    pub changes: u64,
    /// Where it ends: a later package since this point goes on from here.
    pub point: SyncPoint,
    /// Whether all that was asked for is in it. If not, the rest is in the package since its point.
    pub is_complete: bool,
}

/// What applying a package did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PackageReport {
    /// Changes that were new.
    pub changes_applied: u64,
    /// Segments opened and merged, those that had waited for this package included.
    pub segments_applied: u64,
    /// Segments that were known already.
    pub segments_known: u64,
    /// Segments of it that wait sealed, for others before them or for an update.
    pub segments_held: u64,
    /// Envelopes that were not this vault's, or not intact.
    pub segments_refused: u64,
    /// Open conflicts that it brought.
    pub conflicts: Vec<OpenConflict>,
}

impl From<PackageError> for Error {
    fn from(error: PackageError) -> Self {
        let kind = match error {
            PackageError::TooNew => ErrorKind::TooNew,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, error.to_string())
    }
}

/// Seals what waits, and packs what others lack.
pub(crate) fn make(vault: &Vault, since: Option<&SyncPoint>) -> Result<SyncPackage, Error> {
    let mut database = vault.database();
    let identity = database.identity()?;
    database.seal_waiting(&identity, SEGMENT_BODY_BYTES_TARGET)?;
    let mut writer = PackageWriter::new(identity.roster.vault());
    for entry in database.roster_entries(RosterNumber(0))? {
        writer.roster_entry(&entry);
    }
    for (_, incarnation) in database.incarnations(&identity.roster)?.iter() {
        writer.introduction(&incarnation);
    }
    let own = database.chain(identity.device_id())?;
    let known = |device| since.map_or(0, |since| since.get(device));
    let (mut segments, mut changes, mut is_complete) = (0, 0, true);
    let mut last = SegmentNumber(known(own));
    'own: loop {
        let outgoing = database.outgoing(last, PUSH_BYTES_MAX)?;
        if outgoing.numbers.is_empty() {
            break;
        }
        for (number, envelope) in outgoing.numbers.into_iter().zip(outgoing.envelopes) {
            if writer.size_bytes() + envelope.len() + ITEM_ROOM > PACKAGE_BYTES_MAX {
                is_complete = false;
                break 'own;
            }
            writer.envelope(&envelope);
            (segments, last) = (segments + 1, number);
            changes += database.changes_in(number)?;
        }
    }
    // What this device itself cannot open yet may be just what another waits for.
    for (device, number, envelope) in database.held_envelopes()? {
        let fits = writer.size_bytes() + envelope.len() + ITEM_ROOM <= PACKAGE_BYTES_MAX;
        if fits && number.0 > known(device) {
            writer.envelope(&envelope);
            segments += 1;
        }
    }
    let point = SyncPoint::from_iter([(own, last.0)]);
    Ok(SyncPackage { bytes: writer.finish(), segments, changes, point, is_complete })
}

/// Room for an item's kind and length.
const ITEM_ROOM: usize = 16;

/// Applies a package, a page a transaction. Interrupted, it can be applied again.
pub(crate) fn apply(
    vault: &Vault,
    bytes: &[u8],
    progress: &mut dyn FnMut(SyncProgress),
) -> Result<PackageReport, Error> {
    let (of, content) = read_package(bytes)?;
    if of != vault.id() {
        return Err(Error::new(ErrorKind::InvalidInput, "the package belongs to another vault"));
    }
    let identity = take_roster(vault, &content.roster)?;
    let introduced = introduced(&identity.roster, &content);
    vault.database().introduce(&introduced)?;
    heal_own(vault, &identity, &content.envelopes)?;
    let conflicts_before: HashSet<String> =
        vault.conflicts(None)?.into_iter().map(|open| open.token).collect();
    let mut report = PackageReport::default();
    let mut bytes_done = 0;
    for page in pages(&content.envelopes) {
        bytes_done += page.iter().map(|envelope| envelope.len() as u64).sum::<u64>();
        let page = page.iter().map(|envelope| envelope.to_vec()).collect();
        let applied = vault.database().apply_page(&identity, None, page, vault.now_ms())?;
        vault.tell(&applied.events);
        report.add(&applied);
        progress(SyncProgress {
            phase: SyncPhase::Pull,
            changes_to_send: 0,
            segments: report.segments_applied,
            changes: report.changes_applied,
            bytes: bytes_done,
        });
    }
    vault.attend()?;
    if report.segments_held > 0 {
        // A later segment of the same package may have been what the others waited for.
        let held = vault.database().held_ids()?;
        let held: HashSet<Digest> = held.into_iter().map(|(_, _, digest)| digest).collect();
        let waits =
            content.envelopes.iter().filter(|envelope| held.contains(&Digest::of(envelope)));
        report.segments_held = waits.count() as u64;
    }
    report.conflicts = vault.conflicts(None)?;
    report.conflicts.retain(|open| !conflicts_before.contains(&open.token));
    Ok(report)
}

impl PackageReport {
    fn add(&mut self, applied: &Applied) {
        self.changes_applied += applied.changes;
        self.segments_applied += applied.segments;
        self.segments_known += applied.duplicates;
        self.segments_held += applied.held;
        self.segments_refused += applied.refused;
    }
}

/// Envelopes in portions of one transaction each. A package of the roster alone is one empty portion:
/// an entry may open what was held.
fn pages<'a, 'b>(envelopes: &'b [&'a [u8]]) -> Vec<&'b [&'a [u8]]> {
    let mut pages = Vec::new();
    let mut rest = envelopes;
    loop {
        let mut size_bytes = 0;
        let fits = rest.iter().take(PAGE_SEGMENTS_MAX).take_while(|envelope| {
            size_bytes += envelope.len();
            size_bytes <= PAGE_BYTES_MAX
        });
        let (page, after) = rest.split_at(fits.count().max(1).min(rest.len()));
        pages.push(page);
        rest = after;
        if rest.is_empty() {
            return pages;
        }
    }
}

/// Applies the roster entries that are new and follow those known here. Entries after a gap wait for a
/// package that fills it.
fn take_roster(vault: &Vault, entries: &[&[u8]]) -> Result<Identity, Error> {
    let mut database = vault.database();
    let identity = database.identity()?;
    let known = database.roster_entries(RosterNumber(0))?;
    let (mut roster, mut new) = (identity.roster.clone(), Vec::new());
    for bytes in entries {
        let entry = RosterEntry::parse(bytes.to_vec())?;
        let number = entry.number().0;
        let here = usize::try_from(number).ok().and_then(|number| known.get(number));
        match here {
            Some(known) if known == bytes => {}
            Some(_) => return Err(RosterError::Fork.into()),
            None if number == roster.last().0 + 1 => {
                roster.apply(&entry)?;
                new.push(bytes.to_vec());
            }
            None => break,
        }
    }
    if new.is_empty() {
        return Ok(identity);
    }
    database.append_roster(&roster, &new)?;
    database.identity()
}

/// The chains that the package introduces and has signed segments of; others are of no use.
fn introduced(roster: &Roster, content: &PackageContent<'_>) -> Incarnations {
    let mut known = Incarnations::default();
    for introduction in &content.introductions {
        let Some(member) = roster.member(introduction.member) else { continue };
        let (chain, _) = member.chain(Some(introduction.token));
        let named = |bytes: &&&[u8]| bytes.get(40..56) == Some(chain.as_bytes());
        let signed = |bytes: &&[u8]| {
            let envelope = Envelope::parse(bytes.to_vec());
            envelope.is_ok_and(|envelope| envelope.verify(&member.keys.signing_key).is_ok())
        };
        if content.envelopes.iter().find(named).is_some_and(signed) {
            known.insert(roster, *introduction);
        }
    }
    known
}

/// If the package has segments of this store's chain that it never made, the store went on from an
/// earlier state of itself: it begins a chain of its own before it takes anything in.
fn heal_own(vault: &Vault, identity: &Identity, envelopes: &[&[u8]]) -> Result<(), Error> {
    let mut database = vault.database();
    let own = database.chain(identity.device_id())?;
    let mut theirs = Theirs::default();
    // Where an envelope's header names its chain: others need not be copied to be passed over.
    for bytes in envelopes.iter().filter(|bytes| bytes.get(40..56) == Some(own.as_bytes())) {
        database.note_theirs(identity, bytes.to_vec(), &mut theirs)?;
    }
    if database.is_forked_by(&theirs)? {
        database.heal_fork(identity, &theirs, SegmentNumber(0), vault.now_ms())?;
    }
    Ok(())
}
