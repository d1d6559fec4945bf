//! Thousands of schedules keep every promise, and every planted bug is caught.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bugs;
mod schedules;
mod sync;
