//! Tests of the library through its public face: real files, a real relay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attention;
mod files;
mod history;
mod hostile;
mod incarnations;
mod kill;
mod kill_all;
mod pairing;
mod records;
mod set_back;

mod support;
mod sync;
