//! Read-only SQL for people who know it, over views of the records and nothing else.
//!
//! A connection of its own that cannot write, under an authorizer that lets a statement read the views
//! and call harmless functions. The tables beneath hold the device's keys, so what may be read is
//! listed, and not what may not.

use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, params_from_iter};
use selkie_core::ports::RandomSource;
use serde_json::Value;

use super::query::index_value_of;
use super::readers::Readers;
use crate::system::SystemRandom;
use crate::{Error, ErrorKind};

/// Rows of one answer.
const ROWS_MAX: usize = 100_000;
/// Bytes of all values of one answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a statement may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Longest value, and longest statement.
const VALUE_BYTES_MAX: i32 = 16 * 1024 * 1024;
const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// Steps of SQLite's machine between two looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// The columns that the views read, beneath them.
const READABLE: [(&str, &[&str]); 4] = [
    ("record", &["num", "collection", "id", "body", "created_at", "updated_at", "updated_by", ""]),
    ("collection", &["num", "name", "local_only", ""]),
    ("writer", &["num", "device", ""]),
    ("conflict", &["record", ""]),
];
/// Tables that are functions, and read nothing.
const TABLE_FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];
/// Functions that touch nothing but their arguments.
const FUNCTIONS: &str = " abs avg acos asin atan atan2 ceil ceiling char coalesce concat concat_ws cos count \
    cume_dist date datetime degrees dense_rank exp first_value floor format glob group_concat hex if ifnull \
    iif instr json json_array json_array_length json_extract json_group_array json_group_object json_object \
    json_quote json_type json_valid jsonb jsonb_extract lag last_value lead length like ln log log10 log2 \
    lower ltrim max min mod ntile nth_value nullif octet_length percent_rank pi pow power printf quote \
    radians random rank replace round row_number rtrim sign sin sqrt strftime string_agg substr substring \
    sum tan time timediff total trim trunc typeof unhex unicode unixepoch upper -> ->> ";

/// What a statement answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows; bytes are in hexadecimal.
    pub rows: Vec<Vec<Value>>,
}

