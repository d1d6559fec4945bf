//! The vault's side of sync: its status, the mass-delete guard, closing for a while.

use selkie_core::sync::{Facts, Link, SyncState};

use super::Vault;
use crate::Error;
#[cfg(doc)]
use crate::ErrorKind;
use crate::finding::Finding;
use crate::status::{DeviceInfo, HeldDeletion, HeldSegments, Notice, RelayStatus, Status};

impl Vault {
    /// The vault at a glance.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn status(&self) -> Result<Status, Error> {
        let mut database = self.database();
        let identity = database.identity()?;
        let incarnations = database.incarnations(&identity.roster)?;
        let chains_of = |device| {
            let own = incarnations.iter().filter(move |(_, known)| known.member == device);
            own.map(|(chain, _)| chain).collect::<Vec<_>>()
        };
        let heard = database.last_heard()?;
        let devices = identity.roster.members().map(|(id, member)| DeviceInfo {
            last_heard_ms: [id]
                .iter()
                .chain(&chains_of(id))
                .filter_map(|c| heard.get(c))
                .copied()
                .max(),
            chains: chains_of(id),
            id,
            is_this: id == self.inner.device,
            revoked: member.revoked.is_some(),
        });
        let collections = database.collections()?;
        let (relays, held) = (database.relays()?, database.held_segments()?);
        let held_deletions = database.held_deletions()?;
        let facts = Facts {
            open_conflicts: database.conflict_count()?,
            unsent_changes: database.unsent_count()?,
            driven: false,
        };
        let found = database.findings()?;
        let state = match relays.first() {
            Some(relay) => shown(relay, facts),
            None => SyncState::Offline,
        };
        Ok(Status {
            path: self.inner.files.database.clone(),
            vault: self.inner.vault,
            device: self.inner.device,
            chain: database.chain(self.inner.device)?,
            devices: devices.collect(),
            records: collections.iter().map(|collection| collection.records).sum(),
            collections,
            unsent_changes: facts.unsent_changes,
            open_conflicts: facts.open_conflicts,
            segments_held: held.iter().map(|held| held.segments).sum(),
            database_bytes: self.inner.files.size_bytes(),
            last_sync: database.last_sync()?,
            state,
            quarantined: database.quarantined()?,
            notices: notices(&relays, &held, &held_deletions, &found),
            findings: found,
            relays,
            held,
            held_deletions,
        })
    }

    /// Calls `call` after each local write is durable, until it returns false. It must not use the vault.
    pub(crate) fn on_local_write(&self, call: impl Fn() -> bool + Send + 'static) {
        self.inner.watchers.on_write(call);
    }

    /// How many changes made here no relay is known to have.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn unsent_count(&self) -> Result<u64, Error> {
        self.database().unsent_count()
    }

    /// Whether all that the other devices had sent when this device first synced is here. Before that
    /// an app may say "still fetching" where a list is short.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn initial_sync_complete(&self) -> Result<bool, Error> {
        // The one place that decides it: one run with a relay has come to its end.
        Ok(self.database().relays()?.iter().any(|relay| relay.last_success_ms.is_some()))
    }

    /// Agrees to deletions that were held because they take too much of a collection
    /// ([`Status::held_deletions`]): applies them, and what waited behind them. Not to agree is to leave
    /// them held. Returns how many changes were applied.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`], [`ErrorKind::DiskFull`].
    pub fn confirm_deletions(&self) -> Result<u64, Error> {
        let now_ms = self.now_ms();
        let mut database = self.database();
        let identity = database.identity()?;
        let applied = database.confirm_deletions(&identity, now_ms)?;
        drop(database);
        self.tell(&applied.events);
        Ok(applied.changes)
    }

    /// Sets which share of a collection other devices may delete in one sync without being asked about;
    /// 50 at first, 100 for any. Holds for this store.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for more than 100; [`ErrorKind::Storage`].
    pub fn set_mass_delete_percent(&self, percent: u8) -> Result<(), Error> {
        self.database().set_mass_delete_percent(percent)
    }

    /// Closes the store's files until [`resume`](Self::resume), for all handles of this vault: no lock
    /// on them is held meanwhile, which a phone would end the app for in the background. A transaction
    /// under way ends first. Until then every call fails with [`ErrorKind::Suspended`].
    ///
    /// The key stays in memory, so that `resume` need not ask. An app that wants the user to unlock again
    /// drops all its handles instead, and opens the vault anew.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn suspend(&self) -> Result<(), Error> {
        let mut database = self.database();
        if database.is_locked() || database.is_suspended() {
            return Ok(());
        }
        self.readers().suspend();
        database.suspend()
    }

    /// Opens the files again after [`suspend`](Self::suspend).
    ///
    /// # Errors
    /// As [`open`](Self::open); the vault then stays suspended, and it can be tried again.
    pub fn resume(&self) -> Result<(), Error> {
        let mut database = self.database();
        database.resume()?;
        self.readers().open_as(&database);
        Ok(())
    }
}

/// What is shown of a relay that nobody drives at the moment. A run that is under way in another process
/// looks the same as one that was cut off; either may be true.
fn shown(relay: &RelayStatus, facts: Facts) -> SyncState {
    match relay.link {
        Link::Offline | Link::Suspended { .. } => relay.link.after_restart().shown(facts),
        link => link.shown(facts),
    }
}

/// What a person should look at. Each kind is told in one place; a new kind is added here.
fn notices(
    relays: &[RelayStatus],
    held: &[HeldSegments],
    deletions: &[HeldDeletion],
    findings: &[Finding],
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut add = |code, message| notices.push(Notice { code, message });
    for Finding { kind, .. } in findings {
        add(kind.code(), format!("{kind}: {}", kind.advice()));
    }
    for relay in relays {
        let url = &relay.url;
        match relay.link {
            Link::Blocked(reason) => add(reason.name(), format!("{url}: {}", reason.advice())),
            Link::Full => add(
                "relay_full",
                format!(
                    "{url} has no more room for this vault: what is new stays here until it has"
                ),
            ),
            _ => {}
        }
        if let Some(number) = relay.parked {
            add(
                "parked",
                format!("{url} does not take this device's segment {number}; it waits here"),
            );
        }
    }
    for held in held {
        let (device, count) = (held.device.short(), held.segments);
        let message = match held.reason.as_str() {
            "update" => "were written by a newer version: update the app",
            "quarantine" => "are not what a member's app writes; they are kept aside",
            "roster" => "wait for a membership entry; sync again",
            // What waits behind these is told with them.
            "mass_delete" => continue,
            _ if deletions.iter().any(|held_by| held_by.device == held.device) => continue,
            _ => "wait for others before them; sync again, or sync the device that has them",
        };
        let code = match held.reason.as_str() {
            "update" => "held_update",
            "quarantine" => "held_quarantine",
            "roster" => "held_roster",
            _ => "held_gap",
        };
        add(code, format!("{count} segments of device {device} {message}"));
    }
    for HeldDeletion { device, collection, deletions, records } in deletions {
        let device = device.short();
        add(
            "held_mass_delete",
            format!(
                "device {device} would delete {deletions} of {records} records of {collection}; agree \
                 with confirm_deletions, or leave it"
            ),
        );
    }
    notices
}
