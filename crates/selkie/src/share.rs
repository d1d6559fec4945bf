//! What may be shared with others than the user's own devices, and in which form: policies, payloads,
//! the anonymiser and its scanner. The user's guide is `docs/PRIVACY.md`.
//!
//! ```
//! use selkie::share::{DataAnonymizer, SharePolicy, preview};
//! use serde_json::json;
//! let record = json!({"ms": 250, "user_email": "anna@example.com"});
//!
//! // Where you know the fields: what no rule names stays.
//! let policy = SharePolicy::parse(r#"
//!     [share.stats]
//!     from = "usage"
//!     purpose = "improve"
//!     destination = "lab"
//!     categories = ["interaction"]
//!     size_bytes_max = 1024
//!     expires_days = 30
//!     field = [{ path = "ms", bin = [100, 1000] }]
//! "#)?;
//! assert_eq!(preview(&policy, &record)?.payload(), br#"{"ms":"100..1000"}"#);
//!
//! // Where you do not: what sounds or looks personal goes.
//! let done = DataAnonymizer::new().anonymize(&record);
//! assert_eq!(done.value, json!({"ms": 250, "user_email": "[email]"}));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde_json::Value;

pub use selkie_core::keys::UserShareKey;
pub use selkie_core::share::anonymize::{
    AnonymizeReport, Anonymized, AnonymizerBuilder, Sensitive, sensitive_name,
};
pub use selkie_core::share::lint::{FieldLint, GROUP_MIN};
pub use selkie_core::share::policy::{RulePath, RuleView};
pub use selkie_core::share::scan::{Found, Span, redact, scan};
pub use selkie_core::share::{
    Category, DataAnonymizer, Dropped, Epsilon, Lint, LintReport, PolicyProblem, PolicyProblems,
    PrepareError, Prepared, SharePolicy,
};

use crate::system::{SystemRandom, now_ms};

/// What a policy would send of a record now, under a key that is thrown away: pseudonyms and noise
/// differ from call to call, and nothing of the budget is spent.
///
/// # Errors
/// [`PrepareError`], as when it were sent.
pub fn preview(policy: &SharePolicy, record: &Value) -> Result<Prepared, PrepareError> {
    let key = UserShareKey::generate(&mut SystemRandom).map_err(|_| PrepareError::Random)?;
    policy.prepare(record, &key, Epsilon::ZERO, now_ms(), &mut SystemRandom)
}
