//! Public bytes as a stranger would make them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod relay;
mod roster;
mod signatures;
