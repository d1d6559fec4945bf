//! How much one push takes: about two seconds' worth of the link.

/// A push never aims for less; one segment is always sent.
const PUSH_BYTES_MIN: usize = 64 * 1024;
/// A push never aims for more.
const PUSH_BYTES_MAX: usize = 1024 * 1024;
/// Where a link that was never measured begins.
const PUSH_BYTES_FIRST: usize = 256 * 1024;
/// How long a push should take.
const PUSH_MS: u64 = 2_000;

/// The size of the next push, from how the last ones went.
///
/// ```
/// use selkie_core::sync::PushPace;
/// let mut pace = PushPace::new(0);
/// assert_eq!(pace.bytes(), 256 * 1024);
/// pace.sent(256 * 1024, 8_000);
/// assert_eq!(pace.bytes(), 64 * 1024, "a slow link: a quarter takes two seconds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushPace {
    bytes: usize,
}

impl PushPace {
    /// The pace that was stored; 0 if there is none.
    #[must_use]
    pub fn new(stored_bytes: usize) -> Self {
        let bytes = if stored_bytes == 0 { PUSH_BYTES_FIRST } else { stored_bytes };
        Self { bytes: bytes.clamp(PUSH_BYTES_MIN, PUSH_BYTES_MAX) }
    }

    /// Bytes the next push aims for.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// A push of this size took so long.
    pub fn sent(&mut self, bytes: usize, elapsed_ms: u64) {
        let per_push = (bytes as u64).saturating_mul(PUSH_MS) / elapsed_ms.max(1);
        let per_push = usize::try_from(per_push).unwrap_or(usize::MAX);
        // A short push says little about a fast link: it is mostly the way there and back.
        let tells = elapsed_ms > PUSH_MS || bytes >= self.bytes / 2;
        if tells {
            let most = self.bytes.saturating_mul(2);
            self.bytes = per_push.min(most).clamp(PUSH_BYTES_MIN, PUSH_BYTES_MAX);
        }
    }

    /// A push was too large, or did not come through.
    pub fn halve(&mut self) {
        self.bytes = (self.bytes / 2).max(PUSH_BYTES_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_takes_about_two_seconds_within_bounds() {
        const KIB: usize = 1024;
        for (before, sent, elapsed_ms, after) in [
            (256 * KIB, 256 * KIB, 2_000, 256 * KIB),
            (256 * KIB, 256 * KIB, 4_000, 128 * KIB),
            (256 * KIB, 256 * KIB, 1_000, 512 * KIB),
            // At most doubled at once, never beyond the bounds.
            (256 * KIB, 256 * KIB, 1, 512 * KIB),
            (1024 * KIB, 1024 * KIB, 0, 1024 * KIB),
            (64 * KIB, 64 * KIB, 600_000, 64 * KIB),
            // A small one that was fast says nothing, and one that was slow does.
            (256 * KIB, KIB, 300, 256 * KIB),
            (256 * KIB, KIB, 9_000, 64 * KIB),
        ] {
            let mut pace = PushPace::new(before);
            pace.sent(sent, elapsed_ms);
            assert_eq!(pace.bytes(), after, "{before} {sent} {elapsed_ms}");
        }
        let mut pace = PushPace::new(usize::MAX);
        let halves: Vec<_> = (0..6)
            .map(|_| {
                pace.halve();
                pace.bytes() / KIB
            })
            .collect();
        assert_eq!(halves, [512, 256, 128, 64, 64, 64]);
    }
}
