//! Clients that wait for something new in a vault: bounded, woken by pushes, ended by the shutdown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selkie_wire::VaultId;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::limits::{WAITERS_MAX, WAITERS_OF_VAULT_MAX};

/// All that wait.
pub(crate) struct Waiters {
    vaults: Arc<Mutex<Vaults>>,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

/// How many wait for a vault, and what wakes them.
type Vaults = HashMap<VaultId, (usize, Arc<Notify>)>;

/// A place to wait; given back when dropped.
pub(crate) struct Place {
    vault: VaultId,
    vaults: Arc<Mutex<Vaults>>,
    /// Notified when the vault may have something new.
    pub(crate) news: Arc<Notify>,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            vaults: Arc::default(),
            places: Arc::new(Semaphore::new(WAITERS_MAX)),
            closing: watch::channel(false).0,
        }
    }

    /// A place to wait for a vault; none if too many wait already.
    pub(crate) fn place(&self, vault: VaultId) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut vaults = lock(&self.vaults);
        let (count, news) = vaults.entry(vault).or_default();
        if *count >= WAITERS_OF_VAULT_MAX {
            return None;
        }
        *count += 1;
        Some(Place {
            vault,
            vaults: Arc::clone(&self.vaults),
            news: Arc::clone(news),
            closing: self.closing.subscribe(),
            _permit: permit,
        })
    }

    /// Wakes those who wait for a vault; they look for themselves whether there is something for them.
    pub(crate) fn wake(&self, vault: VaultId) {
        if let Some((_, news)) = lock(&self.vaults).get(&vault) {
            news.notify_waiters();
        }
    }

    /// Lets everyone go who waits, and whoever comes to wait from now on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

impl Place {
    /// Resolves when the relay is told to stop.
    pub(crate) async fn closing(&mut self) {
        let _sender_gone = self.closing.wait_for(|closing| *closing).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut vaults = lock(&self.vaults);
        if let Some((count, _)) = vaults.get_mut(&self.vault) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                vaults.remove(&self.vault);
            }
        }
    }
}

fn lock(vaults: &Mutex<Vaults>) -> MutexGuard<'_, Vaults> {
    vaults.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_relay_that_stops_lets_everyone_go() {
        let waiters = Waiters::new();
        let mut waiting = waiters.place(VaultId([1; 32])).unwrap();
        waiters.close();
        waiting.closing().await;
        waiters.place(VaultId([1; 32])).unwrap().closing().await;
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let waiters = Waiters::new();
        let (one, other) = (VaultId([1; 32]), VaultId([2; 32]));
        let places: Vec<_> = (0..WAITERS_OF_VAULT_MAX).map(|_| waiters.place(one)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(waiters.place(one).is_none() && waiters.place(other).is_some());
        assert!(!lock(&waiters.vaults).contains_key(&other), "nothing is left of who went");
        drop(places);
        assert!(waiters.place(one).is_some());
        let crowd = |n: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            waiters.place(VaultId(id))
        };
        let places: Vec<_> = (0..).map(crowd).take_while(Option::is_some).take(9_999).collect();
        assert_eq!(places.len(), WAITERS_MAX);
    }
}
