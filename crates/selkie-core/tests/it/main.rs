//! Tests of the core through its public face.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod checkpoint;
mod conflicts;
mod confusion;
mod engine;
mod fields;
mod harm;
mod inbox;
mod renaming;
mod share;
mod vectors;
mod world;
