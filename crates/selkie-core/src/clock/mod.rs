//! Hybrid logical clock: wall time that never runs backwards and counts what happens within one
//! millisecond (Kulkarni et al., "Logical Physical Clocks", 2014).
//!
//! In: the wall time that the caller passes, and stamps of other devices. Out: [`Stamp`]s. What
//! never happens here: reading a clock, or refusing anything because of its stamp. Causality decides
//! first; stamps only break ties between concurrent values.

use core::fmt;

use minicbor::{CborLen, Decode, Encode};

use crate::limits::CLOCK_AHEAD_MS_MAX;

/// 48 bits of milliseconds since 1970 (UTC), then 16 bits of counter.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen,
)]
#[cbor(transparent)]
pub struct Stamp(#[n(0)] pub u64);

impl Stamp {
    /// The first stamp of a millisecond.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms << 16)
    }

    /// Milliseconds since 1970 (UTC).
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0 >> 16
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.unix_ms(), self.0 & 0xffff)
    }
}

/// This device's clock; the last stamp is kept in the store.
///
/// ```
/// use selkie_core::clock::{Clock, Stamp};
/// let mut clock = Clock::new(Stamp::default());
/// let first = clock.tick(1_000);
/// let second = clock.tick(400); // the wall clock was set back
/// assert!(second > first);
///
/// clock.observe(Stamp::from_unix_ms(365 * 86_400_000), 1_000); // a device a year ahead
/// assert_eq!(clock.tick(1_000).unix_ms(), 1_000, "is not followed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    last: Stamp,
}

impl Clock {
    /// Goes on from the last stamp given out or adopted.
    #[must_use]
    pub const fn new(last: Stamp) -> Self {
        Self { last }
    }

    /// The last stamp given out or adopted.
    #[must_use]
    pub const fn last(&self) -> Stamp {
        self.last
    }

    /// The stamp of something that happens now; always greater than all before.
    pub fn tick(&mut self, now_ms: u64) -> Stamp {
        self.last = Stamp(self.last.0.saturating_add(1)).max(Stamp::from_unix_ms(now_ms));
        self.last
    }

    /// Follows another device's stamp, unless it is more than five minutes ahead: one wrong clock
    /// must not spread.
    pub fn observe(&mut self, stamp: Stamp, now_ms: u64) {
        if stamp.unix_ms() <= now_ms.saturating_add(CLOCK_AHEAD_MS_MAX) {
            self.last = self.last.max(stamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_within_a_millisecond_are_counted() {
        let mut clock = Clock::new(Stamp::default());
        assert_eq!(clock.tick(7), Stamp(7 << 16));
        assert_eq!(clock.tick(7), Stamp((7 << 16) + 1));
        assert_eq!(clock.tick(8), Stamp(8 << 16));
    }

    #[test]
    fn a_stamp_a_little_ahead_is_followed_and_one_far_ahead_is_not() {
        let mut clock = Clock::new(Stamp::default());
        let near = Stamp::from_unix_ms(1_000 + CLOCK_AHEAD_MS_MAX);
        clock.observe(near, 1_000);
        assert!(clock.tick(1_000) > near);
        clock.observe(Stamp::from_unix_ms(1_001 + CLOCK_AHEAD_MS_MAX), 1_000);
        assert_eq!(clock.last(), Stamp(near.0 + 1));
    }
}
