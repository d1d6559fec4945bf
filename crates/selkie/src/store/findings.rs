//! What devices say of each other, held against what relays gave.
//!
//! Each segment carries, sealed, the last segment that its sender had seen of every other device. A
//! relay cannot change that; so what it holds back, or shows two devices differently, comes out as
//! soon as one segment of someone who saw more gets through.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use selkie_core::clock::Stamp;
use selkie_core::seal::Heads;
use selkie_wire::ids::RosterNumber;
use selkie_wire::{Cursor, DeviceId, Digest, Roster, SegmentNumber};

use super::database::Database;
use super::identity::{from_sql, to_sql};
use super::rows::stamp_to_sql;
use crate::Error;
use crate::finding::{Finding, FindingKind, Quarantined};

/// Digests kept of each device's last segments, to hold what others say of them against.
const CHAIN_LEN_MAX: u64 = 1_000;

/// What a page's opened segments say; later ones of a sender say all that earlier ones did.
#[derive(Default)]
pub(super) struct Heard(BTreeMap<DeviceId, (Stamp, Heads)>);

impl Heard {
    /// Takes in one opened segment, which is its sender's head now.
    pub(super) fn hear(
        &mut self,
        sql: &Connection,
        sender: DeviceId,
        (number, digest): (SegmentNumber, Digest),
        (stamp, heads): (Stamp, Heads),
    ) -> Result<(), Error> {
        sql.prepare_cached("INSERT OR REPLACE INTO chain VALUES (?1, ?2, ?3)")?
            .execute(params![sender.as_bytes(), to_sql(number.0), digest.as_bytes()])?;
        let last_forgotten = number.0.saturating_sub(CHAIN_LEN_MAX);
        sql.prepare_cached("DELETE FROM chain WHERE device = ?1 AND number <= ?2")?
            .execute(params![sender.as_bytes(), to_sql(last_forgotten)])?;
        self.0.insert(sender, (stamp, heads));
        Ok(())
    }

    /// Holds all of it against the heads known here. `own` is this device, which knows its own chain.
    pub(super) fn settle(
        self,
        sql: &Connection,
        (own, heads): (DeviceId, &Heads),
        now_ms: u64,
    ) -> Result<(), Error> {
        for (sender, (stamp, said)) in self.0 {
            sql.prepare_cached("INSERT OR REPLACE INTO heard VALUES (?1, ?2)")?
                .execute(params![sender.as_bytes(), stamp_to_sql(stamp)])?;
            for (device, (number, digest)) in said {
                if device == own {
                    check_own(sql, (own, number, digest), sender, now_ms)?;
                } else if device != sender {
                    sql.prepare_cached("INSERT OR REPLACE INTO claim VALUES (?1, ?2, ?3, ?4)")?
                        .execute(params![
                            sender.as_bytes(),
                            device.as_bytes(),
                            to_sql(number.0),
                            digest.as_bytes()
                        ])?;
                }
            }
        }
        check_claims(sql, heads, now_ms)
    }
}

/// What others saw of this device must be what it sealed.
fn check_own(
    sql: &Connection,
    (own, number, digest): (DeviceId, SegmentNumber, Digest),
    said_by: DeviceId,
    now_ms: u64,
) -> Result<(), Error> {
    let sealed: Option<[u8; 32]> = sql
        .prepare_cached("SELECT digest FROM segment WHERE number = ?1")?
        .query_row([to_sql(number.0)], |row| row.get(0))
        .optional()?;
    let last: i64 =
        sql.query_row("SELECT coalesce(max(number), 0) FROM segment", [], |row| row.get(0))?;
    // Segments that were sealed here and are not kept any more cannot be compared.
    let differs = sealed.map_or(from_sql(last) < number.0, |sealed| sealed != digest.0);
    if differs {
        let kind = FindingKind::Fork { device: own, number: number.0, said_by };
        note(sql, &kind, now_ms)?;
    }
    Ok(())
}

/// Settles what is said of segments that were read here meanwhile.
fn check_claims(sql: &Connection, heads: &Heads, now_ms: u64) -> Result<(), Error> {
    for (claimant, device, number, digest) in claims(sql)? {
        let head = heads.get(&device).map_or(0, |(number, _)| number.0);
        if number > head {
            continue;
        }
        let known: Option<[u8; 32]> = sql
            .prepare_cached("SELECT digest FROM chain WHERE device = ?1 AND number = ?2")?
            .query_row(params![device.as_bytes(), to_sql(number)], |row| row.get(0))
            .optional()?;
        if known.is_some_and(|known| known != digest.0) {
            note(sql, &FindingKind::Fork { device, number, said_by: claimant }, now_ms)?;
        }
        sql.prepare_cached("DELETE FROM claim WHERE claimant = ?1 AND device = ?2")?
            .execute(params![claimant.as_bytes(), device.as_bytes()])?;
    }
    Ok(())
}

