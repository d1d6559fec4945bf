//! What needs no person, and what is never forgotten: sets and counters, and a record's history.

use selkie::{DeviceId, FieldPath, FieldType, Schema};
use serde_json::{Value, json};

use super::parting::CLASHES;
use super::{COLLECTION, Stage};
use crate::commands::history;
use crate::exit::Failure;
use crate::text;

/// Counted and tagged on both devices.
pub(super) const COUNTED: &str = "gentoo-100";
/// Tags that are given apart; they must turn up in no file.
pub(super) const TAGS: [&str; 3] = ["banded", "moulting", "nesting"];

impl Stage {
    /// Before the first records, so that they are of these types from the beginning.
    pub(super) fn declare_types(&mut self) -> Result<(), Failure> {
        let schema = Schema::new()
            .field("tags", FieldType::Set)
            .and_then(|schema| schema.field("sightings", FieldType::Counter))
            .map_err(|error| Failure::refused("schema", error.to_string()))?;
        self.phone()?.set_schema(COLLECTION, schema)?;
        self.story.aside("schema: tags are a set, sightings a counter")
    }

    pub(super) fn tag(&self, device: &str, tag: &str, sightings: u64) -> Result<(), Failure> {
        let vault = if device == "phone" { self.phone()? } else { self.laptop()? };
        let records = vault.collection(COLLECTION)?;
        let record = records.get(COUNTED)?.ok_or_else(super::not_on_stage)?;
        let mut tags =
            record.document.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
        tags.push(tag.into());
        let seen = record.document.get("sightings").and_then(Value::as_u64).unwrap_or(0);
        records.patch(COUNTED, &json!({ "tags": tags, "sightings": seen + sightings }))?;
        Ok(())
    }

    pub(super) fn add_up(&mut self) -> Result<(), Failure> {
        self.story.step("Sets and counters need nobody")?;
        let [first, second, third] = TAGS;
        let mut all = true;
        for name in ["phone", "laptop"] {
            let vault = if name == "phone" { self.phone()? } else { self.laptop()? };
            let record = vault.collection(COLLECTION)?.get(COUNTED)?;
            let document = record.map(|record| record.document).unwrap_or_default();
            let field = |field: &str| document.get(field).cloned().unwrap_or_default();
            let (tags, seen) = (field("tags"), field("sightings"));
            let has = |tag: &str| tags.as_array().is_some_and(|tags| tags.contains(&json!(tag)));
            all &= has(first) && has(second) && has(third) && seen == json!(4);
            let (tags, seen) = (text::compact(&tags), text::compact(&seen));
            self.story.say(&format!("{name:<8} {COUNTED}  sightings {seen}  tags {tags}"))?;
        }
        self.story.prove(
            "sets and counters",
            all,
            "1 + 1 + 2 sightings are 4, and every tag is there, on both devices".to_owned(),
        )
    }

    pub(super) fn remember(&mut self) -> Result<(), Failure> {
        self.story.step("What lost is not lost")?;
        let field = FieldPath::parse("body_mass_g").ok_or_else(super::not_on_stage)?;
        let of_field = |vault: &selkie::Vault| -> Result<Vec<_>, Failure> {
            let mut entries = vault.history(COLLECTION, CLASHES)?;
            entries.retain(|entry| entry.path == field);
            Ok(entries)
        };
        let told = |entries: &[selkie::HistoryEntry]| -> Vec<_> {
            entries.iter().map(|entry| (entry.device, entry.content.clone(), entry.lost)).collect()
        };
        let (entries, on_laptop) = (of_field(self.phone()?)?, of_field(self.laptop()?)?);
        self.story.say(&format!("selkie history {COLLECTION} {CLASHES} --field {field}"))?;
        let name_of = |device: &DeviceId| self.name_of(&device.to_string()).to_owned();
        let lines = history::lines(&entries, &name_of, self.story.out());
        self.story.say(&lines.join("\n"))?;
        let lost = entries.iter().filter(|entry| entry.lost).count();
        self.story.prove(
            "history",
            lost == 1 && told(&entries) == told(&on_laptop),
            "both devices tell the same: who wrote what, what lost, and who decided".to_owned(),
        )
    }
}
