//! `selkie history`: who changed what of a record, when, what lost and why.

use clap::Args;
use selkie::{Decider, DeviceId, FieldPath, HistoryEntry, SideContent};
use serde_json::{Value, json};

use super::conflicts::names;
use crate::conflict_view::content_json;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::field_text::{self, Part};
use crate::output::{BOLD, DIM, GOOD, Output, WARNING};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie history penguins adelie-007
  selkie history penguins adelie-007 --field body_mass_g
  selkie history penguins adelie-007 --json | jq 'select(.lost)'

Overwritten values are kept for 30 days unless the policy says otherwise, see: selkie policy --help
Go back with: selkie undo, selkie restore";

/// How much of a value a line shows.
const VALUE_CHARS_MAX: usize = 40;
/// How the record itself is called among its fields.
const RECORD: &str = "(record)";

/// What `selkie history` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The record's id
    id: String,
    /// Only this field and those below it
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
}

/// Prints a value a line, oldest first.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { collection, id, field } = arguments;
    let field = field.as_deref().map(field_path).transpose()?;
    let vault = context.open()?;
    let mut entries = vault.history(&collection, &id)?;
    if let Some(field) = &field {
        entries.retain(|entry| entry.path.starts_with(field));
    }
    if entries.is_empty() {
        let message = "nothing is known of that field";
        return Err(Failure::new(Exit::NotFound, "field_not_found", message)
            .help("see all fields without --field"));
    }
    let out = &context.out;
    if out.json {
        return entries.iter().try_for_each(|entry| out.value(&to_json(&collection, &id, entry)));
    }
    let record = text::plain(&format!("{collection}/{id}"));
    out.line(out.paint(BOLD, record))?;
    lines(&entries, &names(&vault), out).iter().try_for_each(|line| out.line(line))
}

/// A field as a person types it.
pub fn field_path(text: &str) -> Result<FieldPath, Failure> {
    FieldPath::parse(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no field")).help("write one like: address.city")
    })
}

/// A table without a frame. That a record stayed alive with each write is left out, and where elements
/// of lists stand.
pub fn lines(
    entries: &[HistoryEntry],
    name_of: &dyn Fn(&DeviceId) -> String,
    out: &Output,
) -> Vec<String> {
    let is_told = |entry: &&HistoryEntry| {
        (entry.content != SideContent::Kept || entry.decided_by != Decider::Write)
            && field_text::name(&entry.path).1 != Part::Place
    };
    let told: Vec<_> = entries.iter().filter(is_told).collect();
    let cells: Vec<[String; 3]> = told.iter().map(|entry| cells(entry, name_of)).collect();
    let mut widths = [0; 3];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rows = told.iter().zip(&cells).map(|(entry, row)| {
        let padded: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let at = out.paint(DIM, text::moment(entry.at_ms));
        format!("  {at}  {}  {}", padded.join("  "), fate(entry, name_of, out))
    });
    rows.collect()
}

/// Who, where, what.
fn cells(entry: &HistoryEntry, name_of: &dyn Fn(&DeviceId) -> String) -> [String; 3] {
    let (name, part) = field_text::name(&entry.path);
    let field = if entry.path.is_root() { RECORD.to_owned() } else { name };
    let what = match &entry.content {
        SideContent::Value(value) => {
            let value = text::cut(&text::compact(value), VALUE_CHARS_MAX);
            match part {
                Part::Count => format!("adds {value}"),
                Part::SetElement | Part::ListElement => format!("element {value}"),
                _ => value,
            }
        }
        SideContent::Removed => "removed".to_owned(),
        SideContent::Kept => "kept".to_owned(),
        SideContent::Deleted => "deleted".to_owned(),
    };
    [text::plain(&name_of(&entry.device)), field, what]
}

