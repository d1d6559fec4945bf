//! A member of a set is there unless whoever took it out had seen each time it was put in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Broken, holds, typed_view};
use crate::world::{Deed, SET, World};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let mut expected = BTreeSet::new();
    for act in &world.ledger.acts {
        let Deed::Joined(member) = &act.deed else { continue };
        let left = |deed: &Deed| matches!(deed, Deed::Left(other) if other == member);
        if !world.ledger.is_replaced(act.dot, left) {
            expected.insert(member.to_string());
        }
    }
    let view = typed_view(world);
    let shown = view.document.as_ref().and_then(|document| document.as_map().get(SET));
    let members = shown.and_then(Value::as_array).cloned().unwrap_or_default();
    let found: BTreeSet<String> = members.iter().map(Value::to_string).collect();
    holds(found.len() == members.len(), || format!("a member is doubled: {members:?}"))?;
    holds(found == expected, || format!("the set shows {found:?}, expected {expected:?}"))
}
