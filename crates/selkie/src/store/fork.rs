//! Healing of a store that went on, unnoticed, from an earlier state of itself.
//!
//! In: what a relay has of this store's chain. Out: a store that writes a chain of its own; what it had
//! written under names that are in use elsewhere has new ones, and nothing of it is lost.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, TransactionBehavior, params};
use selkie_core::change::{Change, ChangeNumber, Dot, Renaming};
use selkie_core::clock::Stamp;
use selkie_core::merge::apply_own;
use selkie_core::record::RecordKey;
use selkie_core::seal::ChangesOf;
use selkie_core::sync::EngineError;
use selkie_wire::{DeviceId, Digest, Envelope, SegmentNumber};

use super::database::Database;
use super::identity::{Identity, damaged, from_sql, to_sql};
use super::incarnation::{Resend, enter_chain, leave_chain, new_token, own_chain};
use super::outbox::{each_own_segment, open_own};
use super::rows::{Changed, Rows, stamp_to_sql};
use crate::Error;

/// What a relay has of this store's chain.
#[derive(Debug, Default)]
pub(crate) struct Theirs {
    /// Digests, and those of the segments before them.
    segments: BTreeMap<SegmentNumber, (Digest, Digest)>,
    changes: BTreeMap<u64, Digest>,
}

/// The own changes that are still here, and which of them others may have under the same names.
struct Own {
    /// Names that keep what they name here.
    kept: Vec<Change>,
    /// Names that name something else elsewhere, or may.
    renamed: Vec<Change>,
    first_renamed: u64,
}

impl Database {
    /// Notes an envelope of a relay, if it is of this store's chain.
    pub(crate) fn note_theirs(
        &self,
        identity: &Identity,
        bytes: Vec<u8>,
        theirs: &mut Theirs,
    ) -> Result<(), Error> {
        let chain = own_chain(&self.connection, identity.device_id())?;
        let Ok(envelope) = Envelope::parse(bytes) else { return Ok(()) };
        if envelope.header().device != chain {
            return Ok(());
        }
        // Only what this device signed is evidence of anything.
        let Ok(Some(body)) = open_own(&self.connection, identity, &envelope) else {
            return Ok(());
        };
        let header = envelope.header();
        theirs.segments.insert(header.number, (envelope.digest(), header.previous));
        if body.changes_of == ChangesOf::Sender {
            let numbered = (body.first_change..).zip(&body.changes);
            theirs.changes.extend(numbered.map(|(number, bytes)| (number, Digest::of(bytes))));
        }
        Ok(())
    }

