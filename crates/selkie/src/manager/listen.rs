//! Waiting at the relay for something new, on a thread of its own.

use std::sync::Weak;
use std::time::{Duration, Instant};

use selkie_core::sync::{Link, LinkEvent};
use selkie_wire::relay::WaitRequest;

use super::Shared;
use crate::transport::{Transport, Waited};

/// A relay that says "nothing yet" sooner than this does not wait, and would be asked without end.
const QUIET_MIN: Duration = Duration::from_secs(2);

/// Listens until the manager is gone or stopped, or the relay turns out not to be able to.
pub(super) fn listen(weak: &Weak<Shared>, life: u64) {
    let mut transport: Option<Box<dyn Transport + Send>> = None;
    while let Some(request) = next_request(weak, life) {
        let Some(shared) = weak.upgrade() else { return };
        let connected = transport.take().map_or_else(|| (shared.connect)(), Ok);
        // Nothing of the vault is held while the relay is waited for.
        drop(shared);
        let started = Instant::now();
        let waited = connected.and_then(|mut connected| {
            let waited = connected.wait(&request)?;
            transport = Some(connected);
            Ok(waited)
        });
        let Some(shared) = weak.upgrade() else { return };
        let mut core = shared.core();
        if core.life != life {
            return;
        }
        match waited {
            Ok(Waited::News) => {
                core.listens = true;
                drop(core);
                shared.feed(LinkEvent::Signalled);
            }
            Ok(Waited::Quiet) if started.elapsed() >= QUIET_MIN => {
                core.listens = true;
                let rests = matches!(core.link, Link::Idle | Link::Full);
                if rests && core.listen.is_none() {
                    core.listen = Some(request);
                }
            }
            Ok(Waited::Unsupported) => return,
            // Asked again after the next run, which comes by itself.
            Ok(Waited::Quiet) | Err(_) => core.listens = false,
        }
    }
}

/// The next place to wait at; none when the manager is gone or stopped.
fn next_request(weak: &Weak<Shared>, life: u64) -> Option<WaitRequest> {
    let shared = weak.upgrade()?;
    let core = shared.core();
    let waited = shared.woken.wait_while(core, |core| core.listen.is_none() && core.life == life);
    let mut core = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
    if core.life == life { core.listen.take() } else { None }
}
