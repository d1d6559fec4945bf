//! The relay: a blind server for many vaults.
//!
//! In: sealed segments, rosters and pairing messages, over HTTP. Out: the same bytes, to members of
//! the vault. What never happens here: reading. No cipher, key type or merge code is in its
//! dependency graph, and a test keeps it so.
//!
//! The path of a request: `server` accepts it, `handlers` reads it, `auth` and `rosters` judge it,
//! `store` keeps it. Protocol: `docs/PROTOCOL.md`.
//!
//! ```
//! use selkie_relay::{Background, Config};
//! let relay = Background::start(Config::in_memory())?;
//! println!("listening on {}", relay.url());
//! # Ok::<(), selkie_relay::RelayError>(())
//! ```

mod app;
mod auth;
mod blocking;
mod body;
mod config;
mod error;
mod handlers;
mod limits;
mod problem;
mod rosters;
mod server;
mod stall;
mod store;
mod waiters;

pub use blocking::{Background, run_blocking};
pub use config::{Clock, Config, Log, Quotas, Storage, Timeouts};
pub use error::RelayError;
pub use server::Relay;
