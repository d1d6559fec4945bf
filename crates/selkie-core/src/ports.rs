//! What the core needs from outside: randomness. (Time is passed in as a number.)

use core::fmt;

/// A cryptographically secure source of random bytes.
///
/// ```
/// use selkie_core::ports::{RandomError, RandomSource};
/// struct Broken;
/// impl RandomSource for Broken {
///     fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
///         Err(RandomError)
///     }
/// }
/// assert!(Broken.array::<32>().is_err(), "an error, never a key of zeros");
/// ```
pub trait RandomSource {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// [`RandomError`] if the source is not available; `bytes` must then not be used.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError>;

    /// `N` random bytes.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RandomError>
    where
        Self: Sized,
    {
        let mut bytes = [0u8; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl dyn RandomSource + '_ {
    /// `N` random bytes from a source behind a reference, fit for a key, a nonce or an id.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails, or says it succeeded and left 16 or more zero bytes:
    /// a stuck source must end in an error, never in a key that everyone knows.
    pub fn draw<const N: usize>(&mut self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0u8; N];
        self.draw_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Like `draw`, into the place where a secret stays, so that none is left on the way.
    ///
    /// # Errors
    /// As `draw`; `bytes` must then not be used.
    pub fn draw_into(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.fill(bytes)?;
        let stuck = bytes.len() >= 16 && bytes.iter().all(|byte| *byte == 0);
        if stuck { Err(RandomError) } else { Ok(()) }
    }
}

/// The system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomError;

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no random bytes are to be had from the system")
    }
}

impl core::error::Error for RandomError {}
