//! Queries: what an app asks for, and the SQL it becomes.
//!
//! In: filters as text or built, an order, a limit, a cursor. Out: one statement with parameters, and
//! its records. What never happens here: a value or a name of an app's inside SQL text; they are
//! parameters, all of them, but for paths in `literal`, which quotes them and is told apart by name.
//!
//! `filter` is what a filter says, `parse` reads it, `condition` makes SQL of it, `page` adds order
//! and pages, `plan` picks an index, `run` asks, `aggregate` counts and sums.

mod aggregate;
mod condition;
mod filter;
mod page;
mod parse;
mod plan;
mod run;

pub use aggregate::{Aggregation, Group};
pub(super) use condition::{Sql, index_value, index_value_of, literal_path, push_filter};
pub use filter::Filter;
pub(super) use filter::{Field, field};
pub use page::{Cursor, Query, QueryPage};
pub use plan::Explanation;
pub(super) use run::{COLUMNS, record_of};
pub(crate) use run::{
    aggregate, collections, count_all, count_matching, explain, list_records, query_page,
    read_record,
};
