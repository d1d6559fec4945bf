//! The project's chores as a library: reading the source tree, and the rules the `tidy` test keeps.
//!
//! In: the repository's own text. Out: findings, counts, measurements. Nothing here is part of what users get,
//! and nothing here has a dependency.

pub mod bench;
pub mod loc;
pub mod source;
pub mod tidy;
pub mod tree;
