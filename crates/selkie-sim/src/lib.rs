//! A seeded world of devices that write, forget to sync, sync twice and answer conflicts; checkers of
//! what must hold in it; and planted bugs that the checkers must catch.
//!
//! For developers; nobody depends on it. `docs/TESTING.md` says how to run and replay it.

// A panic is how a simulation reports that the simulation itself is wrong; the runner names its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bugs;
pub mod checkers;
pub mod runner;
pub mod sync;
pub mod world;
