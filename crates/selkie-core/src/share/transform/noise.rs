//! Noise: a number in a range, with discrete Laplace noise, until the grant's budget is spent.
//!
//! Sampled exactly, in integers, after Canonne, Kamath and Steinke, *The Discrete Gaussian for
//! Differential Privacy* (2020), algorithms 1 and 2: samplers in floating point leak by their low bits
//! (Mironov 2012). How many random bytes are drawn depends on the noise; a stopwatch could tell.

use serde_json::{Value, json};

use super::{Outcome, Stop, Work};
use crate::ports::{RandomError, RandomSource};
use crate::share::policy::{Epsilon, Kind, Node, Reader};

/// Widest range: its product with a million must be far from 64 bits.
const RANGE_MAX: i64 = 1 << 31;
const EPSILON_MAX: f64 = 10.0;

/// Sends an integer that is likely near the true one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noise {
    low: i64,
    high: i64,
    epsilon: Epsilon,
}

impl Noise {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let mut table = Reader::new(node, "`noise`", rule.problems())?;
        let dist = table.required("dist");
        let wanted = "\"discrete_laplace\"";
        let dist = table.text(dist, "dist", wanted, |name| name == "discrete_laplace");
        let clamp = table.required("clamp");
        let range = clamp.and_then(|node| {
            let read = range(node);
            if read.is_none() {
                table.wrong(node, "clamp", "two integers, the lower first, at most 2^31 apart");
            }
            read
        });
        let epsilon = table.required("epsilon").and_then(|node| {
            let read = node.as_number().and_then(|it| Epsilon::from_number(it, EPSILON_MAX));
            if read.is_none() {
                table.wrong(node, "epsilon", "a number above 0, up to 10, with up to 6 decimals");
            }
            read
        });
        table.finish();
        let (low, high) = range?;
        dist.and(Some(Self { low, high, epsilon: epsilon? }))
    }

    pub(super) fn to_value(self) -> Value {
        json!({
            "dist": "discrete_laplace",
            "clamp": [self.low, self.high],
            "epsilon": self.epsilon.to_json(),
        })
    }

    pub(super) fn apply(self, value: &Value, work: &mut Work<'_>) -> Outcome {
        let Some(x) = value.as_f64().filter(|x| x.is_finite()) else {
            return Outcome::UnknownType;
        };
        let spent = work.spent.saturating_add(self.epsilon);
        if spent > work.left {
            return Outcome::Stop(Stop::Budget(spent));
        }
        // Within the range a float is exact: it spans 2^31, and its ends are below 2^53.
        let clamped = x.round().clamp(self.low as f64, self.high as f64) as i64;
        // One record moves the clamped value by at most the range, so the scale is range / ε.
        let range = self.high.abs_diff(self.low);
        let scale = u128::from(range) * 1_000_000;
        match discrete_laplace(scale, u128::from(self.epsilon.micros()), work.random) {
            Ok(noise) => {
                work.spent = spent;
                Outcome::Send(clamped.saturating_add(noise).into())
            }
            Err(RandomError) => Outcome::Stop(Stop::Random),
        }
    }
}

fn range(node: &Node) -> Option<(i64, i64)> {
    let Kind::Array(items) = &node.kind else { return None };
    let [Node { kind: Kind::Integer(low), .. }, Node { kind: Kind::Integer(high), .. }] =
        items.as_slice()
    else {
        return None;
    };
    let bound = crate::limits::INTEGER_MAX / 2;
    let fits = low < high
        && (-bound..=bound).contains(low)
        && (-bound..=bound).contains(high)
        && high.abs_diff(*low) <= RANGE_MAX.unsigned_abs();
    fits.then_some((*low, *high))
}

