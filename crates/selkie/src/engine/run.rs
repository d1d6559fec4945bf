//! Runs that somebody begins by hand: the link is moved as the driver would move it.

use selkie_core::ports::RandomSource;
use selkie_core::sync::{BlockReason, LinkEvent};

use super::sync::{Hooks, SyncProgress, SyncReport, run_recorded};
use crate::status::Network;
use crate::store::Identity;
use crate::system::SystemRandom;
use crate::transport::{Folder, Transport};
use crate::vault::Vault;
use crate::{Error, ErrorKind};

/// Runs sync with what an address names.
pub(crate) fn run(
    vault: &Vault,
    url: &str,
    progress: &mut dyn FnMut(SyncProgress),
) -> Result<SyncReport, Error> {
    run_over(vault, url, &mut *connect(vault, url)?, progress)
}

/// The transport that an address names.
pub(crate) fn connect(vault: &Vault, address: &str) -> Result<Box<dyn Transport + Send>, Error> {
    if let Some(folder) = Folder::at_address(address) {
        return Ok(Box::new(folder));
    }
    #[cfg(feature = "http")]
    {
        let Identity { device, roster, .. } = vault.database().identity()?;
        Ok(Box::new(crate::transport::Http::new(address, roster.vault(), device)?))
    }
    #[cfg(not(feature = "http"))]
    {
        let _no_relay = vault;
        let why = "the address is no folder, and HTTP is not built in";
        Err(crate::transport::TransportError::Address(why).into())
    }
}

/// Runs sync over any transport; `url` names the relay in what is remembered of it.
pub(crate) fn run_over(
    vault: &Vault,
    url: &str,
    transport: &mut dyn Transport,
    progress: &mut dyn FnMut(SyncProgress),
) -> Result<SyncReport, Error> {
    let before = vault.database().link(url)?;
    let (running, _) = before.next(LinkEvent::Started);
    vault.database().store_link(url, running, Network::Unknown)?;
    let mut hooks = Hooks { progress, is_cut: &|| false };
    let outcome = run_recorded(vault, url, transport, &mut hooks, before);
    let (link, _) = running.next(event_of(&outcome, vault.now_ms()));
    vault.database().store_link(url, link, Network::Unknown)?;
    outcome
}

/// What a run that ended means for the link. What to do about a fork is decided here.
pub(crate) fn event_of(outcome: &Result<SyncReport, Error>, now_ms: u64) -> LinkEvent {
    let error = match outcome {
        Ok(report) if report.quota_exhausted => return LinkEvent::FinishedFull,
        Ok(_) => return LinkEvent::Finished,
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Suspended => LinkEvent::Cut,
        ErrorKind::Unauthorized => LinkEvent::FailedFor(BlockReason::Credentials),
        ErrorKind::Fork => LinkEvent::FailedFor(BlockReason::Fork),
        ErrorKind::DiskFull => LinkEvent::FailedFor(BlockReason::DiskFull),
        ErrorKind::Storage => LinkEvent::FailedFor(BlockReason::Damaged),
        ErrorKind::TooNew => LinkEvent::FailedFor(BlockReason::TooNew),
        _ => {
            // Without randomness devices are not spread; they still wait.
            let random = SystemRandom.array().map_or(u64::MAX, u64::from_le_bytes);
            LinkEvent::Failed { now_ms, retry_after_ms: error.retry_after_ms(), random }
        }
    }
}
