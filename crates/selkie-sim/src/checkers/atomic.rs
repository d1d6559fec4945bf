//! An atomic field is as somebody wrote it, never half one's and half another's.

use super::{Broken, holds, typed_view};
use crate::world::{ATOMIC, Deed, World};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let view = typed_view(world);
    let shown = view.document.as_ref().and_then(|document| document.as_map().get(ATOMIC));
    let Some(shown) = shown else { return Ok(()) };
    let written = world.ledger.acts.iter().any(|act| act.deed == Deed::WroteWhole(shown.clone()));
    holds(written, || format!("nobody wrote {shown}"))
}