type Claim = (DeviceId, DeviceId, u64, Digest);

fn claims(sql: &Connection) -> Result<Vec<Claim>, Error> {
    let mut statement = sql.prepare_cached("SELECT claimant, device, number, digest FROM claim")?;
    let rows = statement.query_map([], |row| {
        let (claimant, device) = (DeviceId(row.get(0)?), DeviceId(row.get(1)?));
        Ok((claimant, device, from_sql(row.get(2)?), Digest(row.get(3)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A segment that was kept aside because its chain has two histories.
pub(super) fn note_second_history(
    sql: &Connection,
    device: DeviceId,
    number: SegmentNumber,
    now_ms: u64,
) -> Result<(), Error> {
    note(sql, &FindingKind::Fork { device, number: number.0, said_by: device }, now_ms)
}

/// Remembers a finding; one that is known keeps its beginning.
fn note(sql: &Connection, kind: &FindingKind, now_ms: u64) -> Result<(), Error> {
    let (subject, number, said_by): (&[u8], u64, &[u8]) = match kind {
        FindingKind::Fork { device, number, said_by } => {
            (device.as_bytes(), *number, said_by.as_bytes())
        }
        FindingKind::Withheld { device, up_to, said_by } => {
            (device.as_bytes(), *up_to, said_by.as_bytes())
        }
        FindingKind::RosterFork { relay } | FindingKind::Rollback { relay } => {
            (relay.as_bytes(), 0, &[])
        }
    };
    sql.prepare_cached(
        "INSERT INTO finding VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (kind, subject)
         DO UPDATE SET number = excluded.number, said_by = excluded.said_by
         WHERE kind <> 'fork'",
    )?
    .execute(params![kind.code(), subject, to_sql(number), said_by, to_sql(now_ms)])?;
    Ok(())
}

impl Database {
    /// The last segment of every device, this one included, for a device that is let in.
    pub(crate) fn heads_with_own(&self, own: DeviceId) -> Result<Heads, Error> {
        let mut heads = self.heads()?;
        let head = self.own_head()?;
        if let Some(digest) = head.digest {
            heads.insert(self.chain(own)?, (head.number, digest));
        }
        Ok(heads)
    }

    /// Remembers what the device that let this one in had seen: a relay must give at least that.
    pub(crate) fn note_grant(&mut self, own: DeviceId, heads: &Heads) -> Result<(), Error> {
        let sql = self.connection.transaction()?;
        for (device, (number, digest)) in heads {
            sql.execute(
                "INSERT OR REPLACE INTO claim VALUES (?1, ?2, ?3, ?4)",
                params![own.as_bytes(), device.as_bytes(), to_sql(number.0), digest.as_bytes()],
            )?;
        }
        sql.commit()?;
        Ok(())
    }

    /// Everything found and not healed.
    pub(crate) fn findings(&self) -> Result<Vec<Finding>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, subject, number, said_by, since FROM finding ORDER BY since, kind, subject",
        )?;
        let mut rows = statement.query([])?;
        let mut findings = Vec::new();
        while let Some(row) = rows.next()? {
            let (kind, subject): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let (number, said_by): (u64, Vec<u8>) = (from_sql(row.get(2)?), row.get(3)?);
            let device = DeviceId::from_slice(&subject);
            let kind = match (kind.as_str(), device, DeviceId::from_slice(&said_by)) {
                ("fork", Some(device), Some(said_by)) => {
                    FindingKind::Fork { device, number, said_by }
                }
                ("withheld", Some(device), Some(said_by)) => {
                    FindingKind::Withheld { device, up_to: number, said_by }
                }
                ("rollback" | "roster_fork", ..) => match String::from_utf8(subject) {
                    Ok(relay) if kind == "rollback" => FindingKind::Rollback { relay },
                    Ok(relay) => FindingKind::RosterFork { relay },
                    Err(_) => continue,
                },
                _ => continue,
            };
            findings.push(Finding { kind, since_ms: from_sql(row.get(4)?) });
        }
        Ok(findings)
    }

    /// After a relay's list was read to its end: whatever others have seen and nobody gave is held
    /// back; what has come since, is not.
    pub(crate) fn note_withheld(&mut self, roster: &Roster, now_ms: u64) -> Result<(), Error> {
        let (heads, known_chains) = (self.heads()?, self.incarnations(roster)?);
        let sql = self.connection.transaction()?;
        let mut withheld: BTreeMap<DeviceId, (u64, DeviceId)> = BTreeMap::new();
        for (said_by, device, number, _) in claims(&sql)? {
            // Of a device that was removed, only what counts is missed.
            let owner = known_chains.owner(roster, device);
            let last = owner.map_or(SegmentNumber(0), |(_, member)| member.last_counted(device));
            let counts = last.0.min(number);
            let head = heads.get(&device).map_or(0, |(number, _)| number.0);
            let known = withheld.get(&device).map_or(head, |(up_to, _)| *up_to);
            if counts > known {
                withheld.insert(device, (counts, said_by));
            }
        }
        let mut healed = sql.prepare("SELECT subject FROM finding WHERE kind = 'withheld'")?;
        let known = healed.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        for subject in known.collect::<Result<Vec<_>, _>>()? {
            let device = DeviceId::from_slice(&subject);
            if device.is_none_or(|device| !withheld.contains_key(&device)) {
                sql.execute(
                    "DELETE FROM finding WHERE kind = 'withheld' AND subject = ?1",
                    [subject],
                )?;
            }
        }
        drop(healed);
        for (device, (up_to, said_by)) in withheld {
            note(&sql, &FindingKind::Withheld { device, up_to, said_by }, now_ms)?;
        }
        sql.commit()?;
        Ok(())
    }

    /// Compares where a relay's list and roster end with where they ended; `lost` says that it has fewer own
    /// segments than it had.
    pub(crate) fn note_relay_stands(
        &mut self,
        url: &str,
        (cursor, roster): (Cursor, RosterNumber),
        lost: bool,
        now_ms: u64,
    ) -> Result<bool, Error> {
        let sql = self.connection.transaction()?;
        let known: Option<(i64, i64)> = sql
            .prepare_cached("SELECT cursor, roster FROM relay_high WHERE url = ?1")?
            .query_row([url], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (cursor, number) = (to_sql(cursor.0), to_sql(roster.0));
        let went_back = known.is_some_and(|(known_cursor, known_roster)| {
            known_roster > number || known_cursor > cursor
        });
        if went_back || lost {
            note(&sql, &FindingKind::Rollback { relay: url.to_owned() }, now_ms)?;
        }
        sql.prepare_cached("INSERT OR REPLACE INTO relay_high VALUES (?1, ?2, ?3)")?
            .execute(params![url, cursor, number])?;
        sql.commit()?;
        Ok(went_back || lost)
    }

    /// A whole run found the relay where it stood, with all that this device sent: it is filled again.
    pub(crate) fn heal_rollback(&self, url: &str) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM finding WHERE kind = 'rollback' AND subject = ?1",
            [url.as_bytes()],
        )?;
        Ok(())
    }

    /// Whether a relay's roster is, as far as it goes, the one known here.
    pub(crate) fn note_roster_fork(
        &self,
        url: &str,
        forked: bool,
        now_ms: u64,
    ) -> Result<(), Error> {
        if forked {
            let kind = FindingKind::RosterFork { relay: url.to_owned() };
            return note(&self.connection, &kind, now_ms);
        }
        self.connection.execute(
            "DELETE FROM finding WHERE kind = 'roster_fork' AND subject = ?1",
            [url.as_bytes()],
        )?;
        Ok(())
    }

    /// Clock of the last segment opened of each other device, in milliseconds since 1970.
    pub(crate) fn last_heard(&self) -> Result<BTreeMap<DeviceId, u64>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT device, stamp FROM heard")?;
        let rows = statement.query_map([], |row| {
            let stamp = Stamp(u64::from_ne_bytes(row.get::<_, i64>(1)?.to_ne_bytes()));
            Ok((DeviceId(row.get(0)?), stamp.unix_ms()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Segments that wait for a person.
    pub(crate) fn quarantined(&self) -> Result<Vec<Quarantined>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, count(*), min(number), max(number), min(since) FROM held
             WHERE reason = 'quarantine' GROUP BY device ORDER BY device",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Quarantined {
                device: DeviceId(row.get(0)?),
                segments: from_sql(row.get(1)?),
                numbers: (from_sql(row.get(2)?), from_sql(row.get(3)?)),
                since_ms: from_sql(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether segments are here that wait for others, for a roster entry or for an update.
    pub(crate) fn waiting_for_more(&self) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM held WHERE reason <> 'quarantine')";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}
