//! What to do when a relay shows that this store went on from an earlier state of itself.

use selkie_core::ports::RandomSource;
use selkie_wire::relay::PullRequest;
use selkie_wire::{Cursor, IncarnationToken};

use crate::Error;
use crate::store::{Identity, Theirs};
use crate::system::SystemRandom;
use crate::transport::Transport;
use crate::vault::Vault;

/// Reads what the relay has of this store's chain, and begins a new chain where the two part.
pub(super) fn heal(
    vault: &Vault,
    url: &str,
    identity: &Identity,
    transport: &mut dyn Transport,
) -> Result<(), Error> {
    let acknowledged = vault.database().relay_state(url)?.acknowledged;
    let mut theirs = Theirs::default();
    // A relay leaves the asker's own chain out; this one is nobody's.
    let nobody = Some(IncarnationToken(SystemRandom.array()?));
    let mut request = PullRequest { epoch: None, cursor: Cursor(0), incarnation: nobody };
    loop {
        let page = transport.pull(&request)?;
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
