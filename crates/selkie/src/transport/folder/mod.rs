//! A plain folder between devices, kept in step by Syncthing, iCloud Drive, a network share or a stick.
//!
//! In: requests of the sync engine. Out: immutable files, each written by one device only; envelopes
//! of others that this device lacks. What never happens here: a lock, a file changed in place, trust in
//! a name, an order of arrival or a time.
//!
//! There is no cursor that a folder could count by, so files are chosen by what the device has
//! ([`Session`]). The protocol's cursor says instead what was looked at last ([`place`]), so that folders
//! which did not change since need not be listed. Every few runs, and whenever the store asks to read
//! anew, all is listed whatever it says.

mod chain;
mod files;
mod manifest;
mod merging;
mod names;
mod own;
mod place;
mod scan;
mod segments;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX};
use selkie_wire::relay::{
    Head, PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie_wire::{Cursor, Envelope, IncarnationToken, RelayEpoch, Roster};

use self::chain::Chain;
use self::names::EntryName;
use self::own::Own;
use self::place::Place;
use self::scan::Scan;
use super::session::SegmentId;
use super::{Session, Transport, TransportError};

/// What an address of a folder begins with.
const SCHEME: &str = "folder:";
/// Version of the layout, the first name in the folder.
const LAYOUT: &str = "v1";
/// One run of this many lists all, and trusts neither a folder's time nor the manifest.
const LIST_INTERVAL_RUNS: u64 = 8;
/// A folder has one life: what it lost is seen from what it holds.
const EPOCH: RelayEpoch = RelayEpoch(*b"selkie folder v1");

/// A folder that devices share.
///
/// ```
/// use selkie::transport::Folder;
/// use selkie::{Unlock, Vault};
/// # let directory = tempfile::tempdir()?;
/// # let vault = Vault::create(directory.path().join("s.db"), Unlock::Key(&[7; 32]))?.vault;
/// # let shared = directory.path().join("shared");
/// # std::fs::create_dir(&shared)?;
/// vault.collection("notes")?.put("n", &serde_json::json!({"title": "Milk"}))?;
/// let mut folder = Folder::new(&shared);
/// let report = vault.sync_over(&folder.address(), &mut folder, &mut |_| {})?;
/// assert_eq!(report.segments_sent, 1);
/// // The same, in short:
/// vault.sync(&Folder::new(&shared).address(), &mut |_| {})?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    session: Option<Arc<Session>>,
    run: Option<Run>,
    own: Option<Own>,
    given: Given,
    traffic_bytes: (u64, u64),
}

/// A pull of several pages.
#[derive(Debug)]
struct Run {
    chain: Chain,
    scan: Scan,
    cursor: Cursor,
    fingerprint: Option<u32>,
}

/// The last page given, until the next question shows that it arrived.
#[derive(Debug, Default)]
struct Given {
    asked: Option<Cursor>,
    segments: Vec<SegmentId>,
}

impl Folder {
    /// The folder at `path`, which must be there: a folder that is missing may be one that is not
    /// mounted, and is not made anew.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let root = path.as_ref().to_owned();
        let given = Given::default();
        Self { root, session: None, run: None, own: None, given, traffic_bytes: (0, 0) }
    }

    /// Its address, as [`Vault::sync`](crate::Vault::sync) takes it: `folder:` and the path.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{SCHEME}{}", self.root.display())
    }

    /// The folder an address names; `None` if it is another kind of address.
    #[must_use]
    pub fn at_address(address: &str) -> Option<Self> {
        address.strip_prefix(SCHEME).map(Self::new)
    }

    fn session(&self) -> Result<Arc<Session>, TransportError> {
        let missing = "a run over a folder begins by `Transport::begin`; a wrapper must pass it on";
        self.session.clone().ok_or_else(|| TransportError::Refused(missing.to_owned()))
    }

    /// Takes a chain for the device's own; what was found of another is of no use then.
    fn write_as(&mut self, incarnation: Option<IncarnationToken>) -> Result<(), TransportError> {
        let before = self.session()?.chain;
        if let Some(session) = &mut self.session {
            Arc::make_mut(session).write_as(incarnation);
            if session.chain != before {
                self.own = None;
            }
        }
        Ok(())
    }

    /// `v1/<vault>` and a name below it.
    fn below(&self, session: &Session, name: &str) -> PathBuf {
        self.root.join(LAYOUT).join(session.vault().to_string()).join(name)
    }

    fn read_chain(&self, session: &Session) -> Result<Option<Chain>, TransportError> {
        if !self.root.is_dir() {
            let why = format!("{} is not there, or is no folder", self.root.display());
            return Err(TransportError::Folder(why));
        }
        Chain::read(&self.below(session, "roster"), session)
    }

    fn own_folder(&self, session: &Session) -> PathBuf {
        self.below(session, "d").join(session.chain.to_string())
    }

    /// Begins to read: what is lacking is looked for once, and read page by page.
    fn start(&mut self, request: &PullRequest) -> Result<(), TransportError> {
        self.run = None;
        self.write_as(request.incarnation)?;
        let cursor = request.cursor;
        let session = &*self.session()?;
        let chain = self.read_chain(session)?.ok_or(TransportError::Unknown)?;
        let (place, devices) = (Place::from_cursor(cursor), self.below(session, "d"));
        let listed = place.run.is_multiple_of(LIST_INTERVAL_RUNS);
        // Before the listing: what comes in between changes it the next time.
        let fingerprint = scan::fingerprint(&devices, session, &chain.roster);
        let unchanged = !listed && fingerprint.is_some() && fingerprint == place.fingerprint;
        let scan =
            if unchanged { Scan::default() } else { Scan::new(&devices, session, &chain.roster) };
        let slice = listed.then_some(place.run / LIST_INTERVAL_RUNS);
        let own = Own::find(self.own_folder(session), session, slice);
        if listed {
            own.write_manifest();
            own.merge_old(session);
        }
        self.own = Some(own);
        self.run = Some(Run { chain, scan, cursor, fingerprint });
        Ok(())
    }

    /// A question at a new place says that the last page arrived: its segments are not given again in
    /// this run. The same question again says that it did not.
    fn settle(&mut self, asked: Cursor) {
        let given =
            std::mem::replace(&mut self.given, Given { asked: Some(asked), segments: Vec::new() });
        if let Some(session) = self.session.as_mut().filter(|_| given.asked != Some(asked)) {
            Arc::make_mut(session).held.extend(given.segments);
        }
    }

    fn head(&self) -> Head {
        self.own.as_ref().map_or_else(Head::default, |own| own.head)
    }
}

