//! The relay as clients meet it: a real server on a loopback port, spoken to over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod auth;
mod durability;
mod hostile;
mod mailboxes;
mod promise;
mod recover;
mod rosters;
mod storage;
mod support;
mod sync;
mod wait;