    /// Whether this store never made one of these segments of its chain.
    pub(crate) fn is_forked_by(&self, theirs: &Theirs) -> Result<bool, Error> {
        for (number, (digest, _)) in &theirs.segments {
            if self.own_digest(*number)? != Some(*digest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins a new chain where the relay's and this store's histories part. `acknowledged` is the last
    /// own segment that the relay is known to have taken from this store.
    pub(crate) fn heal_fork(
        &mut self,
        identity: &Identity,
        theirs: &Theirs,
        acknowledged: SegmentNumber,
        now_ms: u64,
    ) -> Result<(), Error> {
        let Self { connection, cache, .. } = self;
        let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rows = Rows::new(&sql, cache)?;
        let healed = heal(&mut rows, identity, theirs, acknowledged, now_ms)
            .and_then(|()| sql.commit().map_err(Error::from));
        cache.forget();
        healed?;
        self.write_chain_file()
    }
}

fn heal(
    rows: &mut Rows<'_>,
    identity: &Identity,
    theirs: &Theirs,
    acknowledged: SegmentNumber,
    now_ms: u64,
) -> Result<(), Error> {
    let sql = rows.connection;
    let chain = own_chain(sql, identity.device_id())?;
    let acknowledged = joint(sql, theirs, acknowledged)?;
    let own = own_changes(sql, identity, theirs, acknowledged, chain)?;
    let token = new_token()?;
    let new_chain = identity.device.incarnation_id(token);
    let first = Dot { device: chain, number: ChangeNumber(own.first_renamed) };
    let mut renaming = Renaming::new(first, new_chain);
    own.kept.iter().for_each(|change| renaming.keep(change));
    let mut renamed: Vec<Change> =
        own.renamed.into_iter().map(|change| renaming.rename(change)).collect();
    renamed.insert(0, renaming.first_change());
    let part = last_common(sql, theirs, acknowledged)?;
    if theirs.segments.keys().next_back().is_none_or(|last| *last <= part) {
        return Err(EngineError::Inconsistent.into());
    }
    leave_chain(sql, identity, &Resend::Before(own.first_renamed), part)?;
    enter_chain(sql, identity, token)?;
    for change in &renamed {
        sql.execute(
            "INSERT INTO log VALUES (?1, ?2, ?3)",
            params![to_sql(change.dot.number.0), stamp_to_sql(change.stamp), change.to_bytes()],
        )?;
    }
    rename_past(sql, chain, own.first_renamed, new_chain)?;
    rewrite(rows, &renaming, &renamed, now_ms)
}

/// Reads the own changes, and finds where the histories part.
fn own_changes(
    sql: &Connection,
    identity: &Identity,
    theirs: &Theirs,
    acknowledged: SegmentNumber,
    chain: DeviceId,
) -> Result<Own, Error> {
    let mut own = Own { kept: Vec::new(), renamed: Vec::new(), first_renamed: 0 };
    let mut last = 0;
    let mut sort = |number: u64, bytes: &[u8], taken: bool| {
        let dot = Dot { device: chain, number: ChangeNumber(number) };
        let change = Change::from_bytes(dot, bytes).map_err(|_| damaged())?;
        let same = match theirs.changes.get(&number) {
            Some(digest) => *digest == Digest::of(bytes),
            // It took it once, and has cleared it away since.
            None => taken,
        };
        last = number;
        if same && own.renamed.is_empty() {
            own.kept.push(change);
        } else {
            own.first_renamed = own.renamed.first().map_or(number, |first| first.dot.number.0);
            own.renamed.push(change);
        }
        Ok::<_, Error>(())
    };
    each_own_segment(sql, identity, |number, body| {
        if body.changes_of != ChangesOf::Sender {
            return Ok(());
        }
        let mut numbered = (body.first_change..).zip(&body.changes);
        numbered.try_for_each(|(change, bytes)| sort(change, bytes, number <= acknowledged))
    })?;
    let mut statement = sql.prepare_cached("SELECT number, bytes FROM log ORDER BY number")?;
    let mut log = statement.query([])?;
    while let Some(row) = log.next()? {
        sort(from_sql(row.get(0)?), row.get_ref(1)?.as_blob().map_err(|_| damaged())?, false)?;
    }
    if own.renamed.is_empty() {
        let sealed: i64 =
            sql.query_row("SELECT changes_sealed FROM local", [], |row| row.get(0))?;
        own.first_renamed = last.max(from_sql(sealed)) + 1;
    }
    Ok(own)
}

/// The last own segment that is surely theirs too: acknowledged, or named by the first after it.
fn joint(
    sql: &Connection,
    theirs: &Theirs,
    acknowledged: SegmentNumber,
) -> Result<SegmentNumber, Error> {
    let mut statement = sql.prepare_cached("SELECT number, digest FROM segment ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut joint = acknowledged;
    while let Some(row) = rows.next()? {
        let number = SegmentNumber(from_sql(row.get(0)?));
        let after = number.next().and_then(|next| theirs.segments.get(&next));
        if after.is_some_and(|(_, previous)| {
            row.get::<_, [u8; 32]>(1).is_ok_and(|digest| digest == previous.0)
        }) {
            joint = joint.max(number);
        }
    }
    Ok(joint)
}

/// The last own segment that the relay's chain has too.
fn last_common(
    sql: &Connection,
    theirs: &Theirs,
    acknowledged: SegmentNumber,
) -> Result<SegmentNumber, Error> {
    let mut statement = sql.prepare_cached("SELECT number, digest FROM segment ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut last = SegmentNumber(0);
    while let Some(row) = rows.next()? {
        let number = SegmentNumber(from_sql(row.get(0)?));
        let known = theirs.segments.get(&number).map(|(digest, _)| digest.0);
        let same = known.map_or(number <= acknowledged, |known| {
            row.get::<_, [u8; 32]>(1).is_ok_and(|digest| digest == known)
        });
        if !same {
            break;
        }
        last = number;
    }
    Ok(last)
}

fn rename_past(
    sql: &Connection,
    chain: DeviceId,
    first: u64,
    new_chain: DeviceId,
) -> Result<(), Error> {
    for (device, number) in [("device", "number"), ("by_device", "by_number")] {
        sql.execute(
            &format!(
                "UPDATE past SET {device} = ?1, {number} = {number} - ?2 + 2
                 WHERE {device} = ?3 AND {number} >= ?2 AND {number} < ?4"
            ),
            params![
                new_chain.as_bytes(),
                to_sql(first),
                chain.as_bytes(),
                to_sql(super::local_only::FIRST_LOCAL)
            ],
        )?;
    }
    Ok(())
}

/// Writes the records that the renamed changes touch as if they had been written under their new names.
fn rewrite(
    rows: &mut Rows<'_>,
    renaming: &Renaming,
    renamed: &[Change],
    now_ms: u64,
) -> Result<(), Error> {
    let records = renamed.iter().flat_map(|change| &change.records);
    let keys: BTreeSet<&RecordKey> = records.map(|record| &record.key).collect();
    for key in keys {
        let Some(stored) = rows.load(key)? else { continue };
        let mut registers = stored.registers.clone();
        renaming.take_out(&mut registers);
        for change in renamed {
            for record in change.records.iter().filter(|record| record.key == *key) {
                let operations = record.operations.clone();
                apply_own(&mut registers, (key, change.dot, change.stamp), operations, &mut |_| {});
            }
        }
        let shown = rows.view(key, &registers)?;
        let stamps =
            (Stamp::from_unix_ms(stored.created_at_ms), Stamp::from_unix_ms(stored.updated_at_ms));
        let changed = Changed {
            key,
            stored: Some(&stored),
            registers: &registers,
            stamps,
            by: None,
            overwritten: &[],
        };
        rows.save(&changed, &shown, now_ms)?;
    }
    Ok(())
}
