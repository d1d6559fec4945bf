//! The tables (`docs/FORMAT.md`, store file), and how an older file gets those of today.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, ErrorKind};

/// `SLK1`, in SQLite's header: this database is a Selkie store.
const APPLICATION_ID: i64 = 0x534c_4b31;
/// What each version of the tables adds to the one before. A step that was released is never changed.
const STEPS: &[&str] = &[
    include_str!("schema/1_records.sql"),
    include_str!("schema/2_incarnations.sql"),
    include_str!("schema/4_sync_state.sql"),
    include_str!("schema/5_members.sql"),
    include_str!("schema/8_query.sql"),
];

/// Makes the tables, in one transaction: a store is there whole or not at all.
pub(super) fn create(connection: &Connection) -> Result<(), Error> {
    take_steps(connection, 0)
}

/// Refuses what is no store, and what a newer version wrote; brings an older file up to today.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id")? != APPLICATION_ID {
        return Err(Error::new(ErrorKind::Storage, "the file is a database, but no Selkie store"));
    }
    let (format, known) = (number("user_version")?, STEPS.len());
    match usize::try_from(format) {
        Ok(taken) if taken == known => Ok(()),
        Ok(taken @ 1..) if taken < known => take_steps(connection, taken),
        Ok(taken) if taken > known => Err(Error::new(
            ErrorKind::TooNew,
            format!(
                "the store has format {format}, this version reads up to {known}; update the app"
            ),
        )),
        _ => Err(Error::new(ErrorKind::Storage, "the store has no format")),
    }
}

/// Takes the steps after the first `taken` ones, all or none.
fn take_steps(connection: &Connection, taken: usize) -> Result<(), Error> {
    let sql = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Another process may have taken them while this one waited.
    let format: i64 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let taken = taken.max(usize::try_from(format).unwrap_or_default());
    for step in STEPS.iter().skip(taken) {
        sql.execute_batch(step)?;
    }
    sql.pragma_update(None, "application_id", APPLICATION_ID)?;
    sql.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))?;
    sql.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_the_first_version_keeps_its_records_and_gets_the_tables_of_today() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO collection (name) VALUES ('notes');
                 INSERT INTO record (collection, id, body, state, created_at, updated_at, contested)
                 VALUES (1, 'n', '{\"title\":\"Milk\"}', x'00', 1, 2, 0);",
            )
            .unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        check(&connection).unwrap();
        let sql = "SELECT body, updated_at, updated_by, local_only FROM record r
            JOIN collection c ON c.num = r.collection";
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let kept: (String, i64, Option<i64>, bool) = connection.query_row(sql, [], row).unwrap();
        assert_eq!(kept, ("{\"title\":\"Milk\"}".to_owned(), 2, None, false));
        let version = |sql: &Connection| -> i64 {
            sql.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
        };
        assert_eq!(version(&connection), STEPS.len() as i64);
        check(&connection).unwrap();
        assert_eq!(version(&connection), STEPS.len() as i64, "and once only");
    }
}
