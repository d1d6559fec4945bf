//! `selkie policy lint`: how far the payloads of a sample tell people apart.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use selkie::share::{GROUP_MIN, Lint, LintReport};
use serde_json::{Value, json};

use super::choose;
use crate::commands::import::Items;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BOLD, GOOD, WARNING};
use crate::{json, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie policy lint share.toml sample.ndjson
  selkie policy lint share.toml sample.ndjson --policy usage_stats --json

The sample is JSON lines or one array: one record a person, of as many people as you have. A record in a
small group can be found again by who knows a few of its values, whatever its pseudonym. Findings end
with exit code 7.";

/// What `selkie policy lint` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A TOML file with share policies
    file: PathBuf,
    /// A file of JSON lines or with one JSON array
    sample: PathBuf,
    /// Which policy, where the file has several
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

/// Goes through the sample.
pub fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let policy = choose(&arguments.file, arguments.policy.as_deref())?;
    let path = &arguments.sample;
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let mut items = Items::new(BufReader::new(file));
    let mut lint = Lint::new(&policy);
    while let Some(item) = items.next().map_err(|failure| failure.at(path.display()))? {
        let place = format!("{}, line {}", path.display(), item.line);
        lint.add(&json::parse(&item.text).map_err(|failure| failure.at(place))?);
    }
    let report = lint.finish();
    show(policy.name(), &report, context)?;
    if report.findings.is_empty() {
        return Ok(());
    }
    let count = text::counted(report.findings.len() as u64, "finding");
    Err(Failure::refused("lint_findings", count))
}

fn show(name: &str, report: &LintReport, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    if out.json {
        let fields = report.fields.iter().map(|field| {
            json!({
                "path": field.path,
                "kind": field.kind,
                "present": field.present,
                "distinct": field.distinct,
                "unique": field.unique,
            })
        });
        return out.value(&json!({
            "policy": name,
            "records": report.records,
            "nothing_left": report.nothing_left,
            "too_long": report.too_long,
            "unique": report.unique,
            "in_small_groups": report.in_small_groups,
            "fields": fields.collect::<Value>(),
            "findings": report.findings,
        }));
    }
    let records = text::counted(report.records, "record");
    out.line(format!("{}  {records}", out.paint(BOLD, name)))?;
    out.line(format!(
        "  {:>7}  unique, without pseudonyms and noise",
        share(report.unique, report)
    ))?;
    let small = share(report.in_small_groups, report);
    out.line(format!("  {small:>7}  in groups of fewer than {GROUP_MIN}"))?;
    out.line(format!(
        "  {:<24}  {:<9}  {:>7}  {:>8}  {:>6}",
        "field", "rule", "present", "distinct", "unique"
    ))?;
    for field in &report.fields {
        out.line(format!(
            "  {:<24}  {:<9}  {:>7}  {:>8}  {:>6}",
            text::plain(&field.path),
            field.kind,
            text::count(field.present),
            text::count(field.distinct),
            text::count(field.unique)
        ))?;
    }
    for finding in &report.findings {
        out.line(format!("  {} {}", out.paint(WARNING, "!"), text::plain(finding)))?;
    }
    if report.findings.is_empty() {
        out.line(format!(
            "  {} nothing found in this sample, which is no proof",
            out.paint(GOOD, "✓")
        ))?;
    }
    Ok(())
}

fn share(count: u64, report: &LintReport) -> String {
    format!("{:.1} %", count as f64 * 100.0 / report.records.max(1) as f64)
}
