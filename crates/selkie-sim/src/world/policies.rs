//! Random policies: every policy by default or by path, every rule for deletes, old and new apps.

use selkie_core::merge::{CollectionPolicy, OnDelete, Policy};
use selkie_core::record::Path;

use super::random::Random;

fn any_policy(random: &mut Random) -> Policy {
    match random.below(6) {
        0 => Policy::Timestamp,
        1 => Policy::Priority,
        2 => Policy::Merge,
        3 => Policy::Custom("app".to_owned()),
        _ => Policy::UserChoice,
    }
}

/// The policy of a schedule's collection: a default, and often others for some fields.
pub fn any(random: &mut Random) -> CollectionPolicy {
    let rules =
        [OnDelete::EditWins, OnDelete::DeleteWins, OnDelete::Timestamp, OnDelete::UserChoice];
    let mut policy = CollectionPolicy {
        version: 1,
        default: any_policy(random),
        on_delete: *random.pick(&rules),
        ..CollectionPolicy::default()
    };
    for field in ["a", "b", "list", "atomic"] {
        if random.chance(30) {
            policy.paths.insert(Path::root().child(field), any_policy(random));
        }
    }
    if random.chance(20) {
        policy.paths.insert(Path::root().child("a").child("x"), any_policy(random));
    }
    policy
}

/// The same policy as an app reads it that knows none of its names.
pub fn as_an_older_app_reads(policy: &CollectionPolicy) -> CollectionPolicy {
    let unknown = || Policy::Unknown("of a later version".to_owned());
    CollectionPolicy {
        default: unknown(),
        paths: policy.paths.keys().map(|path| (path.clone(), unknown())).collect(),
        on_delete: OnDelete::default(),
        ..policy.clone()
    }
}
