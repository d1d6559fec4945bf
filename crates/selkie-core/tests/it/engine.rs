//! The engine and relays that went back in time.

use selkie_core::sync::{Action, Engine, EngineError, Known, Position};
use selkie_wire::relay::{Head, PullResponse};
use selkie_wire::{Cursor, RelayEpoch, RosterNumber, SegmentNumber};

const EPOCH: RelayEpoch = RelayEpoch([1; 16]);

fn engine(cursor: u64) -> Engine {
    Engine::new(Known {
        position: Position { epoch: Some(EPOCH), cursor: Cursor(cursor) },
        acknowledged: SegmentNumber(0),
        incarnation: None,
        own: Head::default(),
        unsealed: false,
        roster: RosterNumber(2),
        checkpoints: Default::default(),
    })
}

fn page(cursor: u64, more: bool) -> PullResponse {
    PullResponse {
        epoch: EPOCH,
        envelopes: vec![vec![0].into()],
        cursor: Cursor(cursor),
        more,
        head: Head::default(),
        roster: RosterNumber(2),
        checkpoints: None,
    }
}

fn give(engine: &mut Engine, page: &PullResponse) -> Result<(), EngineError> {
    engine.pulled(page, Head::default(), |_| None)?;
    engine.applied()
}

#[test]
fn a_relay_set_back_with_its_epoch_is_read_from_its_beginning() {
    let mut engine = engine(100);
    for (cursor, more) in [(10, true), (20, true), (30, false)] {
        assert!(matches!(engine.next(), Action::Pull(_)));
        give(&mut engine, &page(cursor, more)).unwrap();
    }
    assert_eq!(engine.next(), Action::Done);
}

#[test]
fn a_relay_that_goes_back_again_and_again_is_not_followed_for_ever() {
    let mut engine = engine(100);
    let outcome = (0..100).try_for_each(|round| give(&mut engine, &page(100 - round - 1, true)));
    assert_eq!(outcome, Err(EngineError::Inconsistent));
    let still = give(&mut self::engine(100), &page(100, true));
    assert_eq!(still, Err(EngineError::Inconsistent));
}
