//! Tests of the library through its public face: real files, a real relay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attention;
mod checkpoints;
mod files;
mod findings;
mod guard;
mod history;
mod hostile;
mod incarnations;
mod indexes;
mod kill;
mod kill_all;
mod live;
mod local;
mod manager;
mod members;
mod memory;
mod packages;
mod pairing;
mod query;
mod records;
mod set_back;

mod support;
mod sync;
mod transport_contract;