/// A sample of the discrete Laplace distribution of scale `t / s` (algorithm 2).
fn discrete_laplace(t: u128, s: u128, random: &mut dyn RandomSource) -> Result<i64, RandomError> {
    loop {
        let u = uniform(t, random)?;
        if !bernoulli_exp(u, t, random)? {
            continue;
        }
        let mut v: u128 = 0;
        while bernoulli_exp(1, 1, random)? {
            v += 1;
        }
        let magnitude = (u + t * v) / s;
        let is_negative = uniform(2, random)? == 1;
        if is_negative && magnitude == 0 {
            continue;
        }
        // Reaching the bound has a probability below e^-1000.
        let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX).min(1 << 52);
        return Ok(if is_negative { -magnitude } else { magnitude });
    }
}

/// True with probability e^(−numerator / denominator), for a fraction up to 1 (algorithm 1).
fn bernoulli_exp(
    numerator: u128,
    denominator: u128,
    random: &mut dyn RandomSource,
) -> Result<bool, RandomError> {
    let mut k: u128 = 1;
    while uniform(denominator * k, random)? < numerator {
        k += 1;
    }
    Ok(k % 2 == 1)
}

/// A uniform integer below `bound`, by rejection.
fn uniform(bound: u128, random: &mut dyn RandomSource) -> Result<u128, RandomError> {
    let mask = bound.next_power_of_two() - 1;
    loop {
        let mut bytes = [0u8; 16];
        random.fill(&mut bytes)?;
        let drawn = u128::from_le_bytes(bytes) & mask;
        if drawn < bound {
            return Ok(drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// SHA-256 in counter mode: the same samples on every run.
    struct Counted(u64);

    impl RandomSource for Counted {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
            for chunk in bytes.chunks_mut(32) {
                self.0 += 1;
                let block = Sha256::digest(self.0.to_le_bytes());
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
            Ok(())
        }
    }

    #[test]
    fn samples_follow_the_discrete_laplace_distribution() {
        let mut random = Counted(0);
        for (t, s) in [(1u128, 1u128), (7, 2), (50_000_000, 500_000)] {
            let n = 40_000;
            let samples: Vec<i64> =
                (0..n).map(|_| discrete_laplace(t, s, &mut random).unwrap()).collect();
            let q = (-(s as f64) / t as f64).exp();
            // P(X = x) = (1 − q) / (1 + q) · q^|x|; five standard deviations either way.
            for x in -3..=3i64 {
                let expected = (1.0 - q) / (1.0 + q) * q.powi(x.abs() as i32);
                let seen = samples.iter().filter(|sample| **sample == x).count() as f64 / n as f64;
                let deviation = (expected * (1.0 - expected) / n as f64).sqrt();
                assert!(
                    (seen - expected).abs() < 5.0 * deviation,
                    "{t}/{s} {x}: {seen} {expected}"
                );
            }
            let variance = samples.iter().map(|x| (x * x) as f64).sum::<f64>() / n as f64;
            let expected = 2.0 * q / (1.0 - q).powi(2);
            assert!((variance / expected - 1.0).abs() < 0.06, "{t}/{s}: {variance} {expected}");
        }
    }

    #[test]
    fn a_value_outside_of_the_range_is_clamped_before_noise() {
        let noise = Noise { low: 0, high: 10, epsilon: Epsilon::from_micros(1_000_000) };
        let key = crate::keys::UserShareKey::from_bytes([1; 32]);
        let sent = |value: Value| {
            let mut random = Counted(7);
            let mut work = Work {
                key: &key,
                destination: "",
                purpose: "",
                now_ms: 0,
                random: &mut random,
                left: Epsilon::from_micros(u64::MAX),
                spent: Epsilon::ZERO,
            };
            noise.apply(&value, &mut work)
        };
        assert_eq!(sent(json!(10)), sent(json!(1e300)));
        assert_eq!(sent(json!(0)), sent(json!(-12)));
        assert_ne!(sent(json!(0)), sent(json!(10)));
        assert_eq!(sent(json!("10")), Outcome::UnknownType);
    }
}
