//! What every handler works with, and the one way to act as a member of a vault.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use selkie_wire::ids::RosterNumber;
use selkie_wire::roster::Member;
use selkie_wire::{DeviceId, VaultId};
use tokio::sync::Semaphore;

use crate::auth::Auth;
use crate::config::{Config, Quotas};
use crate::error::RelayError;
use crate::limits::{BODIES_BYTES_MAX, ROSTER_MOVES_MAX};
use crate::problem::Problem;
use crate::rosters::{RosterFault, Rosters};
use crate::store::{Judged, Reply, Seen, Store, StoreError};
use crate::waiters::Waiters;

/// The state of a running relay.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) auth: Auth,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rosters: Rosters,
    /// One permit for each byte of a body that is held.
    pub(crate) body_bytes: Arc<Semaphore>,
    /// Clients that wait for something new.
    pub(crate) waiters: Waiters,
    creations: Mutex<Creations>,
}

/// Who a live token says is asking. Whether they belong to the vault still is not known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) vault: VaultId,
    pub(crate) device: DeviceId,
}

impl App {
    pub(crate) fn new(config: Config, store: Arc<dyn Store>) -> Result<Self, RelayError> {
        Ok(Self {
            auth: Auth::new(&config.origins)?,
            rosters: Rosters::new(Arc::clone(&store)),
            store,
            body_bytes: Arc::new(Semaphore::new(BODIES_BYTES_MAX)),
            waiters: Waiters::new(),
            creations: Mutex::new(Creations::new(&config.quotas, config.clock.now_ms())),
            config,
        })
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.config.clock.now_ms()
    }

    /// Checks the token before anything of the vault is looked up.
    pub(crate) fn caller(
        &self,
        vault: Option<VaultId>,
        headers: &HeaderMap,
    ) -> Result<Caller, Problem> {
        let device = vault.and_then(|vault| {
            let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
            let (scheme, hex) = value.split_once(' ')?;
            let token = scheme.eq_ignore_ascii_case("bearer").then(|| from_hex(hex)).flatten()?;
            self.auth.holder(vault, &token, self.now_ms())
        });
        let (Some(vault), Some(device)) = (vault, device) else {
            return Err(Problem::unauthorized());
        };
        Ok(Caller { vault, device })
    }

    /// The caller's keys, if they belong to the vault now.
    pub(crate) async fn member(&self, caller: Caller) -> Result<(Seen, Member), Problem> {
        let known = self.rosters.load(caller.vault).await.map_err(|error| self.failed(&error))?;
        let known = known.ok_or_else(Problem::unauthorized)?;
        let member = known.live_member(caller.device).ok_or_else(Problem::unauthorized)?;
        let roster = known.head().number;
        let seen = Seen { vault: caller.vault, device: caller.device, roster };
        Ok((seen, member.clone()))
    }

    /// Runs a store operation for a member, again if the roster moved meanwhile, so that it is
    /// never done for a device that had been revoked.
    pub(crate) async fn as_member<'a, T>(
        &'a self,
        caller: Caller,
        run: impl Fn(Seen, &Member) -> Reply<'a, Judged<T>>,
    ) -> Result<(T, RosterNumber), Problem> {
        for _ in 0..ROSTER_MOVES_MAX {
            let (seen, member) = self.member(caller).await?;
            match run(seen, &member).await.map_err(|error| self.failed(&error))? {
                Judged::Done(outcome) => return Ok((outcome, seen.roster)),
                Judged::Moved => self.rosters.forget(caller.vault),
            }
        }
        Err(Problem::busy())
    }

    /// Whether one more vault may be made now.
    pub(crate) fn may_create_vault(&self) -> bool {
        let now_ms = self.now_ms();
        self.creations.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms)
    }

    /// What a client is told of a store error; the operator is told more.
    pub(crate) fn failed(&self, error: &StoreError) -> Problem {
        match error {
            StoreError::Busy => Problem::busy(),
            StoreError::Failed(detail) => {
                self.config.log.line(&format!("the storage failed: {detail}"));
                Problem::internal()
            }
        }
    }

    pub(crate) fn roster_refused(&self, fault: &RosterFault) -> Problem {
        match fault {
            RosterFault::Refused(error) => Problem::roster_refused(error),
            RosterFault::Fork => Problem::roster_fork(),
            RosterFault::Gap => Problem::roster_gap(),
            RosterFault::Quota => Problem::roster_quota(),
            RosterFault::VaultsFull => Problem::relay_full(),
            RosterFault::RateLimited => Problem::rate_limited(),
            RosterFault::Moving => Problem::busy(),
            RosterFault::Store(error) => self.failed(error),
        }
    }
}

/// Reads lower- or upper-case hexadecimal of any even length that a token may have.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// A token bucket over all addresses: the relay has no accounts to count by.
struct Creations {
    burst: f64,
    per_ms: f64,
    left: f64,
    last_ms: u64,
}

impl Creations {
    fn new(quotas: &Quotas, now_ms: u64) -> Self {
        let burst = f64::from(quotas.vault_creations_burst);
        let per_ms = f64::from(quotas.vault_creations_per_minute) / 60_000.0;
        Self { burst, per_ms, left: burst, last_ms: now_ms }
    }

    fn take(&mut self, now_ms: u64) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.last_ms);
        self.last_ms = now_ms;
        self.left = (self.left + elapsed_ms as f64 * self.per_ms).min(self.burst);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creations_refill_with_time_up_to_the_burst() {
        let quotas = Quotas {
            vault_creations_burst: 2,
            vault_creations_per_minute: 60,
            ..Quotas::default()
        };
        let mut creations = Creations::new(&quotas, 0);
        let at = [0, 0, 0, 999, 1000, 1000, 60_000, 60_000, 60_000, 10_000];
        let allowed = at.map(|now_ms| creations.take(now_ms));
        assert_eq!(allowed, [true, true, false, false, true, false, true, true, false, false]);
    }

    #[test]
    fn hex_of_odd_length_or_with_other_signs_is_none() {
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "é", "+1"] {
            assert_eq!(from_hex(wrong), None, "{wrong:?}");
        }
    }
}
