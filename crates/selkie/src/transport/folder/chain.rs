//! The roster in the folder: one file an entry, believed as far as the admin key signed it.

use std::collections::BTreeMap;
use std::path::Path;

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::ROSTER_ENTRY_BYTES_MAX;
use selkie_wire::{Digest, Roster, RosterEntry};

use super::files;
use super::names::EntryName;
use crate::transport::{Session, TransportError};

/// The folder's roster, genesis first, as far as it goes without a gap.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) roster: Roster,
    pub(super) entries: Vec<Vec<u8>>,
}

impl Chain {
    /// Reads and verifies it; `None` if not even genesis is there.
    ///
    /// # Errors
    /// [`TransportError::RosterFork`] if two entries with one number are both signed, or one that this
    /// device knows is another here.
    pub(super) fn read(folder: &Path, session: &Session) -> Result<Option<Self>, TransportError> {
        let mut names: BTreeMap<u64, Vec<EntryName>> = BTreeMap::new();
        for name in files::list(folder).iter().filter_map(|name| EntryName::parse(name)) {
            names.entry(name.number.0).or_default().push(name);
        }
        let read = |name: &EntryName| {
            let bytes = files::read(&folder.join(name.to_string()), ROSTER_ENTRY_BYTES_MAX)?;
            (Digest::of(&bytes) == name.digest).then(|| RosterEntry::parse(bytes).ok()).flatten()
        };
        let candidates = |number: u64| names.get(&number).into_iter().flatten().filter_map(read);
        let first = candidates(0).find_map(|entry| {
            let roster = Roster::from_genesis(&entry).ok()?;
            (roster.vault() == session.vault()).then(|| (roster, entry.bytes().to_vec()))
        });
        let Some((roster, genesis)) = first else { return Ok(None) };
        let mut chain = Self { roster, entries: vec![genesis] };
        loop {
            let number = chain.entries.len() as u64;
            let mut after = candidates(number).filter_map(|entry| {
                let mut roster = chain.roster.clone();
                roster.apply(&entry).ok().map(|()| (roster, entry.bytes().to_vec()))
            });
            let Some((roster, entry)) = after.next() else { break };
            if after.next().is_some() {
                return Err(TransportError::RosterFork);
            }
            drop(after);
            chain.roster = roster;
            chain.entries.push(entry);
            let known = session.roster();
            let differs = chain.roster.last_digest() != known.last_digest();
            if chain.roster.last() == known.last() && differs {
                return Err(TransportError::RosterFork);
            }
        }
        Ok(Some(chain))
    }

    /// Entries from a number on.
    pub(super) fn entries_from(&self, from: RosterNumber) -> &[Vec<u8>] {
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        self.entries.get(from..).unwrap_or_default()
    }
}
