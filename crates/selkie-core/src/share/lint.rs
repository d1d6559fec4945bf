//! Lint: how far the payloads of a sample tell people apart.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::policy::{Epsilon, SharePolicy};
use super::prepared::PrepareError;
use crate::keys::UserShareKey;
use crate::ports::{RandomError, RandomSource};

/// Smaller groups are small: the fewest users that a report of statistics usually shows.
pub const GROUP_MIN: u64 = 5;
/// Below so many records a sample says little.
const RECORDS_MIN: u64 = 20;
/// A pseudonym of so few values hides none of them: the most frequent one is guessed.
const VALUES_MIN: usize = 8;

/// Goes through a sample of records, of as many people as possible, one record each.
///
/// ```
/// use selkie_core::share::{Lint, SharePolicy};
/// let policy = SharePolicy::parse(r#"
///     [share.stats]
///     from = "usage"
///     purpose = "improve"
///     destination = "lab"
///     categories = ["interaction"]
///     size_bytes_max = 1024
///     expires_days = 30
///     field = [{ path = "ms", keep = true }]
/// "#)?;
/// let mut lint = Lint::new(&policy);
/// for ms in 0..100 {
///     lint.add(&serde_json::json!({ "ms": ms }));
/// }
/// let report = lint.finish();
/// assert_eq!((report.records, report.unique), (100, 100));
/// assert!(report.findings[0].contains("100 of 100"), "{:?}", report.findings);
/// # Ok::<(), selkie_core::share::PolicyProblems>(())
/// ```
pub struct Lint<'a> {
    policy: &'a SharePolicy,
    /// Without pseudonyms, which are meant to differ, and noise, which differs by chance.
    grouped: SharePolicy,
    key: UserShareKey,
    groups: BTreeMap<[u8; 32], u64>,
    fields: Vec<Field>,
    report: LintReport,
}

struct Field {
    path: String,
    kind: &'static str,
    alone: SharePolicy,
    values: BTreeMap<[u8; 32], u64>,
}

/// What a sample says of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintReport {
    /// Records looked at.
    pub records: u64,
    /// Records of which nothing is left.
    pub nothing_left: u64,
    /// Records whose payload is too long.
    pub too_long: u64,
    /// Records whose payload, without pseudonyms and noise, no other has.
    pub unique: u64,
    /// Records whose payload fewer than [`GROUP_MIN`] have.
    pub in_small_groups: u64,
    /// The rules, by path.
    pub fields: Vec<FieldLint>,
    /// What should be thought over, most important first.
    pub findings: Vec<String>,
}

/// What a sample says of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldLint {
    /// Where it applies.
    pub path: String,
    /// Its transform.
    pub kind: &'static str,
    /// Records in which it sends something.
    pub present: u64,
    /// How many different things it sends.
    pub distinct: u64,
    /// Records for which it sends what it sends for no other.
    pub unique: u64,
}

/// Linting draws no noise.
struct NoChance;

impl RandomSource for NoChance {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

impl<'a> Lint<'a> {
    /// Begins with a policy and no records.
    #[must_use]
    pub fn new(policy: &'a SharePolicy) -> Self {
        let fields = policy.rules().enumerate().filter(|(_, rule)| rule.kind != "noise");
        let field = |(at, rule): (usize, super::policy::RuleView<'_>)| Field {
            path: rule.path.to_string(),
            kind: rule.kind,
            alone: policy.with_rules(|index, _| index == at),
            values: BTreeMap::new(),
        };
        Self {
            policy,
            grouped: policy.with_rules(|_, kind| !matches!(kind, "pseudonym" | "noise")),
            // Only whether values differ counts, so any key does.
            key: UserShareKey::from_bytes([0x5e; 32]),
            groups: BTreeMap::new(),
            fields: fields.map(field).collect(),
            report: LintReport::default(),
        }
    }

    /// Takes a record in.
    pub fn add(&mut self, record: &Value) {
        self.report.records += 1;
        match self.digest(&self.grouped, record) {
            Ok(digest) => *self.groups.entry(digest).or_default() += 1,
            Err(PrepareError::PayloadTooLong { .. }) => self.report.too_long += 1,
            Err(_) => self.report.nothing_left += 1,
        }
        for at in 0..self.fields.len() {
            let Some(field) = self.fields.get(at) else { continue };
            let digest = self.digest(&field.alone, record);
            if let (Ok(digest), Some(field)) = (digest, self.fields.get_mut(at)) {
                *field.values.entry(digest).or_default() += 1;
            }
        }
    }

    fn digest(&self, policy: &SharePolicy, record: &Value) -> Result<[u8; 32], PrepareError> {
        let prepared = policy.prepare(record, &self.key, Epsilon::ZERO, 0, &mut NoChance)?;
        Ok(Sha256::digest(prepared.payload()).into())
    }

    /// Ends, and says what was found.
    #[must_use]
    pub fn finish(self) -> LintReport {
        let mut report = self.report;
        report.unique = self.groups.values().filter(|count| **count == 1).sum();
        report.in_small_groups = self.groups.values().filter(|count| **count < GROUP_MIN).sum();
        let fields = self.fields.iter().map(|field| FieldLint {
            path: field.path.clone(),
            kind: field.kind,
            present: field.values.values().sum(),
            distinct: u64::try_from(field.values.len()).unwrap_or(u64::MAX),
            unique: field.values.values().filter(|count| **count == 1).sum(),
        });
        report.fields = fields.collect();
        report.findings = findings(self.policy, &report);
        report
    }
}

fn findings(policy: &SharePolicy, report: &LintReport) -> Vec<String> {
    let mut findings = Vec::new();
    let records = report.records;
    if records < RECORDS_MIN {
        findings
            .push(format!("{records} records say little: take a sample of at least {RECORDS_MIN}"));
    }
    if report.in_small_groups > 0 {
        findings.push(format!(
            "{} of {records} records are in groups of fewer than {GROUP_MIN}, {} are unique: \
             together their fields tell people apart, whatever they are called",
            report.in_small_groups, report.unique
        ));
    }
    let mut telling: Vec<_> =
        report.fields.iter().filter(|field| field.kind != "pseudonym").collect();
    telling.sort_by_key(|field| core::cmp::Reverse(field.unique));
    for field in telling.iter().filter(|field| field.unique * 20 > records).take(5) {
        findings.push(format!(
            "{}: {} records have a value that no other has: fewer bins, or drop it",
            field.path, field.unique
        ));
    }
    for field in report.fields.iter().filter(|field| field.kind == "pseudonym") {
        let few = field.distinct < u64::try_from(VALUES_MIN).unwrap_or(u64::MAX);
        if few && field.present >= RECORDS_MIN {
            findings.push(format!(
                "{}: a pseudonym of only {} values is told by how often each occurs: list them with \
                 keep and allow, or drop it",
                field.path, field.distinct
            ));
        }
    }
    let silent = report.fields.iter().filter(|field| field.present == 0 && field.kind != "drop");
    findings.extend(
        silent.map(|field| format!("{}: never sends anything; is the path right?", field.path)),
    );
    if report.too_long > 0 {
        findings.push(format!(
            "{} payloads are longer than {} bytes and are not sent",
            report.too_long,
            policy.size_bytes_max()
        ));
    }
    findings
}
