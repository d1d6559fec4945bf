//! From a JSON document to leaves at paths, and back.
//!
//! In: JSON from an app or a file. Out: a checked [`Document`], its [`Path`]s and leaf values in
//! their one canonical form. What never happens here: causality, encryption, I/O.

mod document;
mod element;
mod key;
mod leaves;
mod path;
mod position;
mod schema;
pub mod value;

pub use document::{Document, DocumentError};
pub use element::Element;
pub use key::{KeyError, RecordKey};
pub(crate) use leaves::leaf_values;
pub use leaves::{Leaf, document_of_leaves, leaves};
pub use path::{Component, Path};
pub use position::{position_between, positions_between};
pub use schema::{FieldType, Schema, SchemaError};
