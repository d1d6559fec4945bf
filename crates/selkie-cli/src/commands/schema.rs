//! `selkie schema`: which fields are sets, counters or lists, which are unique, what documents must meet.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use selkie::{FieldType, Schema};
use serde_json::{Map, Value, json};

use super::history::field_path;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::BOLD;
use crate::{json, text};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie schema notes                                     show it
  selkie schema notes --field tags=set --field visits=counter --field steps=list
  selkie schema people --field address=atomic --unique mail
  selkie schema people --validation people.schema.json    a JSON Schema
  selkie schema people --remove address --remove mail --no-validation

--field  value    one value; objects field by field (every field that is not named)
         set      an array without order or doubles: what several devices add is all there
         counter  an integer: what several devices add to it adds up
         list     an array in order: elements are inserted, changed and moved one by one
         atomic   an object that is written whole

Records that are there stay as they are; a field takes its new type when it is next written. The
schema syncs to your other devices. What they write is never refused: a unique value that two devices
gave apart is listed by selkie conflicts.";

/// What `selkie schema` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The collection
    collection: String,
    /// The type of a field; may be given several times
    #[arg(long, value_name = "FIELD=TYPE")]
    field: Vec<String>,
    /// A field whose value no two records may share; may be given several times
    #[arg(long, value_name = "FIELD")]
    unique: Vec<String>,
    /// A file with a JSON Schema that documents written here must meet
    #[arg(long, value_name = "FILE", conflicts_with = "no_validation")]
    validation: Option<PathBuf>,
    /// Take the JSON Schema away
    #[arg(long)]
    no_validation: bool,
    /// Say nothing more of a field: neither type nor unique; may be given several times
    #[arg(long, value_name = "FIELD")]
    remove: Vec<String>,
}

/// Sets what is named, then shows the schema.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let collection = arguments.collection.clone();
    let vault = context.open()?;
    let before = vault.schema(&collection)?;
    let wanted = changed(before.clone(), arguments)?;
    if wanted != before {
        vault.set_schema(&collection, wanted)?;
    }
    show(&collection, &vault.schema(&collection)?, context)
}

/// First takes away, then adds, so that one command can replace.
fn changed(mut schema: Schema, arguments: Arguments) -> Result<Schema, Failure> {
    for field in &arguments.remove {
        let path = field_path(field)?;
        let typed = schema.fields.remove(&path).is_some();
        let before = schema.unique.len();
        schema.unique.retain(|unique| *unique != path);
        if !typed && schema.unique.len() == before {
            let message = format!("the schema says nothing of {}", text::plain(field));
            return Err(Failure::new(Exit::NotFound, "field_not_found", message));
        }
    }
    for field in &arguments.field {
        let (path, name) = field.rsplit_once('=').ok_or_else(|| {
            Failure::usage(format!("{field:?} is not FIELD=TYPE"))
                .help("for example: --field tags=set")
        })?;
        let kind = FieldType::from_name(name).ok_or_else(|| {
            let message = format!("there is no field type {name:?}");
            Failure::refused("unknown_type", message)
                .help("choose value, set, counter, list or atomic")
        })?;
        schema.fields.insert(field_path(path)?, kind);
    }
    for field in &arguments.unique {
        let path = field_path(field)?;
        if !schema.unique.contains(&path) {
            schema.unique.push(path);
        }
    }
    if arguments.no_validation {
        schema.validation = None;
    }
    if let Some(file) = &arguments.validation {
        schema.validation = Some(read(file)?);
    }
    Ok(schema)
}

fn read(file: &Path) -> Result<Value, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    if size > json::TEXT_BYTES_MAX as u64 {
        return Err(Failure::refused("document_too_long", "that is too long for a schema"));
    }
    let bytes = fs::read(file).map_err(|error| Failure::file(file, &error))?;
    json::parse(&bytes).map_err(|failure| failure.at(file.display()))
}

fn show(collection: &str, schema: &Schema, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let unique: Vec<String> = schema.unique.iter().map(ToString::to_string).collect();
    if out.json {
        let fields: Map<String, Value> = schema
            .fields
            .iter()
            .map(|(path, kind)| (path.to_string(), kind.name().into()))
            .collect();
        return out.value(&json!({
            "collection": collection,
            "fields": fields,
            "unique": unique,
            "validation": schema.validation,
            "version": schema.version,
        }));
    }
    out.line(out.paint(BOLD, text::plain(collection)))?;
    if schema.fields.is_empty() && unique.is_empty() && schema.validation.is_none() {
        return out.line("  every field is a value");
    }
    for (path, kind) in &schema.fields {
        out.line(format!("  field       {}: {}", text::plain(&path.to_string()), kind.name()))?;
    }
    for path in &unique {
        out.line(format!("  unique      {}", text::plain(path)))?;
    }
    if let Some(validation) = &schema.validation {
        out.line(format!("  validation  {}", text::cut(&text::compact(validation), 80)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(field: &[&str], unique: &[&str], remove: &[&str]) -> Arguments {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Arguments {
            collection: "notes".to_owned(),
            field: owned(field),
            unique: owned(unique),
            validation: None,
            no_validation: false,
            remove: owned(remove),
        }
    }

    #[test]
    fn fields_are_typed_replaced_and_removed() {
        let schema = changed(Schema::new(), arguments(&["tags=set", "n=counter"], &["mail"], &[]));
        let schema =
            changed(schema.unwrap(), arguments(&["tags=list"], &["mail"], &["n"])).unwrap();
        let expected = Schema::new().field("tags", FieldType::List).unwrap();
        assert_eq!(schema, expected.unique("mail").unwrap());
        assert_eq!(changed(schema, arguments(&[], &[], &["tags", "mail"])).unwrap(), Schema::new());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (given, code) in [
            (arguments(&["tags"], &[], &[]), "usage"),
            (arguments(&["=set"], &[], &[]), "usage"),
            (arguments(&["tags=bag"], &[], &[]), "unknown_type"),
            (arguments(&[], &["a..b"], &[]), "usage"),
            (arguments(&[], &[], &["tags"]), "field_not_found"),
        ] {
            assert_eq!(changed(Schema::new(), given).unwrap_err().code, code);
        }
    }
}
