//! Holds local writes to a collection's JSON Schema.

use selkie_core::record::{Document, Schema};
use serde_json::Value;

use crate::{Error, ErrorKind};

/// The validator of a schema that has a validation.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is no JSON Schema.
pub(crate) fn validator_of(schema: &Schema) -> Result<Option<jsonschema::Validator>, Error> {
    let Some(validation) = &schema.validation else { return Ok(None) };
    jsonschema::validator_for(validation).map(Some).map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "the collection's schema is no valid JSON Schema")
    })
}

/// Holds what is written here to the schema's validation; what other devices wrote is never refused.
pub(super) fn check_valid(schema: &Schema, wanted: &Document) -> Result<(), Error> {
    let Some(validator) = validator_of(schema)? else { return Ok(()) };
    let document = Value::Object(wanted.as_map().clone());
    let Some(error) = validator.iter_errors(&document).next() else { return Ok(()) };
    // The place and the rule; the error's own words would repeat the value.
    let (place, rule) = (error.instance_path().to_string(), error.schema_path().to_string());
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!("the document does not meet the collection's schema at {place:?} (rule {rule})"),
    ))
}
