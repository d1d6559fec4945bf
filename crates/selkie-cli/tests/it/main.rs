//! The `selkie` command, run as its users run it: as a process, by its output and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod conflicts;
mod demo;
mod help;
mod history;
mod import_export;
mod members;
mod packages;
mod pairing;
mod passphrase;
mod queries;
mod records;
mod relay;
mod share;
mod support;
mod types;
mod watching;
