//! The sync world: devices made of the real core, relays, and a network and disks that fail.
//!
//! In: a seed, and a bug to plant or none. Out: a [`World`] after one schedule and a calm end, with all
//! that happened in it. Everything that decides is the code under test: the engine, the inbox, sealing,
//! merging and renaming; only storage and the wire are models. What never happens here: a clock, a
//! socket, chance that is not the seed's.

pub mod bugs;
mod calm;
pub mod checkers;
mod driver;
mod heal;
mod ledger;
mod network;
mod receive;
mod relay;
mod store;
mod template;
mod world;
mod writes;

pub use bugs::{BUGS, Bug};
pub use calm::Calm;
pub use ledger::{Act, Deed, Ledger};
pub use store::{HELD_MAX, Store};
pub use world::World;
