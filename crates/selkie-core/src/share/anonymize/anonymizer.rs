//! Walks a JSON value and writes a new one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::embedded::json_in;
use super::names::{Sensitive, sensitive_name};
use super::report::{AnonymizeReport, Anonymized};
use super::stack;
use crate::keys::UserShareKey;
use crate::limits::ANONYMIZE_DEPTH_MAX;
use crate::share::scan;
use crate::share::transform::{Geo, Normalise, derive_pseudonym, pseudonym_context};

/// JSON in texts in JSON in texts, at most.
const EMBEDDED_MAX: usize = 3;

/// Takes what is personal out of any JSON: by the names of fields, and by what the scanner finds in
/// texts. Strict by default: a value whose field sounds personal is removed whole.
///
/// The output is not anonymous. A name in a free text, a rare combination of harmless values, a field
/// that does not sound personal: all that stays. Where you know the fields, write a
/// [`SharePolicy`](crate::share::SharePolicy), which sends only what it lists.
///
/// ```
/// use selkie_core::share::DataAnonymizer;
/// use serde_json::json;
/// let usage = json!({
///     "user_email": "anna@example.com",
///     "sessions": [{"ms": 250, "homeAddress": {"street": "1 Quay"}}],
///     "error": "no mail to anna@example.com",
/// });
/// let done = DataAnonymizer::new().anonymize(&usage);
/// assert_eq!(done.value, json!({
///     "user_email": "[email]",
///     "sessions": [{"ms": 250, "homeAddress": "[address]"}],
///     "error": "no mail to [email]",
/// }));
/// assert_eq!(done.report.total(), 3);
/// ```
#[derive(Debug, Default)]
pub struct DataAnonymizer {
    pseudonyms: Option<Pseudonyms>,
    grid: Option<Geo>,
    frames: Vec<String>,
    keep: Vec<String>,
    remove: BTreeMap<String, Sensitive>,
}

#[derive(Debug)]
struct Pseudonyms {
    key: UserShareKey,
    destination: String,
    purpose: String,
}

impl DataAnonymizer {
    /// One with the strict defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is told more.
    ///
    /// ```
    /// use selkie_core::share::DataAnonymizer;
    /// use selkie_core::share::anonymize::Sensitive;
    /// use serde_json::json;
    /// let anonymizer = DataAnonymizer::builder()
    ///     .grid_km(50)
    ///     .keep_key("ship_name")
    ///     .remove_key("ward", Sensitive::Location)
    ///     .frames(["app::"])
    ///     .build();
    /// let done = anonymizer.anonymize(&json!({"ship_name": "Selkie", "ward": 7, "name": "Anna"}));
    /// assert_eq!(done.value, json!({"ship_name": "Selkie", "ward": "[location]", "name": "[name]"}));
    /// ```
    #[must_use]
    pub fn builder() -> AnonymizerBuilder {
        AnonymizerBuilder::default()
    }

    /// A new value without what is personal, as far as it can be told. The value given stays as it is.
    #[must_use]
    pub fn anonymize(&self, value: &Value) -> Anonymized {
        let mut walk = Walk { rules: self, report: AnonymizeReport::default() };
        let value = walk.value(value, 0, 0);
        Anonymized { value, report: walk.report }
    }

    /// What a field's name says, after what the builder was told.
    fn judge(&self, key: &str) -> Option<Sensitive> {
        if let Some(sensitive) = self.remove.get(key) {
            return Some(*sensitive);
        }
        if self.keep.iter().any(|kept| kept == key) {
            return None;
        }
        sensitive_name(key)
    }
}

