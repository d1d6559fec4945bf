//! The pure rules of Selkie: from a document to a change, from a change to a sealed segment, and back.
//!
//! No I/O, no clock, no global randomness: `now` and the random source are passed in (see
//! [`ports`]), so the same code runs in a simulator, on a phone and in a browser. Later rooms may
//! use earlier ones, never back.

pub mod limits;
pub mod ports;

pub mod record;

pub mod clock;

pub mod keys;

pub mod change;

pub mod share;

pub mod seal;

pub mod merge;

pub mod sync;