impl Transport for Folder {
    fn begin(&mut self, session: &Session) -> Result<(), TransportError> {
        self.session = Some(Arc::new(session.clone()));
        (self.run, self.own, self.given) = (None, None, Given::default());
        Ok(())
    }

    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.settle(request.cursor);
        // A run that was cut off is not gone on with: its pages were not all applied.
        if self.run.as_ref().is_none_or(|run| run.scan.is_over() || run.cursor != request.cursor) {
            self.start(request)?;
        }
        let head = self.head();
        let (Some(session), Some(run)) = (&self.session, &mut self.run) else {
            return Err(TransportError::Unknown);
        };
        let (mut envelopes, mut size_bytes) = (Vec::new(), 0);
        while !run.scan.is_over() && size_bytes < PAGE_BYTES_MAX {
            let found = run.scan.next(session, &run.chain.roster);
            self.traffic_bytes.1 += found.bytes_read;
            self.given.segments.extend(found.segments);
            size_bytes += found.envelopes.iter().map(Vec::len).sum::<usize>();
            envelopes.extend(found.envelopes.into_iter().map(Into::into));
            if envelopes.len() >= PAGE_SEGMENTS_MAX {
                break;
            }
        }
        // Files may have vanished: a page of nothing is the last one.
        let more = !run.scan.is_over() && !envelopes.is_empty();
        let place = Place::from_cursor(request.cursor);
        let fingerprint = run.fingerprint.filter(|_| run.scan.is_clean());
        let next = if more { place.next_page() } else { place.next_run(fingerprint) };
        run.cursor = next.to_cursor();
        Ok(PullResponse {
            epoch: EPOCH,
            envelopes,
            cursor: run.cursor,
            more,
            head,
            roster: run.chain.roster.last(),
        })
    }

    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.write_as(request.incarnation)?;
        let session = &*self.session()?;
        self.read_chain(session)?.ok_or(TransportError::Unknown)?;
        let (vault, device) = (session.vault().to_string(), session.chain.to_string());
        files::make_folders(&self.root, &[LAYOUT, &vault, "d", &device]).map_err(failed)?;
        let folder = self.own_folder(session);
        let mut own = self.own.take().unwrap_or_else(|| Own::find(folder, session, None));
        let (mut outcomes, mut sent_bytes) = (Vec::new(), 0);
        for bytes in &request.envelopes {
            let outcome = match Envelope::parse(bytes.to_vec()) {
                Ok(envelope) => {
                    own.put(&envelope, session).or_else(|error| match error.kind() {
                        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                            Ok(PushOutcome::Quota)
                        }
                        _ => Err(failed(error)),
                    })?
                }
                Err(_) => PushOutcome::Refused,
            };
            if outcome == PushOutcome::Stored {
                sent_bytes += bytes.len() as u64;
            }
            outcomes.push(outcome);
        }
        own.write_manifest();
        let head = own.head;
        self.own = Some(own);
        self.traffic_bytes.0 += sent_bytes;
        Ok(PushResponse { epoch: EPOCH, outcomes, head })
    }

    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        let chain = self.read_chain(&*self.session()?)?.ok_or(TransportError::Unknown)?;
        let entries = chain.entries_from(from);
        self.traffic_bytes.1 += entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
        Ok(RosterEntries { entries: entries.iter().cloned().map(Into::into).collect() })
    }

    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        let session = &*self.session()?;
        let entries: Vec<Vec<u8>> = entries.entries.iter().map(|entry| entry.to_vec()).collect();
        let vault = Roster::from_entries(entries.iter().cloned()).map(|roster| roster.vault());
        if vault != Ok(session.vault()) {
            return Err(TransportError::Refused("the roster does not verify".to_owned()));
        }
        let there = self.read_chain(session)?.map(|chain| chain.entries).unwrap_or_default();
        if !entries.starts_with(&there) && !there.starts_with(&entries) {
            return Err(TransportError::RosterFork);
        }
        files::make_folders(&self.root, &[LAYOUT, &session.vault().to_string(), "roster"])
            .map_err(failed)?;
        let folder = self.below(session, "roster");
        let mut sent_bytes = 0;
        for (number, entry) in (0..).zip(&entries).skip(there.len()) {
            let digest = selkie_wire::Digest::of(entry);
            let name = EntryName { number: RosterNumber(number), digest };
            files::write_whole(&folder.join(name.to_string()), entry).map_err(failed)?;
            sent_bytes += entry.len() as u64;
        }
        self.traffic_bytes.0 += sent_bytes;
        self.run = None;
        Ok(())
    }

    fn traffic_bytes(&self) -> (u64, u64) {
        self.traffic_bytes
    }
}

fn failed(error: io::Error) -> TransportError {
    TransportError::Folder(error.to_string())
}