struct Walk<'a> {
    rules: &'a DataAnonymizer,
    report: AnonymizeReport,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, depth: usize, embedded: usize) -> Value {
        match value {
            Value::Object(_) | Value::Array(_) if depth >= ANONYMIZE_DEPTH_MAX => {
                self.report.too_deep += 1;
                "[too deep]".into()
            }
            Value::Object(map) => self.object(map, depth, embedded),
            Value::Array(items) => {
                items.iter().map(|item| self.value(item, depth + 1, embedded)).collect()
            }
            Value::String(text) => self.text(text, depth, embedded).into(),
            Value::Number(number) => {
                // A card's number may be written without quotes.
                let text = number.to_string();
                let clean = self.scanned(&text);
                if clean == text { value.clone() } else { clean.into() }
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, depth: usize, embedded: usize) -> Value {
        let mut clean = Map::new();
        // `{"key": "email", "value": …}`: the name stands in a value beside.
        let named = self.named_beside(map);
        for (key, item) in map {
            let sensitive = self.rules.judge(key).or(named.filter(|_| is_value_key(key)));
            let item = match sensitive {
                Some(sensitive) => self.personal(key, sensitive, item),
                None => self.value(item, depth + 1, embedded),
            };
            let name = self.key(key, &clean);
            clean.insert(name, item);
        }
        Value::Object(clean)
    }

    /// What the value beside is, if this object is a pair of a name and a value.
    fn named_beside(&self, map: &Map<String, Value>) -> Option<Sensitive> {
        let name_keys = ["key", "name", "field", "label", "attribute", "property"];
        map.keys().any(|key| is_value_key(key)).then_some(())?;
        let named = name_keys.iter().filter_map(|name| map.get(*name)?.as_str());
        named.filter_map(|name| self.rules.judge(name)).next()
    }

    /// A key that holds something personal is replaced; two such keys stay two.
    fn key(&mut self, key: &str, taken: &Map<String, Value>) -> String {
        let name = self.scanned(key);
        if name == key && !taken.contains_key(key) {
            return name;
        }
        self.report.keys += u64::from(name != key);
        let numbered = |n: usize| if n == 1 { name.clone() } else { format!("{name} {n}") };
        let mut free = (taken.len().max(1)..).map(numbered);
        let first = Some(numbered(1)).filter(|name| !taken.contains_key(name));
        first.or_else(|| free.find(|name| !taken.contains_key(name))).unwrap_or_default()
    }

    /// The value of a field that sounds personal.
    fn personal(&mut self, key: &str, sensitive: Sensitive, value: &Value) -> Value {
        if value.is_null() || is_count(key, sensitive, value) {
            return value.clone();
        }
        if let Some(instead) = self.instead(sensitive, value) {
            *self.report.replaced.entry(sensitive).or_default() += 1;
            return instead;
        }
        *self.report.by_name.entry(sensitive).or_default() += 1;
        format!("[{}]", sensitive.name()).into()
    }

    /// What the builder allows to be put in its place.
    fn instead(&self, sensitive: Sensitive, value: &Value) -> Option<Value> {
        let (domain, normalise) = match sensitive {
            Sensitive::Location => return self.rules.grid?.apply(value),
            Sensitive::Email => ("email", Normalise::Email),
            Sensitive::Phone => ("phone", Normalise::Phone),
            Sensitive::DeviceId => ("device", Normalise::None),
            Sensitive::Identity => ("identity", Normalise::None),
            Sensitive::Name | Sensitive::Address | Sensitive::Biometric | Sensitive::Secret => {
                return None;
            }
        };
        let it = self.rules.pseudonyms.as_ref()?;
        let context = pseudonym_context(&it.destination, &it.purpose, domain, 0, 0);
        derive_pseudonym(value, normalise, &it.key, &context).map(Value::from)
    }

    fn text(&mut self, text: &str, depth: usize, embedded: usize) -> String {
        if embedded < EMBEDDED_MAX
            && let Some(inner) = json_in(text)
        {
            return self.value(&inner, depth + 1, embedded + 1).to_string();
        }
        match stack::reduce(text, &self.rules.frames) {
            Some(frames) => {
                self.report.stack_traces += 1;
                self.scanned(&frames)
            }
            None => self.scanned(text),
        }
    }

    fn scanned(&mut self, text: &str) -> String {
        let (clean, counts) = scan::redact(text);
        for (found, count) in counts {
            *self.report.by_form.entry(found).or_default() += count;
        }
        clean
    }
}

fn is_value_key(key: &str) -> bool {
    ["value", "val", "data", "content", "text"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// `tokens: 512` counts what a model read.
fn is_count(key: &str, sensitive: Sensitive, value: &Value) -> bool {
    sensitive == Sensitive::Secret
        && key.to_ascii_lowercase().contains("token")
        && value.as_u64().is_some_and(|count| count < 10_000_000)
}

/// What a [`DataAnonymizer`] is told beyond its defaults.
#[derive(Debug, Default)]
pub struct AnonymizerBuilder {
    anonymizer: DataAnonymizer,
}

impl AnonymizerBuilder {
    /// Addresses of e-mail, numbers of phones, devices and identities become pseudonyms that this
    /// destination can compare for this purpose, instead of being removed.
    #[must_use]
    pub fn pseudonyms(
        mut self,
        key: UserShareKey,
        destination: impl Into<String>,
        purpose: impl Into<String>,
    ) -> Self {
        let (destination, purpose) = (destination.into(), purpose.into());
        self.anonymizer.pseudonyms = Some(Pseudonyms { key, destination, purpose });
        self
    }

    /// Positions become the middle of a cell of 1 to 1000 kilometres, instead of being removed.
    #[must_use]
    pub fn grid_km(mut self, grid_km: u32) -> Self {
        self.anonymizer.grid = Some(Geo::of_km(grid_km));
        self
    }

    /// Functions whose names may stay in stack traces, by how they begin.
    #[must_use]
    pub fn frames<S: Into<String>>(mut self, prefixes: impl IntoIterator<Item = S>) -> Self {
        self.anonymizer.frames.extend(prefixes.into_iter().map(Into::into));
        self
    }

    /// A field, in exactly this spelling, that is not personal although it sounds so. It is scanned.
    #[must_use]
    pub fn keep_key(mut self, key: impl Into<String>) -> Self {
        self.anonymizer.keep.push(key.into());
        self
    }

    /// A field, in exactly this spelling, that is personal although it does not sound so.
    #[must_use]
    pub fn remove_key(mut self, key: impl Into<String>, sensitive: Sensitive) -> Self {
        self.anonymizer.remove.insert(key.into(), sensitive);
        self
    }

    /// The anonymiser.
    #[must_use]
    pub fn build(self) -> DataAnonymizer {
        self.anonymizer
    }
}
