//! What to do when a relay shows that this store went on from an earlier state of itself.

use selkie_core::ports::RandomSource;
use selkie_core::sync::EngineError;
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::PullRequest;
use selkie_wire::{Cursor, IncarnationToken};

use super::steps::learn_roster;
use crate::Error;
use crate::store::{Identity, Theirs};
use crate::system::SystemRandom;
use crate::transport::Transport;
use crate::vault::Vault;

/// Reads what the relay has of this store's chain, and begins a new chain where the two part.
pub(super) fn heal(
    vault: &Vault,
    url: &str,
    identity: &mut Identity,
    transport: &mut dyn Transport,
) -> Result<(), Error> {
    let acknowledged = vault.database().relay_state(url)?.acknowledged;
    let mut theirs = Theirs::default();
    // A relay leaves the asker's own chain out; this one is nobody's.
    let nobody = Some(IncarnationToken(SystemRandom.array()?));
    let mut request = PullRequest { epoch: None, cursor: Cursor(0), incarnation: nobody };
    loop {
        let page = transport.pull(&request)?;
        // This store may have gone back behind a rotation: without its key it could read nothing of
        // what it once sent, and would be no wiser.
        while page.roster > identity.roster.last() {
            let known = identity.roster.last();
            let fetched = transport.roster(RosterNumber(known.0.saturating_add(1)))?;
            if learn_roster(vault, identity, fetched)? <= known {
                return Err(EngineError::Inconsistent.into());
            }
            identity.check_version()?;
        }
        for bytes in page.envelopes {
            vault.database().note_theirs(identity, bytes.into(), &mut theirs)?;
        }
        if !page.more || page.cursor <= request.cursor {
            break;
        }
        (request.epoch, request.cursor) = (Some(page.epoch), page.cursor);
    }
    vault.database().heal_fork(identity, &theirs, acknowledged, vault.now_ms())
}
