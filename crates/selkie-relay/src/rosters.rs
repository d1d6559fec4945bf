//! Rosters: who belongs to a vault, verified entry by entry and kept in memory.
//!
//! In: entries, from the store or from a client. Out: the verified chain. A remembered roster may
//! be out of date; every store operation names the entry it was judged by, and is judged anew if
//! the roster moved, so that what is remembered here can never let a revoked device in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::RosterHead;
use selkie_wire::roster::Member;
use selkie_wire::{DeviceId, Digest, Roster, RosterEntry, RosterError, VaultId};
use tokio::sync::Semaphore;

use crate::limits::{
    ROSTER_BYTES_MAX, ROSTER_CACHE_BYTES_MAX, ROSTER_CHECKS_MAX, ROSTER_MOVES_MAX,
};
use crate::store::{RosterOutcome, RosterPlan, Store, StoreError};

/// A verified roster.
#[derive(Clone)]
pub(crate) struct Known {
    roster: Roster,
    /// Digest of each entry: tells a repetition from a second history.
    digests: Vec<Digest>,
    bytes: u64,
}

/// Why posted entries were not stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RosterFault {
    /// They do not verify.
    Refused(RosterError),
    /// Other entries are stored under their numbers.
    Fork,
    /// Entries before them are missing.
    Gap,
    /// The vault's room is used up.
    Quota,
    /// The relay takes no more vaults.
    VaultsFull,
    /// Too many vaults were made in a short time.
    RateLimited,
    /// Others kept changing the roster.
    Moving,
    /// The store did nothing.
    Store(StoreError),
}

impl From<StoreError> for RosterFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RosterError> for RosterFault {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Fork => Self::Fork,
            other => Self::Refused(other),
        }
    }
}

impl Known {
    fn begin(genesis: &RosterEntry) -> Result<Self, RosterError> {
        let roster = Roster::from_genesis(genesis)?;
        let bytes = genesis.bytes().len() as u64;
        Ok(Self { roster, digests: vec![genesis.digest()], bytes })
    }

    fn apply(&mut self, entry: &RosterEntry) -> Result<(), RosterFault> {
        if self.bytes + entry.bytes().len() as u64 > ROSTER_BYTES_MAX {
            return Err(RosterFault::Quota);
        }
        self.roster.apply(entry)?;
        self.digests.push(entry.digest());
        self.bytes += entry.bytes().len() as u64;
        Ok(())
    }

    /// Where the chain ends.
    pub(crate) fn head(&self) -> RosterHead {
        RosterHead {
            vault: self.roster.vault(),
            number: self.roster.last(),
            digest: self.roster.last_digest(),
        }
    }

    /// The device, if it belongs to the vault and is not revoked.
    pub(crate) fn live_member(&self, device: DeviceId) -> Option<&Member> {
        self.roster.member(device).filter(|member| member.revoked.is_none())
    }

    /// The key of the recovery words that stand.
    fn recovery(&self) -> Option<[u8; 32]> {
        self.roster.recovery().proof.as_ref().map(|proof| proof.key)
    }

    fn digest_at(&self, number: RosterNumber) -> Option<Digest> {
        self.digests.get(usize::try_from(number.0).ok()?).copied()
    }
}

/// The vault a chain belongs to, if it begins with genesis.
pub(crate) fn vault_of(entries: &[RosterEntry]) -> Result<VaultId, RosterError> {
    let genesis = entries.first().ok_or(RosterError::Number)?;
    Ok(Roster::from_genesis(genesis)?.vault())
}

/// A chain after posted entries, and those of them that are to be stored.
struct Continuation {
    next: Known,
    entries: Vec<Vec<u8>>,
}

/// What is to be stored of posted entries; none if all are there already.
fn continuation(
    known: Option<&Known>,
    posted: &[RosterEntry],
) -> Result<Option<Continuation>, RosterFault> {
    let mut next = known.cloned();
    let mut entries = Vec::new();
    for entry in posted {
        match &mut next {
            None => next = Some(Known::begin(entry)?),
            Some(next) => match next.digest_at(entry.number()) {
                Some(digest) if digest == entry.digest() => continue,
                Some(_) => return Err(RosterFault::Fork),
                None if entry.number().0 > next.digests.len() as u64 => {
                    return Err(RosterFault::Gap);
                }
                None => next.apply(entry)?,
            },
        }
        entries.push(entry.bytes().to_vec());
    }
    Ok(next.filter(|_| !entries.is_empty()).map(|next| Continuation { next, entries }))
}

/// The rosters of a relay.
pub(crate) struct Rosters {
    store: Arc<dyn Store>,
    cache: Mutex<Cache>,
    /// One permit for each posted roster that may be verified at once.
    checks: Semaphore,
}

#[derive(Default)]
struct Cache {
    rosters: HashMap<VaultId, (Arc<Known>, u64)>,
    bytes: u64,
    uses: u64,
}

