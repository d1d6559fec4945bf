//! Random sources that are seeded, scripted, failing or stuck, and readers of `docs/vectors`.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;

use crate::ports::{RandomError, RandomSource};

/// Good randomness, the same on every run.
pub(crate) struct Seeded(ChaCha20Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }
}

impl RandomSource for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// Gives the bytes it was given, in order, and then fails.
pub(crate) struct Scripted(pub(crate) Vec<u8>);

impl RandomSource for Scripted {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let (head, rest) = self.0.split_at_checked(bytes.len()).ok_or(RandomError)?;
        bytes.copy_from_slice(head);
        self.0 = rest.to_vec();
        Ok(())
    }
}

/// Works `self.0` times, then fails.
pub(crate) struct Failing(pub(crate) usize);

impl RandomSource for Failing {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.0 = self.0.checked_sub(1).ok_or(RandomError)?;
        bytes.fill(self.0 as u8 + 1);
        Ok(())
    }
}

/// Says that it worked, and did nothing.
pub(crate) struct Stuck;

impl RandomSource for Stuck {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Ok(())
    }
}

pub(crate) fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}
