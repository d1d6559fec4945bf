//! The anonymiser: any JSON without what its names say is personal, and without what the scanner finds.
//!
//! In: a JSON value. Out: a new one and a report that counts, and never quotes, what was taken out. What never
//! happens here: a change of the value given; a promise that the output is anonymous (it is not: what nobody
//! named and has no form stays).

mod anonymizer;
mod embedded;
mod names;
mod report;
pub(crate) mod stack;
mod words;

pub use anonymizer::{AnonymizerBuilder, DataAnonymizer};
pub use names::{Sensitive, sensitive_name};
pub use report::{AnonymizeReport, Anonymized};

#[cfg(test)]
mod tests;
