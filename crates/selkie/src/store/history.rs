//! A record's history: what was overwritten, by whom, and why; and the way back.

use rusqlite::params;
use selkie_core::change::{ChangeNumber, Class, Dot, Entry, EntryValue, Registers, Sibling};
use selkie_core::clock::Stamp;
use selkie_core::merge::{Overwritten, SideContent, view};
use selkie_core::record::{Document, Path, RecordKey};
use selkie_wire::DeviceId;

use super::database::Database;
use super::identity::{damaged, from_sql, to_sql};
use super::rows::{Rows, StoredRecord, stamp_of, stamp_to_sql};
use crate::status::{Decider, HistoryEntry};
use crate::{Error, ErrorKind};

/// An overwritten value, as stored.
struct Past {
    path: Path,
    sibling: Sibling,
    by: Dot,
    by_stamp: Stamp,
    by_class: Class,
    why: Option<String>,
}

impl Rows<'_> {
    /// Keeps what a change put an end to. That a record stayed alive is not worth a line.
    pub(super) fn remember(&mut self, num: i64, overwritten: &[&Overwritten]) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO past VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        for Overwritten { path, sibling, by, by_stamp, by_class, why, .. } in overwritten {
            if sibling.entry.value == EntryValue::Alive {
                continue;
            }
            statement.execute(params![
                num,
                path.as_bytes(),
                sibling.dot.device.as_bytes(),
                to_sql(sibling.dot.number.0),
                stamp_to_sql(sibling.entry.stamp),
                sibling.entry.class as u8,
                sibling.entry.value.kind(),
                sibling.entry.value.to_bytes(),
                by.device.as_bytes(),
                to_sql(by.number.0),
                stamp_to_sql(*by_stamp),
                *by_class as u8,
                why,
            ])?;
        }
        Ok(())
    }

    fn past(&self, record: &StoredRecord) -> Result<Vec<Past>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT path, device, number, stamp, class, kind, value, by_device, by_number, by_stamp,
             by_class, why FROM past WHERE record = ?1 ORDER BY stamp, device, number, path",
        )?;
        let mut rows = statement.query([record.num()])?;
        let mut past = Vec::new();
        while let Some(row) = rows.next()? {
            let dot = |device: usize, number: usize| -> Result<Dot, Error> {
                let device = DeviceId(row.get(device)?);
                Ok(Dot { device, number: ChangeNumber(from_sql(row.get(number)?)) })
            };
            let class = |column: usize| -> Result<Class, Error> {
                Class::from_byte(row.get(column)?).ok_or_else(damaged)
            };
            let bytes: Option<Vec<u8>> = row.get(6)?;
            let value =
                EntryValue::from_bytes(row.get(5)?, bytes.as_deref()).ok_or_else(damaged)?;
            let entry = Entry {
                stamp: stamp_of(row.get(3)?),
                priority: 0,
                class: class(4)?,
                origin: None,
                value,
            };
            past.push(Past {
                path: Path::from_bytes(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
                sibling: Sibling { dot: dot(1, 2)?, entry },
                by: dot(7, 8)?,
                by_stamp: stamp_of(row.get(9)?),
                by_class: class(10)?,
                why: row.get(11)?,
            });
        }
        Ok(past)
    }
}

impl Database {
    /// Every value of a record that is known, oldest first: who wrote it, what became of it, and why.
    pub(crate) fn history(&mut self, key: &RecordKey) -> Result<Vec<HistoryEntry>, Error> {
        let Self { connection, cache, .. } = self;
        let mut rows = Rows::new(connection, cache)?;
        let Some(stored) = rows.load(key)? else { return Err(no_record(key)) };
        let past = rows.past(&stored)?;
        // A value competed if the change that ended it ended others at the same place with it.
        let competed = |this: &Past| {
            past.iter().filter(|other| (other.by, &other.path) == (this.by, &this.path)).count() > 1
        };
        let mut entries: Vec<HistoryEntry> = past
            .iter()
            .map(|this| {
                let mut entry = entry_of(&this.path, &this.sibling);
                entry.replaced_by = Some((this.by.device, this.by_stamp.unix_ms()));
                entry.replaced_why = decider(this.by_class, this.why.as_deref());
                entry.lost = competed(this) && !is_written_by(&stored, &past, this);
                entry
            })
            .collect();
        for (path, siblings) in stored.registers.iter() {
            entries.extend(siblings.iter().map(|sibling| entry_of(path, sibling)));
        }
        entries.sort_by_key(|entry| entry.at_ms);
        Ok(entries)
    }

