//! A device whose clock is a year ahead wins ties and nothing else: nobody follows its clock, and who
//! writes after seeing its values replaces them.

use std::collections::BTreeSet;

use selkie_core::limits::CLOCK_AHEAD_MS_MAX;
use serde_json::{Map, Value};

use super::{Broken, holds};
use crate::world::{SET, World};

/// Schedules are short: counting within a millisecond never adds up to more.
const SLACK_MS: u64 = 1_000;

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    for put in &world.ledger.puts {
        let latest_ms = put.now_ms + CLOCK_AHEAD_MS_MAX + SLACK_MS;
        let follows = !put.is_ahead && put.stamp.unix_ms() > latest_ms;
        holds(!follows, || "a device followed a clock that is a year ahead".to_owned())?;
        if put.delete_contested {
            continue;
        }
        let shown = put.shown.as_ref().map(|document| without_order(document.as_map()));
        let wanted = without_order(put.wanted.as_map());
        let sees_it = shown.as_ref() == Some(&wanted);
        holds(sees_it, || format!("a writer wanted {wanted:?} and sees {shown:?}"))?;
    }
    Ok(())
}

/// A set has no order and no doubles; other devices' arrays in its place keep theirs only there.
fn without_order(map: &Map<String, Value>) -> Map<String, Value> {
    let mut map = map.clone();
    if let Some(Value::Array(members)) = map.get_mut(SET) {
        let texts: BTreeSet<String> = members.iter().map(Value::to_string).collect();
        *members = texts.into_iter().map(Value::String).collect();
    }
    map
}
