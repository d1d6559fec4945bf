//! No item of a list is lost or doubled, items nobody moved keep their order, and a step writes only
//! what it touches.

use std::collections::{BTreeMap, BTreeSet};

use selkie_core::change::EntryValue;
use selkie_core::record::{Element, Path};
use serde_json::Value;

use super::{Broken, holds, typed_view};
use crate::world::{Deed, LIST, World, label_of, typed_record};

pub fn check(world: &World<'_>) -> Result<(), Broken> {
    let view = typed_view(world);
    let shown = view.document.as_ref().and_then(|document| document.as_map().get(LIST));
    let items = shown.and_then(Value::as_array).cloned().unwrap_or_default();
    let labels: Vec<&str> = items.iter().filter_map(label_of).collect();
    let found: BTreeSet<&str> = labels.iter().copied().collect();
    holds(found.len() == items.len(), || format!("an item is doubled: {items:?}"))?;
    let expected = expected(world);
    holds(found == expected, || format!("the list shows {found:?}, expected {expected:?}"))?;
    for put in &world.ledger.puts {
        let touched = put.list_writes.unwrap_or_default();
        let few = touched.0 <= 1 && touched.1 <= 1;
        holds(few, || format!("one step wrote {} values, {} positions", touched.0, touched.1))?;
    }
    order_is_kept(world, &labels)
}

/// Items inserted or changed by someone whose write no one had seen who removed or changed them.
fn expected<'w>(world: &'w World<'_>) -> BTreeSet<&'w str> {
    let mut expected = BTreeSet::new();
    for act in &world.ledger.acts {
        let Deed::Listed(label) = &act.deed else { continue };
        let same = |deed: &Deed| matches!(deed, Deed::Listed(other) | Deed::Unlisted(other) if other == label);
        if !world.ledger.is_replaced(act.dot, same) {
            expected.insert(label.as_str());
        }
    }
    expected
}

/// Two items whose positions were written once stand as every writer saw them stand.
fn order_is_kept(world: &World<'_>, labels: &[&str]) -> Result<(), Broken> {
    let unmoved = unmoved(world);
    let place: BTreeMap<&str, usize> =
        labels.iter().enumerate().map(|(at, label)| (*label, at)).collect();
    for list in &world.ledger.lists {
        let kept: Vec<&String> = list.iter().filter(|label| unmoved.contains(*label)).collect();
        for pair in kept.windows(2) {
            let (before, after) = (place.get(pair[0].as_str()), place.get(pair[1].as_str()));
            if let (Some(before), Some(after)) = (before, after) {
                holds(before < after, || format!("{} and {} changed places", pair[0], pair[1]))?;
            }
        }
    }
    Ok(())
}

/// The labels of items whose position was written once and that nobody removed.
fn unmoved(world: &World<'_>) -> BTreeSet<String> {
    let mut positions: BTreeMap<Path, usize> = BTreeMap::new();
    let mut labels: BTreeMap<Path, String> = BTreeMap::new();
    for change in &world.log {
        for record in change.records.iter().filter(|record| record.key == typed_record()) {
            for operation in &record.operations {
                let path = &operation.path;
                match (path.last_element(), &operation.written) {
                    (Some(Element::List(_)), _) => {
                        *positions.entry(path.clone()).or_default() += 1;
                    }
                    (Some(Element::ListValue), Some(written)) => {
                        if let (EntryValue::Value(item), Some(of)) = (&written.value, path.parent())
                        {
                            labels.extend(label_of(item).map(|label| (of, label.to_owned())));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    let once = labels.into_iter().filter(|(path, _)| positions.get(path) == Some(&1));
    once.map(|(_, label)| label).collect()
}
