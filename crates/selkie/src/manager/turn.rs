//! What is due, and doing it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use selkie_core::sync::{BACKOFF_MS_MAX, Link, LinkEvent, RETRY_AFTER_MS_MAX};
use selkie_wire::relay::WaitRequest;

use super::events::SyncEvent;
use super::{Core, Shared};
use crate::Error;
use crate::engine::{Hooks, SyncProgress, SyncReport, event_of, run_recorded};
use crate::transport::Transport;

/// How long local writes are gathered before they are sent.
const GATHER_MS: u64 = 500;
/// How often a relay is looked at that does not tell when it has something new.
const LOOK_MS: u64 = 60 * 1000;
/// How often one that does, or that has no room.
const LOOK_SELDOM_MS: u64 = BACKOFF_MS_MAX;
/// How often conflicts are looked at for what a machine may answer.
const ATTEND_MS: u64 = 5 * 60 * 1000;

impl Shared {
    /// Turns until stopped.
    pub(super) fn drive(&self, life: u64) {
        while self.core().life == life {
            let next_ms = self.do_turn();
            let left_ms =
                next_ms.map_or(LOOK_SELDOM_MS, |at| at.saturating_sub(self.vault.now_ms()));
            let wait = Duration::from_millis(left_ms);
            let idle = |core: &mut Core| !core.poked && core.life == life;
            let core = self.core();
            let waited = self.woken.wait_timeout_while(core, wait, idle);
            let mut core = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(core, _)| core);
            core.poked = false;
        }
    }

    pub(super) fn do_turn(&self) -> Option<u64> {
        let mut transport = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now_ms = self.vault.now_ms();
            let due = self.core().due(now_ms);
            if let Some(event) = due {
                self.feed(event);
            }
            let mut core = self.core();
            let Some(before) = core.start.take() else { break };
            // What is written from here on may miss this run.
            core.written_ms = None;
            if std::mem::take(&mut core.reconnect) {
                *transport = None;
            }
            drop(core);
            self.run(&mut transport, before);
        }
        self.attend_if_due();
        self.core().next_ms()
    }

    /// One run, from its beginning to what the state machine is told of its end.
    fn run(&self, kept: &mut Option<Box<dyn Transport + Send>>, before: Link) {
        let generation = self.generation.load(Ordering::SeqCst);
        let is_cut = || self.generation.load(Ordering::SeqCst) != generation;
        let mut progress = |progress| self.progressed(progress, &is_cut);
        let outcome = match kept.take().map_or_else(|| (self.connect)(), Ok) {
            Ok(mut transport) => {
                let mut hooks = Hooks { progress: &mut progress, is_cut: &is_cut };
                let done =
                    run_recorded(&self.vault, &self.url, &mut *transport, &mut hooks, before);
                // A connection that failed may stay broken.
                *kept = done.is_ok().then_some(transport);
                done
            }
            Err(error) => Err(error.into()),
        };
        if is_cut() {
            // Whoever cut it has said what comes instead; only a store that waits to be closed is left.
            if matches!(self.core().link, Link::Suspended { .. }) {
                self.feed(LinkEvent::Cut);
            }
            return;
        }
        self.ended(&outcome);
    }

    fn ended(&self, outcome: &Result<SyncReport, Error>) {
        let now_ms = self.vault.now_ms();
        let initial_sync = self.vault.initial_sync_complete().unwrap_or(false);
        let listen = self.place_to_listen(outcome);
        let mut core = self.core();
        core.initial_sync |= initial_sync;
        core.listen = listen.filter(|_| {
            // A relay that announces what it then does not have is not listened to for a while.
            let brought = outcome.as_ref().map_or(0, |report| report.segments_received);
            !core.signalled || brought > 0
        });
        let full = outcome.as_ref().is_ok_and(|report| report.quota_exhausted);
        let often = !core.listens && !full;
        core.look_ms = now_ms.saturating_add(if often { LOOK_MS } else { LOOK_SELDOM_MS });
        drop(core);
        self.feed(event_of(outcome, now_ms));
        let next_retry_ms = self.core().link.next_retry_ms();
        self.subscribers.tell(&match outcome {
            Ok(report) => SyncEvent::Finished(Box::new(report.clone())),
            Err(error) => {
                SyncEvent::Failed { code: error.code(), message: error.to_string(), next_retry_ms }
            }
        });
    }

    fn place_to_listen(&self, outcome: &Result<SyncReport, Error>) -> Option<WaitRequest> {
        outcome.as_ref().ok()?;
        let database = self.vault.database();
        let position = database.relay_state(&self.url).ok()?.position;
        let roster = database.identity().ok()?.roster.last();
        let incarnation = database.incarnation().ok()?;
        Some(WaitRequest { epoch: position.epoch, cursor: position.cursor, roster, incarnation })
    }

    fn progressed(&self, progress: SyncProgress, is_cut: &dyn Fn() -> bool) {
        if is_cut() {
            return;
        }
        self.feed(LinkEvent::Phase(progress.phase));
        self.core().progress = Some(progress);
        self.subscribers.tell(&SyncEvent::Progress(progress));
    }

    fn attend_if_due(&self) {
        let now_ms = self.vault.now_ms();
        let mut core = self.core();
        let closed = matches!(core.link, Link::Suspended { .. });
        let due = !closed && is_due(core.attend_ms, now_ms, ATTEND_MS);
        if due {
            core.attend_ms = now_ms.saturating_add(ATTEND_MS);
        }
        drop(core);
        if due {
            // What cannot be answered now is looked at again; a broken store shows in the next run.
            let _looked_at_again = self.vault.attend();
        }
    }
}

impl Core {
    /// What has come due.
    fn due(&self, now_ms: u64) -> Option<LinkEvent> {
        let written =
            self.written_ms.is_some_and(|since| is_due(since + GATHER_MS, now_ms, GATHER_MS));
        match self.link {
            Link::Idle if written => Some(LinkEvent::Wrote),
            Link::Idle | Link::Full if is_due(self.look_ms, now_ms, LOOK_SELDOM_MS) => {
                Some(LinkEvent::Timer)
            }
            Link::Backoff { until_ms, .. } if is_due(until_ms, now_ms, RETRY_AFTER_MS_MAX) => {
                Some(LinkEvent::Timer)
            }
            _ => None,
        }
    }

    /// When something comes due, if nothing else happens before.
    fn next_ms(&self) -> Option<u64> {
        if matches!(self.link, Link::Suspended { .. }) {
            return None;
        }
        let written = self.written_ms.map(|since| since + GATHER_MS);
        let link = match self.link {
            Link::Idle => Some(written.map_or(self.look_ms, |at| at.min(self.look_ms))),
            Link::Full => Some(self.look_ms),
            Link::Backoff { until_ms, .. } => Some(until_ms),
            _ => None,
        };
        Some(link.map_or(self.attend_ms, |at| at.min(self.attend_ms)))
    }
}

/// Whether a moment has come. One that lies farther ahead than it can have been set was set by a clock
/// that has been put back since.
fn is_due(at_ms: u64, now_ms: u64, ahead_ms_max: u64) -> bool {
    at_ms <= now_ms || at_ms - now_ms > ahead_ms_max
}
