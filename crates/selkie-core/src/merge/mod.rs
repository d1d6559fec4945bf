//! Merging: from changes, in any order and any number of times, to one state on every device.
//!
//! In: changes, other states, policies. Out: registers and context ([`Replica`]), the document an app
//! sees ([`view()`]), open conflicts, and the operations that resolve them. What never happens here: a
//! clock, randomness, the order of a hash map, or anything else that could differ between devices.
//!
//! The replicated state is a join-semilattice of dotted siblings under one causal context per vault
//! (after Almeida et al., "Delta State Replicated Data Types", 2018); policies are views of it.

mod conflict;
mod container;
mod context;
mod packed;
mod policy;
mod replica;
mod resolution;
mod resolver;
mod view;

pub use conflict::{Conflict, ConflictKind, ConflictToken, Side, SideContent};
pub use context::{Context, DeadOnArrival};
pub use packed::{PackedError, pack, pack_new, unpack};
pub use policy::{
    CollectionPolicy, DEADLINE_MS, HISTORY_MS, OnDelete, POLICY_COLLECTION, Policy, PolicyError,
    PriorityFrom, SCHEMA_COLLECTION,
};
pub use replica::{Overwritten, Replica, apply_own};
pub use resolution::{Resolution, ResolveError, resolve, settle, settle_with};
pub use resolver::{ConflictResolver, Decision, Input, Outcome, Strategy};
pub use view::{View, view};