/// What became of it, and why.
fn fate(entry: &HistoryEntry, name_of: &dyn Fn(&DeviceId) -> String, out: &Output) -> String {
    let by = by_text(&entry.decided_by).map(|by| format!("{by}; ")).unwrap_or_default();
    let Some((device, at_ms)) = &entry.replaced_by else {
        return format!("{by}{}", out.paint(GOOD, "stands"));
    };
    let (device, at) = (text::plain(&name_of(device)), text::moment(*at_ms));
    let why = by_text(&entry.replaced_why);
    match (why, entry.lost) {
        (None, false) => format!("{by}{}", out.paint(DIM, format!("until {at}, by {device}"))),
        (Some(why), false) => format!("{by}{} {at}: {why}, on {device}", out.paint(GOOD, "chosen")),
        (why, true) => {
            let why = why.unwrap_or_else(|| "written over".to_owned());
            format!("{by}{} {at}: {why}, on {device}", out.paint(WARNING, "lost"))
        }
    }
}

fn by_text(decider: &Decider) -> Option<String> {
    Some(match decider {
        Decider::Write => return None,
        Decider::Person => "a person decided".to_owned(),
        Decider::Machine(why) => match why.as_str() {
            "deadline" => "nobody answered in time".to_owned(),
            "learned" => "as often answered before".to_owned(),
            "" => "settled by itself".to_owned(),
            why => format!("settled by {}", text::plain(why)),
        },
    })
}

fn to_json(collection: &str, id: &str, entry: &HistoryEntry) -> Value {
    let (content, value) = content_json(&entry.content);
    let replaced = entry.replaced_by.as_ref().map(|(device, at_ms)| {
        json!({ "device": device.to_string(), "at_ms": at_ms, "by": decider_json(&entry.replaced_why) })
    });
    json!({
        "collection": collection,
        "id": id,
        "field": entry.path.to_string(),
        "at_ms": entry.at_ms,
        "device": entry.device.to_string(),
        "change": entry.change,
        "content": content,
        "value": value,
        "decided_by": decider_json(&entry.decided_by),
        "replaced": replaced,
        "lost": entry.lost,
    })
}

fn decider_json(decider: &Decider) -> Value {
    match decider {
        Decider::Write => json!("write"),
        Decider::Person => json!("person"),
        Decider::Machine(why) if why.is_empty() => json!("machine"),
        Decider::Machine(why) => json!(format!("machine:{why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: DeviceId = DeviceId([1; 16]);
    const LAPTOP: DeviceId = DeviceId([2; 16]);

    fn entry(device: DeviceId, value: i64) -> HistoryEntry {
        HistoryEntry {
            at_ms: 0,
            device,
            change: 1,
            path: FieldPath::parse("mass").unwrap(),
            content: SideContent::Value(json!(value)),
            decided_by: Decider::Write,
            replaced_by: None,
            replaced_why: Decider::Write,
            lost: false,
        }
    }

    #[test]
    fn a_table_tells_what_lost_and_why() {
        let lost = HistoryEntry {
            replaced_by: Some((PHONE, 1_000)),
            replaced_why: Decider::Machine("deadline".to_owned()),
            lost: true,
            ..entry(LAPTOP, 41_000)
        };
        let stands = HistoryEntry { decided_by: Decider::Person, ..entry(PHONE, 2) };
        let alive =
            HistoryEntry { path: FieldPath::root(), content: SideContent::Kept, ..entry(PHONE, 0) };
        let name_of = |device: &DeviceId| {
            if *device == PHONE { "phone".to_owned() } else { "laptop".to_owned() }
        };
        let lines = lines(&[lost, stands, alive], &name_of, &Output::new(true));
        assert_eq!(
            lines,
            [
                "  1970-01-01 00:00:00Z  laptop  mass  41000  lost 1970-01-01 00:00:01Z: nobody \
                 answered in time, on phone",
                "  1970-01-01 00:00:00Z  phone   mass  2      a person decided; stands",
            ]
        );
    }
}
