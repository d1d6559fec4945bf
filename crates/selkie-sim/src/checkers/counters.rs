//! No addition to a counter is lost, and none counts twice.

use serde_json::Value;

use super::{Broken, holds, typed_view};
use crate::world::{COUNTER, Deed, World};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let added = world.ledger.acts.iter().map(|act| match act.deed {
        Deed::Counted(by) => by,
        _ => 0,
    });
    let expected: i64 = added.sum();
    let view = typed_view(world);
    let shown = view.document.as_ref().and_then(|document| document.as_map().get(COUNTER));
    let shown = shown.and_then(Value::as_i64).unwrap_or(0);
    holds(shown == expected, || format!("the counter shows {shown} of {expected}"))
}
