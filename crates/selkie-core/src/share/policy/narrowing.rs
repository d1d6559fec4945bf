//! Whether one policy certainly reveals no more than another. In doubt it does.

use std::collections::BTreeMap;

use super::SharePolicy;
use crate::share::transform::Transform;

pub(super) fn is_narrowing(new: &SharePolicy, older: &SharePolicy) -> bool {
    let same_scope = new.dataset == older.dataset
        && new.purpose == older.purpose
        && new.destination == older.destination;
    let no_larger = new.categories.iter().all(|category| older.categories.contains(category))
        && new.size_bytes_max <= older.size_bytes_max
        && new.expires_days <= older.expires_days
        && new.epsilon_lifetime <= older.epsilon_lifetime;
    if !same_scope || !no_larger {
        return false;
    }
    let (now, before) = (by_path(new), by_path(older));
    let narrower = now.iter().all(|(path, transform)| match before.get(path) {
        Some(old) => transform.is_narrowing_of(old),
        // Nothing was sent from there before.
        None => **transform == Transform::Drop,
    });
    // Noise is what makes sending stop. Without it, records would go that the older policy held back.
    let is_noise = |(_, transform): &(_, &&Transform)| matches!(transform, Transform::Noise(_));
    let keeps_noise = before
        .iter()
        .filter(is_noise)
        .all(|(path, old)| now.get(path).is_some_and(|new| new == old));
    narrower && keeps_noise
}

/// Every path with its transform; the keys of maps are written out.
fn by_path(policy: &SharePolicy) -> BTreeMap<Vec<Option<&str>>, &Transform> {
    let rules = policy.rules.iter();
    rules.flat_map(|rule| rule.paths().into_iter().map(|path| (path, &rule.transform))).collect()
}