    /// The document as it was before the record's last change; `None` if it was not there. Errors if
    /// there is nothing to go back to.
    pub(crate) fn before_last_change(
        &mut self,
        key: &RecordKey,
    ) -> Result<Option<Document>, Error> {
        let Self { connection, cache, .. } = self;
        let mut rows = Rows::new(connection, cache)?;
        let Some(stored) = rows.load(key)? else { return Err(no_record(key)) };
        let siblings = stored.registers.iter().flat_map(|(_, siblings)| siblings);
        let last = siblings.map(|sibling| (sibling.entry.stamp, sibling.dot)).max();
        let Some((_, last)) = last else { return Err(no_record(key)) };
        let past = rows.past(&stored)?;
        let before = current(&stored)
            .filter(|(_, sibling)| sibling.dot != last)
            .chain(
                past.into_iter()
                    .filter(|past| past.by == last)
                    .map(|past| (past.path, past.sibling)),
            )
            .collect();
        shown(&mut rows, key, before)
    }

    /// The document as it was at a time; `None` if it was not there then.
    pub(crate) fn at_time(
        &mut self,
        key: &RecordKey,
        at_ms: u64,
    ) -> Result<Option<Document>, Error> {
        let Self { connection, cache, .. } = self;
        let mut rows = Rows::new(connection, cache)?;
        let Some(stored) = rows.load(key)? else { return Err(no_record(key)) };
        let past = rows.past(&stored)?;
        let then = current(&stored)
            .chain(
                past.into_iter()
                    .filter(|past| past.by_stamp.unix_ms() > at_ms)
                    .map(|past| (past.path, past.sibling)),
            )
            .filter(|(_, sibling)| sibling.entry.stamp.unix_ms() <= at_ms)
            .collect();
        shown(&mut rows, key, then)
    }

    /// Forgets what the policies keep no longer.
    pub(super) fn forget_history(&mut self, now_ms: u64) -> Result<(), Error> {
        let collections: Vec<(i64, String)> = {
            let mut statement = self.connection.prepare("SELECT num, name FROM collection")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (num, name) in collections {
            let kept_ms = self.policy(&name)?.history_ms;
            let oldest = stamp_to_sql(Stamp::from_unix_ms(now_ms.saturating_sub(kept_ms)));
            self.connection.execute(
                "DELETE FROM past WHERE by_stamp < ?1
                 AND record IN (SELECT num FROM record WHERE collection = ?2)",
                params![oldest, num],
            )?;
        }
        Ok(())
    }
}

fn no_record(key: &RecordKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("there never was a record {key}, or it is long gone"))
}

fn current(stored: &StoredRecord) -> impl Iterator<Item = (Path, Sibling)> + '_ {
    stored
        .registers
        .iter()
        .flat_map(|(path, siblings)| siblings.iter().map(|sibling| (path.clone(), sibling.clone())))
}

/// A past state as its policy shows it. That a record was alive is not kept, so it was unless it was
/// dead.
fn shown(
    rows: &mut Rows<'_>,
    key: &RecordKey,
    mut then: Registers,
) -> Result<Option<Document>, Error> {
    if then.is_empty() {
        return Ok(None);
    }
    if then.at(&Path::root()).is_empty() {
        let alive = then.iter().flat_map(|(_, siblings)| siblings).next().cloned();
        let alive = alive.map(|mut sibling| {
            sibling.entry.value = EntryValue::Alive;
            (Path::root(), sibling)
        });
        let with_alive = then.iter().flat_map(|(path, siblings)| {
            siblings.iter().map(|sibling| (path.clone(), sibling.clone())).collect::<Vec<_>>()
        });
        then = with_alive.chain(alive).collect();
    }
    let policy = rows.policy(key.collection())?;
    Ok(view(&then, &policy).document)
}

fn entry_of(path: &Path, sibling: &Sibling) -> HistoryEntry {
    HistoryEntry {
        at_ms: sibling.entry.stamp.unix_ms(),
        device: sibling.dot.device,
        change: sibling.dot.number.0,
        path: path.clone(),
        content: match &sibling.entry.value {
            EntryValue::Value(value) => SideContent::Value(value.clone()),
            EntryValue::EmptyObject => {
                SideContent::Value(serde_json::Value::Object(Default::default()))
            }
            EntryValue::EmptyArray => SideContent::Value(serde_json::Value::Array(Vec::new())),
            EntryValue::Alive => SideContent::Kept,
            EntryValue::Dead => SideContent::Deleted,
            EntryValue::Absent | EntryValue::Unknown { .. } => SideContent::Removed,
        },
        decided_by: decider(sibling.entry.class, None),
        replaced_by: None,
        replaced_why: Decider::Write,
        lost: false,
    }
}

fn decider(class: Class, why: Option<&str>) -> Decider {
    match class {
        Class::Plain => Decider::Write,
        Class::Human => Decider::Person,
        Class::Auto => Decider::Machine(why.unwrap_or_default().to_owned()),
    }
}

/// Whether what ended a value wrote the same value: then it won.
fn is_written_by(stored: &StoredRecord, past: &[Past], this: &Past) -> bool {
    let now = stored.registers.at(&this.path).iter();
    let then = past.iter().filter(|other| other.path == this.path).map(|other| &other.sibling);
    now.chain(then)
        .any(|sibling| sibling.dot == this.by && sibling.entry.value == this.sibling.entry.value)
}