impl Rosters {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, cache: Mutex::default(), checks: Semaphore::new(ROSTER_CHECKS_MAX) }
    }

    /// The roster of a vault, from memory or from the store; none if there is no such vault.
    pub(crate) async fn load(&self, vault: VaultId) -> Result<Option<Arc<Known>>, StoreError> {
        if let Some(known) = self.cache().get(vault) {
            return Ok(Some(known));
        }
        let mut entries = Vec::new();
        while let Some(page) = self.store.roster(vault, RosterNumber(entries.len() as u64)).await? {
            let done = page.entries.is_empty();
            entries.extend(page.entries);
            if done || entries.len() as u64 > page.last.0 {
                break;
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let known = Arc::new(blocking(move || verify_stored(entries)).await??);
        self.cache().insert(vault, Arc::clone(&known));
        Ok(Some(known))
    }

    /// Forgets a roster that is out of date.
    pub(crate) fn forget(&self, vault: VaultId) {
        self.cache().remove(vault);
    }

    /// Stores what continues the vault's chain. Entries that are there already are no error.
    ///
    /// `may_create` is asked only if the vault is absent.
    pub(crate) async fn offer(
        &self,
        vault: VaultId,
        posted: Arc<[RosterEntry]>,
        may_create: impl Fn() -> bool,
    ) -> Result<(RosterHead, bool), RosterFault> {
        let mut asked = false;
        for _ in 0..ROSTER_MOVES_MAX {
            let known = self.load(vault).await?;
            let (before, entries) = (known.clone(), Arc::clone(&posted));
            let more = self.check(move || continuation(before.as_deref(), &entries)).await??;
            let Some(Continuation { next, entries }) = more else {
                return known.map(|known| (known.head(), false)).ok_or(RosterFault::Gap);
            };
            if known.is_none() && !asked {
                if !may_create() {
                    return Err(RosterFault::RateLimited);
                }
                asked = true;
            }
            let after = known.as_ref().map(|known| known.head().number);
            let recovery = next.recovery();
            let plan = RosterPlan { vault, after, entries, recovery };
            match self.store.extend_roster(plan).await? {
                RosterOutcome::Stored => {
                    let head = next.head();
                    self.cache().insert(vault, Arc::new(next));
                    return Ok((head, known.is_none()));
                }
                RosterOutcome::Moved => self.forget(vault),
                RosterOutcome::VaultsFull => return Err(RosterFault::VaultsFull),
                RosterOutcome::Quota => return Err(RosterFault::Quota),
            }
        }
        Err(RosterFault::Moving)
    }

    /// Does long work on what anyone may post, after those who came before.
    pub(crate) async fn check<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = |_| StoreError::Failed("a check was cut off".to_owned());
        let _permit = self.checks.acquire().await.map_err(ended)?;
        blocking(work).await
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // The cache holds only verified rosters at every moment; a panic elsewhere changes nothing.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifying a long chain takes a while; other requests go on meanwhile.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let ended = |_| StoreError::Failed("a check was cut off".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(ended)
}

/// Stored entries were verified before; a disk may still have changed them.
fn verify_stored(entries: Vec<Vec<u8>>) -> Result<Known, StoreError> {
    let broken = || StoreError::Failed("a stored roster does not verify".to_owned());
    let mut entries =
        entries.into_iter().map(|bytes| RosterEntry::parse(bytes).map_err(|_| broken()));
    let genesis = entries.next().ok_or_else(broken)??;
    let mut known = Known::begin(&genesis).map_err(|_| broken())?;
    for entry in entries {
        known.apply(&entry?).map_err(|_| broken())?;
    }
    Ok(known)
}

impl Cache {
    /// What a roster without entries would still take.
    const OVERHEAD_BYTES: u64 = 1024;

    fn get(&mut self, vault: VaultId) -> Option<Arc<Known>> {
        self.uses += 1;
        let (known, used) = self.rosters.get_mut(&vault)?;
        *used = self.uses;
        Some(Arc::clone(known))
    }

    fn insert(&mut self, vault: VaultId, known: Arc<Known>) {
        self.remove(vault);
        self.uses += 1;
        self.bytes += known.bytes + Self::OVERHEAD_BYTES;
        self.rosters.insert(vault, (known, self.uses));
        while self.bytes > ROSTER_CACHE_BYTES_MAX && self.rosters.len() > 1 {
            let oldest = self.rosters.iter().min_by_key(|(_, (_, used))| *used);
            let Some(vault) = oldest.map(|(vault, _)| *vault) else { break };
            self.remove(vault);
        }
    }

    fn remove(&mut self, vault: VaultId) {
        if let Some((known, _)) = self.rosters.remove(&vault) {
            self.bytes = self.bytes.saturating_sub(known.bytes + Self::OVERHEAD_BYTES);
        }
    }
}
