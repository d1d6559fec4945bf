//! ε of differential privacy, as whole millionths: sums are exact.

use core::fmt;

/// A privacy loss ε, in millionths.
///
/// ```
/// use selkie_core::share::Epsilon;
/// let half = Epsilon::from_micros(500_000);
/// assert_eq!(half.to_string(), "0.5");
/// assert_eq!(half.saturating_add(half), Epsilon::from_micros(1_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epsilon(u64);

impl Epsilon {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From millionths.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// As millionths.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The sum; more than can be counted is the most that can.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left; zero if `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// A positive number with at most six decimals, up to `max`.
    pub(crate) fn from_number(number: f64, max: f64) -> Option<Self> {
        let micros = (number * 1e6).round();
        let exact = (micros / 1e6 - number).abs() <= number.abs() * 1e-12;
        (number > 0.0 && number <= max && micros >= 1.0 && exact).then_some(Self(micros as u64))
    }

    fn to_number(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// As a policy writes it.
    pub(crate) fn to_json(self) -> serde_json::Value {
        let mut value = serde_json::Value::from(self.to_number());
        // A finite number is canonical.
        let _infallible = crate::record::value::canonicalise(&mut value, 1);
        value
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_number())
    }
}
