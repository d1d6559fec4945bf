//! A record that was never there, straight from its document to the bytes of a change.
//!
//! Most records of an import are such, and nothing else is done with their operations.

use minicbor::Encoder;
use minicbor::encode::Write;

use crate::record::{Document, Path, leaf_values};

use super::entry::EntryValue;
use super::operation::{encode_first_leaf, encode_first_value};

/// The operations that [`put`](super::put) gives for a new record of a collection without a schema,
/// as they stand in a change.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    operations: Vec<u8>,
}

impl NewRecord {
    /// The operations that make a record of this document.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let mut e = Encoder::new(Vec::with_capacity(256));
        // The writer is a Vec, whose error type is uninhabited.
        let _infallible = encode(document, &mut e);
        Self { operations: e.into_writer() }
    }

    pub(super) fn operations(&self) -> &[u8] {
        &self.operations
    }
}

fn encode<W: Write>(
    document: &Document,
    e: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    let leaves = leaf_values(document.as_map());
    e.array(leaves.len() as u64 + 1)?;
    encode_first_value(&Path::root(), &EntryValue::Alive, e)?;
    leaves.iter().try_for_each(|(path, leaf)| encode_first_leaf(path, leaf, e))
}
