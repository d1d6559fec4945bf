//! The system's clock and randomness, in the one place where they are read.

use std::time::{SystemTime, UNIX_EPOCH};

use selkie_core::ports::{RandomError, RandomSource};

/// The operating system's random source.
pub(crate) struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(bytes).map_err(|_| RandomError)
    }
}

/// Milliseconds since 1970 (UTC); 0 if the clock is set before that.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
