//! Share: from a record and a policy to a payload prepared for one destination.
//!
//! In: a record's JSON, a [`SharePolicy`], the user's [`UserShareKey`](crate::keys::UserShareKey),
//! the noise already spent, the time, random bytes. Out: a [`Prepared`] payload, which only this room
//! can build, or a reason why nothing may be sent. Beside it, for any JSON, the [`DataAnonymizer`] and
//! its scanner. What never happens here: a field that no rule names in a payload; consent (that is
//! `consent`); sending; I/O, a clock or randomness of its own; a value of a record in an error, a log
//! line or `Debug`; a word that calls the output anonymous.
//!
//! Formats are specified in `docs/FORMAT.md`, *Sharing*; what each transform promises, in
//! `docs/PRIVACY.md`.

pub mod anonymize;
mod canonical_json;
pub mod lint;
pub mod policy;
mod prepare;
pub mod prepared;
pub mod scan;
mod transform;

pub use anonymize::DataAnonymizer;
pub use lint::{Lint, LintReport};
pub use policy::{Category, Epsilon, PolicyProblem, PolicyProblems, SharePolicy};
pub use prepared::{Dropped, PrepareError, Prepared};