/// Runs one `SELECT` over the views.
pub(crate) fn select(
    readers: &Readers,
    statement: &str,
    parameters: &[Value],
) -> Result<SqlRows, Error> {
    if statement.len() > STATEMENT_BYTES_MAX {
        return Err(refused("the statement is too long"));
    }
    let mut connection = readers.open_apart()?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    // Views of one's own count as writing, so they come first.
    connection.pragma_update(None, "query_only", false)?;
    let hidden = make_views(&connection, statement)?;
    connection.pragma_update(None, "query_only", true)?;
    guard(&mut connection, hidden)?;
    let mut prepared = connection.prepare(statement).map_err(explain)?;
    if prepared.column_count() == 0 || !prepared.readonly() {
        return Err(refused("only SELECT is answered"));
    }
    let columns: Vec<String> = prepared.column_names().map(ToString::to_string).collect();
    let parameters: Vec<SqlValue> = parameters.iter().map(index_value_of).collect();
    let mut rows = prepared.query(params_from_iter(parameters)).map_err(explain)?;
    let mut answer = SqlRows { columns, rows: Vec::new() };
    let mut size_bytes = 0;
    while let Some(row) = rows.next().map_err(explain)? {
        if answer.rows.len() == ROWS_MAX || size_bytes > ANSWER_BYTES_MAX {
            return Err(refused("the answer is too large; add a LIMIT"));
        }
        let mut values = Vec::with_capacity(answer.columns.len());
        for at in 0..answer.columns.len() {
            let value = row.get_ref(at)?;
            size_bytes += value.as_bytes_or_null().ok().flatten().map_or(8, <[u8]>::len);
            values.push(json_of(value));
        }
        answer.rows.push(values);
    }
    Ok(answer)
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

/// SQLite's words about a statement name what stands in it and nothing of a record; yet values of the
/// statement itself are not repeated, so only the kind and the place are told.
fn explain(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match &error {
        rusqlite::Error::SqlInputError { error: code, offset, .. }
            if code.code != ErrorCode::AuthorizationForStatementDenied =>
        {
            let place = match usize::try_from(*offset) {
                Ok(offset) => format!(", at byte {}", offset + 1),
                Err(_) => String::new(),
            };
            refused(&format!("the statement is no valid SQL over the views{place}"))
        }
        rusqlite::Error::MultipleStatement => refused("only one statement is answered at a time"),
        _ => match error.sqlite_error_code() {
            None => refused("only a SELECT is answered"),
            Some(ErrorCode::AuthorizationForStatementDenied) => {
                refused("the statement does more than read the views")
            }
            Some(ErrorCode::OperationInterrupted) => {
                refused("the statement took longer than ten seconds; narrow it down")
            }
            Some(ErrorCode::TooBig | ErrorCode::Unknown) => {
                refused("there is no such view, or a value does not fit its function")
            }
            _ => error.into(),
        },
    }
}

/// Makes the views, on this connection only. Each stands on one whose name nobody can guess: SQLite
/// names the innermost view to the authorizer, and a `WITH records AS (…)` could borrow any other name.
fn make_views(connection: &Connection, statement: &str) -> Result<String, Error> {
    let random: [u8; 16] = SystemRandom.array()?;
    let hidden: String =
        random.iter().fold("beneath_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    connection.execute_batch(&format!(
        "CREATE TEMP VIEW {hidden} AS SELECT c.name AS collection, r.id AS id, r.body AS document,
             r.created_at AS created_at, r.updated_at AS updated_at,
             (SELECT lower(hex(device)) FROM writer WHERE num = r.updated_by) AS updated_by,
             (SELECT count(*) FROM conflict WHERE record = r.num) AS conflicts,
             c.local_only AS local_only
         FROM record r JOIN collection c ON c.num = r.collection
         WHERE r.body IS NOT NULL AND substr(c.name, 1, 1) <> '_';
         CREATE TEMP VIEW records AS SELECT * FROM {hidden};"
    ))?;
    let statement = statement.to_lowercase().replace("\"\"", "\"");
    let mut names = connection.prepare("SELECT name FROM collection ORDER BY num")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        // Only those that the statement can mean: there may be thousands.
        if name.starts_with('_') || !statement.contains(&name.to_lowercase()) {
            continue;
        }
        let view = format!("v_{name}").replace('"', "\"\"");
        let text = name.replace('\'', "''");
        connection.execute_batch(&format!(
            "CREATE TEMP VIEW IF NOT EXISTS \"{view}\" AS SELECT id, document, created_at, updated_at,
                 updated_by, conflicts FROM {hidden} WHERE collection = '{text}';"
        ))?;
    }
    Ok(hidden)
}

fn guard(connection: &mut Connection, hidden: String) -> Result<(), Error> {
    let deadline = Instant::now() + TIME_MAX;
    let is_over = move || Instant::now() >= deadline;
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over))?;
    let allowed = move |context: AuthContext<'_>| {
        let fine = match context.action {
            AuthAction::Select | AuthAction::Recursive => true,
            AuthAction::Function { function_name } => {
                let name = function_name.to_lowercase();
                !name.contains(' ') && FUNCTIONS.contains(&format!(" {name} "))
            }
            AuthAction::Read { table_name, column_name } => {
                is_readable(context.accessor, &hidden, table_name, column_name)
            }
            _ => false,
        };
        if fine { Authorization::Allow } else { Authorization::Deny }
    };
    connection.authorizer(Some(allowed))?;
    Ok(())
}

fn is_readable(accessor: Option<&str>, hidden: &str, table: &str, column: &str) -> bool {
    if accessor == Some(hidden) {
        return READABLE.iter().any(|(name, columns)| *name == table && columns.contains(&column));
    }
    // The views themselves, and what a statement makes for itself (`WITH`, which has no table): all
    // other names are those of real tables.
    table == hidden
        || table == "records"
        || table.starts_with("v_")
        || TABLE_FUNCTIONS.contains(&table)
}

fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
    }
}
