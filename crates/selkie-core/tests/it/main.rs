//! Tests of the core through its public face.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conflicts;
mod fields;
mod harm;
mod inbox;
mod share;
mod vectors;
mod world;
