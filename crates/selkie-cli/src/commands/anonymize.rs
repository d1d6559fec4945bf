//! `selkie anonymize`: any JSON without what sounds or looks personal. No store is opened.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use clap::Args;
use selkie::share::{Anonymized, DataAnonymizer};
use serde_json::{Map, Value, json};

use super::import::Items;
use crate::context::Context;
use crate::exit::Failure;
use crate::{json, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie anonymize usage.json
  selkie export --plain notes | selkie anonymize -          JSON lines in, JSON lines out
  selkie anonymize crash.json --frame app:: --frame mylib.  keep these functions in stack traces
  selkie anonymize trips.json --grid-km 50                  put places on a grid instead of removing them
  selkie anonymize ships.json --keep ship_name              this field is not personal
  selkie anonymize usage.json --json                        values with a report of what was taken out

Values whose field sounds like an e-mail address, phone, name, address, device, location, body, identity or
secret are removed; texts are scanned. The output may still hold personal data: names inside of texts and rare
combinations are not seen. Where you know the fields, write a share policy: selkie policy check.";

/// What `selkie anonymize` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A file of JSON lines or with one JSON array or object; - or nothing reads standard input
    file: Option<PathBuf>,
    /// Put positions on a grid of so many kilometres instead of removing them
    #[arg(long, value_name = "KM", value_parser = clap::value_parser!(u32).range(1..=1000))]
    grid_km: Option<u32>,
    /// Functions that may stay in stack traces, by how they begin; may be given several times
    #[arg(long, value_name = "PREFIX")]
    frame: Vec<String>,
    /// A field, in exactly this spelling, that is not personal; may be given several times
    #[arg(long, value_name = "FIELD")]
    keep: Vec<String>,
}

/// Reads values, and writes each without what is personal.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let mut builder = DataAnonymizer::builder().frames(arguments.frame);
    if let Some(grid_km) = arguments.grid_km {
        builder = builder.grid_km(grid_km);
    }
    for key in arguments.keep {
        builder = builder.keep_key(key);
    }
    let anonymizer = builder.build();
    let file = arguments.file.filter(|path| path.as_os_str() != "-");
    let name = file
        .as_ref()
        .map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let input: Box<dyn Read> = match &file {
        Some(path) => Box::new(File::open(path).map_err(|error| Failure::file(path, &error))?),
        None => Box::new(io::stdin()),
    };
    let mut taken_out = 0;
    let mut each = |value: &Value| {
        let done = anonymizer.anonymize(value);
        taken_out += done.report.total();
        if context.out.json {
            context.out.value(&report(&done))
        } else {
            context.out.line(done.value.to_string())
        }
    };
    // One object over several lines is no JSON lines; what is short enough for one record is read whole.
    let mut head = Vec::new();
    let mut input = BufReader::new(input);
    input.by_ref().take(json::TEXT_BYTES_MAX as u64).read_to_end(&mut head)?;
    if let Ok(value) = json::parse(&head) {
        each(&value)?;
    } else {
        let mut items = Items::new(BufReader::new(head.as_slice().chain(input)));
        while let Some(item) = items.next().map_err(|failure| failure.at(&name))? {
            let place = format!("{name}, line {}", item.line);
            each(&json::parse(&item.text).map_err(|failure| failure.at(place))?)?;
        }
    }
    context.out.note(format!("{} taken out; personal data may be left", text::count(taken_out)));
    Ok(())
}

fn report(done: &Anonymized) -> Value {
    let (by_name, replaced) = (&done.report.by_name, &done.report.replaced);
    let named =
        |counts: &std::collections::BTreeMap<selkie::share::Sensitive, u64>| -> Map<String, Value> {
            counts.iter().map(|(why, count)| (why.name().to_owned(), (*count).into())).collect()
        };
    let by_form: Map<String, Value> = done
        .report
        .by_form
        .iter()
        .map(|(why, count)| (why.name().to_owned(), (*count).into()))
        .collect();
    json!({
        "value": done.value,
        "report": {
            "by_name": named(by_name),
            "replaced": named(replaced),
            "by_form": by_form,
            "keys": done.report.keys,
            "stack_traces": done.report.stack_traces,
            "too_deep": done.report.too_deep,
        },
    })
}
